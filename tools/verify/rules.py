"""Format chapter 10: the lifecycle rules of requests."""
from events import actor_of, is_uuid, parse_time


MOVES = {
    (None, "request.submitted", "pending_vendor"),
    ("pending_vendor", "request.vendor_approved", "pending_customer"),
    ("pending_vendor", "request.vendor_denied", "vendor_denied"),
    ("pending_vendor", "request.expired", "expired"),
    ("pending_vendor", "request.withdrawn", "withdrawn"),
    ("pending_vendor", "request.commented", "pending_vendor"),
    ("pending_customer", "request.customer_approved", "pending_customer"),
    ("pending_customer", "request.customer_denied", "customer_denied"),
    ("pending_customer", "request.expired", "expired"),
    ("pending_customer", "request.reminded", "pending_customer"),
    ("pending_customer", "request.withdrawn", "withdrawn"),
    ("pending_customer", "request.commented", "pending_customer"),
    ("pending_customer", "grant.activated", "active"),
    ("active", "grant.ended", "ended"),
    ("active", "request.commented", "active"),
    ("ended", "report.acknowledged", "ended"),
    ("ended", "report.disputed", "ended"),
}
# Moves of break-glass requests only.
BREAK_GLASS_MOVES = {
    ("pending_vendor", "request.break_glass_supported", "pending_vendor"),
    ("pending_vendor", "request.break_glass_approved", "pending_vendor"),
    ("pending_vendor", "grant.activated", "active"),
}
STEP_TYPES = {kind for _, kind, _ in MOVES | BREAK_GLASS_MOVES}
SECOND = 1000000
LONGEST_BREAK_GLASS = 4 * 3600


