"""The rules of consent over the events of a log."""
import copy
import unittest

from sample import (ALEX, DAY, KIM, RECOVERY, SAM, SoftwareKey, approver, at, event, following, person, rows_of,
                    statement_1)
from sample_log import (ACTIVATED, APPROVED, PROVISIONED, REQUEST, RULES, SITE, USED, codes, codes_of, content, decided, decision,
                        examine, history, recorded, submitted)
from assertions import hash_of
from consent import Consent, Trust
from findings import CONSENT, RULE
from statements import digest_of


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

    def test_an_approver_decides_about_a_service_of_their_own(self):
        self.check(history(approvers=[approver("alex", ["exchange_online", "sharepoint"]), approver("kim")]), None)
        away = [approver("alex", ["exchange_online"]), approver("kim"), approver("sam")]
        delegation = {"person": person("kim"), "delegate": person("sam"), "until": at(DAY)}
        documents = history(approvers=away, delegations=[delegation])
        documents[0] = recorded(documents[0]["data"]["statement"], 0, 0, ALEX, KIM, SAM)
        self.check(documents, CONSENT, "the delegation is to somebody else")

    def test_a_signature_counts_from_its_time_to_its_end(self):
        document = content()
        for ends in (300, 420):
            documents = history()
            documents[APPROVED] = decided(document, "alex", ALEX, decision(document, "alex", not_after=at(ends)))
            self.check(documents, None, ends)

    def test_a_denial_is_signed_too(self):
        document = content()
        documents = history()[:APPROVED] + [decided(document, "alex", ALEX, decision(document, "alex", verdict="deny"))]
        self.check(documents, None)
        documents[APPROVED]["data"]["signature"] = None
        self.check(documents, CONSENT)

    def test_decisions_before_the_founding_are_not_judged(self):
        documents = history()
        del documents[APPROVED]["data"]["signature"]
        documents.append(documents.pop(0))
        for seconds, code in ((300, CONSENT), (301, None)):
            documents[-1] = recorded(statement_1(effective_at=at(seconds)), 0, seconds, ALEX, KIM)
            self.check(documents, code, seconds)

    def test_a_decision_in_a_period_is_judged_without_the_content(self):
        documents = history()
        proved = rows_of(documents[:1])
        rows = rows_of(documents)[APPROVED:]
        self.assertEqual(codes_of(Consent("contoso", rows, proved, {REQUEST}, Trust()).run(None, [])), set())
        documents[APPROVED]["data"]["duration_seconds"] = 1801
        self.assertEqual(codes_of(Consent("contoso", rows, proved, {REQUEST}, Trust()).run(None, [])), {CONSENT})

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
        for name, wrong in (("decision_deadline_seconds", 7201), ("access_ceiling_seconds", 28801), ("required_approvals", 0),
                            ("comment_required", 0)):
            self.assertIn(CONSENT, codes(history(content(rules={**RULES, name: wrong}))), name)
            documents = history(content(rules={other: value for other, value in RULES.items() if other != name}))
            self.assertIn(CONSENT, codes(documents), "%s is missing" % name)
        self.check(history(content(duration_seconds=28800)), None)
        self.check(history(content(duration_seconds=28801)), CONSENT)
        self.assertIn(CONSENT, codes(history(content(duration_seconds=None))))
        self.assertIn(CONSENT, codes(history(content(rules=None))))
        rules = {**statement_1()["rules"], "required_approvals": 2, "comment_required": True}
        self.check(history(rules=rules), CONSENT, "content has one required approval and no required comment")

    def test_the_decision_deadline_is_not_later_than_allowed(self):
        self.check(self.changed(2, decision_deadline=at(7401)), CONSENT)
        self.check(self.changed(2, decision_deadline=None), CONSENT)

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
        self.check(history() + [event("directory.changed", 1200, {})], None)

    def test_a_submission_agrees_with_its_content(self):
        for name in ("service_request", "service", "resource", "category", "severity", "duration_seconds", "extends", "justification",
                     "start_time", "requester", "required_approvals", "break_glass", "digest"):
            self.assertIn(RULE, codes(self.changed(1, **{name: "another"})), name)
        document = content(start_time="2026-11-02T09:00:00.5Z")
        self.check([submitted(document, start_time="2026-11-02T09:00:00.500Z")], None)
        self.check([submitted(document, start_time="2026-11-02T09:00:00.501Z")], RULE)
        self.check([submitted(content(duration_seconds=1), duration_seconds=True)], RULE, "true is not 1")
        policy = {"policy": person("policy"), "name": "outage", "digest": "0" * 64}
        for name, digest, code in (("outage", "0" * 64, None), ("another", "0" * 64, RULE), ("outage", "1" * 64, RULE)):
            self.check([submitted(content(break_glass=policy), break_glass=name, break_glass_digest=digest)], code, (name, digest))
        self.check([submitted(content(break_glass=policy))], RULE)
        for name in ("request", "requester", "requester_name", "tenant_name"):
            self.check([submitted(content(**{name: "another"}))], RULE, name)

    def test_access_is_inside_its_grant(self):
        for members in ({"first_at": at(300)}, {"last_at": at(2101)}, {"last_at": at(389)}, {"resource": SITE + "s"}, {"last_at": at(1061)},
                        {"request": person("x")}, {"request": None}, {"first_at": None},
                        {"resource": None}):
            self.check(self.changed(USED, **members), RULE, members)
        for members in ({"last_at": at(1060)}, {"allowed": False, "resource": "", "request": None}):
            self.check(self.changed(USED, **members), None, members)
        open_ended = history()[:USED + 1]
        for first, last, code in ((301, 301, None), (301, 2100, None), (2100, 2101, RULE), (300, 302, RULE)):
            open_ended[USED]["data"].update(first_at=at(first), last_at=at(last))
            self.check(open_ended, code, (first, last))
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


if __name__ == "__main__":
    unittest.main()
