// The form of entries and events, and the streams that they form (format page, sections 2 and 3).

const MAX_EVENT = 65000;
const MAX_ENTRY = 65535;
const EVENT_TYPE = /^lockbox\.([a-z_.]+)\.v[0-9]+$/;
const EVENT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

// The tenant of a log, or null for the operator log.
function tenantOf(origin) {
  const found = /^.+\/t\/([^/]+)$/.exec(origin);
  return found ? found[1] : null;
}

// What is wrong with the form of a parsed entry, or null.
function formFault(entry, origin) {
  const { event } = entry.value;
  if (entry.value.v !== 1 || !isCount(entry.value.seq, 1) || !isHash(entry.value.prev)) return "does not have the form of an entry";
  if (entry.value.log !== origin) return "belongs to another log";
  if (utf8(canonical(event)).length > MAX_EVENT) return "contains an event that is too large";
  if (!isText(event.type) || !EVENT_TYPE.test(event.type)) return "contains an event without a valid type";
  if (!isText(event.id) || !EVENT_ID.test(event.id)) return "contains an event without a valid id";
  if (timeOf(event.time) === null) return "contains an event without a valid time";
  if ((event.tenant ?? null) !== tenantOf(origin)) return "contains an event of another tenant";
  if (event.correlationid !== undefined && !isText(event.correlationid)) return "contains an event without a valid request";
  if (event.subjectversion !== undefined && !isCount(event.subjectversion, 1)) return "contains an event without a valid version";
  return null;
}

// Parses an entry. Sets `value`, `event` and, when the event can be used, `type`, `time` and `request`.
function parseEntry(entry, origin, findings) {
  const value = entry.bytes.length > MAX_ENTRY ? undefined : fromCanonical(entry.bytes);
  entry.good = false;
  if (!hasMembers(value, ["event", "log", "prev", "seq", "v"]) || !isObject(value.event)) {
    findings.add(16, "The entry is not in the documented format.", entry);
    return;
  }
  entry.value = value;
  entry.event = value.event;
  entry.request = isText(value.event.correlationid) ? value.event.correlationid : null;
  const fault = formFault(entry, origin);
  if (fault) findings.add(16, `The entry ${fault}.`, entry);
  entry.good = fault === null || fault === "belongs to another log" || fault === "contains an event of another tenant";
  if (!entry.good) return;
  entry.type = EVENT_TYPE.exec(value.event.type)[1];
  entry.time = timeOf(value.event.time);
  entry.data = isObject(value.event.data) ? value.event.data : {};
}

// Follows `seq`, `prev` and `subjectversion` in each stream.
class Streams {
  constructor(isPeriod, findings) {
    this.isPeriod = isPeriod;
    this.findings = findings;
    this.streams = new Map();
    this.ids = new Set();
  }

  add(entry) {
    const { seq, prev, event } = entry.value ?? {};
    if (!event) return;
    if (this.ids.has(event.id)) this.findings.add(16, "The event occurs twice in the log.", entry);
    this.ids.add(event.id);
    const stream = this.streams.get(entry.request) ?? { seq: 0, leaf: "0".repeat(64), version: null, starts: seq };
    if (!this.streams.has(entry.request)) {
      this.streams.set(entry.request, stream);
      if (this.isPeriod && isCount(seq, 2)) Object.assign(stream, { seq: seq - 1, leaf: prev });
      else stream.version = 0;
    }
    if (isCount(seq)) this.follow(stream, entry);
    if (isCount(event.subjectversion)) this.followVersion(stream, entry);
  }

  follow(stream, entry) {
    const { seq, prev } = entry.value;
    if (seq !== stream.seq + 1) {
      this.findings.add(12, `The entry has number ${seq} of its stream, and follows number ${stream.seq}.`, entry);
    } else if (prev !== stream.leaf) {
      this.findings.add(11, "The entry does not follow the previous entry of its stream.", entry);
    }
    stream.seq = seq;
    stream.leaf = hexOf(entry.leaf);
  }

  followVersion(stream, entry) {
    const version = entry.event.subjectversion;
    if (stream.version !== null && version !== stream.version + 1) {
      this.findings.add(12, `The entry is step ${version} of its request, and follows step ${stream.version}.`, entry);
    }
    stream.version = version;
  }

  // True when the rules of the lifecycle apply to the steps of this request.
  isComplete(request) {
    return !this.isPeriod || this.streams.get(request)?.starts === 1;
  }
}
