// Consent (format page, section 11): whether the customer made the decisions in the log.

// The authority that the log contains (rule 1). Invalid statements are findings and are left out.
async function authorityOfLog({ known, about, files, entries, findings }) {
  const authority = new Authority();
  const tenant = tenantOf(about.origin) ?? VENDOR;
  const inBundle = new Set(entries);
  let heartbeat = -Infinity;
  for (const entry of known) {
    if (entry.type === "log.heartbeat") heartbeat = entry.time;
    if (entry.type !== AUTHORITY_CHANGED) continue;
    const { statement, signatures } = entry.data;
    let fault = null;
    if (at(statement, "tenant") !== tenant) fault = "it is about another tenant";
    else if (entry.request !== null) fault = "it is recorded as a step of a request";
    else if (entry.time < heartbeat - TOLERANCE) fault = "its time is long before the heartbeat before it";
    fault ??= await authority.add(statement, signatures, entry.time, { index: entry.index, named: timeOf(entry.data.in_force_from), entry });
    if (fault) findings.add(17, `A statement of the authority is not valid: ${fault}.`, entry);
    const version = at(statement, "version");
    const name = `authority/${version}.tlog-proof`;
    if (inBundle.has(entry) && isCount(version) && !files.has(name)) findings.add(12, `The file ${name} is missing.`);
  }
  return authority;
}

const VENDOR = "vendor";

// Compares the authority of the log with the one that the reader gave.
async function compareAuthority(given, authority, { about, entries, findings }) {
  if (given.statements.length === 0) {
    if (authority.recorded[0]?.hash !== given.fingerprint) findings.add(17, "The authority in the log does not have the fingerprint that you gave.");
    return;
  }
  const newest = entries.at(-1)?.time ?? -Infinity;
  const own = await chainOfFile(given);
  if (own.fault) findings.add(17, `The authority file does not hold: ${own.fault}.`);
  if (given.tenant !== (tenantOf(about.origin) ?? VENDOR)) findings.add(17, `The authority file is about ${given.tenant}, another tenant.`);
  given.statements.forEach(({ statement, recorded_at: recordedAt }, place) => {
    const time = timeOf(recordedAt);
    const there = authority.recorded[place];
    if (time <= newest && (!there || there.time !== time || !sameJson(there.statement, statement))) {
      findings.add(17, `Statement ${place + 1} of the authority file is not in the log like this.`);
    }
  });
}

// The cosignatures by these witnesses under a checkpoint: `[{key, time}, …]`.
async function cosignaturesOf(one, witnesses) {
  if (!one.valid) return [];
  return (await signersOf(one.checkpoint.note, witnesses)).valid;
}

// Applies rule 6, and answers with the cosignatures under all checkpoints for rule 10.
async function checkWitnesses({ input, witnesses, main, checkpoints, entries, findings, pause }, authority) {
  const last = entries.at(-1);
  const inForce = last ? authority.inForce(last.time)?.statement : undefined;
  const trusted = witnesses.length > 0 ? witnesses : inForce ? witnessesOf(inForce) : [];
  const isGiven = witnesses.length > 0 || input.witnessesRequired !== null;
  const required = isGiven ? input.witnessesRequired ?? witnesses.length : inForce?.rules.witnesses_required ?? 0;
  const under = main.checkpoint ? await cosignaturesOf(main, trusted) : [];
  const count = new Set(under.map(({ key }) => key.text)).size;
  if (count < required) findings.add(17, `The checkpoint has valid signatures of ${count} witnesses, and ${required} are required.`);
  const cosigned = [];
  for (const one of trusted.length > 0 ? checkpoints : []) {
    for (const { time } of await cosignaturesOf(one, trusted)) cosigned.push({ size: one.checkpoint.size, time });
    await pause();
  }
  return { cosigned, count, required };
}

// Why the rules of a request protect less than the rules in force, or null (rule 3).
function weakerRules(content, rules) {
  const own = at(content, "rules");
  if (!isObject(own)) return "has no rules";
  if (!(isCount(own.decision_deadline_seconds) && own.decision_deadline_seconds <= rules.decision_deadline_seconds)) return "has a longer decision deadline";
  if (!(isCount(own.access_ceiling_seconds) && own.access_ceiling_seconds <= rules.access_ceiling_seconds)) return "allows longer access";
  if (!(isCount(own.required_approvals) && own.required_approvals >= rules.required_approvals)) return "requires fewer approvals";
  if (typeof own.comment_required !== "boolean" || (rules.comment_required && !own.comment_required)) return "requires fewer comments";
  if (!(isCount(content.duration_seconds) && content.duration_seconds <= rules.access_ceiling_seconds)) return "is for a longer time";
  return null;
}

