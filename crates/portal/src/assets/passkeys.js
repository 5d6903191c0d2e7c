// Passkeys: the only thing that pages cannot do without script.
"use strict";

// What is exchanged is encoded here and not by `toJSON` and `parseCreationOptionsFromJSON`: older browsers lack them,
// and in the answers of some password managers they fail.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const encoded = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const view = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
  return btoa(Array.from(view, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const written = (credential) => {
  const id = encoded(credential.rawId) || credential.id;
  const response = { clientDataJSON: encoded(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    const value = encoded(credential.response[name]);
    if (value) response[name] = value;
  }
  return JSON.stringify({ id, rawId: id, type: "public-key", response, extensions: {} });
};

// The browser's own words name standards and functions; these say what to do.
const WORDS = {
  NotAllowedError: "The passkey was not used: it was cancelled, took too long, or this device has none for you. Try again.",
  AbortError: "The passkey was not used: it was cancelled. Try again.",
  InvalidStateError: "This device has a passkey of yours already.",
  SecurityError: "Passkeys do not work at this address. Open the portal at the address in your mails.",
  NotSupportedError: "This device offers no passkey that fits. Try another device or a security key.",
  ConstraintError: "This device cannot check who you are. Set up a PIN, fingerprint or face on it, or try another device.",
};

const trouble = (form, error) => {
  const place = form.querySelector("[data-trouble]");
  place.textContent = error.plain ?? WORDS[error.name] ?? "The passkey could not be used. Try again, or use another browser or device.";
  place.hidden = false;
};

const plain = (words) => Object.assign(new Error(words), { plain: words });

const holder = () => {
  if (!navigator.credentials?.get) throw plain("This browser cannot use passkeys. Use a current browser.");
  return navigator.credentials;
};

const seconds = (text) => {
  const [, count, unit] = /^\s*([0-9]+)\s*([smhd])\s*$/.exec(text) ?? [];
  return count ? String(Number(count) * { s: 1, m: 60, h: 3600, d: 86400 }[unit]) : "";
};

const register = document.querySelector("form[data-register]");
register?.addEventListener("submit", async (event) => {
  if (register.elements.answer.value) return;
  event.preventDefault();
  try {
    const credentials = holder();
    const body = new URLSearchParams({ form_token: register.elements.form_token.value });
    const answer = await fetch(register.dataset.register, { method: "POST", body });
    if (!answer.ok) throw plain("Sign out and in again, and try once more.");
    const { publicKey } = await answer.json();
    publicKey.challenge = bytes(publicKey.challenge);
    publicKey.user.id = bytes(publicKey.user.id);
    for (const held of publicKey.excludeCredentials ?? []) held.id = bytes(held.id);
    register.elements.answer.value = written(await credentials.create({ publicKey }));
    register.requestSubmit(event.submitter);
  } catch (error) {
    trouble(register, error);
  }
});

// The challenge is the decision: digest of the content, verdict, and the time that is allowed.
const signing = document.querySelector("form[data-passkeys]");
signing?.addEventListener("submit", async (event) => {
  const ids = signing.dataset.passkeys.split(" ").filter((id) => id);
  const fields = signing.elements;
  if (!ids.length || event.submitter.value !== "approve" || fields.assertion.value) return;
  event.preventDefault();
  try {
    const said = ["lockbox.decision.v1", fields.digest.value, "approve", seconds(fields.duration?.value ?? "")].join("\n");
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(said));
    const allowCredentials = ids.map((id) => ({ type: "public-key", id: bytes(id) }));
    const publicKey = { challenge, allowCredentials, userVerification: "required", rpId: location.hostname };
    fields.assertion.value = written(await holder().get({ publicKey }));
    signing.requestSubmit(event.submitter);
  } catch (error) {
    trouble(signing, error);
  }
});
