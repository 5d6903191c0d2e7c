"""Format chapter 11: whether the customer made the decisions in a log (rules 1 to 7), and rules 8 to 10."""
from activity import TOLERANCE, Grants, clock_faults, request_of
from authority import Chain, chain_of
from contents import content_of, submission_faults
from decisions import CUSTOMER, VENDOR, commitment_in, verify_decision
from events import data_of, parse_time, type_of
from findings import CONSENT, RULE, Finding
from rules import SECOND
from statements import digest_of
from witnesses import cosignatures


class Trust:
    """What the user of the verifier trusts besides log keys. `witnesses_required` is None when no number was given."""

    def __init__(self, authority=None, vendor=None, witnesses=(), witnesses_required=None):
        self.authority, self.vendor = authority, vendor
        self.witnesses, self.witnesses_required = list(witnesses), witnesses_required
        if self.witnesses and witnesses_required is None:
            self.witnesses_required = len({key.text for key in self.witnesses})


class Consent:
    """Examines the events of a log.

    `events` has (index, document, time) of the entries in the documented format; `proved` the same of the statements that the
    bundle proves; `partial` the requests whose stream does not start in the bundle.
    """

    def __init__(self, tenant, events, proved, partial, trust):
        self.events, self.proved, self.partial, self.trust = events, proved, partial, trust
        self.findings, self.signed, self.chain, self.vendor = [], {}, Chain(tenant), None
        self.grants = Grants(events)
        self.newest = max((at for _, _, at in events), default=None)

    def find(self, code, message, index=None, document=None):
        self.findings.append(Finding(code, message, index, document))

    def run(self, head, notes):
        """`head` is the checkpoint's note or None, `notes` all valid notes of checkpoints."""
        self._read_chain()
        self._check_trust()
        for index, document, at in self.events:
            for message in self._faults(document, at):
                self.find(CONSENT, message, index, document)
            is_complete = request_of(document) not in self.partial
            faults = submission_faults(document) if type_of(document) == "request.submitted" else []
            for message in faults + self.grants.faults(document, at, is_complete):
                self.find(RULE, message, index, document)
        self._check_witnesses(head, notes)
        return self

    def is_founded(self):
        return bool(self.chain.recorded)

    def _read_chain(self):
        """Rule 1, over the statements before, in and after the entries of the bundle."""
        covered = {index for index, _, _ in self.events}
        rows = self.events + [row for row in self.proved if row[0] not in covered]
        heartbeat = None
        for index, document, at in sorted(rows, key=lambda row: row[0]):
            if type_of(document) == "log.heartbeat":
                heartbeat = at
            if type_of(document) != "authority.changed":
                continue
            data, starts = data_of(document), parse_time(data_of(document).get("in_force_from"))
            if document.get("correlationid") is not None:
                reason = "its event belongs to a request"
            elif heartbeat is not None and at < heartbeat - TOLERANCE:
                reason = "it is more than an hour older than a heartbeat before it in the log"
            elif starts is None:
                reason = "its event does not state from when it is in force"
            else:
                reason = self.chain.add(data.get("statement"), data.get("signatures"), at, starts)
            if reason is not None:
                self.find(CONSENT, "the statement of the authority is not valid: " + reason, index, document)

    def _check_trust(self):
        if self.trust.authority is not None:
            for fault in self.trust.authority.faults(self.chain, self.newest):
                self.find(CONSENT, "the authority that was given does not agree with the log: " + fault)
        if self.trust.vendor is not None:
            self.vendor, reason = chain_of(self.trust.vendor, "vendor")
            if reason is not None:
                self.find(CONSENT, "the authority of the vendor is not valid: " + reason)

    def _faults(self, document, at):
        """Rules 2 to 5 and 7."""
        kind, data, request = type_of(document), data_of(document), request_of(document)
        content, founded = self.grants.contents.get(request), self.chain.founded_at()
        faults = []
        if kind in VENDOR and self.vendor is not None and self.vendor.recorded and at >= self.vendor.founded_at():
            faults += self._check_decision(self.vendor, document, at, content)
        if founded is None or at < founded:
            return faults
        if kind in CUSTOMER:
            faults += self._check_decision(self.chain, document, at, content)
            if rules_of(content).get("comment_required") is True and commitment_in(data, "comment") is None:
                faults.append("the rules of the request require a comment")
        elif kind == "request.submitted":
            faults += self._submission_faults(content_of(data) or {}, at)
        elif kind == "request.vendor_approved" and content is not None:
            ends, allowed = parse_time(data.get("decision_deadline")), number_in(rules_of(content), "decision_deadline_seconds")
            if None in (ends, allowed) or ends > at + allowed * SECOND:
                faults.append("the decision deadline is later than the rules of the request allow")
        elif kind == "directory.changed" and data.get("break_glass_policy") is not None:
            faults.append("in a founded tenant, only a statement of the authority creates a break-glass policy")
        digest = data.get("break_glass_digest")
        if kind in ("request.submitted", "grant.activated") and digest is not None:
            if digest not in [digest_of(policy) for policy in self.chain.in_force(at).statement["break_glass"]]:
                faults.append("the break-glass policy is not one of the authority in force")
        return faults

    def _check_decision(self, chain, document, at, content):
        signed, reason = verify_decision(chain.in_force(at), document, at, content)
        if reason is not None:
            return [reason]
        self.signed.setdefault(request_of(document), []).append(signed)
        return []

    def _submission_faults(self, content, at):
        """Rule 3: the rules of a request protect no less than those in force."""
        rules, mine = self.chain.in_force(at).statement["rules"], rules_of(content)
        number = lambda name: number_in(mine, name)
        rows = [
            (number("decision_deadline_seconds") is not None
             and number("decision_deadline_seconds") <= rules["decision_deadline_seconds"], "a later decision deadline"),
            (number("access_ceiling_seconds") is not None
             and number("access_ceiling_seconds") <= rules["access_ceiling_seconds"], "a higher ceiling"),
            (number("required_approvals") is not None
             and number("required_approvals") >= rules["required_approvals"], "fewer required approvals"),
            (isinstance(mine.get("comment_required"), bool)
             and (mine["comment_required"] or not rules["comment_required"]), "no required comment"),
            (number_in(content, "duration_seconds") is not None
             and number_in(content, "duration_seconds") <= rules["access_ceiling_seconds"], "a longer duration"),
        ]
        return ["the request has %s, which the authority in force does not allow" % what for holds, what in rows if not holds]

    def _check_witnesses(self, head, notes):
        """Rules 6 and 10."""
        last = self.events[-1][2] if self.events else None
        recorded = self.chain.in_force(last) if last is not None else None
        rules = recorded.statement["rules"] if recorded else {"witnesses": [], "witnesses_required": 0}
        trusted = {key.text for key in self.trust.witnesses} or {witness["key"] for witness in rules["witnesses"]}
        required = self.trust.witnesses_required
        if required is None:
            founded = self.chain.founded_at()
            required = rules["witnesses_required"] if founded is not None and last is not None and last >= founded else 0
        count = len({text for text, _ in cosignatures(head, trusted)}) if head is not None else 0
        if count < required:
            self.find(CONSENT, "the checkpoint has cosignatures of %d witnesses, %d are required" % (count, required))
        cosigned = [(note.checkpoint[1], seconds) for note in notes for _, seconds in cosignatures(note, trusted)]
        for index, document, message in clock_faults(self.events, cosigned):
            self.find(RULE, message, index, document)


def rules_of(content):
    """The rules in the content of a request."""
    return content["rules"] if content is not None and isinstance(content.get("rules"), dict) else {}


def number_in(document, name):
    return document[name] if type(document.get(name)) is int else None
