"""The chain of statements: who must sign a change, and when it is in force."""
import unittest

from sample import (ALEX, DAY, KIM, PORTAL, RECOVERY, SAM, START, Passkey, SoftwareKey, approver, at, following, person, signatures, statement_1)
from authority import Chain
from changes import NEUTRAL, STRENGTHENS, WEAKENS, changes_between
from events import parse_time
from statements import fault_in

HOUR = 3600


def founded(statement, *keys):
    chain = Chain("contoso")
    reason = chain.add(statement, signatures(statement, *keys), parse_time(START))
    return chain, reason


class Chains(unittest.TestCase):
    def setUp(self):
        self.first = statement_1(recovery_key=RECOVERY.document())
        self.chain, reason = founded(self.first, ALEX, KIM)
        self.assertIsNone(reason)

    def add(self, statement, *keys, seconds=HOUR, stated=None):
        return self.chain.add(statement, signatures(statement, *keys), parse_time(at(seconds)), stated)

    def in_force(self, seconds):
        return self.chain.in_force(parse_time(at(seconds))).statement["version"]

    def rules(self, **members):
        return {**self.first["rules"], **members}

    def test_statement_1_needs_a_signature_of_each_approver(self):
        for keys in ((), (ALEX,), (ALEX, SAM), (ALEX, KIM, SAM)):
            self.assertIsNotNone(founded(self.first, *keys)[1], keys)
        self.assertIsNone(founded(self.first, ALEX, KIM, RECOVERY)[1])
        self.assertIsNotNone(founded(statement_1(approvers=[approver("alex"), approver("kim", keys=[])], change_signatures=1), ALEX)[1])

    def test_a_change_that_weakens_waits_for_the_delay(self):
        self.assertIsNone(self.add(following(self.first, rules=self.rules(access_ceiling_seconds=30000)), ALEX, KIM))
        self.assertEqual(self.in_force(HOUR + DAY - 1), 1)
        self.assertEqual(self.in_force(HOUR + DAY), 2)

    def test_a_change_that_weakens_needs_two_approvers(self):
        self.assertIsNotNone(self.add(following(self.first, rules=self.rules(access_ceiling_seconds=30000)), ALEX))

    def test_a_change_that_strengthens_is_in_force_at_once(self):
        self.assertIsNone(self.add(following(self.first, rules=self.rules(access_ceiling_seconds=600)), ALEX, KIM))
        self.assertEqual(self.in_force(HOUR), 2)

    def test_an_approver_adds_their_own_key_alone_and_at_once(self):
        second = Passkey("alex second")
        added = following(self.first, approvers=[approver("alex", keys=[ALEX, second]), approver("kim")])
        self.assertIsNotNone(self.add(added, KIM))
        self.assertIsNone(self.add(added, ALEX))
        self.assertEqual(self.in_force(HOUR), 2)
        self.assertIsNone(self.add(following(added, approvers=[approver("alex", keys=[second]), approver("kim")]), second, seconds=HOUR + 1))

    def test_an_approver_does_not_add_the_key_of_another_person(self):
        added = following(self.first, approvers=[approver("alex"), approver("kim", keys=[KIM, SAM])])
        self.assertIsNotNone(self.add(added, ALEX))
        self.assertIsNone(self.add(added, ALEX, KIM))
        self.assertEqual(self.in_force(HOUR), 2, "Kim signed it, and it adds only Kim's own key")

    def test_an_approver_delegates_alone(self):
        delegation = {"person": person("alex"), "delegate": person("kim"), "until": at(DAY)}
        self.assertIsNotNone(self.add(following(self.first, delegations=[delegation]), KIM))
        self.assertIsNone(self.add(following(self.first, delegations=[delegation]), ALEX))
        self.assertEqual(self.in_force(HOUR), 2)

    def test_a_pending_statement_is_withdrawn_by_one_approver(self):
        weaker = following(self.first, rules=self.rules(access_ceiling_seconds=30000))
        self.assertIsNone(self.add(weaker, ALEX, KIM))
        self.assertIsNone(self.add(following(weaker, rules=self.first["rules"]), KIM, seconds=2 * HOUR))
        self.assertEqual([self.in_force(HOUR), self.in_force(2 * HOUR), self.in_force(3 * DAY)], [1, 3, 3])

    def test_a_pending_statement_that_is_replaced_never_comes_into_force(self):
        weaker = following(self.first, rules=self.rules(access_ceiling_seconds=30000))
        self.assertIsNone(self.add(weaker, ALEX, KIM))
        self.assertIsNone(self.add(following(weaker, rules=self.rules(access_ceiling_seconds=40000)), ALEX, KIM, seconds=2 * HOUR))
        versions = [self.in_force(seconds) for seconds in (HOUR + DAY, 2 * HOUR + DAY - 1, 2 * HOUR + DAY)]
        self.assertEqual(versions, [1, 1, 3])

    def test_statement_1_always_comes_into_force_and_is_the_judge_before_it_does(self):
        later = statement_1(effective_at=at(2 * HOUR))
        self.chain, reason = founded(later, ALEX, KIM)
        self.assertIsNone(reason)
        self.assertIsNone(self.chain.in_force(parse_time(at(HOUR))))
        self.assertIsNone(self.add(following(later, rules=self.rules(access_ceiling_seconds=30000)), ALEX, KIM))
        self.assertEqual([self.in_force(2 * HOUR), self.in_force(HOUR + DAY)], [1, 2])

    def test_keys_of_two_people_are_not_own_keys(self):
        keys = [approver("alex", keys=[ALEX, SAM]), approver("kim", keys=[KIM, SoftwareKey("kim second")])]
        self.assertIsNotNone(self.add(following(self.first, approvers=keys), ALEX))
        self.assertIsNone(self.add(following(self.first, approvers=keys), ALEX, KIM))
        self.assertEqual([self.in_force(HOUR), self.in_force(HOUR + DAY)], [1, 2])

    def test_an_own_key_with_another_change_needs_all_signatures(self):
        keys = [approver("alex", keys=[ALEX, SAM]), approver("kim")]
        both = following(self.first, approvers=keys, rules=self.rules(access_ceiling_seconds=600))
        self.assertIsNotNone(self.add(both, ALEX))
        self.assertIsNone(self.add(both, ALEX, KIM))
        self.assertEqual([self.in_force(HOUR), self.in_force(HOUR + DAY)], [1, 2])

    def test_the_recovery_key_is_delayed_also_when_protection_grows(self):
        stronger = following(self.first, rules=self.rules(access_ceiling_seconds=600))
        self.assertIsNone(self.add(stronger, ALEX, RECOVERY))
        self.assertEqual([self.in_force(HOUR), self.in_force(HOUR + DAY)], [1, 2])

    def test_effective_at_and_the_delay_are_not_added(self):
        weaker = following(self.first, rules=self.rules(access_ceiling_seconds=30000), effective_at=at(2 * DAY))
        self.assertIsNone(self.add(weaker, ALEX, KIM, stated=parse_time(at(2 * DAY))))

    def test_the_recovery_key_replaces_signatures_after_the_delay(self):
        replaced = following(self.first, approvers=[approver("alex", keys=[SAM]), approver("kim")])
        self.assertIsNotNone(self.add(replaced, SAM))
        self.assertIsNone(self.add(replaced, RECOVERY))
        self.assertEqual([self.in_force(HOUR), self.in_force(HOUR + DAY)], [1, 2])

    def test_one_wrong_signature_makes_a_statement_invalid(self):
        stronger = following(self.first, rules=self.rules(access_ceiling_seconds=600))
        other = following(self.first, rules=self.rules(access_ceiling_seconds=601))
        self.assertIsNotNone(self.add(stronger, ALEX, KIM, SAM))
        mixed = signatures(stronger, ALEX, KIM) + signatures(other, ALEX)
        self.assertIsNotNone(self.chain.add(stronger, mixed, parse_time(at(HOUR))))

    def test_a_statement_follows_from_the_previous_one(self):
        stronger = following(self.first, rules=self.rules(access_ceiling_seconds=600))
        for wrong in ({"version": 3}, {"version": 1}, {"previous": "0" * 64}, {"previous": None}, {"tenant": "adatum"}):
            self.assertIsNotNone(self.add({**stronger, **wrong}, ALEX, KIM), wrong)
        self.assertIsNotNone(self.add(stronger, ALEX, KIM, seconds=-1), "it is earlier than statement 1")
        self.assertIsNotNone(self.add(stronger, ALEX, KIM, stated=parse_time(at(HOUR - 1))), "its event states another time")
        self.assertIsNotNone(self.chain.add(stronger, None, parse_time(at(HOUR))))
        self.assertIsNone(self.add(stronger, ALEX, KIM, seconds=0, stated=parse_time(START)))

    def test_a_passkey_counts_only_with_its_user_at_the_portal(self):
        stronger = following(self.first, rules=self.rules(access_ceiling_seconds=600))
        wrong = {
            "flags": (0x01, 0x04, 0x15, 0x00), "rp_id": ("adatum.example",),
            "client": tuple({**ALEX.client, **one} for one in (
                {"origin": "https://adatum.example"}, {"type": "webauthn.create"}, {"crossOrigin": True}, {"crossOrigin": None})),
        }
        for name, values in wrong.items():
            for value in values:
                passkey = Passkey("alex")
                setattr(passkey, name, value)
                self.assertIsNotNone(self.add(stronger, passkey, KIM), (name, value))
        passkey = Passkey("alex")
        passkey.flags, passkey.client = 0x05, {**ALEX.client, "crossOrigin": False, "extra": 1}
        self.assertIsNone(self.add(stronger, passkey, KIM))


