"""Format chapter 9: the OCSF view."""
import ipaddress

from events import actor_name, actor_of, canonical, parse_time, type_of


OCSF_ACTIVITIES = {
    "grant.activated": (3005, 1), "grant.ended": (3005, 2), "request.refused": (6003, 1), "decision.refused": (6003, 3),
    "request.submitted": (3004, 1), "token.added": (3004, 1), "notification.sent": (3004, 1), "token.revoked": (3004, 4),
    "grant.orphan_removed": (3004, 4), "texts.redacted": (3004, 4), "passkey.added": (3004, 6), "passkey.removed": (3004, 7),
    "grant.provisioned": (3004, 10), "grant.revoked": (3004, 11),
}
OCSF_METHODS = {
    "POST": 1, "PUT": 1, "COPY": 1, "MKCOL": 1, "GET": 2, "HEAD": 2, "OPTIONS": 2, "PROPFIND": 2, "REPORT": 2, "SEARCH": 2,
    "PATCH": 3, "PROPPATCH": 3, "MOVE": 3, "LOCK": 3, "UNLOCK": 3, "DELETE": 4,
}
OCSF_MAPPED = {"actor", "allowed", "code", "count", "error", "first_at", "last_at", "message", "method", "requester", "service", "source"}


def is_address(text):
    """Whether this is an IP address in canonical form (RFC 5952)."""
    if "%" in text or (":" in text and "." in text):
        return False
    try:
        return str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def ocsf_line(origin, index, raw, document, data):
    """One line of events.ocsf.jsonl."""
    def first(*names):
        return next((data[name] for name in names if isinstance(data.get(name), str)), None)

    def without_none(**members):
        return {name: value for name, value in members.items() if value is not None}

    kind = type_of(document)
    actor = actor_of(data)
    string = lambda value: value if isinstance(value, str) else None
    request, uid = string(document.get("correlationid")), document["id"]
    class_uid, activity = OCSF_ACTIVITIES.get(kind, (3004, 3))
    if kind == "grant.used":
        class_uid, activity = 6003, OCSF_METHODS.get(string(data.get("method")), 99)
    failed = kind.endswith("failed") or kind == "message.dead_lettered"
    refused = failed or kind.endswith(".refused") or (kind == "grant.used" and data.get("allowed") is False)
    who = actor_name(data)
    user = without_none(full_name=string(actor.get("display_name")), name=who if isinstance(who, str) else "unknown", uid=string(actor.get("id")))
    rest = {name: value for name, value in data.items() if name not in OCSF_MAPPED and value is not None}
    detail = first("message")
    made = without_none(
        activity_id=activity, actor={"app_name": "Lockbox"} if actor.get("kind") == "lockbox" else {"user": user},
        category_uid=class_uid // 1000, class_uid=class_uid, message=kind, raw_data=raw,
        metadata=without_none(
            correlation_uid=request, event_code=kind, log_name=origin, product={"name": "Lockbox", "vendor_name": "Lockbox"},
            profiles=["host"] if class_uid // 1000 == 3 else None, sequence=index,
            tenant_uid=string(document.get("tenant")), uid=uid, version="1.3.0"),
        severity_id=3 if failed or kind == "grant.orphan_removed" else 2 if refused else 1,
        status_code=first("code"), status_detail=detail if detail is not None else first("error"),
        status_id=2 if refused else 1, time=parse_time(document["time"]) // 1000, type_uid=class_uid * 100 + activity,
        unmapped=rest or None)
    if class_uid == 3005:
        made["privileges"] = [data["service"] if first("service") is not None else "access"]
        made["resource"] = without_none(name=first("resource"), type=first("service"), uid=request if request is not None else uid)
        made["user"] = {"name": data["requester"] if first("requester") is not None else "unknown"}
    elif class_uid == 6003:
        operation = first("method", "command")
        operation = "unknown" if operation is None else operation
        auth = actor.get("auth") if isinstance(actor.get("auth"), dict) else {}
        source, method = first("source"), string(auth.get("method"))
        if source:
            made["src_endpoint"] = {"ip": source} if is_address(source) else {"name": source}
        else:
            made["src_endpoint"] = {"svc_name": "unknown" if method is None else method}
        millis = lambda name: None if parse_time(data.get(name)) is None else parse_time(data.get(name)) // 1000
        made["api"] = {"operation": operation, "service": {"name": "gate" if kind == "grant.used" else "commands"}}
        made.update(without_none(
            activity_name=operation if activity == 99 else None, count=data.get("count") if is_integer(data.get("count")) else None,
            end_time=millis("last_at"), resources=None if first("resource") is None else [{"name": first("resource")}],
            start_time=millis("first_at")))
    else:
        entity_uid = first("request", "dead_letter", "notification", "credential", "grant")
        made["entity"] = without_none(
            name=first("service_request", "recipient", "log", "person", "note"), type=kind.split(".")[0],
            uid=uid if entity_uid is None else entity_uid)
    return canonical(made) + "\n"
