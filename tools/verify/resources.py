"""Format chapter 11: whether a resource is below another."""
import re
import unicodedata
import urllib.parse

CUT_LENGTH = 1024
STANDARD_PORTS = {"https": ":443", "http": ":80"}
# Characters that look like a separator.
LOOKALIKES = "\uff0e\uff0f\uff3c\u2044\u2215\u29f8"
ENCODED = re.compile("%[0-9A-Fa-f]{2}")


def is_below(granted, used):
    """Whether the used resource is the granted one or below it."""
    if "?" in granted:
        return False
    if len(used) == CUT_LENGTH and "/" in used:
        used = used[:used.rindex("/") + 1]
    place, other = _read(granted), _read(used)
    if place is None or other is None or place[0] != other[0]:
        return False
    return other[1][:len(place[1])] == place[1] if place[0].startswith("url ") else place[1] == other[1]


def _read(resource):
    """(kind, what is compared) of a resource. Returns None when it is not below anything."""
    if not 1 <= len(resource.encode("utf-8", "replace")) <= 4096 or any(unicodedata.category(c) == "Cc" for c in resource):
        return None
    if "://" in resource:
        return _read_url(resource)
    if "@" in resource:
        user, _, domain = resource.partition("@")
        is_address = all(part and not any(c in "@/\\ %" for c in part) for part in (user, domain))
        return ("mailbox", _lower(resource)) if is_address else None
    return "name", resource


def _lower(text):
    return re.sub("[A-Z]+", lambda match: match.group().lower(), text)


def _read_url(resource):
    scheme, _, rest = resource.partition("://")
    scheme = _lower(scheme)
    if scheme not in STANDARD_PORTS or "#" in rest or "\\" in rest:
        return None
    host, _, path = rest.partition("?")[0].partition("/")
    host = _lower(host)
    if host.endswith(STANDARD_PORTS[scheme]):
        host = host[:-len(STANDARD_PORTS[scheme])]
    if not re.fullmatch(r"[a-z0-9.:\[\]_-]+", host) or host.endswith("."):
        return None
    path = path[:-1] if path.endswith("/") else path
    segments = [_read_segment(segment) for segment in path.split("/")] if path else []
    return None if None in segments else ("url %s://%s" % (scheme, host), segments)


def _read_segment(segment):
    try:
        decoded = urllib.parse.unquote_to_bytes(segment).decode("utf-8")
    except UnicodeError:
        return None
    decoded = unicodedata.normalize("NFC", decoded)
    is_valid = (not any(c in "/\\" + LOOKALIKES or ord(c) < 32 or ord(c) == 127 for c in decoded)
                and not ENCODED.search(decoded) and decoded.partition(";")[0].strip(". "))
    return decoded if is_valid else None
