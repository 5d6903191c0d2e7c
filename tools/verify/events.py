"""Format chapter 2: events in RFC 8785 form, their times, ids and actors, and the commitments to free text."""
import binascii
import datetime
import hashlib
import json
import re

from checkpoints import Key, Malformed


def _reject(_):
    raise Malformed("it has a number that is not an integer")


def _number(text):
    number = int(text)
    if abs(number) > 2**53 - 1:
        raise Malformed("it has a number beyond 2^53-1")
    return number


def canonical(value):
    """Serializes in RFC 8785 form. Correct for the documents of events, whose numbers are integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_event(data, strict):
    """Parses an event. Returns None when it is not in the documented format. Accepts other forms unless strict."""
    try:
        text = data.decode("utf-8")
        if strict:
            document = json.loads(text, parse_float=_reject, parse_int=_number, parse_constant=_reject)
            if canonical(document) != text:
                return None
        else:
            document = json.loads(text, parse_constant=_reject)
    except (ValueError, Malformed, RecursionError):
        return None
    try:
        kind = document["type"]
        if not kind.startswith("lockbox.") or not is_uuid(document["id"]) or parse_time(document["time"]) is None:
            return None
    except (KeyError, TypeError, AttributeError):
        return None
    return document


def is_uuid(text):
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", text) is not None


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z")
EPOCH = datetime.datetime(1970, 1, 1)


def parse_time(text):
    """Parses a time into microseconds since 1970. Returns None when it is not in the documented form."""
    match = TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        at = datetime.datetime(year, month, day, hour, minute, second) - EPOCH
    except ValueError:
        return None
    return (at.days * 86400 + at.seconds) * 1000000 + int((match.group(7) or "").ljust(6, "0"))


def key_in(data, name):
    """The public key in this member. Returns None when there is no valid key."""
    try:
        return Key(data[name]) if isinstance(data.get(name), str) else None
    except (Malformed, ValueError):
        return None


def data_of(document):
    return document.get("data") if isinstance(document.get("data"), dict) else {}


def actor_of(data):
    return data.get("actor") if isinstance(data.get("actor"), dict) else {}


def type_of(document):
    """The type without the prefix lockbox. and without the version."""
    name = document["type"][len("lockbox."):]
    return name.rsplit(".", 1)[0]


def actor_name(data):
    """The name of the actor, or the kind of actor when there is no name."""
    actor = actor_of(data)
    return actor.get("name") if isinstance(actor.get("name"), str) else actor.get("kind")


def is_committed(data, text):
    """Whether the salt and the text match the commitment in the data of the event."""
    try:
        salt, content = binascii.unhexlify(text["salt"]), text["text"].encode()
        return len(salt) == 32 and data[text["field"]]["committed"] == hashlib.sha256(salt + content).hexdigest()
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
