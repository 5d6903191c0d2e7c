// The files of a bundle: `bundle.json`, checksums, and which files belong in it.

const VIEWS = ["events.jsonl", "events.csv", "events.ocsf.jsonl"];
const SINGLE_FILES = ["bundle.json", "checkpoint", "keys.txt", "texts.jsonl", "README.txt", "ENGINEER.txt", "SHA256SUMS", "verify.html", ...VIEWS];
const PROOF_NAME = /^proofs\/([0-9a-f-]{36})\.tlog-proof$/;
const AUTHORITY_NAME = /^authority\/([1-9][0-9]*)\.tlog-proof$/;

// The values of `bundle.json`, or null.
function describe(bytes) {
  const text = bytes ? textOf(bytes) : null;
  const value = text === null ? undefined : fromJson(text);
  if (!isObject(value) || value.v !== 1 || !isText(value.origin) || value.origin === "") return null;
  const { size, first, end } = value;
  if (!isCount(size) || !isCount(first) || !isCount(end) || first > end || end > size) return null;
  const isTime = (text) => timeOf(text) !== null;
  if (!isTime(value.made_at) || ![value.since ?? null, value.until ?? null].every((time) => time === null || isTime(time))) return null;
  if (first % 256 !== 0 || (end % 256 !== 0 && end !== size)) return null;
  return { origin: value.origin, size, first, end, since: value.since ?? null, until: value.until ?? null, madeAt: value.made_at };
}

// All tiles that a tree of this size has, by level, and the bundles of the entries `first` … `end`-1.
function expectedTiles(size, first, end) {
  const levels = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / 256)) {
    levels.push(tilesOf(level, count));
  }
  const entries = tilesOf("entries", size).filter((tile) => tile.number * 256 >= first && tile.number * 256 < end);
  return { levels, entries };
}

// Number of tiles that a tree of this size has at least, without listing them.
function tileCount(size) {
  let tiles = 0;
  for (let count = size; count > 0; count = Math.floor(count / 256)) tiles += Math.ceil(count / 256);
  return tiles;
}

// Compares the files with SHA256SUMS.
async function checkSums(files, findings, pause) {
  const bytes = files.get("SHA256SUMS");
  const text = bytes ? textOf(bytes) : null;
  if (text === null) {
    findings.add(12, "The file SHA256SUMS is missing or is not text.");
    return;
  }
  const listed = new Set();
  for (const line of text.split("\n").slice(0, -1)) {
    const found = /^([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (!found || listed.has(found[2])) {
      findings.add(11, `SHA256SUMS contains a line that is not a checksum or repeats one: ${line.slice(0, 100)}`);
      continue;
    }
    listed.add(found[2]);
    const file = files.get(found[2]);
    if (!file) findings.add(12, `The file ${found[2]} is in SHA256SUMS, and missing.`);
    else if (hexOf(await hashOfFile(file)) !== found[1]) findings.add(11, `The file ${found[2]} does not match its checksum.`);
    await pause();
  }
  if (text !== "" && !text.endsWith("\n")) findings.add(11, "SHA256SUMS ends inside a line.");
  for (const name of files.keys()) {
    if (name !== "SHA256SUMS" && !listed.has(name)) findings.add(11, `The file ${name} is not in SHA256SUMS.`);
  }
}

// Reports files that do not belong in a bundle with these tiles.
function checkNames(files, tiles, findings) {
  const known = new Set(SINGLE_FILES);
  for (const level of [...tiles.levels, tiles.entries]) level.forEach((tile) => known.add(tile.path));
  for (const name of files.keys()) {
    const belongs = known.has(name) || PROOF_NAME.test(name) || AUTHORITY_NAME.test(name) || /^checkpoints\/[^/]+$/.test(name);
    if (!belongs) findings.add(11, `The file ${name} does not belong in the bundle.`);
  }
}
