// Passkeys need this script; everything else on pages works without scripts.
"use strict";

// Older browsers lack `toJSON` and `parseCreationOptionsFromJSON`, and with some password managers they fail. This script
// therefore encodes and decodes the fields itself.
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const encode = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const view = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
  return btoa(Array.from(view, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const toJson = (credential) => {
  const id = encode(credential.rawId) || credential.id;
  const response = { clientDataJSON: encode(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    const value = encode(credential.response[name]);
    if (value) response[name] = value;
  }
  return JSON.stringify({ id, rawId: id, type: "public-key", response, extensions: {} });
};

// The browser's own messages name standards and functions; these say what to do.
const MESSAGES = {
  NotAllowedError: "The passkey was not used. You cancelled, the time ran out, or this device has no passkey of yours. Try again.",
  AbortError: "The passkey was not used, because it was cancelled. Try again.",
  InvalidStateError: "This device has a passkey of yours already. Use that passkey, or add one on another device.",
  SecurityError: "Passkeys do not work at this address. Open the portal at the address in your mails.",
  NotSupportedError: "This device has no suitable passkey. Use another device or a security key.",
  ConstraintError: "This device cannot verify you. Set up a PIN, fingerprint or face recognition on it, or use another device.",
};

const showError = (form, error) => {
  const place = form.querySelector("[data-error]");
  place.textContent = error.plain ?? MESSAGES[error.name] ?? "The passkey could not be used. Try again, or use another browser or device.";
  place.hidden = false;
};

const withMessage = (message) => Object.assign(new Error(message), { plain: message });

const credentialsApi = () => {
  if (!navigator.credentials?.get) throw withMessage("This browser cannot use passkeys. Use a current browser.");
  return navigator.credentials;
};

const register = document.querySelector("form[data-register]");
register?.addEventListener("submit", async (event) => {
  if (register.elements.answer.value) return;
  event.preventDefault();
  try {
    const credentials = credentialsApi();
    const body = new URLSearchParams({ form_token: register.elements.form_token.value });
    const response = await fetch(register.dataset.register, { method: "POST", body });
    if (!response.ok) throw withMessage("The portal refused the registration. Sign out, sign in again, and add the passkey again.");
    const { publicKey } = await response.json();
    publicKey.challenge = decode(publicKey.challenge);
    publicKey.user.id = decode(publicKey.user.id);
    for (const credential of publicKey.excludeCredentials ?? []) credential.id = decode(credential.id);
    register.elements.answer.value = toJson(await credentials.create({ publicKey }));
    register.requestSubmit(event.submitter);
  } catch (error) {
    showError(register, error);
  }
});
