"""The rules of consent over the events of a log."""
import base64
import copy
import hashlib
import unittest

from sample import (ALEX, DAY, KIM, RECOVERY, SAM, SoftwareKey, approver, at, event, following, person, rows_of, signatures,
                    statement_1)
from assertions import hash_of
from authority import Pinned
from checkpoints import Key, Note
from consent import Consent, Trust
from findings import CONSENT, RULE
from statements import digest_of

REQUEST = person("a request")
SITE = "https://contoso.example/sites/finance"
RULES = {"review_deadline_seconds": 3600, "decision_deadline_seconds": 7200, "access_default_seconds": 3600, "access_ceiling_seconds": 28800,
         "required_approvals": 1, "comment_required": False, "passkey_required": False, "reminders_seconds": []}


def recorded(statement, seconds, starts, *keys):
    return event("authority.changed", seconds, {
        "statement": statement, "signatures": signatures(statement, *keys), "in_force_from": at(starts), "changes": []})


def content(**members):
    return {"v": 1, "request": REQUEST, "tenant": person("contoso"), "tenant_name": "contoso", "service_request": "SR-1",
            "service": "sharepoint", "resource": SITE, "category": "customer_reported", "justification": {"committed": "ab" * 32},
            "severity": "high", "access_level": "read_only", "requester": person("robin"), "requester_name": "robin",
            "duration_seconds": 3600, "start_time": None, "extends": None, "break_glass": None, "rules": dict(RULES), **members}


def step(kind, seconds, document, actor, **members):
    names = ("service_request", "service")
    return event(kind, seconds, {**{name: document[name] for name in names}, "requester": "robin", "digest": digest_of(document),
                                 "actor": {"kind": "person", "id": person(actor)}, **members}, REQUEST)


def submitted(document, **members):
    names = ("resource", "category", "justification", "severity", "duration_seconds")
    return step("request.submitted", 100, document, "robin", **{name: document[name] for name in names}, content=document,
                required_approvals=document["rules"]["required_approvals"], **members)


def decision(document, actor, seconds=300, verdict="approve", **members):
    return {"tenant": "contoso", "authority_version": 1, "request": REQUEST, "digest": digest_of(document), "verdict": verdict,
            "person": person(actor), "duration_seconds": 1800 if verdict == "approve" else 0, "service": document["service"],
            "resource": document["resource"], "access_level": document["access_level"], "comment": None, "nonce": "bm9uY2U",
            "not_after": at(seconds + 60), **members}


def decided(document, actor, key, signed, seconds=300, **members):
    kind = "request.customer_approved" if signed["verdict"] == "approve" else "request.customer_denied"
    if signed["verdict"] == "approve":
        members = {"duration_seconds": 1800, **members}
    return step(kind, seconds, document, actor, signature={
        "decision": signed, "assertion": key.assert_over(hash_of("lockbox/decision/v1", signed))}, **members)


def history(document=None, **members):
    """The events of a founded tenant: a request, both approvals, and access."""
    document = content() if document is None else document
    first = statement_1(**members)
    return [
        recorded(first, 0, 0, ALEX, KIM), submitted(document),
        step("request.vendor_approved", 200, document, "morgan", decision_deadline=at(7400)),
        decided(document, "alex", ALEX, decision(document, "alex")),
        step("grant.activated", 301, document, "lockbox", access_from=at(301), access_until=at(2101)),
        event("grant.provisioned", 302, {"request": REQUEST}, REQUEST),
        event("grant.used", 400, {"request": REQUEST, "allowed": True, "resource": SITE + "/budget.xlsx", "first_at": at(390),
                                  "last_at": at(395)}, REQUEST),
        step("grant.ended", 1000, document, "alex", access_until=at(2101), cause="revoked_by_customer"),
        event("log.heartbeat", 1100, {}),
    ]


APPROVED, ACTIVATED, PROVISIONED, USED = 3, 4, 5, 6


def examine(documents, trust=None, partial=(), proved=(), head=None, notes=()):
    return Consent("contoso", rows_of(documents), list(proved), set(partial), trust or Trust()).run(head, list(notes))


def codes(*arguments, **options):
    return {finding.code for finding in examine(*arguments, **options).findings}


