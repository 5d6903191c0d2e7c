"""Format chapter 11, "Statements": their form, and when one is valid in itself."""
import hashlib

from checkpoints import WITNESS, Key, Malformed
from events import canonical, parse_time
from keys import is_key

LEAST_DELAY = 86400


def _is_text(value):
    return isinstance(value, str)


def _is_flag(value):
    return isinstance(value, bool)


def _is_number(value):
    return type(value) is int and 0 <= value <= 2**53 - 1


def _is_time(value):
    return parse_time(value) is not None


def _list_of(check):
    return lambda value: isinstance(value, list) and all(check(one) for one in value)


def _or_null(check):
    return lambda value: value is None or check(value)


def _object(**members):
    """A check that a value is an object with exactly these members, each of which passes its check."""
    return lambda value: (isinstance(value, dict) and set(value) == set(members)
                          and all(check(value[name]) for name, check in members.items()))


def _is_witness(value):
    try:
        return _object(name=_is_text, key=_is_text)(value) and Key(value["key"]).kind == WITNESS
    except Malformed:
        return False


_is_statement = _object(
    v=lambda value: _is_number(value) and value == 1,
    tenant=_is_text,
    version=_is_number,
    previous=_or_null(_is_text),
    approvers=_list_of(_object(person=_is_text, name=_is_text, email=_is_text, services=_list_of(_is_text), keys=_list_of(is_key))),
    change_signatures=_is_number,
    change_delay_seconds=_is_number,
    recovery_key=_or_null(is_key),
    portal=_object(origin=_is_text, rp_id=_is_text),
    rules=_object(decision_deadline_seconds=_is_number, access_ceiling_seconds=_is_number, required_approvals=_is_number,
                  comment_required=_is_flag, software_keys=_is_flag, witnesses=_list_of(_is_witness), witnesses_required=_is_number),
    identity_provider=_or_null(_object(issuer=_is_text, client_id=_is_text)),
    notification_recipients=_list_of(_is_text),
    break_glass=_list_of(_object(v=lambda value: _is_number(value) and value == 1, policy=_is_text, tenant=_is_text, name=_is_text,
                                 services=_list_of(_is_text), ceiling_seconds=_is_number, quota=_is_number, until=_is_time)),
    delegations=_list_of(_object(person=_is_text, delegate=_is_text, until=_is_time)),
    effective_at=_is_time,
)


def digest_of(document):
    """SHA-256 of a document in RFC 8785 form, in hexadecimal digits: the fingerprint of statement 1."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def has_key(approver):
    return len(approver["keys"]) > 0


def are_unique(values):
    return len(set(values)) == len(values)


def fault_in(statement):
    """Why a statement is not valid in itself. Returns None when it is valid."""
    try:
        if not _is_statement(statement):
            return "it is not in the documented format"
    except RecursionError:
        return "it is not in the documented format"
    approvers, rules = statement["approvers"], statement["rules"]
    people = [approver["person"] for approver in approvers]
    keys = [key for approver in approvers for key in approver["keys"]]
    recovery = [statement["recovery_key"]] if statement["recovery_key"] else []
    signing = sum(has_key(approver) for approver in approvers)
    rows = [
        (are_unique(people), "a person is twice among the approvers"),
        (are_unique([key["id"] for key in keys + recovery]), "a key id occurs twice"),
        (signing >= 1, "no approver has a key"),
        (min(2, signing) <= statement["change_signatures"] <= signing, "change_signatures is out of its limits"),
        (statement["change_delay_seconds"] >= LEAST_DELAY, "change_delay_seconds is less than a day"),
        (all(key["kind"] == "software" for key in recovery), "the recovery key is not a software key"),
        (rules["software_keys"] or all(key["kind"] != "software" for key in keys), "it does not allow software keys, but has one"),
        (1 <= rules["required_approvals"] <= signing, "required_approvals is out of its limits"),
        (rules["witnesses_required"] <= len(rules["witnesses"]), "it requires more witnesses than it names"),
        (are_unique([witness["key"] for witness in rules["witnesses"]]), "a witness occurs twice"),
        (rules["decision_deadline_seconds"] >= 1 and rules["access_ceiling_seconds"] >= 1, "a time of the rules is less than a second"),
        (all(policy["services"] and policy["ceiling_seconds"] >= 1 and policy["quota"] >= 1 for policy in statement["break_glass"]),
         "a break-glass policy has no services or a number below 1"),
        (are_unique([policy["policy"] for policy in statement["break_glass"]]), "a break-glass policy occurs twice"),
        (all(one["person"] != one["delegate"] and one["person"] in people and one["delegate"] in people
             for one in statement["delegations"]), "a delegation is not between two approvers"),
    ]
    return next((fault for holds, fault in rows if not holds), None)
