// The report for people: plain sentences about what was proved, and what was not. It has no markup.

const SIDES = { vendor: "vendor", customer: "customer" };
const CAUSES = {
  expired: "the approved time was over",
  revoked_by_customer: "the customer revoked it",
  revoked_by_vendor: "the vendor revoked it",
  released: "the requester released it",
  ticket_closed: "the service request was closed",
  requester_disabled: "the requester was disabled",
};
const STATES = {
  pending_vendor: "Pending vendor approval",
  pending_customer: "Pending customer approval",
  vendor_denied: "Denied by the vendor",
  customer_denied: "Denied by the customer",
  expired: "Expired without a decision",
  withdrawn: "Withdrawn",
  active: "Active when this bundle was made",
  ended: "Ended",
};
const DECIDING = [...VENDOR_DECISIONS, ...CUSTOMER_DECISIONS];

const LOCAL_TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "long" });

// A time in the zone of the reader, with the exact time in UTC.
function timeText(time) {
  if (time === null || time === undefined || !Number.isFinite(time)) return "at an unknown time";
  const date = new Date(time / 1000);
  return `${LOCAL_TIME.format(date)} (${date.toISOString().slice(0, 19).replace("T", " ")} UTC)`;
}

function durationText(seconds) {
  if (!isCount(seconds)) return "an unknown duration";
  const parts = [[Math.floor(seconds / 3600), "h"], [Math.floor((seconds % 3600) / 60), "min"], [seconds % 60, "s"]];
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
}

function nameOf(entry) {
  const actor = isObject(entry.data.actor) ? entry.data.actor : {};
  const name = textIn(actor, "display_name", "name");
  if (actor.kind === "lockbox") return "Lockbox";
  if (actor.kind !== "person") return `${name ?? actor.kind ?? "somebody"} (not a known person)`;
  return `${name ?? actor.id} (${SIDES[actor.side] ?? "unknown side"})`;
}

function keyText(key) {
  const kind = key.kind === "passkey" ? "passkey" : "software key";
  return `${kind} ${key.id.length > 24 ? `${key.id.slice(0, 24)}…` : key.id}`;
}

const ACTS = {
  "request.vendor_approved": "approved for the vendor",
  "request.vendor_denied": "denied for the vendor",
  "request.break_glass_supported": "supported break-glass access for the vendor",
  "request.break_glass_approved": "approved break-glass access for the vendor",
  "request.customer_approved": "approved for the customer",
  "request.customer_denied": "denied for the customer",
};

// One decision: who, what, when, with which key, and whether that is proved.
function decisionReport(entry, signed, { texts, code }) {
  const isSigned = Boolean(signed && !signed.fault);
  const isProved = isSigned && code === 0;
  let proof = "Not proved: no key of this person was verified.";
  if (isProved) proof = `Proved: signed with the ${keyText(signed.key)} of ${signed.approver.name}.`;
  else if (isSigned) {
    const limit = code === 18 ? "It is proved only with the values that you trust." : "The findings above mean that this log cannot be trusted.";
    proof = `Signed with the ${keyText(signed.key)} of ${signed.approver.name}. ${limit}`;
  }
  if (signed?.fault) proof = `Not proved: ${signed.fault}.`;
  const duration = entry.type === "request.customer_approved" ? ` for ${durationText(entry.data.duration_seconds)}` : "";
  return {
    index: entry.index, isProved, proof,
    side: VENDOR_DECISIONS.includes(entry.type) ? "vendor" : "customer",
    what: `${nameOf(entry)} ${ACTS[entry.type]}${duration}`,
    when: timeText(entry.time),
    comment: texts.get(`${entry.event.id} comment`) ?? null,
    key: isSigned ? { kind: signed.key.kind, id: signed.key.id } : null,
  };
}

// The uses of access, as sentences.
function useTexts(grant) {
  return (grant?.uses ?? []).map((use) => {
    const count = isCount(use.data.count, 2) ? `${use.data.count} times, ` : "";
    return `${use.data.method} ${use.data.resource}: ${count}from ${timeText(timeOf(use.data.first_at))} to ${timeText(timeOf(use.data.last_at))}`;
  });
}

