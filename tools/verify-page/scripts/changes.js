// The differences between two statements, and whether each weakens or strengthens the protection of the tenant.

// Lists differences as `{effect, owner, text}`. `owner` is the person whose own key or delegation it is, or null.
function changesBetween(before, after) {
  const changes = [];
  const add = (effect, text, owner = null) => changes.push({ effect, text, owner });
  approverChanges(before, after, add);
  numberChanges(before, after, add);
  otherChanges(before, after, add);
  policyChanges(before, after, add);
  delegationChanges(before, after, add);
  return changes;
}

function approverChanges(before, after, add) {
  for (const approver of after.approvers) {
    const old = before.approvers.find(({ person }) => person === approver.person);
    if (!old) {
      add("weakens", `approver ${approver.name} added`);
      continue;
    }
    if (old.email !== approver.email) add("weakens", `address of ${approver.name} changed to ${approver.email}`);
    if (old.name !== approver.name) add("neutral", `name of ${old.name} changed to ${approver.name}`);
    serviceChange(old, approver, add);
    keyChangesOf(old, approver, add);
  }
  for (const old of before.approvers) {
    if (!after.approvers.some(({ person }) => person === old.person)) add("strengthens", `approver ${old.name} removed`);
  }
}

function serviceChange(old, approver, add) {
  const sets = [old, approver].map(({ services }) => [...new Set(services)].sort().join("\n"));
  if (sets[0] === sets[1]) return;
  const isCovered = old.services.length === 0
    || (approver.services.length > 0 && approver.services.every((service) => old.services.includes(service)));
  add(isCovered ? "strengthens" : "weakens", `services of ${approver.name} changed`);
}

function keyChangesOf(old, approver, add) {
  for (const key of approver.keys) {
    const known = old.keys.find(({ id }) => id === key.id);
    if (!known) add("weakens", `key of ${approver.name} added`, approver.person);
    else if (!sameJson(known, key)) add("weakens", `key of ${approver.name} changed`, approver.person);
  }
  for (const key of old.keys) {
    if (!approver.keys.some(({ id }) => id === key.id)) add("strengthens", `key of ${approver.name} removed`, approver.person);
  }
}

// Numbers and flags: the value on the left, and whether a higher one strengthens.
function numberChanges(before, after, add) {
  const values = [
    ["signatures that a change needs", before.change_signatures, after.change_signatures, true],
    ["delay of a change that weakens protection", before.change_delay_seconds, after.change_delay_seconds, true],
    ["required approvals", before.rules.required_approvals, after.rules.required_approvals, true],
    ["required witnesses", before.rules.witnesses_required, after.rules.witnesses_required, true],
    ["decision deadline", before.rules.decision_deadline_seconds, after.rules.decision_deadline_seconds, false],
    ["longest access", before.rules.access_ceiling_seconds, after.rules.access_ceiling_seconds, false],
    ["required comment", Number(before.rules.comment_required), Number(after.rules.comment_required), true],
    ["software keys", Number(before.rules.software_keys), Number(after.rules.software_keys), false],
  ];
  for (const [name, old, now, higherStrengthens] of values) {
    if (old !== now) add(now > old === higherStrengthens ? "strengthens" : "weakens", `${name} changed`);
  }
}

function otherChanges(before, after, add) {
  if (!sameJson(before.recovery_key, after.recovery_key)) {
    add(after.recovery_key === null ? "strengthens" : "weakens", "recovery key changed");
  }
  if (!sameJson(before.portal, after.portal)) add("weakens", "address of the portal changed");
  if (!sameJson(before.identity_provider, after.identity_provider)) add("weakens", "identity provider changed");
  const sets = [before, after].map(({ rules }) => [...new Set(rules.witnesses.map(canonical))].sort().join("\n"));
  if (sets[0] !== sets[1]) add("weakens", "witnesses changed");
  for (const address of new Set(after.notification_recipients)) {
    if (!before.notification_recipients.includes(address)) add("strengthens", `notification recipient ${address} added`);
  }
  for (const address of new Set(before.notification_recipients)) {
    if (!after.notification_recipients.includes(address)) add("weakens", `notification recipient ${address} removed`);
  }
}

function policyChanges(before, after, add) {
  for (const policy of after.break_glass) {
    const old = before.break_glass.find((one) => one.policy === policy.policy);
    if (!old) add("weakens", `break-glass policy ${policy.name} added`);
    else if (!sameJson(old, policy)) {
      const isNarrower = policy.services.every((service) => old.services.includes(service))
        && policy.ceiling_seconds <= old.ceiling_seconds && policy.quota <= old.quota && timeOf(policy.until) <= timeOf(old.until);
      add(isNarrower ? "strengthens" : "weakens", `break-glass policy ${policy.name} changed`);
    }
  }
  for (const old of before.break_glass) {
    if (!after.break_glass.some((one) => one.policy === old.policy)) add("strengthens", `break-glass policy ${old.name} removed`);
  }
}

function delegationChanges(before, after, add) {
  const has = (statement, delegation) => statement.delegations.some((one) => sameJson(one, delegation));
  for (const one of after.delegations) {
    if (!has(before, one)) add("weakens", "delegation added", one.person);
  }
  for (const one of before.delegations) {
    if (!has(after, one)) add("strengthens", "delegation removed", one.person);
  }
}

// True when all changes are to own keys or own delegations of one approver who signed.
function isOwnKeys(changes, signers) {
  const owner = changes[0]?.owner ?? null;
  return owner !== null && signers.includes(owner) && changes.every((change) => change.owner === owner);
}

// Number of approvers of the judge who must sign these changes.
function neededSignatures(judge, changes, isOwn) {
  if (changes.length === 0 || isOwn) return 1;
  const isWeaker = changes.some(({ effect }) => effect === "weakens");
  const needed = isWeaker ? Math.max(judge.change_signatures, judge.rules.required_approvals, 2) : judge.change_signatures;
  return Math.min(needed, approversWithKey(judge));
}
