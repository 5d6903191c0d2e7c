"""Format chapter 11: the public keys of approvers, and signatures by them."""
import base64
import binascii
import hashlib

import ed25519
import p256
import rsa
from checkpoints import Malformed


def decode_base64url(text):
    """Decodes base64url without padding (RFC 4648, 5), in its only form."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (AttributeError, binascii.Error, ValueError):
        raise Malformed("it is not base64url")
    if encode_base64url(data) != text:
        raise Malformed("it is not base64url")
    return data


def encode_base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


READERS = {"ES256": p256.read_point, "EdDSA": lambda data: data if len(data) == 32 else None, "RS256": rsa.read_key}
VERIFIERS = {"ES256": p256.is_valid_signature, "EdDSA": ed25519.is_valid_signature, "RS256": rsa.is_valid_signature}


def is_key(value):
    """Whether this is a key of an approver or a recovery key in the documented form."""
    members = {"id", "kind", "algorithm", "public_key"}
    if not isinstance(value, dict) or set(value) - {"aaguid"} != members or not all(isinstance(one, str) for one in value.values()):
        return False
    try:
        key_id, public = decode_base64url(value["id"]), decode_base64url(value["public_key"])
    except Malformed:
        return False
    if value["algorithm"] not in READERS or READERS[value["algorithm"]](public) is None:
        return False
    if value["kind"] == "software":
        return value["algorithm"] == "EdDSA" and key_id == hashlib.sha256(public).digest()[:16]
    return value["kind"] == "passkey" and len(key_id) > 0


def is_signed(key, message, signature):
    """Whether the key, which is in the documented form, signed the message."""
    return VERIFIERS[key["algorithm"]](decode_base64url(key["public_key"]), message, signature)
