"""Format chapter 11, "Assertions": what a key signed."""
import hashlib
import json

from checkpoints import Malformed
from events import canonical
from keys import decode_base64url, encode_base64url, is_signed

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP = 0x01, 0x04, 0x08, 0x10
MEMBERS = {
    "software": {"kind", "key", "signature"},
    "passkey": {"kind", "key", "client_data", "authenticator_data", "signature"},
}


def hash_of(purpose, document):
    """H(purpose, document) of the format page."""
    return hashlib.sha256(purpose.encode() + b"\n" + canonical(document).encode()).digest()


def key_id_of(assertion):
    """The id of the key that an assertion names, or None."""
    return assertion["key"] if isinstance(assertion, dict) and isinstance(assertion.get("key"), str) else None


def fault_in(assertion, key, challenge, portal):
    """Why this is not a valid assertion over the challenge by the key. Returns None when it is valid.

    `portal` has the only `origin` and `rp_id` at which passkeys count.
    """
    kind = key["kind"]
    is_assertion = (isinstance(assertion, dict) and assertion.get("kind") == kind and set(assertion) == MEMBERS[kind]
                    and assertion["key"] == key["id"] and all(isinstance(value, str) for value in assertion.values()))
    if not is_assertion:
        return "the assertion is not in the documented form for a %s key" % kind
    try:
        parts = {name: decode_base64url(assertion[name]) for name in MEMBERS[kind] - {"kind", "key"}}
    except Malformed:
        return "the assertion is not in base64url"
    if kind == "software":
        return None if is_signed(key, challenge, parts["signature"]) else "the signature is invalid"
    client, authenticator = parts["client_data"], parts["authenticator_data"]
    fault = _client_fault(client, challenge, portal["origin"]) or _authenticator_fault(authenticator, portal["rp_id"])
    if fault:
        return fault
    message = authenticator + hashlib.sha256(client).digest()
    return None if is_signed(key, message, parts["signature"]) else "the signature is invalid"


def _object_without_duplicates(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member occurs twice")
    return dict(pairs)


def _client_fault(client, challenge, origin):
    try:
        said = json.loads(client.decode("utf-8"), object_pairs_hook=_object_without_duplicates)
    except (ValueError, RecursionError):
        return "the client data is not JSON"
    if not isinstance(said, dict) or said.get("type") != "webauthn.get":
        return "the client data is not that of a signature"
    if said.get("challenge") != encode_base64url(challenge):
        return "the passkey signed another challenge: not this document"
    if said.get("origin") != origin:
        return "the passkey signed at another origin"
    return None if said.get("crossOrigin", False) is False else "the passkey signed in a page of another origin"


def _authenticator_fault(authenticator, rp_id):
    if len(authenticator) < 37:
        return "the authenticator data is too short"
    if authenticator[:32] != hashlib.sha256(rp_id.encode()).digest():
        return "the passkey signed for another relying party"
    flags = authenticator[32]
    if not flags & PRESENT or not flags & VERIFIED:
        return "the authenticator did not verify the user"
    return "the authenticator's flags contradict each other" if flags & BACKED_UP and not flags & BACKUP_ELIGIBLE else None
