// Bytes and their text forms. Every decoder is strict: it accepts exactly one text for a value, and answers null otherwise.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(text) {
  return encoder.encode(text);
}

// The text of UTF-8 bytes, or null.
function textOf(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function same(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at += 1) {
    if (one[at] !== other[at]) return false;
  }
  return true;
}

const HEX_OF = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX_OF[byte];
  return text;
}

// Bytes of lower-case hexadecimal digits, or null.
function fromHex(text) {
  if (typeof text !== "string" || text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

function isHash(text) {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS = `${STANDARD.slice(0, 62)}-_`;

function values(alphabet) {
  return new Map([...alphabet].map((letter, value) => [letter, value]));
}

const STANDARD_VALUES = values(STANDARD);
const URL_VALUES = values(FOR_URLS);

// Decodes the digits of base64 without padding. The bits that are left over must be zero.
function fromDigits(text, alphabet) {
  if (text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    const value = alphabet.get(letter);
    if (value === undefined) return null;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = held >> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : null;
}

// Standard base64 with padding (RFC 4648 section 4).
function fromBase64(text) {
  if (typeof text !== "string" || text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return fromDigits(text.slice(0, text.length - padding), STANDARD_VALUES);
}

// Base64url without padding (RFC 4648 section 5).
function fromBase64Url(text) {
  return typeof text === "string" ? fromDigits(text, URL_VALUES) : null;
}

function toDigits(bytes, alphabet) {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet[held >> bits];
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + alphabet[held << (6 - bits)] : text;
}

function toBase64(bytes) {
  const text = toDigits(bytes, STANDARD);
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

function toBase64Url(bytes) {
  return toDigits(bytes, FOR_URLS);
}

// A number of eight bytes, big endian. Values above 2^53 answer null.
function numberOf(bytes) {
  let number = 0;
  for (const byte of bytes) number = number * 256 + byte;
  return Number.isSafeInteger(number) ? number : null;
}

// A natural number in decimal without leading zeros, or null.
function fromDecimal(text) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}
