// Signatures: Ed25519, ECDSA on P-256 and RSA, with WebCrypto. A signature that was checked once is remembered.

const checked = new Map();
let hasEd25519 = null;

// True when WebCrypto verifies Ed25519 (RFC 8032, 7.1, test 1 is the probe).
async function webEd25519() {
  if (hasEd25519 === null) {
    try {
      const key = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
      await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
      hasEd25519 = true;
    } catch {
      hasEd25519 = false;
    }
  }
  return hasEd25519;
}

async function withWebCrypto(format, key, algorithm, signature, message) {
  try {
    const imported = await crypto.subtle.importKey(format, key, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, imported, signature, message);
  } catch {
    return false;
  }
}

async function ed25519(publicKey, signature, message) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  if (await webEd25519()) return withWebCrypto("raw", publicKey, { name: "Ed25519" }, signature, message);
  return ownEd25519(publicKey, signature, message);
}

// Reads one DER element of this tag at a place: its content and the place after it, or null. Lengths are in shortest form.
function derElement(bytes, at, tag) {
  if (bytes[at] !== tag || at + 1 >= bytes.length) return null;
  let size = bytes[at + 1];
  let start = at + 2;
  if (size >= 0x80) {
    const count = size & 0x7f;
    if (count === 0 || count > 2 || start + count > bytes.length || bytes[start] === 0) return null;
    size = numberOf(bytes.subarray(start, start + count));
    start += count;
    if (size < 0x80) return null;
  }
  return start + size <= bytes.length ? { content: bytes.subarray(start, start + size), end: start + size } : null;
}

// Reads two positive integers in shortest form from a DER sequence: their digits without a leading zero byte, or null.
function derPair(bytes) {
  const sequence = derElement(bytes, 0, 0x30);
  if (!sequence || sequence.end !== bytes.length) return null;
  const first = derElement(sequence.content, 0, 0x02);
  const second = first && derElement(sequence.content, first.end, 0x02);
  if (!second || second.end !== sequence.content.length) return null;
  const digits = [first.content, second.content].map((integer) => {
    if (integer.length === 0 || integer[0] >= 0x80) return null;
    if (integer[0] !== 0) return integer;
    return integer.length > 1 && integer[1] >= 0x80 ? integer.subarray(1) : null;
  });
  return digits.includes(null) ? null : digits;
}

async function es256(publicKey, signature, message) {
  if (publicKey.length !== 65 || publicKey[0] !== 0x04) return false;
  const numbers = derPair(signature);
  if (!numbers || numbers.some((digits) => digits.length > 32)) return false;
  const raw = new Uint8Array(64);
  raw.set(numbers[0], 32 - numbers[0].length);
  raw.set(numbers[1], 64 - numbers[1].length);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  return withWebCrypto("raw", publicKey, algorithm, raw, message);
}

// Number of bits of the modulus of an `RSAPublicKey` in DER form, or null.
function modulusBits(publicKey) {
  const numbers = derPair(publicKey);
  return numbers && numbers[0].length * 8 - Math.clz32(numbers[0][0]) + 24;
}

async function rs256(publicKey, signature, message) {
  const numbers = derPair(publicKey);
  const bits = modulusBits(publicKey);
  if (!numbers || bits < 2048 || bits > 8192) return false;
  const key = { kty: "RSA", n: toBase64Url(numbers[0]), e: toBase64Url(numbers[1]) };
  return withWebCrypto("jwk", key, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, signature, message);
}

const ALGORITHMS = { ES256: es256, EdDSA: ed25519, RS256: rs256 };

// True when the key signed the message.
async function isSigned(algorithm, publicKey, signature, message) {
  const place = `${algorithm} ${toBase64(publicKey)} ${toBase64(signature)} ${hexOf(sha256(message))}`;
  if (!checked.has(place)) {
    if (checked.size > 100000) checked.clear();
    checked.set(place, await ALGORITHMS[algorithm](publicKey, signature, message));
  }
  return checked.get(place);
}

// Why this browser cannot verify, or null. It compares the page's own SHA-256 and Ed25519 with known results.
async function selfTest() {
  if (!globalThis.crypto || !crypto.subtle) {
    return "This browser does not offer WebCrypto on this page. Save the page as a file and open the file.";
  }
  const long = new Uint8Array(20000).fill(97);
  const web = new Uint8Array(await crypto.subtle.digest("SHA-256", long));
  const key = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const signature = fromHex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  );
  const nothing = new Uint8Array(0);
  const good = same(sha256(long), web) && (await ed25519(key, signature, nothing)) && (await ownEd25519(key, signature, nothing));
  const wrong = (await ed25519(key, signature, long)) || (await ownEd25519(key, signature, long));
  return good && !wrong ? null : "The cryptography of this browser gives wrong results.";
}
