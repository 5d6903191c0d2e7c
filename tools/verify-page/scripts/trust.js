// Checkpoints: who signed them, which keys are trusted, and whether all of them belong to one history.

// Adds the keys that follow from trusted keys: a key change is covered by a checkpoint that the previous key signed.
async function followKeys(checkpoints, changes, trusted) {
  const keys = [...trusted];
  let grown = true;
  while (grown) {
    grown = false;
    for (const { checkpoint } of checkpoints) {
      if (!checkpoint) continue;
      const signers = (await signersOf(checkpoint.note, keys)).valid.filter(({ key }) => key.type === LOG_KEY);
      for (const change of changes) {
        const isNew = !keys.some((key) => key.text === change.key.text);
        if (isNew && change.index < checkpoint.size && signers.some(({ key }) => key.text === change.previous)) {
          keys.push(change.key);
          grown = true;
        }
      }
    }
  }
  return keys;
}

// Verifies the signatures of every checkpoint. Sets `valid` of each.
async function checkSignatures(checkpoints, origin, keys, findings) {
  for (const one of checkpoints) {
    one.valid = false;
    if (!one.checkpoint) {
      findings.add(10, `The checkpoint in ${one.name} cannot be read.`);
      continue;
    }
    if (one.checkpoint.origin !== origin) {
      findings.add(10, `The checkpoint in ${one.name} belongs to another log: ${one.checkpoint.origin}.`);
      continue;
    }
    const { valid, invalid } = await signersOf(one.checkpoint.note, keys);
    const byLog = valid.some(({ key }) => key.type === LOG_KEY && key.name === origin);
    if (!byLog) findings.add(10, `The checkpoint in ${one.name} has no signature by a trusted key of this log.`);
    const broken = invalid.filter((key) => key.type === LOG_KEY);
    if (broken.length > 0) findings.add(10, `The checkpoint in ${one.name} has an invalid signature by ${broken[0].name}.`);
    one.valid = byLog && broken.length === 0;
  }
}

// Compares the earlier checkpoints with the tree under the main one.
function checkHistory(main, earlier, tree, findings) {
  for (const one of earlier) {
    if (!one.valid || !main.checkpoint) continue;
    const { size, root } = one.checkpoint;
    const now = main.checkpoint;
    if (size > now.size) {
      findings.add(14, `The checkpoint in ${one.name} covers ${size} entries. This bundle has a checkpoint of ${now.size}.`);
    } else if (size === now.size ? !same(root, now.root) : tree !== null && !same(tree.root(size), root)) {
      findings.add(13, `The checkpoint in ${one.name} covers ${size} entries that differ from this log.`);
    }
  }
}