// One request with its decisions, its access and its use.
function requestReport(id, entries, result) {
  const first = entries.find(({ type }) => type === "request.submitted");
  const grant = result.consent.grants.get(id);
  const decisions = entries.filter(({ type }) => DECIDING.includes(type));
  const last = entries.filter(({ data }) => isText(data.to)).at(-1);
  const data = first?.data ?? entries[0].data;
  const access = grant && [
    `Access started ${timeText(timeOf(grant.activated.data.access_from))}.`,
    `It was to end ${timeText(timeOf(grant.activated.data.access_until))} at the latest.`,
    grant.ended ? `It ended ${timeText(grant.ended.time)}: ${CAUSES[grant.ended.data.cause] ?? grant.ended.data.cause}.` : "The end of access is not in this bundle.",
  ];
  return {
    request: id,
    title: `${data.service_request ?? "Request"}: ${data.resource ?? at(data, "content", "resource") ?? "unknown resource"}`,
    state: STATES[last?.data.to] ?? "Unknown state",
    wasOpened: Boolean(grant),
    facts: [
      ["Request", id],
      ["Requested by", first ? `${nameOf(first)}, ${timeText(first.time)}` : "before this bundle"],
      ["Resource", data.resource ?? "unknown"],
      ["Service", data.service ?? "unknown"],
      ["Access level", { read_only: "read only", read_write: "read and write" }[at(data, "content", "access_level")] ?? "unknown"],
      ["Duration", durationText(data.duration_seconds)],
      ["Break-glass policy", data.break_glass ?? null],
      ["Justification", (first && result.texts.get(`${first.event.id} justification`)) ?? "not in this bundle"],
    ].filter(([, value]) => value !== null),
    decisions: decisions.map((entry) => decisionReport(entry, result.consent.signers.get(entry.index), result)),
    access: access ?? [],
    uses: useTexts(grant),
  };
}

// What the result does not show, as sentences.
function notProved(result) {
  const { consent, about } = result;
  const lines = [];
  const add = (when, text) => when && lines.push(text);
  if (consent) {
    const founded = consent.authority.recorded.length > 0;
    add(!result.hasKey, "Who signed the log. You gave no key of the log, so the key in the bundle itself was used.");
    add(!founded && tenantOf(about.origin) !== null, "That the customer decided. This tenant has no authority of its own.");
    add(founded && !result.input.authority, "That the authority in the log is the one that you founded. You gave no authority file and no fingerprint.");
    add(founded && consent.unproved.length > 0, `${consent.unproved.length} decisions of the customer before the tenant was founded.`);
    add(!consent.hasVendor, "Which person of the vendor decided. You gave no authority file of the vendor, so the vendor's word stands alone.");
    add(about.first > 0 || about.end < about.size, `What happened outside the entries ${about.first} to ${about.end - 1}. This bundle covers a period only.`);
    add(consent.witnesses.count === 0, "That nobody was shown another version of this log. No witness has signed it, or no witness is known.");
  }
  lines.push("What happened outside Lockbox. Content that a vendor serves by another way leaves no trace in the log.");
  lines.push("Which person held the key. A signature shows that the key of a person was used after the device had verified its user.");
  return lines;
}

function authorityReport(authority) {
  return authority.recorded.map((one) => ({
    version: one.statement.version,
    text: `Version ${one.statement.version}, recorded ${timeText(one.time)}`,
    force: one.comesIntoForce ? `In force from ${timeText(one.inForceFrom)}.` : "Never in force: another statement was recorded before.",
    approvers: one.statement.approvers.map(({ name, email, keys }) => `${name} (${email}): ${keys.map(keyText).join(", ") || "no key"}`),
    changes: one.changes.map(({ text, effect }) => `${text} (${effect})`),
    signers: `Signed by ${one.signers.map((id) => one.statement.approvers.find(({ person }) => person === id)?.name ?? id).join(" and ")}.`,
  }));
}

// The whole report of a result of `verify`.
function reportOf(result) {
  const { about, consent, findings } = result;
  const verdict = VERDICTS.find(([code]) => code === result.code);
  const byRequest = new Map();
  for (const entry of result.entries) {
    if (entry.request === null) continue;
    if (!byRequest.has(entry.request)) byRequest.set(entry.request, []);
    byRequest.get(entry.request).push(entry);
  }
  return {
    code: result.code,
    verdict: verdict ? verdict[1] : "valid",
    sentence: verdict ? verdict[2] : "Everything holds: the log was not changed, and the customer made the decisions in it.",
    findings: findings.kept.map(({ code, text, index, request }) => ({ code, kind: VERDICTS.find(([one]) => one === code)[1], text, index, request })),
    counts: [...findings.counts],
    log: about && [
      ["Log", about.origin],
      ["Entries in the log", String(about.size)],
      ["Entries in this bundle", `${about.first} to ${about.end - 1}`],
      ["Made", isText(about.madeAt) ? timeText(timeOf(about.madeAt)) : "unknown"],
      ["Keys of the log", result.keys.map(({ id }) => id).join(", ") || "none"],
      ["Fingerprint of the authority", consent?.authority.recorded[0]?.hash.match(/.{8}/g).join(" ") ?? "no authority"],
      ["Witnesses", consent ? `${consent.witnesses.count} signed, ${consent.witnesses.required} required` : "not checked"],
    ],
    requests: consent ? [...byRequest].filter(([, entries]) => entries.some(({ type }) => Object.hasOwn(TRANSITIONS, type))).map(([id, entries]) => requestReport(id, entries, result)) : [],
    authority: consent ? authorityReport(consent.authority) : [],
    notProved: notProved(result),
  };
}