class History:
    """The state of a request after its latest step."""

    def __init__(self):
        self.version, self.state, self.digest, self.requester, self.manager = 0, None, None, None, None
        self.approvals, self.required, self.requested_seconds, self.start_time = [], 1, 0, None
        self.review_deadline = self.decision_deadline = self.until = self.last = self.break_glass = self.supporter = None

    def has_all_approvals(self):
        if self.break_glass:
            return self.state == "pending_vendor" and None not in (self.supporter, self.manager)
        return self.state == "pending_customer" and len(self.approvals) >= max(self.required, 1)

    def add_step(self, kind, at, data):
        """Adds a step and returns the rules that it breaks."""
        broken = []

        def rule(holds, message):
            if not holds:
                broken.append(message)

        actor = actor_of(data)
        person = actor.get("id") if actor.get("kind") == "person" and is_uuid(actor.get("id")) else None
        side = actor.get("side")
        cause = data.get("cause") if isinstance(data.get("cause"), str) else None
        # A state that is not a text, written as a text that is no state.
        start, to = (value if value is None or isinstance(value, str) else repr(value) for value in (data.get("from"), data.get("to")))
        number = lambda name: data[name] if type(data.get(name)) is int else None
        time = lambda name: parse_time(data.get(name))
        rule(start == self.state, "each step starts in the state in which the previous step ended")
        move, break_glass = (start, kind, to), break_glass_of(data)
        legal = move in MOVES or (self.break_glass and move in BREAK_GLASS_MOVES) or (kind not in STEP_TYPES and start == to)
        rule(legal, "%s does not lead from %s to %s" % (kind, start, to))
        rule(self.version == 0 or break_glass == self.break_glass, "break-glass access is under one break-glass policy from its submission to its end")
        rule(self.version == 0 or data.get("digest") == self.digest, "the content never changes")
        rule(self.last is None or at >= self.last - 1000000, "a step is not earlier than the previous step")
        rule(not self.has_all_approvals() or kind == "grant.activated", "after the last required approval, access becomes active and nothing else happens")
        decided = {"request.customer_approved", "request.customer_denied"}
        if kind == "request.submitted":
            rule(person and side == "vendor", "a request is submitted by a person of the vendor")
            rule(time("review_deadline") is not None and time("review_deadline") >= at, "a submission sets the review's deadline")
        elif kind in ("request.vendor_approved", "request.vendor_denied"):
            rule(person and side == "vendor", "the vendor review is made by a person of the vendor")
            rule(person != self.requester, "the requester does not review their own request")
            rule(person != self.supporter, "one person's approval counts once")
            rule(self.review_deadline is not None and at < self.review_deadline, "a vendor review counts only before its deadline")
            rule(kind.endswith("denied") or not self.break_glass, "break-glass access needs two managers and a break-glass policy")
        elif kind in ("request.break_glass_supported", "request.break_glass_approved"):
            rule(self.break_glass, "only break-glass access under a break-glass policy skips the customer's decision")
            rule(person and side == "vendor", "approvals of break-glass access are made by persons of the vendor")
            rule(person != self.requester, "the requester does not review their own request")
            rule(person != self.supporter, "break-glass access needs two different persons of the vendor")
            rule((self.supporter is None) == kind.endswith("supported"), "break-glass access needs two approvals, one after the other")
            rule(self.review_deadline is not None and at < self.review_deadline, "a vendor review counts only before its deadline")
        elif kind in decided:
            rule(person and side == "customer", "the customer's decision is made by a person of the customer")
            rule(person != self.requester, "the requester does not decide on their own request")
            rule(person != self.manager, "one person does not decide for both sides")
            rule(person not in [who for who, _ in self.approvals], "one person's approval counts once")
            rule(self.decision_deadline is not None and at < self.decision_deadline, "a decision counts only before its deadline")
            if kind == "request.customer_approved":
                allowed = number("duration_seconds")
                rule(allowed is not None and 1 <= allowed <= self.requested_seconds, "an approved duration is not longer than the requested duration")
                rule(number("approvals") == len(self.approvals) + 1, "each approval carries the number of approvals so far")
        elif kind == "grant.activated":
            if self.break_glass:
                rule(self.has_all_approvals(), "break-glass access needs the approvals of two managers: at least one is missing")
                rule(self.requested_seconds <= LONGEST_BREAK_GLASS, "break-glass access is not longer than any break-glass policy can allow")
                deadline, start, shortest = self.review_deadline, at, self.requested_seconds
            else:
                rule(self.has_all_approvals(), "access needs both approvals: the customer's are missing")
                rule(self.manager is not None, "access needs both approvals: the manager's is missing")
                deadline, start = self.decision_deadline, max(at, self.start_time or at)
                shortest = min([seconds for _, seconds in self.approvals] or [0])
            rule(deadline is not None and at < deadline, "access does not become active after the deadline")
            opens, closes = time("access_from"), time("access_until")
            rule(opens == start, "access starts with the last approval or at the requested start time")
            rule(None not in (opens, closes) and closes == opens + shortest * SECOND, "access lasts as long as the shortest approved duration")
        elif kind == "grant.ended":
            rule(time("access_until") == self.until, "the end of access is set when access becomes active")
            rule({
                "expired": self.until is not None and at >= self.until,
                "revoked_by_customer": person and side == "customer",
                "revoked_by_vendor": person and side == "vendor" and person != self.requester,
                "released": person and person == self.requester,
                "ticket_closed": not person,
                "requester_disabled": not person,
            }.get(cause, False), "access ends when its duration is over, or by somebody who may revoke it")
        elif kind == "request.expired":
            stage, deadline = ("vendor", self.review_deadline) if start == "pending_vendor" else ("customer", self.decision_deadline)
            rule(data.get("stage") == stage, "a request expires at the stage it is in")
            rule(time("deadline") == deadline, "the deadline never moves")
            rule(deadline is not None and at >= deadline, "a request expires at its deadline, not earlier")
        elif kind == "request.withdrawn":
            rule({
                "requester": person and person == self.requester,
                "ticket_closed": not person,
                "requester_disabled": not person,
            }.get(cause, False), "a request is withdrawn by its requester, or because the requester is disabled or the service request is closed")
        elif kind == "request.reminded":
            rule(time("decision_deadline") == self.decision_deadline, "the deadline never moves")
        elif kind in ("report.acknowledged", "report.disputed"):
            rule(person and side == "customer", "the response to the access report is made by a person of the customer")
            rule(person != self.requester, "the requester does not respond to the report on their own access")
        self._apply(kind, person, data, number, time)
        self.state, self.last, self.version = to, at, self.version + 1
        return broken

    def _apply(self, kind, person, data, number, time):
        if kind == "request.submitted":
            self.digest, self.requester, self.review_deadline = data.get("digest"), person, time("review_deadline")
            self.start_time = time("start_time")
            self.required = 1 if number("required_approvals") is None else number("required_approvals")
            self.requested_seconds = number("duration_seconds") or 0
            self.break_glass = break_glass_of(data)
        elif kind == "request.break_glass_supported":
            self.supporter = person
        elif kind == "request.break_glass_approved":
            self.manager = person
        elif kind == "request.vendor_approved":
            self.manager, self.decision_deadline = person, time("decision_deadline")
        elif kind == "request.customer_approved" and person and number("duration_seconds") is not None:
            self.approvals.append((person, number("duration_seconds")))
        elif kind == "grant.activated":
            self.until = time("access_until")


def break_glass_of(data):
    """(name, digest) of the break-glass policy that a step refers to, or None."""
    named = (data.get("break_glass"), data.get("break_glass_digest"))
    return named if all(isinstance(one, str) for one in named) else None
