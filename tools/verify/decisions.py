"""Format chapter 11, "Decisions": whether a person decided what an event says."""
import re

from assertions import fault_in as assertion_fault, hash_of, key_id_of
from events import actor_of, data_of, parse_time, type_of
from rules import SECOND

PURPOSE = "lockbox/decision/v1"
LIFETIME = 120 * SECOND
MEMBERS = {"tenant", "authority_version", "request", "digest", "verdict", "person", "duration_seconds", "service", "resource",
           "access_level", "comment", "nonce", "not_after"}
CUSTOMER = {"request.customer_approved": "approve", "request.customer_denied": "deny"}
VENDOR = {"request.vendor_approved": "approve", "request.vendor_denied": "deny", "request.break_glass_supported": "approve",
          "request.break_glass_approved": "approve"}
VERDICTS = {**CUSTOMER, **VENDOR}


class Signed:
    """A valid signature of a decision: who signed, with which key, what."""

    def __init__(self, approver, key, decision, side):
        self.approver, self.key, self.decision, self.side = approver, key, decision, side


def commitment_in(data, name):
    """The commitment to a free text in hexadecimal digits; None when there is none."""
    value = data.get(name)
    digits = value["committed"] if isinstance(value, dict) and set(value) == {"committed"} else None
    return digits if isinstance(digits, str) and re.fullmatch("[0-9a-f]{64}", digits) else None


def verify_decision(recorded, document, at, content):
    """Verifies the signature in the event of a decision. Returns (signed, None) or (None, reason).

    `recorded` is the statement in force at the time `at` of the event, `content` the content of the request, or None when
    its submission is not available.
    """
    statement, data, kind = recorded.statement, data_of(document), type_of(document)
    signature = data.get("signature")
    if not isinstance(signature, dict) or set(signature) != {"decision", "assertion"}:
        return None, "the decision is not signed"
    decision = signature["decision"]
    if not isinstance(decision, dict) or set(decision) != MEMBERS:
        return None, "the signed decision is not in the documented format"
    reason = _difference(decision, data, _expected(statement, document, kind, data, content), at)
    if reason is not None:
        return None, reason
    found = [(approver, key) for approver in statement["approvers"] for key in approver["keys"]
             if approver["person"] == decision["person"] and key["id"] == key_id_of(signature["assertion"])]
    if not found:
        return None, "the decision is not signed by a key of the person who decides"
    approver, key = found[0]
    if not _decides_about(statement, approver, decision["service"], at):
        return None, "this approver does not decide about the service"
    reason = assertion_fault(signature["assertion"], key, hash_of(PURPOSE, decision), statement["portal"])
    if reason is not None:
        return None, reason
    return Signed(approver, key, decision, "customer" if kind in CUSTOMER else "vendor"), None


def _expected(statement, document, kind, data, content):
    """The values that the members of a decision have, without those that cannot be compared."""
    verdict = VERDICTS[kind]
    expected = {
        "tenant": statement["tenant"], "authority_version": statement["version"], "request": document.get("correlationid"),
        "digest": data.get("digest"), "verdict": verdict, "person": actor_of(data).get("id"),
    }
    if verdict == "deny":
        expected["duration_seconds"] = 0
    elif kind in CUSTOMER:
        expected["duration_seconds"] = data.get("duration_seconds")
    elif content is not None:
        expected["duration_seconds"] = content.get("duration_seconds")
    if content is not None:
        expected.update({name: content.get(name) for name in ("service", "resource", "access_level")})
    return expected


def _difference(decision, data, expected, at):
    """Why a decision does not say what its event says, or None. `expected` has the members with one value."""
    texts = MEMBERS - {"authority_version", "duration_seconds", "comment"}
    for name in sorted(MEMBERS - {"comment"}):
        if type(decision[name]) is not (str if name in texts else int):
            return "the signed decision is not in the documented format"
    comment = data.get("comment")
    if comment is not None and commitment_in(data, "comment") is None or decision["comment"] != commitment_in(data, "comment"):
        return "the signed decision has another comment than the event"
    for name, value in expected.items():
        if decision[name] != value:
            return "the signed decision has another %s than the event" % name
    ends = parse_time(decision["not_after"])
    if ends is None or not at <= ends <= at + LIFETIME:
        return "the signature was not made within two minutes before the event"
    return None


def _decides_about(statement, approver, service, at):
    """Whether an approver decides about a service, directly or by a delegation."""
    people = {approver["person"]} | {one["person"] for one in statement["delegations"]
                                     if one["delegate"] == approver["person"] and at < parse_time(one["until"])}
    return any(not one["services"] or service in one["services"] for one in statement["approvers"] if one["person"] in people)
