"""RSA signature verification, PKCS #1 v1.5 with SHA-256 (RFC 8017, 8.2.2)."""
import functools
import hashlib

from der import read_two_integers

# DigestInfo of SHA-256 up to the digest (RFC 8017, 9.2, note 1).
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def read_key(data):
    """The modulus and the exponent of an RSAPublicKey. Returns None when it is not a key of 2,048 to 8,192 bits."""
    numbers = read_two_integers(data)
    if numbers is None:
        return None
    modulus, exponent = numbers
    is_key = 2048 <= modulus.bit_length() <= 8192 and modulus & 1 and exponent & 1 and 3 <= exponent < 2**33
    return (modulus, exponent) if is_key else None


@functools.lru_cache(maxsize=65536)
def is_valid_signature(key, message, signature):
    """Whether this is a signature over the message. `key` is an RSAPublicKey in DER form."""
    numbers = read_key(key)
    if numbers is None:
        return False
    modulus, exponent = numbers
    size, number = (modulus.bit_length() + 7) // 8, int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        return False
    end = b"\0" + DIGEST_INFO + hashlib.sha256(message).digest()
    padded = b"\0\1" + b"\xff" * (size - 2 - len(end)) + end
    return pow(number, exponent, modulus).to_bytes(size, "big") == padded
