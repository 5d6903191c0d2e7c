// Verifies a bundle. Every check of the format page runs here in order, in slices that keep the page responsive.

// A function that gives the browser a turn when the last one was more than 30 ms ago, and reports progress.
function pauses(progress) {
  let last = Date.now();
  let step = "";
  const pause = async (name) => {
    if (name) step = name;
    if (Date.now() - last < 30) return;
    progress(step);
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = Date.now();
  };
  return pause;
}

// Checkpoints that the bundle and the user bring, and the proofs. The first one is `checkpoint`.
async function readCheckpoints(files, earlier, findings, pause) {
  const checkpoints = [];
  const proofs = [];
  const add = (name, note) => checkpoints.push({ name, checkpoint: checkpointOf(note), bytes: note });
  if (files.has("checkpoint")) add("checkpoint", files.get("checkpoint"));
  for (const [name, bytes] of files) {
    await pause();
    if (name.startsWith("checkpoints/")) add(name, bytes);
    const found = PROOF_NAME.exec(name) ?? AUTHORITY_NAME.exec(name);
    if (!found) continue;
    const proof = proofOf(bytes);
    if (!proof || !noteOf(proof.note)) {
      findings.add(11, `The proof ${name} cannot be read.`);
      continue;
    }
    const checkpoint = checkpointOf(proof.note);
    if (!checkpoint) {
      // An earlier checkpoint that cannot be read.
      add(name, proof.note);
      continue;
    }
    proofs.push({ name, proof, about: found[1], isAuthority: name.startsWith("authority/"), checkpoint });
    const main = files.get("checkpoint");
    if (!main || !same(main, proof.note)) add(name, proof.note);
  }
  for (const { name, bytes } of earlier) {
    const notes = checkpointsInMail(bytes);
    if (notes.length === 0) findings.add(10, `There is no checkpoint in ${name}.`);
    notes.forEach((note) => add(name, note));
  }
  return { checkpoints, proofs };
}

// The key changes in entries and proofs: `{index, key, previous}`.
function keyChanges(entries, origin, findings) {
  const changes = [];
  for (const entry of entries) {
    if (entry.type !== "log.key_changed") continue;
    const key = keyFromText(entry.data.key);
    const hasPrevious = entry.data.previous !== undefined && entry.data.previous !== null;
    if (!key || key.type !== LOG_KEY || (hasPrevious && !keyFromText(entry.data.previous))) {
      findings.add(16, "The key change has no valid key.", entry);
    } else if (key.name === origin) {
      changes.push({ index: entry.index, key, previous: entry.data.previous });
    }
  }
  return changes;
}

// Entries that only a proof contains, for bundles of a period.
function entriesOfProofs(proofs, origin, first, end) {
  const silent = new Findings();
  const entries = new Map();
  for (const { proof, checkpoint } of proofs) {
    if ((proof.index >= first && proof.index < end) || !isIncluded(proof, checkpoint)) continue;
    const entry = { index: proof.index, bytes: proof.entry, leaf: leafHash(proof.entry) };
    parseEntry(entry, origin, silent);
    if (entry.good) entries.set(proof.index, entry);
  }
  return [...entries.values()].sort((one, other) => one.index - other.index);
}

async function checkProofs(proofs, findings, pause) {
  for (const { name, proof, about, isAuthority, checkpoint } of proofs) {
    await pause();
    if (!isIncluded(proof, checkpoint)) findings.add(11, `The proof ${name} does not lead to the root of its checkpoint.`);
    const event = at(fromCanonical(proof.entry), "event");
    const subject = isAuthority ? at(event, "data", "statement", "version") : at(event, "id");
    const isRight = isAuthority ? at(event, "type") === `lockbox.${AUTHORITY_CHANGED}.v1` && String(subject) === about : subject === about;
    if (!isRight) findings.add(11, `The proof ${name} is about something else than its name says.`);
  }
}

// Keys that the bundle names itself. They prove nothing, and are used only when the reader has no key.
function ownKeys(files, origin) {
  const lines = (textOf(files.get("keys.txt") ?? new Uint8Array(0)) ?? "").split("\n");
  return lines.map(keyFromText).filter((key) => key && key.type === LOG_KEY && key.name === origin);
}

