"""The events of a request in a founded tenant, and what the rules of consent find in them, for tests."""
from sample import ALEX, KIM, at, event, person, rows_of, signatures, statement_1
from assertions import hash_of
from consent import Consent, Trust
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
    same = {**{name: document[name] for name in names}, "required_approvals": (document["rules"] or {}).get("required_approvals")}
    return step("request.submitted", 100, document, "robin", content=document, **{**same, **members})


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


def codes_of(consent):
    return {finding.code for finding in consent.findings}


def codes(*arguments, **options):
    return codes_of(examine(*arguments, **options))