class Rules(unittest.TestCase):
    def check(self, documents, code, about=None):
        self.assertEqual(codes(documents), {code} if code else set(), about)

    def changed(self, place, **members):
        documents = copy.deepcopy(history())
        documents[place]["data"].update(members)
        return documents

    def test_a_founded_tenant_has_no_finding(self):
        consent = examine(history())
        self.assertEqual([finding.message for finding in consent.findings], [])
        self.assertEqual([(one.key["id"], one.side) for one in consent.signed[REQUEST]], [(ALEX.id, "customer")])

    def test_an_unsigned_decision_is_found(self):
        documents = history()
        del documents[APPROVED]["data"]["signature"]
        self.check(documents, CONSENT)

    def test_a_decision_says_what_its_event_says(self):
        document = content()
        for members in ({"tenant": "adatum"}, {"authority_version": 2}, {"authority_version": True}, {"request": person("x")},
                        {"digest": "0" * 64}, {"verdict": "deny"}, {"person": person("kim")}, {"duration_seconds": 1801},
                        {"service": "onedrive"}, {"resource": SITE + "/a"}, {"access_level": "read_write"}, {"comment": "ab" * 32},
                        {"not_after": at(299)}, {"not_after": at(421)}, {"nonce": 7}, {"extra": 1}):
            documents = history()
            signed = {**decision(document, "alex"), **members}
            documents[APPROVED]["data"]["signature"] = {
                "decision": signed, "assertion": ALEX.assert_over(hash_of("lockbox/decision/v1", signed))}
            self.check(documents, CONSENT, members)

    def test_a_comment_is_part_of_the_decision(self):
        document, digits = content(rules={**RULES, "comment_required": True}), "cd" * 32
        documents = history(document)
        self.check(documents, CONSENT, "there is no comment")
        signed = decision(document, "alex", comment=digits)
        documents[APPROVED] = decided(document, "alex", ALEX, signed, comment={"committed": digits})
        self.check(documents, None)
        documents[APPROVED] = decided(document, "alex", ALEX, signed, comment={"committed": "ef" * 32})
        self.check(documents, CONSENT, "another comment")

    def test_only_a_key_of_the_person_who_decides_counts(self):
        document = content()
        for key in (KIM, SAM, SoftwareKey("a stranger"), RECOVERY):
            documents = history(recovery_key=RECOVERY.document())
            documents[APPROVED] = decided(document, "alex", key, decision(document, "alex"))
            self.check(documents, CONSENT, key.id)
        documents[APPROVED] = decided(document, "kim", KIM, decision(document, "kim"))
        self.check(documents, None)

    def test_an_approver_decides_about_their_services_and_those_delegated_to_them(self):
        alone = [approver("alex", ["exchange_online"]), approver("kim")]
        self.check(history(approvers=alone), CONSENT)
        for until, code in ((DAY, None), (300, CONSENT)):
            delegation = {"person": person("kim"), "delegate": person("alex"), "until": at(until)}
            self.check(history(approvers=alone, delegations=[delegation]), code, until)

    def test_the_statement_in_force_judges_a_decision(self):
        first = statement_1()
        second = following(first, approvers=[approver("kim")], change_signatures=1)
        documents = history()
        documents.insert(APPROVED, recorded(second, 250, 250, ALEX, KIM))
        self.check(documents, CONSENT, "Alex was removed")
        documents.append(documents.pop(APPROVED))
        documents[-1]["time"] = at(250)
        self.check(documents, CONSENT, "whichever entry comes first")

    def test_a_forged_statement_is_found(self):
        forged = following(statement_1(), approvers=[approver("alex"), approver("kim"), approver("sam")])
        for keys in ((SAM,), (ALEX,), (), (ALEX, SAM)):
            self.check(history() + [recorded(forged, 1200, 1200 + DAY, *keys)], CONSENT, keys)
        self.check(history() + [recorded(forged, 1200, 1200, ALEX, KIM)], CONSENT, "too early")
        self.check(history() + [recorded(forged, 1200, 1200 + DAY, ALEX, KIM)], None)

    def test_a_statement_is_not_backdated(self):
        late = event("log.heartbeat", 9000, {})
        second = following(statement_1(), notification_recipients=["security@contoso.example", "x@contoso.example"])
        self.check(history() + [late, recorded(second, 9001, 9001, ALEX, KIM)], None)
        self.assertIn(CONSENT, codes(history() + [late, recorded(second, 5000, 5000, ALEX, KIM)]))

    def test_the_rules_of_a_request_protect_no_less_than_those_in_force(self):
        for members in ({"decision_deadline_seconds": 7201}, {"access_ceiling_seconds": 28801}, {"required_approvals": None},
                        {"comment_required": None}):
            documents = history(content(rules={**RULES, **members}))
            self.assertIn(CONSENT, codes(documents), members)
        self.check(history(content(duration_seconds=28801)), CONSENT)
        rules = {**statement_1()["rules"], "required_approvals": 2, "comment_required": True}
        self.check(history(rules=rules), CONSENT, "content has one required approval and no required comment")

    def test_the_decision_deadline_is_not_later_than_allowed(self):
        self.check(self.changed(2, decision_deadline=at(7401)), CONSENT)

    def test_break_glass_access_needs_a_policy_of_the_authority(self):
        policy = {"v": 1, "policy": person("policy"), "tenant": "contoso", "name": "outage", "services": ["sharepoint"],
                  "ceiling_seconds": 3600, "quota": 2, "until": at(DAY)}
        pair = {"break_glass": "outage", "break_glass_digest": digest_of(policy)}
        document = content(break_glass={"policy": policy["policy"], "name": "outage", "digest": digest_of(policy)})
        for policies, code in (([policy], None), ([], CONSENT), ([{**policy, "quota": 3}], CONSENT)):
            documents = history(document, break_glass=policies)
            del documents[APPROVED]
            documents[1]["data"].update(pair)
            documents[ACTIVATED - 1]["data"].update(pair)
            self.check(documents, code, policies)
        self.check(history() + [event("directory.changed", 1200, {"break_glass_policy": policy})], CONSENT)

    def test_a_submission_agrees_with_its_content(self):
        for name in ("service_request", "service", "resource", "category", "severity", "duration_seconds", "extends", "justification",
                     "start_time", "requester", "required_approvals", "break_glass", "digest"):
            self.assertIn(RULE, codes(self.changed(1, **{name: "another"})), name)
        document = content(start_time="2026-11-02T09:00:00.5Z")
        self.check([submitted(document, start_time="2026-11-02T09:00:00.500Z")], None)
        for name in ("request", "requester", "requester_name", "tenant_name"):
            self.check([submitted(content(**{name: "another"}))], RULE, name)

    def test_access_is_inside_its_grant(self):
        for members in ({"first_at": at(300)}, {"last_at": at(2101)}, {"last_at": at(389)}, {"resource": SITE + "s"}, {"last_at": at(1061)},
                        {"request": person("x")}, {"request": None}, {"first_at": None}):
            self.check(self.changed(USED, **members), RULE, members)
        for members in ({"last_at": at(1060)}, {"allowed": False, "resource": "", "request": None}):
            self.check(self.changed(USED, **members), None, members)
        for seconds, code in ((300, None), (299, RULE), (2161, None), (2162, RULE)):
            documents = history()
            documents[PROVISIONED]["time"] = at(seconds)
            self.check(documents, code, seconds)

    def test_access_without_a_grant_is_found_except_before_a_period(self):
        documents = history()
        del documents[ACTIVATED]
        self.check(documents, RULE)
        self.assertEqual(codes(documents, partial={REQUEST}), set())

    def test_a_request_that_is_backdated_behind_a_heartbeat_is_found(self):
        self.check([event("log.heartbeat", 9000, {}), event("log.heartbeat", 5400, {})], None)
        self.check([event("log.heartbeat", 9000, {}), event("log.heartbeat", 5399, {})], RULE)

    def test_a_period_uses_the_proved_statements(self):
        documents = history()
        proved = [(0, documents[0], 0), (99, recorded(following(statement_1(), approvers=[approver("sam")]), 2000, 2000, SAM), 0)]
        proved = [(index, document, rows_of([document])[0][2]) for index, document, _ in proved]
        rows = rows_of(documents)[2:]
        consent = Consent("contoso", rows, proved[:1], {REQUEST}, Trust()).run(None, [])
        self.assertEqual(([finding.message for finding in consent.findings], consent.is_founded()), ([], True))
        consent = Consent("contoso", rows, proved, {REQUEST}, Trust()).run(None, [])
        self.assertEqual([finding.code for finding in consent.findings], [CONSENT])


