// Break-glass policies (format page, section 10). They take the place of the customer approval.

const DAY = 86400 * SECOND;
const MAX_POLICY_DAYS = 366;

// True when a policy may exist like this at that time.
function isGoodPolicy(policy, time) {
  const until = timeOf(policy.until);
  const services = policy.services;
  if (!Array.isArray(services) || services.length === 0 || !isCount(policy.ceiling_seconds, 1) || !isCount(policy.quota, 1)) return false;
  if (policy.ceiling_seconds > BREAK_GLASS_CEILING || policy.quota > 100 || until === null) return false;
  return until >= time - SECOND && until <= time + MAX_POLICY_DAYS * DAY + SECOND;
}

// The policies that a log contains: those of `directory.changed`, and in a founded tenant those of the authority.
class Policies {
  constructor(findings) {
    this.findings = findings;
    this.policies = new Map();
  }

  // Reads one change of settings.
  add(entry) {
    if (entry.type !== "directory.changed") return;
    const say = (what) => this.findings.add(16, what, entry);
    const policy = entry.data.break_glass_policy;
    const isCustomer = personOf(entry)?.side === "customer";
    if (isObject(policy)) {
      const digest = digestOf(policy);
      if (!isCustomer) say("A break-glass policy is created by somebody who is not a person of the customer.");
      if (this.policies.has(digest)) say("A break-glass policy is created twice.");
      else this.policies.set(digest, { policy, index: entry.index, time: entry.time, revoked: [], uses: 0 });
      if (!isGoodPolicy(policy, entry.time)) say("The values of a break-glass policy are outside the limits.");
    }
    const ended = entry.data.break_glass_policy_ended;
    if (isText(ended)) {
      if (!isCustomer) say("A break-glass policy is revoked by somebody who is not a person of the customer.");
      const known = this.policies.get(ended);
      if (!known || known.time > entry.time + SECOND) say("A break-glass policy is revoked that was not created before.");
      known?.revoked.push(entry.time);
    }
  }

  // Adds the policies of a statement that no earlier entry created.
  addStatement(recorded) {
    for (const policy of recorded.statement.break_glass) {
      const digest = digestOf(policy);
      if (this.policies.has(digest)) continue;
      this.policies.set(digest, { policy, index: recorded.index, time: recorded.time, revoked: [], uses: 0 });
    }
  }

  // Checks a submission or an activation of a break-glass request.
  use(entry, requested) {
    const say = (what) => this.findings.add(16, `A rule of break-glass access is broken: ${what}.`, entry);
    const known = this.policies.get(entry.data.break_glass_digest);
    if (!known || known.index >= entry.index || known.time > entry.time + SECOND) {
      say("there is no such policy");
      return;
    }
    const { policy } = known;
    if (known.revoked.some((time) => time < entry.time - SECOND)) say("the policy was revoked");
    if (policy.name !== entry.data.break_glass) say("the policy has another name");
    if (!(timeOf(policy.until) > entry.time)) say("the policy has ended");
    if (!policy.services?.includes?.(entry.data.service)) say("the policy is not for this service");
    if (!(requested <= policy.ceiling_seconds)) say("the requested duration is longer than the policy allows");
    if (entry.type !== "grant.activated") return;
    known.uses += 1;
    if (known.uses > policy.quota) say("the policy was used too often");
  }
}
