"""Assertions: their form, and what a passkey signs."""
import hashlib
import json
import unittest

from sample import ALEX, KIM, PORTAL
from assertions import fault_in, key_id_of
from keys import decode_base64url, encode_base64url

CHALLENGE = hashlib.sha256(b"a document").digest()


def changed_client(**members):
    """An assertion by Alex whose client data has other members, without a new signature."""
    assertion = ALEX.assert_over(CHALLENGE)
    client = {**json.loads(decode_base64url(assertion["client_data"])), **members}
    return {**assertion, "client_data": encode_base64url(json.dumps(client).encode())}


class Assertions(unittest.TestCase):
    def check(self, assertion, key, expected):
        fault = fault_in(assertion, key.document(), CHALLENGE, PORTAL)
        self.assertEqual(fault is None, expected == "", (fault, assertion))
        self.assertIn(expected, fault or "")

    def test_an_assertion_over_the_challenge_is_valid(self):
        self.check(ALEX.assert_over(CHALLENGE), ALEX, "")
        self.check(KIM.assert_over(CHALLENGE), KIM, "")

    def test_an_assertion_has_exactly_the_documented_members(self):
        for key in (ALEX, KIM):
            good = key.assert_over(CHALLENGE)
            self.check({**good, "extra": ""}, key, "documented form")
            for name in good:
                self.check({other: value for other, value in good.items() if other != name}, key, "documented form")
                self.check({**good, name: 7}, key, "documented form")
            self.check({**good, "kind": "passkey" if key is KIM else "software"}, key, "documented form")
            self.check({**good, "key": "another"}, key, "documented form")
            self.check({**good, "signature": good["signature"] + "="}, key, "base64url")
        for wrong in (None, [], "x", 7):
            self.check(wrong, ALEX, "documented form")
            self.assertIsNone(key_id_of(wrong))
        self.assertIsNone(key_id_of({"key": 7}))

    def test_a_signature_over_another_challenge_does_not_count(self):
        other = hashlib.sha256(b"another document").digest()
        self.check(ALEX.assert_over(other), ALEX, "another challenge")
        self.check(KIM.assert_over(other), KIM, "signature is invalid")

    def test_client_data_that_was_changed_does_not_count(self):
        self.check(changed_client(more="x"), ALEX, "signature is invalid")
        self.check(changed_client(type="webauthn.create"), ALEX, "not that of a signature")
        good = ALEX.assert_over(CHALLENGE)
        for client in (b"", b"[]", b"\xff", b"7", b'{"type":"webauthn.get","type":"webauthn.get"}', b"[" * 100000):
            self.check({**good, "client_data": encode_base64url(client)}, ALEX, "client data")

    def test_authenticator_data_has_its_length_and_no_contradiction(self):
        good = ALEX.assert_over(CHALLENGE)
        data = decode_base64url(good["authenticator_data"])
        self.check({**good, "authenticator_data": encode_base64url(data[:36])}, ALEX, "too short")
        self.check({**good, "authenticator_data": encode_base64url(data[:32] + b"\x15" + data[33:])}, ALEX, "contradict")
        self.check({**good, "authenticator_data": encode_base64url(data + b"x")}, ALEX, "signature is invalid")


if __name__ == "__main__":
    unittest.main()
