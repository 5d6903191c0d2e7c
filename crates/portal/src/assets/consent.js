// Signed consent. What a passkey signs is computed here, from what this page shows, as docs/audit-format.md describes it.
"use strict";

const TEXT = new TextEncoder();

const sha256 = async (...parts) => {
  const bytes = parts.map((part) => (typeof part === "string" ? TEXT.encode(part) : part));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(bytes).arrayBuffer()));
};

const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

// RFC 8785. The documents have no numbers but integers.
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
};

const challengeOf = (purpose, document) => sha256(`${purpose}\n`, canonical(document));

const commitment = async (salt, text) => toHex(await sha256(salt, text));

// Lets one of these passkeys sign a challenge.
const signWithPasskey = async (challenge, ids, rpId) => {
  const allowCredentials = ids.map((id) => ({ type: "public-key", id: decode(id) }));
  const publicKey = { challenge, allowCredentials, userVerification: "required", rpId };
  const credential = await credentialsApi().get({ publicKey });
  return {
    kind: "passkey",
    key: encode(credential.rawId) || credential.id,
    client_data: encode(credential.response.clientDataJSON),
    authenticator_data: encode(credential.response.authenticatorData),
    signature: encode(credential.response.signature),
  };
};

// Sends form fields and reads a JSON document. A refusal becomes an error with the message of the portal.
const exchange = async (path, fields) => {
  const response = await fetch(path, { method: "POST", body: new URLSearchParams(fields), headers: { accept: "application/json" } });
  const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
  const answer = isJson ? await response.json() : undefined;
  if (!response.ok || !answer) throw withMessage(answer?.message ?? "The portal refused this step. Reload the page and try again.");
  return answer;
};

const offerFile = (link, name, text) => {
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
};

const approvedSeconds = (text) => {
  const [, count, unit] = /^\s*([0-9]+)\s*([smhd])\s*$/.exec(text) ?? [];
  return count ? Number(count) * { s: 1, m: 60, h: 3600, d: 86400 }[unit] : undefined;
};

// Checks that the page shows what the digest stands for.
const checkContent = async (form, content) => {
  const changed = withMessage("This page does not show the content that you would sign. Reload the page. If this happens again, do not approve, and inform your security team.");
  if (toHex(await sha256(form.elements.shown.value)) !== form.elements.digest.value) throw changed;
  if (!location.pathname.includes(content.request)) throw changed;
  const shown = (name) => document.querySelector(`[data-content="${name}"]`);
  for (const name of ["resource", "service"]) {
    if (shown(name).dataset.value !== content[name] && shown(name).textContent !== content[name]) throw changed;
  }
  const justification = shown("justification");
  if (!justification.dataset.salt) return;
  const text = justification.textContent;
  if ((await commitment(fromHex(justification.dataset.salt), text)) !== content.justification.committed) throw changed;
};

const stripped = (text) => text.replaceAll(/[\s\p{C}]/gu, "");

const signDecision = async (form, verdict) => {
  const fields = form.elements;
  const content = JSON.parse(fields.shown.value);
  await checkContent(form, content);
  const comment = fields.comment.value;
  const server = await exchange(form.dataset.signing, { form_token: fields.form_token.value, comment });
  if (stripped(server.comment ?? "") !== stripped(comment)) throw withMessage("The portal changed your comment. Reload the page and try again.");
  const salt = crypto.getRandomValues(new Uint8Array(32));
  const approved = approvedSeconds(fields.duration?.value ?? "") ?? content.duration_seconds;
  const decision = {
    tenant: server.tenant,
    authority_version: server.authority_version,
    request: content.request,
    digest: fields.digest.value,
    verdict,
    person: server.person,
    duration_seconds: verdict === "approve" ? approved : 0,
    service: content.service,
    resource: content.resource,
    access_level: content.access_level,
    comment: server.comment === null ? null : await commitment(salt, server.comment),
    nonce: server.nonce,
    not_after: server.not_after,
  };
  const assertion = await signWithPasskey(await challengeOf("lockbox/decision/v1", decision), server.keys, server.rp_id);
  if (server.comment !== null) {
    fields.comment.value = server.comment;
    fields.comment_salt.value = toHex(salt);
  }
  fields.signature.value = JSON.stringify({ decision, assertion });
};

// `data-signs` lists the verdicts that this person signs.
const decisionForm = document.querySelector("form[data-signs]");
decisionForm?.addEventListener("submit", async (event) => {
  const verdict = event.submitter.value;
  if (!decisionForm.dataset.signs.split(" ").includes(verdict) || decisionForm.elements.signature.value) return;
  event.preventDefault();
  try {
    await signDecision(decisionForm, verdict);
    decisionForm.requestSubmit(event.submitter);
  } catch (error) {
    showError(decisionForm, error);
  }
});
