// What the reader gives: files that are chosen or dropped, and pasted text. Nothing leaves the page.

const given = { bundle: null, authority: null, vendorAuthority: null, keys: [], witnesses: [], earlier: [] };

async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

// The files of a folder, with their paths inside the bundle.
async function readFolder(files) {
  const paths = files.map((file) => file.path ?? file.webkitRelativePath ?? file.name);
  const root = paths.find((path) => path === "bundle.json" || path.endsWith("/bundle.json")) ?? "bundle.json";
  const folder = root.slice(0, root.length - "bundle.json".length);
  const read = new Map();
  for (const [place, file] of files.entries()) {
    if (paths[place].startsWith(folder)) read.set(paths[place].slice(folder.length), await bytesOf(file.blob ?? file));
  }
  return read;
}

// All files below a dropped item, each with its path.
async function filesOfEntry(entry, prefix = "") {
  if (entry.isFile) {
    const blob = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ path: prefix + entry.name, blob, name: entry.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return found;
    for (const child of part) found.push(...(await filesOfEntry(child, `${prefix}${entry.name}/`)));
  }
}

// Takes one file for what it is: bundle, authority file, keys, or a mail with a checkpoint. Answers with a sentence, or null.
async function takeFile(name, bytes) {
  const text = textOf(bytes);
  if (text === null || text.includes("\0")) {
    given.bundle = { name, ...readTar(bytes) };
    return `Bundle: ${name}`;
  }
  const authority = text.trimStart().startsWith("{") ? authorityOf(text) : null;
  if (authority) {
    const isVendor = authority.tenant === VENDOR;
    given[isVendor ? "vendorAuthority" : "authority"] = authority;
    return `${isVendor ? "Authority of the vendor" : "Authority file"}: ${name}`;
  }
  const keys = text.split(/\r?\n/).map(keyFromText).filter(Boolean);
  if (keys.length > 0) {
    given.keys.push(...keys.filter(({ type }) => type === LOG_KEY).map((key) => key.text));
    given.witnesses.push(...keys.filter(({ type }) => type === WITNESS_KEY).map((key) => key.text));
    return `Keys: ${name}`;
  }
  if (checkpointsInMail(bytes).length > 0) {
    given.earlier.push({ name, bytes });
    return `Earlier checkpoint: ${name}`;
  }
  return null;
}

// Takes several files: those of an unpacked bundle together, all others one by one. Answers with a sentence for each.
async function takeFiles(files) {
  const isFolder = files.some((file) => (file.path ?? file.webkitRelativePath ?? "").includes("/") || file.name === "bundle.json");
  if (isFolder) {
    given.bundle = { name: "folder", files: await readFolder(files), damage: null };
    return [`Bundle: folder with ${given.bundle.files.size} files`];
  }
  const sentences = [];
  for (const file of files) {
    const taken = await takeFile(file.name, await bytesOf(file.blob ?? file));
    sentences.push(taken ?? `Not used: ${file.name} is not a bundle, an authority file, a key, or a mail with a checkpoint.`);
  }
  return sentences;
}

// The input of `verify`, or a sentence that says what is missing.
function collectInput({ authorityText, keyText: pasted, witnessText, witnessesRequired }) {
  if (!given.bundle) return "Choose a bundle first.";
  const lines = (text) => text.split(/\s+/).filter(Boolean);
  const typed = authorityText.trim();
  const authority = typed === "" ? given.authority : authorityOf(typed);
  if (typed !== "" && !authority) return "The text of the authority is neither an authority file nor a fingerprint of 64 digits.";
  const wrong = [...lines(pasted), ...lines(witnessText)].find((text) => !keyFromText(text));
  if (wrong) return `This is not a key: ${wrong}`;
  const required = witnessesRequired.trim() === "" ? null : fromDecimal(witnessesRequired.trim());
  if (witnessesRequired.trim() !== "" && required === null) return "The number of witnesses is not a number.";
  return {
    files: given.bundle.files, damage: given.bundle.damage, earlier: given.earlier, authority, vendorAuthority: given.vendorAuthority,
    keys: [...given.keys, ...lines(pasted)], witnesses: [...given.witnesses, ...lines(witnessText)], witnessesRequired: required,
  };
}
