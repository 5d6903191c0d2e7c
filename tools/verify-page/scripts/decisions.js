// Signed decisions (format page, section 11): what a decision must contain, and whose key signed it.

const DECISION_PURPOSE = "lockbox/decision/v1";
const DECISION_MEMBERS = [
  "tenant", "authority_version", "request", "digest", "verdict", "person", "duration_seconds", "service", "resource", "access_level",
  "comment", "nonce", "not_after",
];
const CUSTOMER_DECISIONS = ["request.customer_approved", "request.customer_denied"];
const VENDOR_DECISIONS = [
  "request.vendor_approved", "request.vendor_denied", "request.break_glass_supported", "request.break_glass_approved",
];
const MAX_SIGNING_TIME = 120 * SECOND;

// The values that a decision must have. A value that is not known in a bundle of a period is left out.
function expectedDecision(entry, statement, content) {
  const { data } = entry;
  const isDenied = entry.type.endsWith("_denied");
  const expected = {
    tenant: statement.tenant,
    authority_version: statement.version,
    request: entry.request,
    digest: data.digest,
    verdict: isDenied ? "deny" : "approve",
    person: at(data.actor, "id"),
    comment: at(data.comment, "committed") ?? null,
  };
  if (isDenied) expected.duration_seconds = 0;
  else if (CUSTOMER_DECISIONS.includes(entry.type)) expected.duration_seconds = data.duration_seconds;
  if (content === null) return expected;
  for (const name of ["service", "resource", "access_level"]) expected[name] = at(content, name);
  if (!isDenied && VENDOR_DECISIONS.includes(entry.type)) expected.duration_seconds = at(content, "duration_seconds");
  return expected;
}

function decisionFault(decision, entry, statement, content) {
  if (!hasMembers(decision, DECISION_MEMBERS)) return "the decision does not have the documented form";
  for (const [name, value] of Object.entries(expectedDecision(entry, statement, content))) {
    if (value === undefined || !sameJson(decision[name], value)) return `the signed ${name.replaceAll("_", " ")} is another one`;
  }
  if (!isText(decision.nonce) || decision.nonce === "") return "the decision has no nonce";
  if (!isText(decision.service) || !isText(decision.resource) || !isText(decision.access_level)) return "the decision does not have the documented form";
  if (!isCount(decision.duration_seconds)) return "the decision does not have the documented form";
  const notAfter = timeOf(decision.not_after);
  if (notAfter === null || entry.time > notAfter || entry.time < notAfter - MAX_SIGNING_TIME) return "the decision was signed for another time";
  return null;
}

// Verifies the signature of a decision: `{fault}`, or `{approver, key, decision}`. `content` is null when it is not known.
async function signerOf(entry, statement, content) {
  const signed = entry.data.signature;
  if (signed === undefined || signed === null) return { fault: "the decision is not signed" };
  if (!hasMembers(signed, ["decision", "assertion"])) return { fault: "the signature does not have the documented form" };
  const { decision, assertion } = signed;
  const found = keyOfApprover(statement, assertion);
  if (!found) return { fault: "it is signed with a key that no approver has" };
  const { approver, key } = found;
  const fault = decisionFault(decision, entry, statement, content)
    ?? (approver.person === decision.person ? null : "it is signed with a key of another approver")
    ?? (decidesAbout(statement, approver.person, decision.service, entry.time) ? null : "the approver does not decide about this service")
    ?? (await assertionFault(assertion, key, challengeOf(DECISION_PURPOSE, decision), statement.portal));
  return fault ? { fault } : { approver, key, decision };
}
