// Times: RFC 3339 in UTC with at most six digits after the second. A time is a number of microseconds since 1970.

const SECOND = 1000000;
const TIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?Z$/;

// Whole milliseconds since 1970 and the microseconds after them, or null when the text is not a time.
function partsOfTime(text) {
  const found = isText(text) ? TIME.exec(text) : null;
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
  if (hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  const fraction = (found[7] ?? "").padEnd(6, "0");
  return [date.getTime() + Number(fraction.slice(0, 3)), Number(fraction.slice(3))];
}

// Microseconds since 1970, or null when the text is not a time. After the year 2255 the last digits are rounded.
function timeOf(text) {
  const parts = partsOfTime(text);
  return parts && parts[0] * 1000 + parts[1];
}

// Whole milliseconds since 1970, rounded down and exact for every year, or undefined when the text is not a time.
function millisecondsOf(text) {
  return partsOfTime(text)?.[0];
}
