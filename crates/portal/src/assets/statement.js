// Statements of a tenant's authority: keys that sign them, and what people read before they sign.
"use strict";

const ALGORITHMS = { "-7": "ES256", "-8": "EdDSA", "-257": "RS256" };

// A SubjectPublicKeyInfo ends with the key: a point of 65 bytes, 32 bytes, or everything after a header of 24 bytes.
const keyBytes = (spki, algorithm) => ({ ES256: spki.slice(-65), EdDSA: spki.slice(-32), RS256: spki.slice(24) })[algorithm];

// Creates a passkey that verifies its owner. Returns the key as a statement holds it.
const createPasskey = async (rpId, person, name, displayName) => {
  const credential = await credentialsApi().create({
    publicKey: {
      rp: { id: rpId, name: "Lockbox" },
      user: { id: fromHex(person.replaceAll("-", "")), name, displayName },
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: Object.keys(ALGORITHMS).map((alg) => ({ type: "public-key", alg: Number(alg) })),
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
      attestation: "none",
    },
  });
  const { response } = credential;
  const spki = response.getPublicKey?.();
  const algorithm = ALGORITHMS[response.getPublicKeyAlgorithm?.()];
  if (!spki || !algorithm) throw withMessage("This browser cannot read the public key of the passkey. Use a current browser, or another device.");
  return { id: encode(credential.rawId), kind: "passkey", algorithm, public_key: encode(keyBytes(new Uint8Array(spki), algorithm)) };
};

// The recovery code: 30 characters without look-alikes, 150 random bits. Only the public key leaves the browser.
const RECOVERY_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PKCS8_ED25519 = fromHex("302e020100300506032b657004220420");

const newRecoveryCode = () => {
  const letters = Array.from(crypto.getRandomValues(new Uint8Array(30)), (byte) => RECOVERY_ALPHABET[byte % 32]).join("");
  return letters.match(/.{5}/g).join("-");
};

const recoveryPair = async (code) => {
  const plain = code.toUpperCase().replaceAll(/[^0-9A-Z]/g, "");
  const seed = await sha256("lockbox/recovery/v1\n", plain);
  const document = new Uint8Array([...PKCS8_ED25519, ...seed]);
  try {
    return await crypto.subtle.importKey("pkcs8", document, "Ed25519", true, ["sign"]);
  } catch {
    throw withMessage("This browser cannot use a recovery code. Use a current browser.");
  }
};

const recoveryKey = async (code) => {
  const { x } = await crypto.subtle.exportKey("jwk", await recoveryPair(code));
  const id = encode((await sha256(decode(x))).slice(0, 16));
  return { id, kind: "software", algorithm: "EdDSA", public_key: x };
};

const signWithRecoveryCode = async (challenge, code) => {
  const { id } = await recoveryKey(code);
  return { kind: "software", key: id, signature: encode(await crypto.subtle.sign("Ed25519", await recoveryPair(code), challenge)) };
};

// SHA-256 of a statement, in groups of eight digits.
const fingerprintOf = async (statement) => toHex(await sha256(canonical(statement))).match(/.{8}/g).join(" ");

const statementChallenge = (statement) => challengeOf("lockbox/authority/v1", statement);

const durationText = (seconds) => {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds % size === 0);
  return `${seconds / size} ${unit}`;
};

// What a statement says, as pairs of a label and a text.
const describe = (statement) => {
  const { rules } = statement;
  const approver = (one) => `${one.name} (${one.email}), ${one.services.length ? `for ${one.services.join(", ")}` : "for all services"}; ${one.keys.length ? `keys ${one.keys.map((key) => key.id).join(", ")}` : "no key"}`;
  return [
    ["Tenant", statement.tenant],
    ["Approvers", statement.approvers.map(approver).join("; ")],
    ["Signatures for a change", String(statement.change_signatures)],
    ["Delay of a change that weakens protection", durationText(statement.change_delay_seconds)],
    ["Recovery", statement.recovery_key ? "with the recovery code" : "no recovery code"],
    ["Decision deadline", durationText(rules.decision_deadline_seconds)],
    ["Maximum duration", durationText(rules.access_ceiling_seconds)],
    ["Required approvals", String(rules.required_approvals)],
    ["Comment for each decision", rules.comment_required ? "required" : "not required"],
    ["Software keys", rules.software_keys ? "allowed" : "not allowed"],
    ["Witnesses", `${rules.witnesses.map((witness) => witness.name).join(", ") || "none"}; ${rules.witnesses_required} required`],
    ["Identity provider", statement.identity_provider?.issuer ?? "that of the portal"],
    ["Notification recipients", statement.notification_recipients.join(", ") || "none"],
    ["Break-glass policies", statement.break_glass.map((policy) => policy.name).join(", ") || "none"],
    ["Portal", statement.portal.origin],
  ];
};

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

const showPairs = (list, pairs) => list.replaceChildren(...pairs.flatMap(([label, text]) => [element("dt", label), element("dd", text)]));

// Every difference between two documents: path, before, after.
const differences = (before, after, path = "") => {
  if (canonical(before ?? null) === canonical(after ?? null)) return [];
  const isTree = (value) => value !== null && typeof value === "object";
  if (!isTree(before) || !isTree(after)) return [[path, canonical(before ?? null), canonical(after ?? null)]];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => differences(before[name], after[name], path ? `${path}.${name}` : name));
};
