"""Format chapter 11, rule 8: the content of a request, and whether its submission agrees with it."""
from events import actor_of, data_of, parse_time
from statements import digest_of

SAME_MEMBERS = ("service_request", "service", "resource", "category", "severity", "duration_seconds", "extends", "justification")


def content_of(data):
    """The content in the data of `request.submitted`, or None."""
    return data.get("content") if isinstance(data.get("content"), dict) else None


def submission_faults(document):
    """Why a `request.submitted` does not agree with its content."""
    data = data_of(document)
    content = content_of(data)
    if content is None:
        return ["the submission has no content"]
    policy, rules = content.get("break_glass"), content.get("rules")
    rules = rules if isinstance(rules, dict) else {}
    is_break_glass = data.get("break_glass") is not None
    starts = [data.get("start_time"), content.get("start_time")]
    rows = [(is_same(data.get(name), content.get(name)), name) for name in SAME_MEMBERS] + [
        (starts == [None, None] or None not in map(parse_time, starts) and len(set(map(parse_time, starts))) == 1, "start_time"),
        (is_same(content.get("request"), document.get("correlationid")), "request"),
        (is_same(content.get("requester_name"), data.get("requester")), "requester_name"),
        (is_same(content.get("requester"), actor_of(data).get("id")), "requester"),
        (is_same(content.get("tenant_name"), document.get("tenant")), "tenant_name"),
        (is_same(rules.get("required_approvals"), data.get("required_approvals")), "required_approvals"),
        (isinstance(policy, dict) and is_same(policy.get("name"), data.get("break_glass"))
         and is_same(policy.get("digest"), data.get("break_glass_digest")) if is_break_glass else policy is None, "break_glass"),
    ]
    faults = ["the submission and its content have another %s" % name for holds, name in rows if not holds]
    return faults + ([] if digest_of(content) == data.get("digest") else ["the digest is not that of the content"])


def is_same(one, other):
    """Whether two JSON values are the same. In Python, true equals 1."""
    return type(one) is type(other) and one == other
