"""Format chapter 10: break-glass policies."""
import hashlib

from events import actor_of, canonical, is_uuid, parse_time
from rules import LONGEST_BREAK_GLASS, SECOND


class BreakGlassPolicies:
    """The break-glass policies of a log by digest. A policy takes the place of the customer approval."""

    def __init__(self):
        self.policies = {}

    def check(self, kind, at, data, history):
        """Returns the rules that an event breaks."""
        actor = actor_of(data)
        by_customer = actor.get("kind") == "person" and is_uuid(actor.get("id")) and actor.get("side") == "customer"
        if kind == "directory.changed":
            broken = []
            if isinstance(data.get("break_glass_policy"), dict):
                broken += self.create(data["break_glass_policy"], at, by_customer)
            if isinstance(data.get("break_glass_policy_ended"), str):
                broken += self.revoke(data["break_glass_policy_ended"], at, by_customer)
            return broken
        if kind == "authority.changed":
            self.create_from_statement(data.get("statement"), at)
        if history is None or history.break_glass is None or kind not in ("request.submitted", "grant.activated"):
            return []
        return self.check_use(history, at, data.get("service"), kind == "grant.activated")

    def create_from_statement(self, statement, at):
        """Creates the policies of a statement that no earlier entry created. The statement itself is judged elsewhere."""
        documents = statement.get("break_glass") if isinstance(statement, dict) else None
        for document in documents if isinstance(documents, list) else []:
            if isinstance(document, dict):
                self.policies.setdefault(*self._read(document, at))

    def _read(self, document, at):
        """The digest of a policy, and what its use is compared with."""
        text = lambda name: document[name] if isinstance(document.get(name), str) else ""
        number = lambda name: document[name] if type(document.get(name)) is int else 0
        services = document["services"] if isinstance(document.get("services"), list) else []
        policy = {"at": at, "name": text("name"), "services": [one for one in services if isinstance(one, str)],
                 "ceiling": number("ceiling_seconds"), "quota": number("quota"), "until": parse_time(text("until")) or 0,
                 "ended": None, "active": []}
        return hashlib.sha256(canonical(document).encode()).hexdigest(), policy

    def create(self, document, at, by_customer):
        digest, policy = self._read(document, at)
        window = policy["until"] - at
        is_valid = (policy["services"] and 1 <= policy["ceiling"] <= LONGEST_BREAK_GLASS and 1 <= policy["quota"] <= 100
                  and -SECOND < window <= 366 * 86400 * SECOND + SECOND)
        broken = [] if by_customer else ["a break-glass policy is created by a person of the customer"]
        broken += [] if is_valid else ["a break-glass policy has services, a ceiling, a quota and an end, each within its limits"]
        broken += [] if digest not in self.policies else ["a break-glass policy is created once"]
        self.policies.setdefault(digest, policy)
        return broken

    def revoke(self, digest, at, by_customer):
        policy = self.policies.get(digest)
        broken = [] if by_customer else ["a break-glass policy is revoked by a person of the customer"]
        if policy is None:
            return broken + ["a break-glass policy is created before it is revoked"]
        if any(activated > at + SECOND for activated in policy["active"]):
            broken.append("break-glass access does not use a revoked policy")
        if policy["ended"] is None:
            policy["ended"] = at
        return broken

    def check_use(self, history, at, service, activated):
        name, digest = history.break_glass
        policy = self.policies.get(digest)
        if policy is None:
            return ["break-glass access needs a policy that the customer created before it"]
        if activated:
            policy["active"].append(at)
        rules = [
            (policy["name"] == name, "break-glass access names the policy that it uses"),
            (policy["at"] <= at + SECOND, "break-glass access needs a policy that the customer created before it"),
            (policy["ended"] is None or at <= policy["ended"] + SECOND, "break-glass access does not use a revoked policy"),
            (at < policy["until"], "break-glass access does not use a policy that is no longer valid"),
            (service in policy["services"], "a break-glass policy covers its own services only"),
            (history.requested_seconds <= policy["ceiling"], "break-glass access is not longer than its policy allows"),
            (len(policy["active"]) <= policy["quota"], "a break-glass policy is not used more often than its quota allows"),
        ]
        return [message for holds, message in rules if not holds]