// Verifies a bundle. `input` has `files` (a map of names to bytes), `damage` (or null), `keys` (key texts), `earlier` (mails:
// `{name, bytes}`), `authority` and `vendorAuthority` (results of `authorityOf`, or null), `witnesses` (key texts),
// `witnessesRequired` (a number or null). `progress` is called with the name of the present step.
async function verify(input, progress = () => {}) {
  const findings = new Findings();
  const pause = pauses(progress);
  const { files } = input;
  const result = { findings, about: null, requests: new Map(), consent: null, texts: new Map(), entries: [], keys: [], input };
  const finish = () => Object.assign(result, { code: findings.code() });
  if (input.damage) findings.add(12, `The archive is damaged: ${input.damage}.`);
  const about = describe(files.get("bundle.json"));
  if (!about) {
    findings.add(12, "The file bundle.json is missing or cannot be read, so nothing else can be verified.");
    return finish();
  }
  result.about = about;
  if (!files.has("checkpoint") || textOf(files.get("checkpoint")) === null) {
    findings.add(12, "The file checkpoint is missing or cannot be read, so nothing else can be verified.");
    return finish();
  }
  await pause("Comparing checksums");
  await checkSums(files, findings, pause);
  const { checkpoints, proofs } = await readCheckpoints(files, input.earlier, findings, pause);
  const main = checkpoints[0]?.name === "checkpoint" ? checkpoints[0] : { checkpoint: null };
  const root = main.checkpoint?.root;
  if (main.checkpoint && main.checkpoint.size !== about.size) {
    findings.add(11, `The checkpoint covers ${main.checkpoint.size} entries, and bundle.json names ${about.size}.`);
  }
  const isTooLarge = tileCount(about.size) > files.size;
  const tiles = isTooLarge ? { levels: [], entries: [] } : expectedTiles(about.size, about.first, about.end);
  if (isTooLarge) findings.add(12, "There are fewer files than a log of this size has tiles.");
  else checkNames(files, tiles, findings);

  await pause("Reading entries");
  const canRead = root && main.checkpoint.size === about.size && !isTooLarge;
  const leaves = canRead ? await readLeaves(files, tiles, { ...about, root }, findings, pause) : { entries: [], tree: null };
  const entries = leaves.entries;
  for (const entry of entries) {
    parseEntry(entry, about.origin, findings);
    await pause();
  }
  await checkProofs(proofs, findings, pause);
  const known = [...entriesOfProofs(proofs, about.origin, about.first, about.end), ...entries.filter((entry) => entry.good)];

  await pause("Verifying signatures");
  const given = input.keys.map(keyFromText).filter(Boolean);
  const witnesses = input.witnesses.map(keyFromText).filter((key) => key && key.type === WITNESS_KEY);
  result.hasKey = given.some((key) => key.type === LOG_KEY);
  const trusted = result.hasKey ? given : [...given, ...ownKeys(files, about.origin)];
  const logKeys = await followKeys(checkpoints, keyChanges(known, about.origin, findings), trusted);
  result.keys = logKeys.filter((key) => key.type === LOG_KEY);
  await checkSignatures(checkpoints, about.origin, [...logKeys, ...witnesses], findings);
  checkHistory(main, checkpoints.slice(1), leaves.tree, findings);

  await pause("Checking the order of entries");
  const isPeriod = about.first > 0;
  const streams = new Streams(isPeriod, findings);
  entries.forEach((entry) => streams.add(entry));
  await pause("Comparing views and texts");
  await checkViews(files, entries, about.origin, findings, pause);
  result.texts = await readTexts(files, entries, findings, pause);

  await pause("Applying the rules");
  const good = entries.filter((entry) => entry.good);
  const lifecycle = new Lifecycle(streams, findings);
  for (const entry of good) {
    lifecycle.add(entry);
    await pause();
  }
  const context = { input, about, files, known, entries: good, lifecycle, checkpoints, proofs, main, witnesses, isPeriod, findings, pause };
  result.consent = await checkConsent(context);
  Object.assign(result, { entries: good, requests: lifecycle.requests, main });
  if (!result.hasKey) findings.add(18, "No key of the log was given. The key in the bundle was used, and proves nothing.");
  return finish();
}
