// Reads tiles and entries, and decides which of them lead to the signed root.

// The entries of one file `tile/entries/…`: bytes after their length in two bytes. `whole` is false when it ends inside one.
function splitEntries(bytes) {
  const entries = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) return { entries, whole: false };
    const end = at + 2 + bytes[at] * 256 + bytes[at + 1];
    if (end > bytes.length) return { entries, whole: false };
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return { entries, whole: true };
}

// All entries with their positions and leaf hashes.
async function readEntries(files, tiles, findings, pause) {
  const entries = [];
  for (const tile of tiles) {
    const bytes = files.get(tile.path);
    if (!bytes) {
      findings.add(12, `The file ${tile.path} is missing.`);
      continue;
    }
    const read = splitEntries(bytes);
    if (!read.whole) findings.add(11, `The file ${tile.path} ends inside an entry.`);
    if (read.entries.length > tile.width) findings.add(11, `The file ${tile.path} has more entries than its tile has leaves.`);
    for (const [place, entry] of read.entries.slice(0, tile.width).entries()) {
      const index = tile.number * 256 + place;
      entries.push({ index, place: index, bytes: entry, leaf: leafHash(entry) });
      await pause();
    }
  }
  return entries;
}

// The hashes of the tiles of one level; null where a tile is missing or has a wrong length.
function readHashes(files, tiles, findings) {
  const hashes = [];
  for (const tile of tiles) {
    const bytes = files.get(tile.path);
    const good = bytes && bytes.length === tile.width * 32;
    if (!good) findings.add(12, `The file ${tile.path} is missing or has a wrong length.`);
    for (let at = 0; at < tile.width; at += 1) hashes.push(good ? bytes.subarray(32 * at, 32 * at + 32) : null);
  }
  return hashes;
}

// Classifies each difference between entries and recorded hashes, when the recorded hashes lead to the signed root.
async function classify(entries, recorded, first, end, findings, pause) {
  const wherever = new Map();
  for (const [index, hash] of recorded.entries()) {
    wherever.set(hexOf(hash), index);
    await pause();
  }
  const present = new Map(entries.map((entry) => [entry.index, entry]));
  const hashes = new Set(entries.map((entry) => hexOf(entry.leaf)));
  let differences = 0;
  let named = 0;
  for (let index = first; index < end; index += 1) {
    await pause();
    const entry = present.get(index);
    if (entry && same(entry.leaf, recorded[index])) continue;
    differences += 1;
    const isThere = hashes.has(hexOf(recorded[index]));
    const isRecorded = entry ? wherever.has(hexOf(entry.leaf)) : true;
    if (!isThere && !isRecorded) findings.add(11, "The entry was changed after it was signed.", { index });
    else if (!isThere) findings.add(12, "The entry that belongs here is missing.", { index });
    else if (!isRecorded) findings.add(11, "The entry was added to the log.", { index });
    else continue;
    named += 1;
  }
  if (differences > 0 && named === 0) findings.add(11, "Entries of the log were moved.");
  for (const entry of entries) {
    if (!same(entry.leaf, recorded[entry.index])) entry.index = wherever.get(hexOf(entry.leaf)) ?? entry.index;
  }
}

// Compares the tiles above the leaves with the tree.
function checkUpperTiles(files, levels, tree, findings) {
  for (let level = 1; level < levels.length; level += 1) {
    const nodes = tree.levels[8 * level] ?? [];
    for (const tile of levels[level]) {
      const bytes = files.get(tile.path);
      if (!bytes || bytes.length !== tile.width * 32) {
        findings.add(12, `The file ${tile.path} is missing or has a wrong length.`);
      } else if (!same(bytes, concat(...nodes.slice(tile.number * 256, tile.number * 256 + tile.width)))) {
        findings.add(11, `The file ${tile.path} does not match the hashes below it.`);
      }
    }
  }
}

// Reads all leaves. The result has the entries and, when all leaves lead to `root`, the tree.
async function readLeaves(files, tiles, { size, first, end, root }, findings, pause) {
  const fromTiles = readHashes(files, tiles.levels[0] ?? [], findings);
  const entries = await readEntries(files, tiles.entries, findings, pause);
  const own = new Map(entries.map((entry) => [entry.index, entry.leaf]));
  const recorded = fromTiles.map((hash, index) => hash ?? own.get(index) ?? null);
  const result = { entries, tree: null };
  if (recorded.includes(null)) {
    findings.add(12, "Leaf hashes are missing, so the root cannot be computed.");
    return result;
  }
  const tree = await new Tree(recorded).grow(pause);
  if (same(tree.root(size), root)) {
    await classify(entries, recorded, first, end, findings, pause);
    result.tree = tree;
  } else {
    const leaves = recorded.map((hash, index) => own.get(index) ?? hash);
    const second = await new Tree(leaves).grow(pause);
    if (same(second.root(size), root)) {
      findings.add(11, "A recorded hash was changed: only the entries lead to the signed root.");
      result.tree = second;
    } else {
      findings.add(11, "The entries do not lead to the signed root.");
    }
  }
  checkUpperTiles(files, tiles.levels, result.tree ?? tree, findings);
  return result;
}
