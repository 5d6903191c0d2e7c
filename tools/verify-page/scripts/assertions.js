// Assertions: what a key of an approver signs (format page, section 11).

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const BACKUP_ELIGIBLE = 0x08;
const BACKED_UP = 0x10;

// Why the client data of a passkey is not for this challenge and portal, or null.
function clientDataFault(bytes, challenge, portal) {
  const text = bytes ? textOf(bytes) : null;
  const data = text === null ? undefined : fromJson(text);
  if (!isObject(data)) return "the client data cannot be read";
  if (data.type !== "webauthn.get") return "the passkey was not used to sign in or to decide";
  if (data.challenge !== toBase64Url(challenge)) return "the passkey signed something else";
  if (data.origin !== portal.origin) return "the passkey was used at another address";
  if (data.crossOrigin !== undefined && data.crossOrigin !== false) return "the passkey was used inside another page";
  return null;
}

function authenticatorDataFault(bytes, portal) {
  if (!bytes || bytes.length < 37) return "the authenticator data is too short";
  if (!same(bytes.subarray(0, 32), hashOfText(portal.rp_id))) return "the passkey belongs to another site";
  const flags = bytes[32];
  if (!(flags & USER_PRESENT)) return "nobody was present";
  if (!(flags & USER_VERIFIED)) return "the authenticator did not verify the user";
  return flags & BACKED_UP && !(flags & BACKUP_ELIGIBLE) ? "the flags of the authenticator contradict each other" : null;
}

// Why an assertion by this key over this challenge does not hold, or null.
async function assertionFault(assertion, key, challenge, portal) {
  const signature = fromBase64Url(assertion.signature);
  if (!signature || assertion.kind !== key.kind) return "the assertion is not of the kind of its key";
  const publicKey = fromBase64Url(key.public_key);
  let message = challenge;
  if (key.kind === "passkey") {
    if (!hasMembers(assertion, ["kind", "key", "client_data", "authenticator_data", "signature"])) return "the assertion does not have the documented form";
    const clientData = fromBase64Url(assertion.client_data);
    const authenticatorData = fromBase64Url(assertion.authenticator_data);
    const fault = clientDataFault(clientData, challenge, portal) ?? authenticatorDataFault(authenticatorData, portal);
    if (fault) return fault;
    message = concat(authenticatorData, sha256(clientData));
  } else if (!hasMembers(assertion, ["kind", "key", "signature"])) {
    return "the assertion does not have the documented form";
  }
  return (await isSigned(key.algorithm, publicKey, signature, message)) ? null : "the signature does not hold";
}

// The approver of a statement whose key an assertion names: `{approver, key}`, or null.
function keyOfApprover(statement, assertion) {
  if (!isObject(assertion) || !isText(assertion.key)) return null;
  for (const approver of statement.approvers) {
    const key = approver.keys.find(({ id }) => id === assertion.key);
    if (key && (key.kind !== "software" || statement.rules.software_keys)) return { approver, key };
  }
  return null;
}
