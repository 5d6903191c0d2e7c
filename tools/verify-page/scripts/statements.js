// Statements of an authority: their form, and when they are valid (format page, section 11).

const STATEMENT_MEMBERS = [
  "v", "tenant", "version", "previous", "approvers", "change_signatures", "change_delay_seconds", "recovery_key", "portal", "rules",
  "identity_provider", "notification_recipients", "break_glass", "delegations", "effective_at",
];
const RULE_MEMBERS = [
  "decision_deadline_seconds", "access_ceiling_seconds", "required_approvals", "comment_required", "software_keys", "witnesses",
  "witnesses_required",
];
const POLICY_MEMBERS = ["v", "policy", "tenant", "name", "services", "ceiling_seconds", "quota", "until"];
const MIN_CHANGE_DELAY = 86400;

function isTexts(value) {
  return Array.isArray(value) && value.every(isText);
}

function isListOf(value, check) {
  return Array.isArray(value) && value.every(check);
}

function areDifferent(values) {
  return new Set(values).size === values.length;
}

// True when the public key has the form that its algorithm asks for.
function hasPublicKey(key) {
  const bytes = fromBase64Url(key.public_key);
  if (!bytes) return false;
  if (key.algorithm === "ES256") return bytes.length === 65 && bytes[0] === 0x04;
  if (key.algorithm === "EdDSA") return bytes.length === 32;
  if (key.algorithm !== "RS256") return false;
  const bits = modulusBits(bytes);
  return bits !== null && bits >= 2048 && bits <= 8192;
}

function isKey(key) {
  if (!hasMembers(key, ["id", "kind", "algorithm", "public_key"], ["aaguid"])) return false;
  if (Object.hasOwn(key, "aaguid") && !isText(key.aaguid)) return false;
  const id = fromBase64Url(key.id);
  if (!id || id.length === 0 || !hasPublicKey(key)) return false;
  if (key.kind === "passkey") return true;
  return key.kind === "software" && key.algorithm === "EdDSA" && same(id, sha256(fromBase64Url(key.public_key)).subarray(0, 16));
}

function isApprover(approver) {
  return hasMembers(approver, ["person", "name", "email", "services", "keys"])
    && isText(approver.person) && isText(approver.name) && isText(approver.email)
    && isTexts(approver.services) && isListOf(approver.keys, isKey);
}

function isWitness(witness) {
  const key = hasMembers(witness, ["name", "key"]) ? keyFromText(witness.key) : null;
  return key !== null && key.type === WITNESS_KEY && isText(witness.name);
}

function isRules(rules) {
  return hasMembers(rules, RULE_MEMBERS)
    && isCount(rules.decision_deadline_seconds, 1) && isCount(rules.access_ceiling_seconds, 1) && isCount(rules.required_approvals, 1)
    && typeof rules.comment_required === "boolean" && typeof rules.software_keys === "boolean"
    && isListOf(rules.witnesses, isWitness) && isCount(rules.witnesses_required);
}

function isPolicy(policy) {
  return hasMembers(policy, POLICY_MEMBERS) && policy.v === 1 && isText(policy.policy) && isText(policy.tenant) && isText(policy.name)
    && isTexts(policy.services) && policy.services.length > 0
    && isCount(policy.ceiling_seconds, 1) && isCount(policy.quota, 1) && timeOf(policy.until) !== null;
}

function isDelegation(delegation) {
  return hasMembers(delegation, ["person", "delegate", "until"])
    && isText(delegation.person) && isText(delegation.delegate) && timeOf(delegation.until) !== null;
}

// True when a document has the form of a statement.
function isStatement(value) {
  return hasMembers(value, STATEMENT_MEMBERS) && value.v === 1
    && isText(value.tenant) && isCount(value.version, 1) && (value.previous === null || isHash(value.previous))
    && isListOf(value.approvers, isApprover)
    && isCount(value.change_signatures, 1) && isCount(value.change_delay_seconds, MIN_CHANGE_DELAY)
    && (value.recovery_key === null || (isKey(value.recovery_key) && value.recovery_key.kind === "software"))
    && hasMembers(value.portal, ["origin", "rp_id"]) && isText(value.portal.origin) && isText(value.portal.rp_id)
    && isRules(value.rules)
    && (value.identity_provider === null
      || (hasMembers(value.identity_provider, ["issuer", "client_id"]) && Object.values(value.identity_provider).every(isText)))
    && isTexts(value.notification_recipients)
    && isListOf(value.break_glass, isPolicy) && isListOf(value.delegations, isDelegation)
    && timeOf(value.effective_at) !== null && canonical(value) !== null;
}

function keysOf(statement) {
  const keys = statement.approvers.flatMap((approver) => approver.keys);
  return statement.recovery_key ? [...keys, statement.recovery_key] : keys;
}

function approversWithKey(statement) {
  return statement.approvers.filter((approver) => approver.keys.length > 0).length;
}

// Why a document is not a valid statement, or null.
function statementFault(value) {
  if (!isStatement(value)) return "it does not have the documented form";
  const { rules } = value;
  const people = value.approvers.map((approver) => approver.person);
  const withKey = approversWithKey(value);
  if (!areDifferent(people)) return "a person is twice among the approvers";
  if (!areDifferent(keysOf(value).map((key) => key.id))) return "a key is in it twice";
  if (withKey === 0) return "no approver has a key";
  if (value.change_signatures < Math.min(2, withKey) || value.change_signatures > withKey) return "the number of signatures for a change is too low or too high";
  const software = value.approvers.some((approver) => approver.keys.some((key) => key.kind === "software"));
  if (software && !rules.software_keys) return "an approver has a software key, and the rules do not allow it";
  if (rules.required_approvals > withKey) return "it requires more approvals than there are approvers with a key";
  if (rules.witnesses_required > rules.witnesses.length) return "it requires more witnesses than it names";
  if (!areDifferent(value.break_glass.map((policy) => policy.policy))) return "a break-glass policy is in it twice";
  if (!areDifferent(rules.witnesses.map((witness) => witness.key))) return "a witness is in it twice";
  const good = value.delegations.every(({ person, delegate }) => person !== delegate && people.includes(person) && people.includes(delegate));
  return good ? null : "a delegation is not between two different approvers";
}

// The keys of the witnesses of a statement.
function witnessesOf(statement) {
  return statement.rules.witnesses.map((witness) => keyFromText(witness.key));
}

// True when an approver decides about a service at a time: directly, or by a delegation.
function decidesAbout(statement, person, service, time) {
  const covers = (id) => statement.approvers.some((approver) => approver.person === id && (approver.services.length === 0 || approver.services.includes(service)));
  return covers(person) || statement.delegations.some((given) => given.delegate === person && timeOf(given.until) > time && covers(given.person));
}
