// Times: RFC 3339 in UTC with at most six digits after the second. A time is a number of microseconds since 1970.

const SECOND = 1000000;
const TIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?Z$/;

// Microseconds since 1970, or null when the text is not a time.
function timeOf(text) {
  const found = isText(text) ? TIME.exec(text) : null;
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
  if (hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return date.getTime() * 1000 + Number((found[7] ?? "").padEnd(6, "0"));
}