class Trusts(unittest.TestCase):
    def test_a_fingerprint_is_compared_with_statement_1(self):
        right = digest_of(statement_1())
        self.assertEqual(codes(history(), Trust(Pinned(" ".join(right[place:place + 8] for place in range(0, 64, 8))))), set())
        self.assertEqual(codes(history(), Trust(Pinned("0" * 64))), {CONSENT})
        self.assertEqual(codes(history()[1:], Trust(Pinned(right))), {CONSENT}, "the log has no statement 1")

    def test_the_vendor_authority_judges_the_decisions_of_the_vendor(self):
        first = statement_1("sam", tenant="vendor")
        vendor = {"v": 1, "tenant": "vendor", "statements": [{"statement": first, "signatures": signatures(first, SAM), "recorded_at": at(0)}]}
        documents, document = history(), content()
        self.assertEqual(codes(documents, Trust(vendor=vendor)), {CONSENT})
        signed = decision(document, "sam", 200, tenant="vendor", duration_seconds=3600)
        documents[2]["data"].update(actor={"kind": "person", "id": person("sam")}, signature={
            "decision": signed, "assertion": SAM.assert_over(hash_of("lockbox/decision/v1", signed))})
        self.assertEqual(codes(documents, Trust(vendor=vendor)), set())
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
