// Whether a resource that was used is the granted one or below it (format page, section 11).

const MAX_RESOURCE = 4096;
const CUT_LENGTH = 1024;
const PORTS = { https: ":443", http: ":80" };
const LOOKALIKES = /[/\\\u0000-\u001f\u007f\uff0e\uff0f\uff3c\u2044\u2215\u29f8]/;

// The bytes of a segment with `%` and two digits decoded once, as text, or null.
function decodedSegment(segment) {
  const bytes = [];
  const whole = utf8(segment);
  for (let at = 0; at < whole.length; at += 1) {
    const code = whole[at] === 0x25 ? /^[0-9A-Fa-f]{2}$/.exec(String.fromCharCode(...whole.subarray(at + 1, at + 3))) : null;
    bytes.push(code ? parseInt(code[0], 16) : whole[at]);
    if (code) at += 2;
  }
  const text = textOf(Uint8Array.from(bytes));
  if (text === null || text.normalize("NFC") !== text || LOOKALIKES.test(text) || /%[0-9A-Fa-f]{2}/.test(text)) return null;
  return /^[. ]*$/.test(text.split(";")[0]) ? null : text;
}

function lower(text) {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

// Scheme, host and segments of an address, or null.
function addressOf(text) {
  const split = text.indexOf("://");
  const scheme = lower(text.slice(0, split));
  const whole = text.slice(split + 3);
  if (!Object.hasOwn(PORTS, scheme) || /[#\\]/.test(whole)) return null;
  const rest = whole.split("?")[0];
  const slash = rest.indexOf("/");
  let host = lower(slash < 0 ? rest : rest.slice(0, slash));
  if (host.endsWith(PORTS[scheme])) host = host.slice(0, -PORTS[scheme].length);
  if (!/^[a-z0-9.:[\]_-]+$/.test(host) || host.endsWith(".")) return null;
  const path = (slash < 0 ? "" : rest.slice(slash)).replace(/\/$/, "");
  const segments = path === "" ? [] : path.slice(1).split("/").map(decodedSegment);
  return segments.includes(null) ? null : { site: `${scheme}://${host}`, segments };
}

function mailboxOf(text) {
  const split = text.indexOf("@");
  const parts = [text.slice(0, split), text.slice(split + 1)];
  return parts.some((part) => part === "" || /[@/\\ %]/.test(part)) ? null : lower(text);
}

// True when the used resource is the granted one or below it.
function coversResource(granted, used) {
  const good = [granted, used].every((one) => isText(one) && one !== "" && utf8(one).length <= MAX_RESOURCE && !/\p{Cc}/u.test(one));
  if (!good || granted.includes("?")) return false;
  const isCut = [...used].length === CUT_LENGTH;
  const there = isCut ? used.slice(0, used.lastIndexOf("/") + 1) : used;
  const kinds = [granted, there].map((one) => (one.includes("://") ? "address" : one.includes("@") ? "mailbox" : "name"));
  if (kinds[0] !== kinds[1]) return false;
  if (kinds[0] === "name") return granted === there;
  if (kinds[0] === "mailbox") return mailboxOf(granted) !== null && mailboxOf(granted) === mailboxOf(there);
  const [outer, inner] = [addressOf(granted), addressOf(there)];
  if (!outer || !inner || outer.site !== inner.site) return false;
  return outer.segments.every((segment, place) => segment === inner.segments[place]);
}
