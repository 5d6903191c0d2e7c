"""Format chapter 11, rules 9 and 10: access only inside its grant, and times that agree with heartbeats and cosignatures."""
from contents import content_of
from events import data_of, parse_time, type_of
from resources import is_below
from rules import SECOND

TOLERANCE = 3600 * SECOND
LATE_USE = 60 * SECOND


class Grants:
    """The content, the activation and the end of each request in a log."""

    def __init__(self, events):
        self.contents, self.activated, self.ended = {}, {}, {}
        for _, document, at in events:
            kind, request = type_of(document), request_of(document)
            if kind == "request.submitted":
                self.contents.setdefault(request, content_of(data_of(document)))
            elif kind == "grant.activated":
                self.activated.setdefault(request, (at, data_of(document)))
            elif kind == "grant.ended":
                self.ended.setdefault(request, at)

    def faults(self, document, at, is_complete):
        """Why access is outside its grant. `is_complete`: the stream of the request starts in the bundle."""
        kind, data, request = type_of(document), data_of(document), request_of(document)
        if kind == "grant.used" and data.get("allowed") is True:
            if request is None or data.get("request") != request:
                return ["access was used without a request"]
        elif kind != "grant.provisioned":
            return []
        if request not in self.activated:
            return ["access was %s without a grant" % kind.split(".")[1]] if is_complete else []
        activated, grant = self.activated[request]
        opens, closes = parse_time(grant.get("access_from")), parse_time(grant.get("access_until"))
        if kind == "grant.provisioned":
            is_inside = closes is not None and activated - SECOND <= at <= closes + LATE_USE
            return [] if is_inside else ["access was provisioned outside the time of its grant"]
        first, last, ended = parse_time(data.get("first_at")), parse_time(data.get("last_at")), self.ended.get(request)
        is_inside = (None not in (first, last, opens, closes) and opens <= first <= last < closes
                     and (ended is None or last <= ended + LATE_USE))
        faults = [] if is_inside else ["access was used outside the time of its grant"]
        content, resource = self.contents.get(request), data.get("resource")
        if content is not None:
            granted = content.get("resource")
            if not isinstance(granted, str) or not isinstance(resource, str) or not is_below(granted, resource):
                faults.append("access was used for a resource outside its grant")
        return faults


def request_of(document):
    return document.get("correlationid") if isinstance(document.get("correlationid"), str) else None


def clock_faults(events, cosigned):
    """Events whose time cannot be true, as (index, document, message).

    `cosigned` has (size, time) of each valid cosignature: the entries before that size existed at that time.
    """
    faults, heartbeat = [], None
    limits = sorted(cosigned, reverse=True)  # from the largest checkpoint to the smallest
    least = []  # (size, the least time of a cosignature under a checkpoint of at least that size)
    for size, seconds in limits:
        least.append((size, min([seconds * SECOND] + [least[-1][1]] if least else [seconds * SECOND])))
    for index, document, at in events:
        if heartbeat is not None and at < heartbeat - TOLERANCE:
            faults.append((index, document, "the event is more than an hour older than a heartbeat before it in the log"))
        while least and least[-1][0] <= index:
            least.pop()
        if least and at > least[-1][1] + TOLERANCE:
            faults.append((index, document, "the event is more than an hour later than a witness signed it"))
        if type_of(document) == "log.heartbeat":
            heartbeat = at
    return faults
