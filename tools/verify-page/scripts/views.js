// Views and texts: files that repeat the entries for other programs, and the words that people wrote.

const CSV_HEADER = "index,time,type,tenant,request,step,who,side,from,to,event";

function csvCell(value) {
  let text = isText(value) ? value : "";
  if (/^[=+\-@\t\r\0]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvLine(entry) {
  const { event, data } = entry;
  const actor = isObject(data.actor) ? data.actor : {};
  const step = isCount(event.subjectversion) ? String(event.subjectversion) : "";
  const cells = [
    String(entry.index), event.time, entry.type, event.tenant, event.correlationid, step, textIn(actor, "name", "kind"), actor.side,
    data.from, data.to, event.id,
  ];
  return `${cells.map(csvCell).join(",")}\r\n`;
}

// The lines that a view must have, one per entry.
function viewLine(name, entry, origin) {
  if (name === "events.csv") return csvLine(entry);
  return `${canonical(name === "events.jsonl" ? entry.event : ocsfOf(entry, origin))}\n`;
}

// True when the text consists of the head and the line of each entry. With `mayHaveMore`, other lines may stand between them.
async function hasLines(text, head, entries, lineOf, mayHaveMore, pause) {
  if (!text.startsWith(head)) return false;
  let place = head.length;
  for (const entry of entries) {
    const line = lineOf(entry);
    const found = text.startsWith(line, place) ? place : mayHaveMore ? text.indexOf(line, place) : -1;
    if (found < 0) return false;
    place = found + line.length;
    await pause();
  }
  return mayHaveMore || place === text.length;
}

// Compares the views with the entries. When entries are missing, the others may have the numbers of their true places, or those
// of the places where they are.
async function checkViews(files, entries, origin, findings, pause) {
  const isMissing = findings.has(12);
  const good = entries.filter((entry) => entry.good);
  const mayHaveMore = isMissing || good.length < entries.length;
  for (const name of VIEWS) {
    const bytes = files.get(name);
    if (!bytes) {
      findings.add(12, `The file ${name} is missing.`);
      continue;
    }
    const text = textOf(bytes);
    const head = name === "events.csv" ? `${CSV_HEADER}\r\n` : "";
    const fits = (lineOf) => hasLines(text, head, good, lineOf, mayHaveMore, pause);
    const isRight = text !== null
      && ((await fits((entry) => viewLine(name, entry, origin)))
        || (isMissing && (await fits((entry) => viewLine(name, { ...entry, index: entry.place }, origin)))));
    if (!isRight) findings.add(11, `The file ${name} does not match the entries.`);
  }
}

// Reads and checks `texts.jsonl`. Answers with the valid texts by event and field.
async function readTexts(files, entries, findings, pause) {
  const texts = new Map();
  const bytes = files.get("texts.jsonl");
  if (!bytes) return texts;
  const whole = textOf(bytes);
  if (whole === null || (whole !== "" && !whole.endsWith("\n"))) {
    findings.add(11, "The file texts.jsonl is not in the documented format.");
    return texts;
  }
  const events = new Map(entries.filter((entry) => entry.event).map((entry) => [entry.event.id, entry]));
  const isMissing = findings.has(12);
  for (const line of whole.split("\n").slice(0, -1)) {
    await pause();
    const value = fromJson(line);
    const isLine = hasMembers(value, ["event", "field", "salt", "text"]) && canonical(value) === line;
    const salt = isLine && isHash(value.salt) ? fromHex(value.salt) : null;
    if (!salt || !isText(value.text) || !isText(value.event) || !isText(value.field)) {
      findings.add(11, "The file texts.jsonl contains a line that is not in the documented format.");
      continue;
    }
    const entry = events.get(value.event);
    if (!entry) {
      if (!isMissing) findings.add(11, "The file texts.jsonl contains the text of an event that is not in the bundle.");
      continue;
    }
    const commitment = at(entry.event, "data", value.field, "committed");
    if (commitment !== hexOf(sha256(concat(salt, utf8(value.text))))) {
      findings.add(11, `The text of ${value.field} is not the text that was recorded.`, entry);
    } else {
      texts.set(`${value.event} ${value.field}`, value.text);
    }
  }
  return texts;
}