// Applies rules 2 to 5 to one entry after the founding. Answers with the signer of a decision, or null.
async function checkEntry(entry, content, statement, findings) {
  const say = (what) => findings.add(17, what, entry);
  const { type, data } = entry;
  if (type === "request.submitted") {
    const fault = weakerRules(content, statement.rules);
    if (fault) say(`The request ${fault} than the authority allows.`);
  }
  const digest = data.break_glass_digest ?? null;
  if ((type === "request.submitted" || type === "grant.activated") && digest !== null) {
    if (!statement.break_glass.some((policy) => digestOf(policy) === digest)) say("The break-glass policy is not one of the authority.");
  }
  if (type === "request.vendor_approved" && content !== null) {
    const seconds = at(content, "rules", "decision_deadline_seconds");
    const deadline = timeOf(data.decision_deadline);
    if (!isCount(seconds) || deadline === null || deadline > entry.time + seconds * SECOND) say("The decision deadline is longer than the request allows.");
  }
  if (!CUSTOMER_DECISIONS.includes(type)) return null;
  const mustComment = content !== null && at(content, "rules", "comment_required") === true;
  if (mustComment && !isHash(at(data.comment, "committed"))) say("The decision has no comment, and the request requires one.");
  const signed = await signerOf(entry, statement, content);
  if (signed.fault) say(`The customer's decision is not proved: ${signed.fault}.`);
  return signed;
}

// Rule 7: the decisions of the vendor, by the authority that the reader gave for the vendor.
async function vendorAuthority(given, findings) {
  if (!given) return null;
  const { authority, fault } = await chainOfFile(given);
  if (fault || given.tenant !== VENDOR) findings.add(17, `The authority file of the vendor does not hold: ${fault ?? "it is about another tenant"}.`);
  return authority;
}

// Applies the rules of section 11. Answers with `{authority, signers, grants, witnesses, unproved}`: `signers` are the results for
// decisions by entry index, `unproved` the decisions that no rule covers.
async function checkConsent(context) {
  const { input, about, entries, lifecycle, isPeriod, findings, pause } = context;
  const submissions = new Map(entries.filter(({ type }) => type === "request.submitted").map((entry) => [entry.request, entry]));
  const contents = (request) => (submissions.has(request) ? submissions.get(request).data.content : isPeriod ? null : undefined);
  const authority = await authorityOfLog(context);
  const vendor = await vendorAuthority(input.vendorAuthority, findings);
  const policies = new Policies(findings);
  const signers = new Map();
  const unproved = [];
  const statements = new Map(authority.recorded.map((one) => [one.index, one]));
  for (const entry of isPeriod ? [] : entries) {
    if (statements.has(entry.index)) policies.addStatement(statements.get(entry.index));
    policies.add(entry);
  }
  for (const entry of entries) {
    const isFounded = authority.isFoundedAt(entry.time);
    if (isFounded && entry.type === "directory.changed" && isObject(entry.data.break_glass_policy)) {
      findings.add(17, "A change of settings creates a break-glass policy, and only the authority can.", entry);
    }
    const uses = entry.type === "request.submitted" || entry.type === "grant.activated";
    if (!isPeriod && uses && hasBreakGlass(entry.data)) {
      policies.use(entry, entry.type === "grant.activated" ? lifecycle.requests.get(entry.request)?.duration : entry.data.duration_seconds);
    }
    if (isFounded) {
      const signed = await checkEntry(entry, contents(entry.request), authority.inForce(entry.time).statement, findings);
      if (signed) signers.set(entry.index, signed);
    } else if (CUSTOMER_DECISIONS.includes(entry.type)) unproved.push(entry);
    if (vendor?.isFoundedAt(entry.time) && VENDOR_DECISIONS.includes(entry.type)) {
      const signed = await signerOf(entry, vendor.inForce(entry.time).statement, contents(entry.request));
      if (signed.fault) findings.add(17, `The vendor's decision is not proved: ${signed.fault}.`, entry);
      signers.set(entry.index, signed);
    }
    await pause();
  }
  const grants = grantsOf(entries, contents);
  checkUsage(entries, grants, (request) => lifecycle.streams.isComplete(request), findings);
  const witnesses = await checkWitnesses(context, authority);
  checkTimes(entries, witnesses.cosigned, findings);
  if (input.authority) await compareAuthority(input.authority, authority, context);
  if (tenantOf(about.origin) !== null) {
    if (authority.recorded.length === 0) findings.add(18, "Consent not verified: this tenant has no authority of its own.");
    else if (!input.authority) findings.add(18, "Consent not verified: no authority file and no fingerprint was given.");
  }
  return { authority, signers, grants, witnesses, unproved, hasVendor: vendor !== null };
}
