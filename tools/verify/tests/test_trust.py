"""What the user of the verifier trusts: authorities and witnesses."""
import base64
import hashlib
import json
import os
import tempfile
import unittest

from sample import ALEX, KIM, SAM, SoftwareKey, at, event, following, person, rows_of, signatures, statement_1
from sample_log import codes, content, decision, history, recorded
from assertions import hash_of
from authority import Pinned
from checkpoints import Key, Malformed, Note
from consent import Trust
from findings import CONSENT, RULE
from statements import digest_of


class Trusts(unittest.TestCase):
    def test_a_fingerprint_is_compared_with_statement_1(self):
        right = digest_of(statement_1())
        self.assertEqual(codes(history(), Trust(Pinned(" ".join(right[place:place + 8] for place in range(0, 64, 8))))), set())
        self.assertEqual(codes(history(), Trust(Pinned("0" * 64))), {CONSENT})
        self.assertEqual(codes(history()[1:], Trust(Pinned(right))), {CONSENT}, "the log has no statement 1")

    def pin(self, document):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "authority.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
            return Trust(Pinned(path))

    def file(self, *statements, **members):
        rows = [{"statement": statement, "signatures": signatures(statement, ALEX, KIM), "recorded_at": at(seconds)}
                for statement, seconds in statements]
        return {"v": 1, "tenant": "contoso", "statements": rows, **members}

    def test_the_log_starts_with_the_statements_of_the_file(self):
        first = statement_1()
        stronger = {**first["rules"], "access_ceiling_seconds": 7200}
        second, other = following(first, rules=stronger), following(first, rules={**stronger, "comment_required": True})
        longer = history() + [recorded(second, 1200, 1200, ALEX, KIM)]
        self.assertEqual(codes(history(), self.pin(self.file((first, 0)))), set())
        self.assertEqual(codes(longer, self.pin(self.file((first, 0)))), set())
        self.assertEqual(codes(longer, self.pin(self.file((first, 0), (second, 1200)))), set())
        self.assertEqual(codes(longer, self.pin(self.file((first, 0), (other, 1200)))), {CONSENT}, "another statement 2")
        self.assertEqual(codes(longer, self.pin(self.file((first, 0), (second, 1199)))), {CONSENT}, "at another time")
        self.assertEqual(codes(history(), self.pin(self.file((first, 0), (second, 1100)))), {CONSENT}, "it is missing")
        self.assertEqual(codes(history(), self.pin(self.file((first, 0), (second, 1101)))), set(), "it is newer than the log")
        self.assertEqual(codes(history(), self.pin(self.file((statement_1("alex"), 0)))), {CONSENT}, "another statement 1")
        self.assertEqual(codes(history(), self.pin(self.file((first, 0), tenant="adatum"))), {CONSENT}, "of another tenant")

    def test_a_file_that_is_not_an_authority_file_is_refused(self):
        good = self.file((statement_1(), 0))
        self.assertTrue(self.pin(good))
        row = good["statements"][0]
        for wrong in ({**good, "v": 2}, {**good, "extra": 1}, {**good, "statements": []}, {**good, "statements": [{**row, "extra": 1}]},
                      {**good, "statements": [{**row, "recorded_at": "yesterday"}]}, {**good, "statements": 7}, [good], 7, None):
            with self.assertRaises(Malformed, msg=wrong):
                self.pin(wrong)
        for wrong in ("/nowhere", "0" * 63):
            with self.assertRaises(Malformed, msg=wrong):
                Pinned(wrong)

    def test_the_vendor_authority_judges_the_decisions_of_the_vendor(self):
        first = statement_1("sam", tenant="vendor")
        vendor = {"v": 1, "tenant": "vendor", "statements": [{"statement": first, "signatures": signatures(first, SAM), "recorded_at": at(0)}]}
        documents, document = history(), content()
        self.assertEqual(codes(documents, Trust(vendor=vendor)), {CONSENT})
        signed = decision(document, "sam", 200, tenant="vendor", duration_seconds=3600)
        documents[2]["data"].update(actor={"kind": "person", "id": person("sam")}, signature={
            "decision": signed, "assertion": SAM.assert_over(hash_of("lockbox/decision/v1", signed))})
        self.assertEqual(codes(documents, Trust(vendor=vendor)), set())
        early = {**vendor, "statements": [{**vendor["statements"][0], "recorded_at": at(201)}]}
        self.assertEqual(codes(history(), Trust(vendor=early)), set(), "the vendor was founded after the decision")
        self.assertEqual(codes(history()[1:], Trust(vendor=vendor)), {CONSENT}, "also before the tenant is founded")
        vendor["statements"][0]["signatures"] = []
        self.assertEqual(codes(history(), Trust(vendor=vendor)), {CONSENT})


