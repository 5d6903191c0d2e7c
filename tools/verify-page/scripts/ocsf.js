// The view `events.ocsf.jsonl`: one OCSF 1.3.0 document per entry (format page, section 9).

const READS = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"];
const CREATES = ["POST", "PUT", "COPY", "MKCOL"];
const UPDATES = ["PATCH", "PROPPATCH", "MOVE", "LOCK", "UNLOCK"];
const ENTITY_ACTIVITIES = {
  "request.submitted": 1, "token.added": 1, "notification.sent": 1,
  "token.revoked": 4, "grant.orphan_removed": 4, "texts.redacted": 4,
  "passkey.added": 6, "passkey.removed": 7, "grant.provisioned": 10, "grant.revoked": 11,
};
const NOT_UNMAPPED = [
  "actor", "allowed", "code", "count", "error", "first_at", "last_at", "message", "method", "requester", "service", "source",
];

function classOf(type, data) {
  if (type === "grant.activated") return [3005, 1];
  if (type === "grant.ended") return [3005, 2];
  if (type === "request.refused") return [6003, 1];
  if (type === "decision.refused") return [6003, 3];
  if (type !== "grant.used") return [3004, ENTITY_ACTIVITIES[type] ?? 3];
  if (CREATES.includes(data.method)) return [6003, 1];
  if (READS.includes(data.method)) return [6003, 2];
  if (UPDATES.includes(data.method)) return [6003, 3];
  return [6003, data.method === "DELETE" ? 4 : 99];
}

function textIn(data, ...names) {
  return names.map((name) => data[name]).find(isText);
}

function isIpv4(text) {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
}

// True for an address in the form of RFC 5952, and not a form that mixes both versions.
function isAddress(text) {
  if (isIpv4(text)) return true;
  if (!/^[0-9a-f:]+$/.test(text) || !text.includes(":")) return false;
  const halves = text.split("::");
  const left = halves[0] === "" ? [] : halves[0].split(":");
  const right = halves.length < 2 || halves[1] === "" ? [] : halves[1].split(":");
  const zeros = 8 - left.length - right.length;
  if (halves.length > 2 || (halves.length === 2 ? zeros < 1 : zeros !== 0)) return false;
  const groups = [...left, ...Array(zeros).fill("0"), ...right];
  return groups.every((group) => /^(0|[1-9a-f][0-9a-f]{0,3})$/.test(group)) && shortIpv6(groups) === text;
}

function shortIpv6(groups) {
  let best = { at: -1, size: 1 };
  for (let at = 0; at < 8; at += 1) {
    let size = 0;
    while (at + size < 8 && groups[at + size] === "0") size += 1;
    if (size > best.size) best = { at, size };
  }
  if (best.at < 0) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.size).join(":")}`;
}

function sourceOf(data) {
  if (isText(data.source) && data.source !== "") return isAddress(data.source) ? { ip: data.source } : { name: data.source };
  const method = at(data.actor, "auth", "method");
  return { svc_name: isText(method) ? method : "unknown" };
}

// A document without the members that have no value.
function without(document) {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}

function actorOf(data) {
  const actor = isObject(data.actor) ? data.actor : {};
  if (actor.kind === "lockbox") return { app_name: "Lockbox" };
  const name = textIn(actor, "name", "kind") ?? "unknown";
  return { user: without({ full_name: textIn(actor, "display_name"), name, uid: textIn(actor, "id") }) };
}

function classMembers(classUid, activity, { type, data, event }) {
  if (classUid === 3004) {
    const name = textIn(data, "service_request", "recipient", "log", "person", "note");
    const uid = textIn(data, "request", "dead_letter", "notification", "credential", "grant") ?? event.id;
    return { entity: without({ name, type: type.split(".")[0], uid }) };
  }
  if (classUid === 3005) {
    const uid = isText(event.correlationid) ? event.correlationid : event.id;
    const resource = without({ name: textIn(data, "resource"), type: textIn(data, "service"), uid });
    return { privileges: [textIn(data, "service") ?? "access"], user: { name: textIn(data, "requester") ?? "unknown" }, resource };
  }
  const operation = textIn(data, "method", "command") ?? "unknown";
  const resource = textIn(data, "resource");
  return {
    activity_name: activity === 99 ? operation : undefined,
    api: { operation, service: { name: type === "grant.used" ? "gate" : "commands" } },
    src_endpoint: sourceOf(data),
    resources: resource === undefined ? undefined : [{ name: resource }],
    count: Number.isSafeInteger(data.count) ? data.count : undefined,
    start_time: millisecondsOf(data.first_at),
    end_time: millisecondsOf(data.last_at),
  };
}

// The OCSF document of an entry.
function ocsfOf(entry, origin) {
  const { type, data, event } = entry;
  const [classUid, activity] = classOf(type, data);
  const category = Math.floor(classUid / 1000);
  const failed = type.endsWith("failed") || type === "message.dead_lettered";
  const isBad = failed || type.endsWith(".refused") || (type === "grant.used" && data.allowed === false);
  const unmapped = Object.entries(data).filter(([name, value]) => value !== null && !NOT_UNMAPPED.includes(name));
  const severity = failed || type === "grant.orphan_removed" ? 3 : isBad ? 2 : 1;
  return without({
    class_uid: classUid, activity_id: activity, type_uid: classUid * 100 + activity, category_uid: category,
    message: type,
    time: millisecondsOf(event.time),
    status_id: isBad ? 2 : 1, severity_id: severity,
    status_code: textIn(data, "code"), status_detail: textIn(data, "message", "error"),
    actor: actorOf(data),
    metadata: without({
      correlation_uid: textIn(event, "correlationid"), event_code: type, log_name: origin,
      product: { name: "Lockbox", vendor_name: "Lockbox" }, profiles: category === 3 ? ["host"] : undefined,
      sequence: entry.index, tenant_uid: textIn(event, "tenant"), uid: event.id, version: "1.3.0",
    }),
    raw_data: canonical(event),
    unmapped: unmapped.length > 0 ? Object.fromEntries(unmapped) : undefined,
    ...classMembers(classUid, activity, entry),
  });
}
