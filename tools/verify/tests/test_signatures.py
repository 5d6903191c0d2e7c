"""Signatures of the three algorithms against published vectors, and the forms of keys."""
import hashlib
import os
import unittest

import place  # noqa: F401, the modules of the verifier
import keys
from checkpoints import Malformed
from der import read_two_integers

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "signatures.tsv")


def key_of(algorithm, public, kind="passkey", key_id=b"a credential"):
    return {"id": keys.encode_base64url(key_id), "kind": kind, "algorithm": algorithm, "public_key": keys.encode_base64url(public)}


class Signatures(unittest.TestCase):
    def test_each_published_vector_has_its_result(self):
        counts = {}
        with open(VECTORS, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("#"):
                    continue
                algorithm, result, about, public, message, signature = line.rstrip("\n").split("\t")
                public, message, signature = (bytes.fromhex(part) for part in (public, message, signature))
                key = key_of(algorithm, public)
                valid = keys.is_key(key) and keys.is_signed(key, message, signature)
                self.assertEqual(valid, result == "valid", (algorithm, about))
                counts[algorithm, result] = counts.get((algorithm, result), 0) + 1
        self.assertEqual(len(counts), 6, counts)

    def test_a_point_that_is_not_on_the_curve_is_no_key(self):
        from p256 import G
        point = b"\4" + G[0].to_bytes(32, "big") + G[1].to_bytes(32, "big")
        self.assertTrue(keys.is_key(key_of("ES256", point)))
        self.assertFalse(keys.is_key(key_of("ES256", point[:-1] + bytes([point[-1] ^ 1]))))
        self.assertFalse(keys.is_key(key_of("ES256", b"\2" + point[1:])))
        self.assertFalse(keys.is_key(key_of("ES256", b"\2" + point[1:33])))
        self.assertFalse(keys.is_key(key_of("ES256", bytes(65))))

    def test_integers_have_only_their_shortest_form(self):
        self.assertEqual(read_two_integers(bytes.fromhex("3007020101020200ff")), (1, 255))
        wrong = {
            "": "nothing", "30": "no length", "3007020101020200ff00": "a byte after the sequence",
            "3008020101020200ff00": "a byte after the integers", "3008020101020300" "00ff": "two zero bytes before the number",
            "3006020101" "0201ff": "a negative number", "308107020101020200ff": "a long form of a short length",
            "3006020101020200ff": "a sequence that is too short", "3007020101030200ff": "a bit string",
            "30050201010200": "an integer without bytes", "3003020101": "one integer",
        }
        for data, about in wrong.items():
            self.assertIsNone(read_two_integers(bytes.fromhex(data)), about)

    def test_the_id_of_a_software_key_follows_from_the_key(self):
        public = bytes(range(32))
        key_id = hashlib.sha256(public).digest()[:16]
        self.assertTrue(keys.is_key(key_of("EdDSA", public, "software", key_id)))
        self.assertFalse(keys.is_key(key_of("EdDSA", public, "software", key_id[:-1])))
        self.assertFalse(keys.is_key(key_of("EdDSA", public[:-1], "software", hashlib.sha256(public[:-1]).digest()[:16])))
        self.assertTrue(keys.is_key({**key_of("EdDSA", public), "aaguid": "00000000-0000-0000-0000-000000000000"}))
        for wrong in ({"aaguid": None}, {"kind": "card"}, {"algorithm": "ES256"}, {"algorithm": "none"}, {"id": ""}, {"id": "="}, {"id": 7}):
            self.assertFalse(keys.is_key({**key_of("EdDSA", public), **wrong}), wrong)
        for wrong in (None, [], "key", {}):
            self.assertFalse(keys.is_key(wrong), wrong)
        self.assertFalse(keys.is_key({**key_of("EdDSA", public), "flags": "0"}))

    def test_base64url_has_only_one_form(self):
        self.assertEqual(keys.decode_base64url("_-8"), b"\xff\xef")
        for wrong in ("_-9", "_-8=", "/+8", "_-8\n", "_ -8", "A", None, "\u00e4"):
            with self.assertRaises(Malformed, msg=wrong):
                keys.decode_base64url(wrong)


if __name__ == "__main__":
    unittest.main()
