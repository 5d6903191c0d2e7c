"""Keys that sign, statements, and the events of a founded tenant, for tests."""
import copy
import datetime
import hashlib

import place  # noqa: F401, the modules of the verifier
import ed25519
import p256
from assertions import hash_of
from events import canonical, parse_time
from keys import encode_base64url
from statements import digest_of

START = "2026-11-02T09:00:00Z"
DAY = 86400
PORTAL = {"origin": "https://lockbox.fabrikam.example", "rp_id": "lockbox.fabrikam.example"}


def at(seconds):
    """The time this many seconds after the start, as text."""
    moment = datetime.datetime(2026, 11, 2, 9) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _affine(point, prime, power_of_z=(1, 1)):
    inverse = pow(point[2], -1, prime)
    return point[0] * inverse ** power_of_z[0] % prime, point[1] * inverse ** power_of_z[1] % prime


class SoftwareKey:
    """An Ed25519 key (RFC 8032)."""

    def __init__(self, seed):
        digest = hashlib.sha512(seed.encode()).digest()
        number = int.from_bytes(digest[:32], "little")
        self.secret, self.prefix = number & ((1 << 254) - 8) | (1 << 254), digest[32:]
        self.public = self._encode(self._times(self.secret))
        self.id = encode_base64url(hashlib.sha256(self.public).digest()[:16])

    def _times(self, number):
        return ed25519._sum_of_products(number % ed25519.L, ed25519.G, 0, ed25519.G)

    def _encode(self, point):
        x, y = _affine(point, ed25519.P)
        return (y | (x & 1) << 255).to_bytes(32, "little")

    def _sign(self, message):
        number = lambda *parts: int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ed25519.L
        nonce = number(self.prefix, message)
        first = self._encode(self._times(nonce))
        return first + ((nonce + number(first, self.public, message) * self.secret) % ed25519.L).to_bytes(32, "little")

    def document(self):
        return {"id": self.id, "kind": "software", "algorithm": "EdDSA", "public_key": encode_base64url(self.public)}

    def assert_over(self, challenge):
        return {"kind": "software", "key": self.id, "signature": encode_base64url(self._sign(challenge))}


class Passkey:
    """A passkey on P-256. The attributes state what its authenticator reports."""

    def __init__(self, seed):
        self.secret = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") % p256.N
        self.id = encode_base64url(hashlib.sha256(b"credential" + seed.encode()).digest())
        x, y = self._point(self.secret)
        self.public = b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        self.flags, self.rp_id, self.client = 0x1d, PORTAL["rp_id"], {"type": "webauthn.get", "origin": PORTAL["origin"]}

    def _point(self, number):
        return _affine(p256._sum_of_products(number, p256.G, 0, p256.G), p256.P, (2, 3))

    def document(self):
        return {"id": self.id, "kind": "passkey", "algorithm": "ES256", "public_key": encode_base64url(self.public)}

    def assert_over(self, challenge):
        client = canonical({**self.client, "challenge": encode_base64url(challenge)}).encode()
        authenticator = hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags]) + bytes(4)
        digest = int.from_bytes(hashlib.sha256(authenticator + hashlib.sha256(client).digest()).digest(), "big")
        nonce = int.from_bytes(hashlib.sha256(digest.to_bytes(32, "big") + b"nonce").digest(), "big") % p256.N
        r = self._point(nonce)[0] % p256.N
        s = pow(nonce, -1, p256.N) * (digest + r * self.secret) % p256.N
        parts = {"client_data": client, "authenticator_data": authenticator, "signature": _der(r, s)}
        return {"kind": "passkey", "key": self.id, **{name: encode_base64url(part) for name, part in parts.items()}}


def _der(*numbers):
    parts = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    content = b"".join(bytes([2, len(part)]) + part for part in parts)
    return bytes([0x30, len(content)]) + content


ALEX, KIM, SAM = Passkey("alex"), SoftwareKey("kim"), Passkey("sam")
RECOVERY = SoftwareKey("recovery")
PEOPLE = {"alex": ALEX, "kim": KIM, "sam": SAM}


def person(name):
    digits = hashlib.sha256(name.encode()).hexdigest()
    return "%s-%s-7%s-8%s-%s" % (digits[:8], digits[8:12], digits[12:15], digits[15:18], digits[18:30])


def approver(name, services=(), keys=None):
    keys = [PEOPLE[name]] if keys is None else keys
    return {"person": person(name), "name": name.title(), "email": name + "@contoso.example", "services": list(services),
            "keys": [key.document() for key in keys]}


def statement_1(*names, **members):
    """Statement 1 of contoso, of Alex and Kim unless other names are given."""
    return {
        "v": 1, "tenant": "contoso", "version": 1, "previous": None,
        "approvers": [approver(name) for name in names or ("alex", "kim")],
        "change_signatures": 2 if len(names) != 1 else 1, "change_delay_seconds": DAY, "recovery_key": None, "portal": PORTAL,
        "rules": {"decision_deadline_seconds": 7200, "access_ceiling_seconds": 28800, "required_approvals": 1,
                  "comment_required": False, "software_keys": True, "witnesses": [], "witnesses_required": 0},
        "identity_provider": None, "notification_recipients": ["security@contoso.example"], "break_glass": [], "delegations": [],
        "effective_at": START, **members,
    }


def following(statement, **members):
    """The next statement, with these differences."""
    return {**copy.deepcopy(statement), "version": statement["version"] + 1, "previous": digest_of(statement), **members}


def signatures(statement, *keys):
    return [key.assert_over(hash_of("lockbox/authority/v1", statement)) for key in keys]


def event(kind, seconds, data, request=None):
    document = {"type": "lockbox.%s.v1" % kind, "id": person("%s %s %s" % (kind, seconds, request)), "time": at(seconds),
                "tenant": "contoso", "data": data}
    return document if request is None else {**document, "correlationid": request}


def rows_of(documents):
    return [(index, document, parse_time(document["time"])) for index, document in enumerate(documents)]
