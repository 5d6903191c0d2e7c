// Proof files (C2SP tlog-proof) and the checkpoints that they carry.

// The parts of a proof file, or null.
function proofOf(bytes) {
  const text = textOf(bytes);
  const split = text === null ? -1 : text.indexOf("\n\n");
  if (split < 0) return null;
  const lines = text.slice(0, split).split("\n");
  const extra = /^extra (.+)$/.exec(lines[1] ?? "");
  const place = /^index (.+)$/.exec(lines[2] ?? "");
  const entry = extra && fromBase64(extra[1]);
  const index = place && fromDecimal(place[1]);
  const path = lines.slice(3).map(fromBase64);
  if (lines[0] !== "c2sp.org/tlog-proof@v1" || !entry || index === null || path.length > 63) return null;
  if (path.some((hash) => !hash || hash.length !== 32)) return null;
  return { entry, index, path, note: utf8(text.slice(split + 2)) };
}

// True when the entry leads to the root of the checkpoint.
function isIncluded(proof, checkpoint) {
  const root = rootFromProof(leafHash(proof.entry), proof.index, checkpoint.size, proof.path);
  return root !== null && same(root, checkpoint.root);
}
