// The authority of a tenant: the chain of its statements, and which one is in force at a time.

const AUTHORITY_CHANGED = "authority.changed";
const STATEMENT_PURPOSE = "lockbox/authority/v1";

// One recorded statement: `{statement, signatures, time, inForceFrom, signers, changes, isDelayed, hash}`.
class Authority {
  constructor() {
    this.recorded = [];
  }

  // The statement in force at a time, as it was recorded, or null.
  inForce(time) {
    let found = null;
    for (const one of this.recorded) {
      if (one.comesIntoForce && one.inForceFrom <= time) found = one;
    }
    return found;
  }

  get foundedAt() {
    return this.recorded.length > 0 ? this.recorded[0].inForceFrom : Infinity;
  }

  isFoundedAt(time) {
    return time >= this.foundedAt;
  }

  // Judges the next statement and adds it. Answers with the reason when it is not valid. `where.named` is the time
  // from which the event says that it is in force, and `where.index` its place in the log; a file has neither.
  async add(statement, signatures, time, where = {}) {
    const fault = statementFault(statement) ?? this.placeFault(statement, time);
    if (fault) return fault;
    if (!Array.isArray(signatures) || signatures.length === 0) return "it is not signed";
    const judge = (this.inForce(time) ?? this.recorded[0])?.statement ?? null;
    const one = { statement, signatures, time, ...where, hash: digestOf(statement), comesIntoForce: true, changes: [], isDelayed: false };
    const signed = await this.signersOf(statement, signatures, judge ?? statement);
    if (signed.fault) return signed.fault;
    one.signers = signed.people;
    const late = judge === null ? foundingFault(statement, signed.people) : this.judge(one, judge, signed);
    if (late) return late;
    const delay = one.isDelayed ? judge.change_delay_seconds * SECOND : 0;
    one.inForceFrom = Math.max(timeOf(statement.effective_at), time + delay);
    if (Object.hasOwn(where, "named") && where.named !== one.inForceFrom) return "it names another time from which it is in force";
    const last = this.recorded.at(-1);
    if (this.recorded.length > 1 && last.inForceFrom > time) last.comesIntoForce = false;
    this.recorded.push(one);
    return null;
  }

  placeFault(statement, time) {
    const last = this.recorded.at(-1);
    if (statement.version !== (last?.statement.version ?? 0) + 1) return "it is not the next version";
    if (statement.previous !== (last?.hash ?? null)) return "it does not follow the previous statement";
    if (last && last.statement.tenant !== statement.tenant) return "it is about another tenant";
    return last && time < last.time ? "it is earlier than the previous statement" : null;
  }

  async signersOf(statement, signatures, judge) {
    const challenge = challengeOf(STATEMENT_PURPOSE, statement);
    const people = new Set();
    let recovered = false;
    for (const assertion of signatures) {
      const found = keyOfApprover(judge, assertion);
      const recovery = judge.recovery_key && assertion?.key === judge.recovery_key.id ? judge.recovery_key : null;
      if (!found && !recovery) return { fault: "it is signed with a key that no approver has" };
      const fault = await assertionFault(assertion, found?.key ?? recovery, challenge, judge.portal);
      if (fault) return { fault: `one of its signatures is wrong: ${fault}` };
      if (found) people.add(found.approver.person);
      else recovered = true;
    }
    return { people: [...people], recovered };
  }

  judge(one, judge, { people, recovered }) {
    one.changes = changesBetween(judge, one.statement);
    const isOwn = isOwnKeys(one.changes, people);
    const isFew = people.length < neededSignatures(judge, one.changes, isOwn);
    if (isFew && !recovered) return "too few approvers signed it";
    const isWeaker = one.changes.some(({ effect }) => effect === "weakens");
    one.isDelayed = (isWeaker && !isOwn) || isFew;
    return null;
  }
}

function foundingFault(statement, people) {
  const all = statement.approvers.every((approver) => people.includes(approver.person));
  return all ? null : "not every approver signed it";
}

// Reads the text of an authority file, or a fingerprint: `{fingerprint, statements, tenant}`, or null.
function authorityOf(text) {
  const digits = text.replace(/\s+/g, "").toLowerCase();
  if (isHash(digits)) return { fingerprint: digits, statements: [], tenant: null };
  const file = fromJson(text);
  if (!hasMembers(file, ["v", "tenant", "statements"]) || file.v !== 1 || !isText(file.tenant)) return null;
  const good = isListOf(file.statements, (one) => hasMembers(one, ["statement", "signatures", "recorded_at"]) && timeOf(one.recorded_at) !== null);
  if (!good || file.statements.length === 0) return null;
  return { fingerprint: digestOf(file.statements[0].statement), statements: file.statements, tenant: file.tenant };
}

// The chain of a file, and why it does not hold, or null.
async function chainOfFile(file) {
  const authority = new Authority();
  for (const { statement, signatures, recorded_at: recordedAt } of file.statements) {
    const fault = statement.tenant === file.tenant ? await authority.add(statement, signatures, timeOf(recordedAt)) : "it is about another tenant";
    if (fault) return { authority, fault: `statement ${authority.recorded.length + 1} of the file is not valid: ${fault}` };
  }
  return { authority, fault: null };
}
