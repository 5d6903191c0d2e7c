"""Format chapter 11, "The chain": the statements of an authority, each judged by the one that is in force."""
import json
import re

from assertions import fault_in as assertion_fault, hash_of, key_id_of
from changes import WEAKENS, changes_between
from checkpoints import Malformed
from events import canonical, parse_time
from statements import digest_of, fault_in, has_key
from rules import SECOND

PURPOSE = "lockbox/authority/v1"


class Recorded:
    """A statement of the chain, the time of its event, and the time from which it is in force."""

    def __init__(self, statement, at, in_force_from):
        self.statement, self.at, self.in_force_from = statement, at, in_force_from
        self.digest = digest_of(statement)


class Chain:
    """The statements of a tenant in the order in which they were recorded."""

    def __init__(self, tenant):
        self.tenant, self.recorded = tenant, []

    def founded_at(self):
        """The time from which statement 1 is in force, or None."""
        return self.recorded[0].in_force_from if self.recorded else None

    def in_force(self, at):
        """The recorded statement that is in force at a time, or None."""
        found = None
        for place, one in enumerate(self.recorded):
            # A statement that is pending when the next one is recorded never comes into force. Statement 1 always does.
            is_replaced = 0 < place < len(self.recorded) - 1 and self.recorded[place + 1].at < one.in_force_from
            if one.in_force_from <= at and not is_replaced:
                found = one
        return found

    def add(self, statement, signatures, at, in_force_from=None):
        """Adds the next statement and returns None, or returns the reason why it is not valid.

        `in_force_from` is the time that its event states. None: there is no event to compare with.
        """
        reason = fault_in(statement) or self._place_fault(statement, at)
        if reason is None and not isinstance(signatures, list):
            reason = "it has no list of signatures"
        if reason is not None:
            return reason
        if self.recorded:
            judge = self.in_force(at) or self.recorded[0]
            starts, reason = _judge(judge.statement, statement, signatures, at)
        else:
            starts, reason = _found(statement, signatures, at)
        if reason is None and in_force_from not in (None, starts):
            reason = "its event states another time from which it is in force"
        if reason is None:
            self.recorded.append(Recorded(statement, at, starts))
        return reason

    def _place_fault(self, statement, at):
        last = self.recorded[-1] if self.recorded else None
        rows = [
            (statement["tenant"] == self.tenant, "it belongs to another tenant"),
            (statement["version"] == len(self.recorded) + 1, "its version is not the next one"),
            (statement["previous"] == (last.digest if last else None), "it does not follow from the previous statement"),
            (last is None or at >= last.at, "it is earlier than the previous statement"),
        ]
        return next((fault for holds, fault in rows if not holds), None)


def _signers(judge, statement, signatures):
    """Who signed the statement, by the judge's keys. Returns (persons, whether the recovery key signed, reason)."""
    owners = {key["id"]: (approver["person"], key) for approver in judge["approvers"] for key in approver["keys"]}
    recovery, people, has_recovery = judge["recovery_key"], set(), False
    challenge = hash_of(PURPOSE, statement)
    for assertion in signatures:
        person, key = owners.get(key_id_of(assertion), (None, None))
        is_recovery = recovery is not None and key_id_of(assertion) == recovery["id"]
        if key is None and not is_recovery:
            return people, has_recovery, "a signature is by a key that may not sign it"
        reason = assertion_fault(assertion, recovery if is_recovery else key, challenge, judge["portal"])
        if reason is not None:
            return people, has_recovery, "a signature does not count: " + reason
        has_recovery = has_recovery or is_recovery
        people |= set() if is_recovery else {person}
    return people, has_recovery, None


def _found(statement, signatures, at):
    people, _, reason = _signers(statement, statement, signatures)
    if reason is None and people != {approver["person"] for approver in statement["approvers"]}:
        reason = "an approver of statement 1 did not sign it"
    return max(at, parse_time(statement["effective_at"])), reason


def _judge(judge, statement, signatures, at):
    """Returns (the time from which the statement is in force, reason)."""
    people, has_recovery, reason = _signers(judge, statement, signatures)
    if reason is not None:
        return None, reason
    changes = changes_between(judge, statement)
    owners = {change.own_of for change in changes}
    is_own = len(owners) == 1 and None not in owners and owners <= people
    weakens = any(change.effect == WEAKENS for change in changes)
    needed = 1 if not changes or is_own else judge["change_signatures"]
    if weakens and not is_own:
        needed = max(needed, judge["rules"]["required_approvals"], 2)
    needed = min(needed, sum(has_key(approver) for approver in judge["approvers"]))
    if len(people) < needed and not has_recovery:
        return None, "%d approvers signed it, %d are needed" % (len(people), needed)
    is_delayed = (weakens and not is_own) or len(people) < needed
    delay = judge["change_delay_seconds"] * SECOND if is_delayed else 0
    return max(parse_time(statement["effective_at"]), at + delay), None


class Pinned:
    """An authority that the user of the verifier trusts: a fingerprint, or an authority file with the start of the chain."""

    def __init__(self, text):
        digits = re.sub(r"\s", "", text).lower()
        is_fingerprint = re.fullmatch("[0-9a-f]{64}", digits) is not None
        self.fingerprint, self.document = (digits, None) if is_fingerprint else (None, read_authority_file(text))

    def faults(self, chain, newest):
        """Why this authority does not agree with the chain of a log whose newest entry has the time `newest` (or None)."""
        if self.document is None:
            agrees = chain.recorded and chain.recorded[0].digest == self.fingerprint
            return [] if agrees else ["the log has no statement 1 with the given fingerprint"]
        given, reason = chain_of(self.document, chain.tenant)
        faults = ["the authority file is not valid: " + reason] if reason else []
        for place, one in enumerate(given.recorded):
            found = chain.recorded[place] if place < len(chain.recorded) else None
            if newest is not None and one.at <= newest and (found is None or (found.digest, found.at) != (one.digest, one.at)):
                faults.append("statement %d of the authority file is not in the log" % (place + 1))
        return faults


def read_authority_file(path):
    """Reads an authority file. Raises Malformed when it is not in the documented form."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read().decode("utf-8"))
        is_authority = set(document) == {"v", "tenant", "statements"} and document["v"] == 1 and document["statements"] and all(
            set(one) == {"statement", "signatures", "recorded_at"} and parse_time(one["recorded_at"]) is not None
            for one in document["statements"])
        canonical(document).encode()
    except (OSError, ValueError, TypeError, RecursionError):
        is_authority = False
    if not is_authority:
        raise Malformed("%s is neither an authority file nor a fingerprint of 64 hexadecimal digits" % path)
    return document


def chain_of(document, tenant):
    """The chain in an authority file, and the reason why it is not a valid chain of the tenant, or None."""
    chain = Chain(tenant)
    for one in document["statements"]:
        reason = chain.add(one["statement"], one["signatures"], parse_time(one["recorded_at"]))
        if reason is None and document["tenant"] != tenant:
            reason = "it belongs to another tenant"
        if reason is not None:
            return chain, reason
    return chain, None
