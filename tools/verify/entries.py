"""Format chapters 3 and 6: entries, their streams, and entries that change the log key."""
import re

from break_glass import BreakGlassPolicies
from events import data_of, key_in, parse_time, read_event, type_of
from findings import CHANGED, MISSING, RULE, Finding
from rules import STEP_TYPES, History

ENTRY = re.compile(rb'\{"event":(.*),"log":"([^"\\]*)","prev":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,18}),"v":(1)\}', re.S)


class Stream:
    """The state of a stream after its latest entry. `version` and `history` are None when the start is not available."""

    def __init__(self, seq, prev, version, history):
        self.seq, self.prev, self.version, self.history = seq, prev, version, history


class Streams:
    """Checks the entries of a log in order. `findings` is the list to which it adds what is wrong."""

    def __init__(self, origin, first, findings):
        self.origin, self.first, self.findings = origin, first, findings
        self.entries, self.key_changes, self.newest = [], [], None
        # (index, document, time) of the events in the documented format, and the requests whose stream starts before the bundle.
        self.events, self.partial = [], set()
        self.streams, self.ids, self.policies = {}, set(), BreakGlassPolicies()

    def add_entry(self, index, entry, leaf):
        def find(code, message, document=None):
            self.findings.append(Finding(code, message, index, document))

        match = ENTRY.fullmatch(entry)
        if not match:
            return find(RULE, "the entry is not in the documented format")
        raw, log, prev, seq, version_of_entry = match.groups()
        document = read_event(raw, version_of_entry == b"1")
        lenient = document if document is not None else read_event(raw, False)
        if lenient is not None:
            self.entries.append((index, raw, lenient))
        if document is None:
            return find(RULE, "the event in the entry is not in the documented format")
        try:
            log = log.decode()
        except UnicodeDecodeError:
            return find(RULE, "the entry is not in the documented format")
        find_here = lambda code, message: find(code, message, document)
        self.events.append((index, document, parse_time(document["time"])))
        self._check_log(log, document, find_here)
        self._check_key_change(index, document, find_here)
        self._check_stream(document, int(seq), bytes.fromhex(prev.decode()), leaf, find_here)
        return None

    def _check_log(self, log, document, find):
        if log != self.origin:
            find(RULE, "the entry belongs to another log, %s" % log)
        tenant = document.get("tenant") if isinstance(document.get("tenant"), str) else None
        if tenant != (self.origin.rsplit("/t/", 1)[1] if "/t/" in self.origin else None):
            find(RULE, "the event belongs to another tenant's log")
        if document["id"] in self.ids:
            find(RULE, "the log contains this event twice")
        self.ids.add(document["id"])
        at = parse_time(document["time"])
        self.newest = at if self.newest is None else max(self.newest, at)

    def _check_key_change(self, index, document, find):
        if type_of(document) != "log.key_changed":
            return
        key, previous = key_in(data_of(document), "key"), key_in(data_of(document), "previous")
        if key is None:
            find(RULE, "the key change event has no valid key")
        else:
            self.key_changes.append((index, key, previous))

    def _check_stream(self, document, seq, prev, leaf, find):
        name = document.get("correlationid") if isinstance(document.get("correlationid"), str) else ""
        if name not in self.streams:
            is_complete = self.first == 0 or seq == 1
            if not is_complete:
                self.partial.add(name or None)
            self.streams[name] = Stream(0, bytes(32), 0, History()) if is_complete else Stream(seq - 1, prev, None, None)
        stream = self.streams[name]
        if seq != stream.seq + 1:
            find(MISSING, "its stream continues with sequence number %d, expected %d" % (seq, stream.seq + 1))
        elif prev != stream.prev:
            find(CHANGED, "its prev hash does not match the entry before it in its stream")
        stream.seq, stream.prev = seq, leaf
        kind, at, data = type_of(document), parse_time(document["time"]), data_of(document)
        version = document.get("subjectversion")
        version = version if isinstance(version, int) and not isinstance(version, bool) else None
        if kind in STEP_TYPES and (version is None or name == ""):
            find(RULE, "%s is a lifecycle step but has no request id or no version" % kind)
        if version is not None and name != "":
            if stream.version is not None and version != stream.version + 1:
                find(MISSING, "the request continues with version %d, expected %d" % (version, stream.version + 1))
            stream.version = version
            if stream.history is not None:
                for message in stream.history.add_step(kind, at, data):
                    find(RULE, message)
        if self.first == 0:  # in a partial log, the policy may be in an entry before the first one
            for message in self.policies.check(kind, at, data, stream.history):
                find(RULE, message)