class Statements(unittest.TestCase):
    def test_each_limit_of_a_statement_is_checked(self):
        good, rules = statement_1(), statement_1()["rules"]
        policy = {"v": 1, "policy": person("policy"), "tenant": "contoso", "name": "outage", "services": ["sharepoint"],
                  "ceiling_seconds": 3600, "quota": 2, "until": at(DAY)}
        wrong = [
            {"v": 2}, {"v": True}, {"extra": 1}, {"approvers": []}, {"approvers": [approver("alex"), approver("alex")]},
            {"approvers": [approver("alex"), approver("kim", keys=[ALEX])]}, {"approvers": [approver("alex", keys=[])]},
            {"change_signatures": 1}, {"change_signatures": 3}, {"change_delay_seconds": DAY - 1}, {"change_delay_seconds": "86400"},
            {"recovery_key": SAM.document()}, {"recovery_key": KIM.document()}, {"portal": {**PORTAL, "extra": ""}},
            {"rules": {**rules, "software_keys": False}}, {"rules": {**rules, "required_approvals": 0}},
            {"rules": {**rules, "required_approvals": 3}}, {"rules": {**rules, "witnesses_required": 1}},
            {"rules": {**rules, "decision_deadline_seconds": 0}}, {"rules": {**rules, "access_ceiling_seconds": 0}},
            {"rules": {**rules, "comment_required": 1}}, {"rules": {**rules, "witnesses": [{"name": "w", "key": "w"}]}},
            {"break_glass": [{**policy, "services": []}]}, {"break_glass": [{**policy, "quota": 0}]}, {"break_glass": [policy, policy]},
            {"delegations": [{"person": person("alex"), "delegate": person("alex"), "until": at(0)}]},
            {"delegations": [{"person": person("alex"), "delegate": person("sam"), "until": at(0)}]},
            {"effective_at": "2026-11-02T09:00:00+01:00"}, {"identity_provider": {"issuer": "https://idp.example"}},
        ]
        self.assertIsNone(fault_in(good))
        self.assertIsNone(fault_in({**good, "break_glass": [policy], "recovery_key": RECOVERY.document()}))
        self.assertIsNone(fault_in(statement_1("alex")))
        for members in wrong:
            self.assertIsNotNone(fault_in({**good, **members}), members)

    def test_each_difference_has_its_effect(self):
        policy = {"v": 1, "policy": person("policy"), "tenant": "contoso", "name": "outage", "services": ["sharepoint", "onedrive"],
                  "ceiling_seconds": 3600, "quota": 2, "until": at(DAY)}
        alex, kim = approver("alex", ["sharepoint"]), approver("kim")
        old = statement_1(approvers=[alex, kim], break_glass=[policy], recovery_key=RECOVERY.document())
        rules = old["rules"]
        table = [
            ({"approvers": [alex, kim, approver("sam")]}, WEAKENS), ({"approvers": [kim]}, STRENGTHENS),
            ({"approvers": [kim, alex]}, None), ({"approvers": [{**alex, "name": "Alexandra"}, kim]}, NEUTRAL),
            ({"approvers": [{**alex, "email": "x@contoso.example"}, kim]}, WEAKENS),
            ({"approvers": [{**alex, "services": []}, kim]}, WEAKENS),
            ({"approvers": [{**alex, "services": ["sharepoint", "onedrive"]}, kim]}, WEAKENS),
            ({"approvers": [alex, {**kim, "services": ["onedrive"]}]}, STRENGTHENS),
            ({"approvers": [{**alex, "keys": []}, kim]}, STRENGTHENS),
            ({"change_signatures": 3}, STRENGTHENS), ({"change_delay_seconds": DAY * 2}, STRENGTHENS),
            ({"rules": {**rules, "required_approvals": 2}}, STRENGTHENS), ({"rules": {**rules, "comment_required": True}}, STRENGTHENS),
            ({"rules": {**rules, "software_keys": False}}, STRENGTHENS), ({"rules": {**rules, "access_ceiling_seconds": 1}}, STRENGTHENS),
            ({"rules": {**rules, "decision_deadline_seconds": 7201}}, WEAKENS), ({"recovery_key": None}, STRENGTHENS),
            ({"recovery_key": KIM.document()}, WEAKENS), ({"portal": {**PORTAL, "rp_id": "example"}}, WEAKENS),
            ({"identity_provider": {"issuer": "i", "client_id": "c"}}, WEAKENS), ({"notification_recipients": []}, WEAKENS),
            ({"notification_recipients": old["notification_recipients"] + ["x@contoso.example"]}, STRENGTHENS),
            ({"break_glass": []}, STRENGTHENS), ({"break_glass": [{**policy, "quota": 1}]}, STRENGTHENS),
            ({"break_glass": [{**policy, "services": ["onedrive"]}]}, STRENGTHENS), ({"break_glass": [{**policy, "quota": 3}]}, WEAKENS),
            ({"break_glass": [{**policy, "until": at(DAY + 1)}]}, WEAKENS),
            ({"break_glass": [policy, {**policy, "policy": person("another")}]}, WEAKENS),
            ({"approvers": [{**alex, "services": ["sharepoint", "sharepoint"]}, kim]}, None),
            ({"break_glass": [{**policy, "ceiling_seconds": 3601}]}, WEAKENS), ({"break_glass": [{**policy, "ceiling_seconds": 1}]}, STRENGTHENS),
            ({"break_glass": [{**policy, "services": ["sharepoint", "exchange_online"]}]}, WEAKENS),
            ({"delegations": [{"person": person("alex"), "delegate": person("kim"), "until": at(0)}]}, WEAKENS),
            ({"effective_at": at(5)}, None), ({"rules": {**rules, "witnesses": [{"name": "w", "key": "w"}]}}, WEAKENS),
        ]
        for members, effect in table:
            effects = {change.effect for change in changes_between(old, {**old, **members})}
            self.assertEqual(effects, set() if effect is None else {effect}, members)

        delegated = {**old, "delegations": [{"person": person("alex"), "delegate": person("kim"), "until": at(0)}]}
        self.assertEqual([change.effect for change in changes_between(delegated, old)], [STRENGTHENS])
        self.assertEqual([change.effect for change in changes_between(delegated, delegated)], [])


if __name__ == "__main__":
    unittest.main()
