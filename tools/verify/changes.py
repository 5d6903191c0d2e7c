"""Format chapter 11, "The chain": the differences between two statements and their effect on protection."""
from events import canonical, parse_time

WEAKENS, STRENGTHENS, NEUTRAL = "weakens", "strengthens", "neutral"


class Change:
    """One difference. `own_of` is the person whose own key or delegation it adds or removes, else None."""

    def __init__(self, effect, what, own_of=None):
        self.effect, self.what, self.own_of = effect, what, own_of


def changes_between(old, new):
    """The changes from one valid statement to another."""
    return (_approvers(old, new) + _numbers(old, new) + _recovery_key(old["recovery_key"], new["recovery_key"])
            + _identity(old, new) + _break_glass(old, new) + _delegations(old, new))


def _approvers(old, new):
    before, after = ({one["person"]: one for one in statement["approvers"]} for statement in (old, new))
    changes = [Change(STRENGTHENS, "an approver is removed") for person in before if person not in after]
    for person, approver in after.items():
        if person not in before:
            changes.append(Change(WEAKENS, "an approver is added"))
            continue
        earlier = before[person]
        if approver["email"] != earlier["email"]:
            changes.append(Change(WEAKENS, "the address of an approver differs"))
        if approver["name"] != earlier["name"]:
            changes.append(Change(NEUTRAL, "the name of an approver differs"))
        changes += _services(set(earlier["services"]), set(approver["services"]))
        changes += _keys(person, earlier["keys"], approver["keys"])
    return changes


def _services(before, after):
    """No services stand for all services."""
    if before == after:
        return []
    is_wider = bool(before) and (not after or not after <= before)
    return [Change(WEAKENS if is_wider else STRENGTHENS, "the services of an approver differ")]


def _keys(person, before, after):
    before, after = ({key["id"]: canonical(key) for key in keys} for keys in (before, after))
    removed = [Change(STRENGTHENS, "a key is removed", person) for name in before if name not in after]
    return removed + [Change(WEAKENS, "a key is added or differs", person) for name in after if after[name] != before.get(name)]


def _numbers(old, new):
    changes = []

    def compare(before, after, name, is_protection):
        if before != after:
            changes.append(Change(STRENGTHENS if (after > before) == is_protection else WEAKENS, "%s differs" % name))

    for name in ("change_signatures", "change_delay_seconds"):
        compare(old[name], new[name], name, True)
    for name in ("required_approvals", "witnesses_required", "comment_required"):
        compare(old["rules"][name], new["rules"][name], name, True)
    for name in ("decision_deadline_seconds", "access_ceiling_seconds", "software_keys"):
        compare(old["rules"][name], new["rules"][name], name, False)
    return changes


def _recovery_key(before, after):
    if before == after:
        return []
    return [Change(STRENGTHENS, "the recovery key is removed") if after is None else Change(WEAKENS, "the recovery key differs")]


def _set_of(documents):
    return {canonical(document) for document in documents}


def _identity(old, new):
    changes = [Change(WEAKENS, "%s differs" % name) for name in ("portal", "identity_provider") if old[name] != new[name]]
    if _set_of(old["rules"]["witnesses"]) != _set_of(new["rules"]["witnesses"]):
        changes.append(Change(WEAKENS, "the witnesses differ"))
    before, after = set(old["notification_recipients"]), set(new["notification_recipients"])
    changes += [Change(STRENGTHENS, "a notification recipient is added")] * len(after - before)
    return changes + [Change(WEAKENS, "a notification recipient is removed")] * len(before - after)


def _break_glass(old, new):
    before, after = ({one["policy"]: one for one in statement["break_glass"]} for statement in (old, new))
    changes = [Change(STRENGTHENS, "a break-glass policy is removed") for policy in before if policy not in after]
    for name, policy in after.items():
        earlier = before.get(name)
        if earlier is None:
            changes.append(Change(WEAKENS, "a break-glass policy is added"))
        elif policy != earlier:
            is_narrower = (set(policy["services"]) <= set(earlier["services"])
                           and all(policy[number] <= earlier[number] for number in ("ceiling_seconds", "quota"))
                           and parse_time(policy["until"]) <= parse_time(earlier["until"]))
            changes.append(Change(STRENGTHENS if is_narrower else WEAKENS, "a break-glass policy differs"))
    return changes


def _delegations(old, new):
    before, after = ({canonical(one): one["person"] for one in statement["delegations"]} for statement in (old, new))
    removed = [Change(STRENGTHENS, "a delegation is removed", person) for one, person in before.items() if one not in after]
    return removed + [Change(WEAKENS, "a delegation is added", person) for one, person in after.items() if one not in before]
