// Signed notes, checkpoints and public keys (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

const LOG_KEY = 1;
const WITNESS_KEY = 4;
const MAX_NOTE = 1000000;

// A public key in text form `<name>+<key id>+<base64( type ‖ key )>`, or null.
function keyFromText(text) {
  const found = isText(text) ? /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) : null;
  const bytes = found && fromBase64(found[3]);
  if (!bytes || bytes.length !== 33 || (bytes[0] !== LOG_KEY && bytes[0] !== WITNESS_KEY)) return null;
  const id = hexOf(sha256(concat(utf8(`${found[1]}\n`), bytes)).subarray(0, 4));
  if (id !== found[2]) return null;
  return { text: text.trim(), name: found[1], id, type: bytes[0], publicKey: bytes.subarray(1) };
}

// Text and signatures of a note, or null.
function noteOf(bytes) {
  const whole = bytes.length <= MAX_NOTE ? textOf(bytes) : null;
  if (whole === null || /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(whole)) return null;
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) return null;
  const lines = whole.slice(split + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const found = /^— ([^ +]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    const value = found && fromBase64(found[2]);
    return value && value.length > 4 ? { name: found[1], id: hexOf(value.subarray(0, 4)), value: value.subarray(4) } : null;
  });
  return signatures.includes(null) ? null : { whole, text: whole.slice(0, split + 1), signatures };
}

// A checkpoint: origin, size, root and the note that carries it, or null.
function checkpointOf(bytes) {
  const note = noteOf(bytes);
  const lines = note ? note.text.slice(0, -1).split("\n") : [];
  if (lines.length !== 3 || lines[0] === "") return null;
  const size = fromDecimal(lines[1]);
  const root = fromBase64(lines[2]);
  if (size === null || !root || root.length !== 32) return null;
  return { origin: lines[0], size, root, note };
}

// Verifies the signature of a key under a note: `{valid, time}`; `time` is that of a cosignature, in seconds.
async function verifyLine(note, line, key) {
  if (key.type === LOG_KEY) {
    return { valid: await isSigned("EdDSA", key.publicKey, line.value, utf8(note.text)), time: null };
  }
  if (line.value.length !== 72) return { valid: false, time: null };
  const time = numberOf(line.value.subarray(0, 8));
  if (time === null) return { valid: false, time: null };
  const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
  return { valid: await isSigned("EdDSA", key.publicKey, line.value.subarray(8), message), time };
}

// The valid and the invalid signatures of known keys under a note. Signatures by unknown keys are ignored.
async function signersOf(note, keys) {
  const valid = [];
  const invalid = [];
  for (const line of note.signatures) {
    for (const key of keys.filter((known) => known.name === line.name && known.id === line.id)) {
      const result = await verifyLine(note, line, key);
      if (result.valid) valid.push({ key, time: result.time });
      else invalid.push(key);
    }
  }
  return { valid, invalid };
}
