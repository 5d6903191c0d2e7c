// Ed25519 (RFC 8032) for browsers whose WebCrypto does not have it. Only verification: nothing here is secret.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;
const ROOT_OF_MINUS_ONE = 0x2b8324804fc1df0b2b4d00993dfbd7a72f431806ad2fe478c4ee1b274a0ea0b0n;

function mod(value, modulus) {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function power(base, exponent, modulus) {
  let result = 1n;
  let square = mod(base, modulus);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function littleEndian(bytes) {
  return BigInt(`0x${hexOf(Uint8Array.from(bytes).reverse()) || "0"}`);
}

function bigEndian(bytes) {
  return BigInt(`0x${hexOf(bytes) || "0"}`);
}

// A point in extended coordinates: x = X/Z, y = Y/Z, T = XY/Z.
function edwards(x, y) {
  return [x, y, 1n, (x * y) % P];
}

const ZERO = [0n, 1n, 1n, 0n];
const BASE = edwards(
  0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  0x6666666666666666666666666666666666666666666666666666666666666658n,
);

function addPoints([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2), P);
  const b = mod((y1 + x1) * (y2 + x2), P);
  const c = mod(2n * D * t1 * t2, P);
  const d = mod(2n * z1 * z2, P);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f, P), mod(g * h, P), mod(f * g, P), mod(e * h, P)];
}

function times(scalar, point) {
  let result = ZERO;
  let doubled = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = addPoints(result, doubled);
    doubled = addPoints(doubled, doubled);
  }
  return result;
}

// The point that 32 bytes encode (RFC 8032 section 5.1.3), or null.
function decompress(bytes) {
  const sign = bytes[31] >> 7;
  const y = littleEndian(bytes) & (2n ** 255n - 1n);
  if (y >= P) return null;
  const u = mod(y * y - 1n, P);
  const v = mod(D * y * y + 1n, P);
  let x = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n, P), P);
  if (mod(v * x * x - u, P) !== 0n) {
    if (mod(v * x * x + u, P) !== 0n) return null;
    x = (x * ROOT_OF_MINUS_ONE) % P;
  }
  if (x === 0n && sign === 1) return null;
  if (Number(x & 1n) !== sign) x = P - x;
  return edwards(x, y);
}

function compressed([x, y, z]) {
  const inverse = power(z, P - 2n, P);
  const [ax, ay] = [mod(x * inverse, P), mod(y * inverse, P)];
  const digits = (ay | ((ax & 1n) << 255n)).toString(16).padStart(64, "0");
  return fromHex(digits).reverse();
}

async function ownEd25519(publicKey, signature, message) {
  const key = decompress(publicKey);
  const s = littleEndian(signature.subarray(32));
  if (!key || s >= ORDER) return false;
  const r = signature.subarray(0, 32);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-512", concat(r, publicKey, message)));
  const k = littleEndian(hash) % ORDER;
  const negative = [mod(-key[0], P), key[1], key[2], mod(-key[3], P)];
  return same(compressed(addPoints(times(s, BASE), times(k, negative))), r);
}
