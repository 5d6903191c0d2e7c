// Reads a POSIX archive (ustar) of files and folders.

const BLOCK = 512;

function isZero(bytes) {
  return bytes.every((byte) => byte === 0);
}

// The text of a header field up to its first NUL, or null.
function field(header, start, size) {
  const bytes = header.subarray(start, start + size);
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  return textOf(used);
}

function octal(header, start, size) {
  const digits = /^([0-7]{1,11})[ \0]?/.exec(String.fromCharCode(...header.subarray(start, start + size)));
  return digits && digits[1].length === size - 1 ? parseInt(digits[1], 8) : null;
}

// True when the checksum of a header is right, and written as six octal digits, NUL, space.
function hasChecksum(header) {
  let sum = 8 * 32;
  for (let at = 0; at < BLOCK; at += 1) {
    if (at < 148 || at >= 156) sum += header[at];
  }
  const written = String.fromCharCode(...header.subarray(148, 156));
  return written === `${sum.toString(8).padStart(6, "0")}\0 `;
}

function isUstar(header) {
  return String.fromCharCode(...header.subarray(257, 265)) === "ustar\u000000";
}

// Name, kind and size of a file from its header, or null.
function headerOf(header) {
  if (!isUstar(header) || !hasChecksum(header)) return null;
  const name = field(header, 0, 100);
  const prefix = field(header, 345, 155);
  const size = octal(header, 124, 12);
  if (name === null || prefix === null || size === null) return null;
  const path = prefix === "" ? name : `${prefix}/${name}`;
  return { name: path.startsWith("./") ? path.slice(2) : path, kind: header[156], size };
}

// The files of an archive up to the first damage, and what is damaged, or null.
function readTar(bytes) {
  const files = new Map();
  const damaged = (what) => ({ files, damage: what });
  if (bytes.length % BLOCK !== 0) return damaged("it does not end at the end of a block");
  let at = 0;
  while (at < bytes.length && !isZero(bytes.subarray(at, at + BLOCK))) {
    const header = headerOf(bytes.subarray(at, at + BLOCK));
    if (!header) return damaged(`it has no valid header at byte ${at}`);
    const start = at + BLOCK;
    const end = start + header.size;
    const next = start + Math.ceil(header.size / BLOCK) * BLOCK;
    if (next > bytes.length) return damaged(`it ends inside ${header.name}`);
    if (!isZero(bytes.subarray(end, next))) return damaged(`the padding after ${header.name} is not zero`);
    at = next;
    if (header.kind === 0x35 && header.size === 0) continue;
    if (header.kind !== 0x30 && header.kind !== 0) return damaged(`${header.name} is neither a file nor a folder`);
    if (files.has(header.name)) return damaged(`it contains ${header.name} twice`);
    files.set(header.name, bytes.subarray(start, end));
  }
  if (bytes.length - at < 2 * BLOCK) return damaged("its end is missing");
  if (!isZero(bytes.subarray(at))) return damaged("it contains data after its end");
  return { files, damage: null };
}