class Witnesses(unittest.TestCase):
    ORIGIN = "lockbox.fabrikam.example/t/contoso"

    def note(self, size, *signed):
        """A checkpoint with cosignatures: (seed of the witness, seconds since the start)."""
        text = "%s\n%d\n%s\n" % (self.ORIGIN, size, base64.b64encode(bytes(32)).decode())
        lines = []
        for seed, seconds in signed:
            moment = rows_of([event("x", seconds, {})])[0][2] // 1000000
            signature = SoftwareKey(seed)._sign(("cosignature/v1\ntime %d\n%s" % (moment, text)).encode())
            blob = self.key(seed).id + moment.to_bytes(8, "big") + signature
            lines.append("\u2014 %s %s\n" % (seed, base64.b64encode(blob).decode()))
        return Note(text + "\n" + "".join(lines))

    def key(self, seed):
        public = b"\4" + SoftwareKey(seed).public
        digest = hashlib.sha256(seed.encode() + b"\n" + public).digest()[:4].hex()
        return Key("%s+%s+%s" % (seed, digest, base64.b64encode(public).decode()))

    def rules(self, required):
        named = [{"name": name, "key": self.key(name).text} for name in ("one", "two")]
        return {**statement_1()["rules"], "witnesses": named, "witnesses_required": required}

    def test_the_checkpoint_needs_the_cosignatures_that_the_authority_requires(self):
        documents = history(rules=self.rules(2))
        for signed, code in (((("one", 1100), ("two", 1100)), None), ((("one", 1100),), CONSENT),
                             ((("one", 1100), ("one", 1101)), CONSENT), ((("one", 1100), ("three", 1100)), CONSENT), ((), CONSENT)):
            found = codes(documents, head=self.note(9, *signed) if signed else None)
            self.assertEqual(found, {code} if code else set(), signed)

    def test_given_witnesses_take_the_place_of_those_of_the_authority(self):
        note = self.note(9, ("three", 1100))
        self.assertEqual(codes(history(rules=self.rules(2)), Trust(witnesses=[self.key("three")]), head=note), set())
        self.assertEqual(codes(history(), Trust(witnesses=[self.key("one")]), head=note), {CONSENT})
        self.assertEqual(codes(history(), Trust(witnesses_required=1), head=note), {CONSENT}, "the authority names no witness")
        self.assertEqual(codes(history(), Trust(witnesses=[self.key("one")], witnesses_required=0), head=note), set())

    def test_an_event_later_than_a_cosignature_that_covers_it_is_found(self):
        documents = history(rules=self.rules(0)) + [event("log.heartbeat", 5000, {})]
        self.assertEqual(codes(documents, notes=[self.note(10, ("one", 1400))]), set())
        self.assertEqual(codes(documents, notes=[self.note(10, ("one", 1399))]), {RULE})
        self.assertEqual(codes(documents, notes=[self.note(9, ("one", 1399))]), set(), "it does not cover the last entry")
        self.assertEqual(codes(documents, notes=[self.note(10, ("three", 1))]), set(), "nobody trusts this witness")


if __name__ == "__main__":
    unittest.main()
