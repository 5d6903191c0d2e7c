#!/usr/bin/env python3
"""Verifies an audit log bundle of Lockbox as docs/audit-format.md describes it; needs Python 3.8 and nothing else.

    verify.py BUNDLE [--key KEY]... [--checkpoint FILE]... [--max-age SECONDS]
    verify.py --batch LIST      one bundle a line: path, tab, key[, tab, checkpoint file]; prints path, tab, code

Exit codes: 0 good, 10 signature, 11 changed, 12 missing, 13 two histories, 14 stale, 16 rule broken.
"""
import argparse
import base64
import binascii
import datetime
import email
import functools
import hashlib
import html
import ipaddress
import json
import os
import re
import sys

SIGNATURE, FORK, CHANGED, GAP, RULE, STALE = 10, 13, 11, 12, 16, 14
GRAVEST_FIRST = [SIGNATURE, FORK, CHANGED, GAP, RULE, STALE]
NAMES = {10: "signature", 13: "two histories", 11: "changed", 12: "missing", 16: "rule broken", 14: "stale"}


# -- Ed25519 verification, RFC 8032 -----------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(data):
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = _add(q, p)
        p = _add(p, p)
        n >>= 1
    return q


_GY = 4 * pow(5, P - 2, P) % P
_GX = _recover_x(_GY, 0)
G = (_GX, _GY, 1, _GX * _GY % P)


@functools.lru_cache(maxsize=4096)
def ed25519_holds(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = _times(s, G), _add(r, _times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# -- The Merkle tree, RFC 6962 ----------------------------------------------------------------------------------------

def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def _join(hashes):
    """The root over subtrees of falling size, the right one first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class Tree:
    """Grows by leaves; knows its root at any moment and the tiles it consists of."""

    def __init__(self):
        self.size, self.stack, self.levels = 0, [], [[]]

    def push(self, leaf):
        node, n = leaf, self.size
        while n & 1:
            node, n = node_hash(self.stack.pop(), node), n >> 1
        self.stack.append(node)
        self.size += 1

    def root(self):
        return _join(self.stack) if self.stack else hashlib.sha256(b"").digest()


def upper_tiles(leaves):
    """Every tile above the leaves: path to bytes."""
    tiles, level, row = {}, 1, leaves
    while len(row) >= 256:
        above = []
        for start in range(0, len(row) - len(row) % 256, 256):
            part = row[start:start + 256]
            while len(part) > 1:
                part = [node_hash(part[i], part[i + 1]) for i in range(0, len(part), 2)]
            above.append(part[0])
        for start in range(0, len(above), 256):
            part = above[start:start + 256]
            tiles["tile/%d/%s" % (level, numbered(start // 256, len(part)))] = b"".join(part)
        level, row = level + 1, above
    return tiles


def numbered(index, width):
    path, rest = "%03d" % (index % 1000), index // 1000
    while rest:
        path, rest = "x%03d/%s" % (rest % 1000, path), rest // 1000
    return path if width == 256 else "%s.p/%d" % (path, width)


def includes(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    place, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(step, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, step)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


# -- Signed notes and checkpoints, C2SP -------------------------------------------------------------------------------

class Malformed(Exception):
    pass


def unbase64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("not base64")
    if base64.b64encode(data).decode() != text:
        raise Malformed("not base64")
    return data


class Key:
    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Malformed("not a key")
        self.text, self.name, data = text, parts[0], unbase64(parts[2])
        if len(data) != 33 or data[0] not in (1, 4) or not self.name:
            raise Malformed("not a key")
        self.kind, self.key = data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != parts[1]:
            raise Malformed("not a key")

    def holds(self, text, signature):
        if self.kind == 1:
            return ed25519_holds(self.key, text.encode(), signature)
        if len(signature) < 8:
            return False
        seconds = int.from_bytes(signature[:8], "big")
        return ed25519_holds(self.key, ("cosignature/v1\ntime %d\n%s" % (seconds, text)).encode(), signature[8:])


class Note:
    def __init__(self, data):
        try:
            note = data.decode("utf-8") if isinstance(data, bytes) else data
        except UnicodeDecodeError:
            raise Malformed("not UTF-8")
        if len(note) > 1000000 or any((ord(c) < 32 or ord(c) == 127) and c != "\n" for c in note):
            raise Malformed("not a note")
        split = note.rfind("\n\n")
        if split < 1 or not note.endswith("\n") or split + 2 >= len(note):
            raise Malformed("not a note")
        self.whole, self.text, self.signatures = note, note[:split + 1], []
        for line in note[split + 2:-1].split("\n"):
            words = line.split(" ", 2)
            if len(words) != 3 or words[0] != "\u2014" or not words[1] or "+" in words[1]:
                raise Malformed("not a signature line")
            blob = unbase64(words[2])
            if len(blob) < 5:
                raise Malformed("not a signature line")
            self.signatures.append((words[1], blob[:4], blob[4:]))
        self.checkpoint = None
        lines = self.text.split("\n")
        if len(lines) == 4 and lines[0] and re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
            try:
                root = unbase64(lines[2])
            except Malformed:
                return
            if len(root) == 32:
                self.checkpoint = (lines[0], int(lines[1]), root)

    def opened(self, keys):
        """(origin, size, root) when the log's key signed and no known key's signature is wrong; else the reason."""
        by_log = False
        for name, key_id, signature in self.signatures:
            for key in keys:
                if key.name == name and key.id == key_id:
                    if not key.holds(self.text, signature):
                        return None, "the signature of %s does not hold" % name
                    by_log = by_log or (key.kind == 1 and self.checkpoint and self.checkpoint[0] == name)
        if not by_log:
            return None, "no trusted key of this log signed it"
        return self.checkpoint, None


DASH = "\u2014 "
BLOB = re.compile("[A-Za-z0-9+/=]+")


def notes_in(text):
    """Signed checkpoints in a text, quoted or not, with signature lines that a mail program may have folded."""
    lines = [line.lstrip("> \t|").rstrip() for line in text.splitlines()]
    found, place = [], 4
    while place < len(lines):
        if not lines[place].startswith(DASH) or lines[place - 1].startswith(DASH):
            place += 1
            continue
        note = lines[place - 4:place]
        while place < len(lines) and lines[place].startswith(DASH):
            line, place = lines[place], place + 1
            # The blob of an Ed25519 signature or cosignature ends with padding.
            while not line.endswith("=") and place < len(lines) and BLOB.fullmatch(lines[place]):
                line += ("" if " " in line[len(DASH):] else " ") + lines[place]
                place += 1
            note.append(line)
        try:
            found.append(Note("\n".join(note) + "\n"))
        except Malformed:
            pass
    return found


def notes_of(path):
    """Signed checkpoints in a file: a text, or a mail as it was saved."""
    with open(path, "rb") as file:
        data = file.read()
    plain, rich = [], []
    for part in email.message_from_bytes(data).walk():
        if part.get_content_maintype() == "text":
            text = (part.get_payload(decode=True) or b"").decode("utf-8", "replace")
            if part.get_content_subtype() == "html":
                rich += notes_in(html.unescape(re.sub("<[^>]*>", "", re.sub("<br[^>]*>(\r?\n)?", "\n", text))).replace("\u00a0", " "))
            else:
                plain += notes_in(text)
    return plain or rich or notes_in(data.decode("utf-8", "replace"))


# -- Files ------------------------------------------------------------------------------------------------------------

def read_tar(data):
    """Files of a POSIX archive and what is wrong with it."""
    files, at = {}, 0
    while True:
        block = data[at:at + 512]
        if len(block) < 512:
            return files, "it ends early"
        if block == bytes(512):
            rest = data[at + 512:]
            return files, None if len(rest) >= 512 and not any(rest) else "its end is not as it must be"
        total = sum(block[:148]) + 8 * 32 + sum(block[156:])
        kind = block[156:157]
        if block[148:156] != b"%06o\0 " % total or block[257:262] != b"ustar" or block[135] or kind not in (b"0", b"5"):
            return files, "a header is not as it must be"
        try:
            size = int(block[124:135], 8)
            name = block[:100].split(b"\0")[0].decode()
            prefix = block[345:500].split(b"\0")[0].decode()
        except (ValueError, UnicodeDecodeError):
            return files, "a header is not as it must be"
        at += 512
        end = at + size
        filled = end + -size % 512
        if len(data) < filled:
            return files, "it ends within a file"
        if any(data[end:filled]):
            return files, "there is something after a file"
        if kind == b"0":
            name = (prefix + "/" if prefix else "") + name
            while name.startswith("./"):
                name = name[2:]
            if name in files:
                return files, "a file is there twice"
            files[name] = data[at:end]
        at = filled


def read_bundle(path):
    if not os.path.isdir(path):
        with open(path, "rb") as archive:
            return read_tar(archive.read())
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                files[os.path.relpath(full, path).replace(os.sep, "/")] = file.read()
    return files, None


# -- Entries ----------------------------------------------------------------------------------------------------------

ENTRY = re.compile(rb'\{"event":(.*),"log":"([^"\\]*)","prev":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,18}),"v":(1)\}', re.S)


def _refuse(_):
    raise Malformed("a number that is not whole")


def _number(text):
    number = int(text)
    if abs(number) > 2**53 - 1:
        raise Malformed("a number that is too large")
    return number


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_event(data, strict):
    """The event's document; None when it is not in its format."""
    try:
        text = data.decode("utf-8")
        if strict:
            document = json.loads(text, parse_float=_refuse, parse_int=_number, parse_constant=_refuse)
            if canonical(document) != text:
                return None
        else:
            document = json.loads(text, parse_constant=_refuse)
    except (ValueError, Malformed, RecursionError):
        return None
    try:
        kind = document["type"]
        if not kind.startswith("lockbox.") or not is_uuid(document["id"]) or moment(document["time"]) is None:
            return None
    except (KeyError, TypeError, AttributeError):
        return None
    return document


def is_uuid(text):
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", text) is not None


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z")
EPOCH = datetime.datetime(1970, 1, 1)


def moment(text):
    """Microseconds since 1970; None when it is no time."""
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
    """The public key that an event names; None when it names none."""
    try:
        return Key(data[name]) if isinstance(data.get(name), str) else None
    except (Malformed, ValueError):
        return None


def kind_of(document):
    key = document["type"][len("lockbox."):]
    return key.rsplit(".", 1)[0]


def who_of(data):
    actor = data.get("actor") if isinstance(data.get("actor"), dict) else {}
    return actor.get("name") if isinstance(actor.get("name"), str) else actor.get("kind")


# -- The rules, section 7.6 -------------------------------------------------------------------------------------------

MOVES = {
    (None, "request.submitted", "pending_vendor"),
    ("pending_vendor", "request.vendor_approved", "pending_customer"),
    ("pending_vendor", "request.vendor_denied", "vendor_denied"),
    ("pending_vendor", "request.expired", "expired"),
    ("pending_vendor", "request.withdrawn", "withdrawn"),
    ("pending_vendor", "request.commented", "pending_vendor"),
    ("pending_customer", "request.customer_approved", "pending_customer"),
    ("pending_customer", "request.customer_denied", "customer_denied"),
    ("pending_customer", "request.expired", "expired"),
    ("pending_customer", "request.reminded", "pending_customer"),
    ("pending_customer", "request.withdrawn", "withdrawn"),
    ("pending_customer", "request.commented", "pending_customer"),
    ("pending_customer", "grant.activated", "active"),
    ("active", "grant.ended", "ended"),
    ("active", "request.commented", "active"),
    ("ended", "report.acknowledged", "ended"),
    ("ended", "report.disputed", "ended"),
}
# What only an emergency does.
EMERGENCIES = {
    ("pending_vendor", "request.break_glass_supported", "pending_vendor"),
    ("pending_vendor", "request.break_glass_approved", "pending_vendor"),
    ("pending_vendor", "grant.activated", "active"),
}
KINDS = {kind for _, kind, _ in MOVES | EMERGENCIES}
SECOND = 1000000
LONGEST_BREAK_GLASS = 4 * 3600


class History:
    """A request as its steps so far leave it."""

    def __init__(self):
        self.version, self.state, self.digest, self.requester, self.manager = 0, None, None, None, None
        self.yeses, self.required, self.asked, self.starts = [], 1, 0, None
        self.review_deadline = self.decision_deadline = self.until = self.last = self.emergency = self.supporter = None

    def all_yeses(self):
        if self.emergency:
            return self.state == "pending_vendor" and None not in (self.supporter, self.manager)
        return self.state == "pending_customer" and len(self.yeses) >= max(self.required, 1)

    def take(self, kind, at, data):
        broken = []

        def rule(holds, words):
            if not holds:
                broken.append(words)

        actor = data.get("actor") if isinstance(data.get("actor"), dict) else {}
        person = actor.get("id") if actor.get("kind") == "person" and is_uuid(actor.get("id")) else None
        side, start, to = actor.get("side"), data.get("from"), data.get("to")
        number = lambda name: data[name] if type(data.get(name)) is int else None
        time = lambda name: moment(data.get(name))
        rule(start == self.state, "each step starts in the state in which the previous step ended")
        move, emergency = (start, kind, to), break_glass_of(data)
        legal = move in MOVES or (self.emergency and move in EMERGENCIES) or (kind not in KINDS and start == to)
        rule(legal, "no %s leads from %s to %s" % (kind, start, to))
        rule(self.version == 0 or emergency == self.emergency, "break-glass access is under one break-glass policy from its submission to its end")
        rule(self.version == 0 or data.get("digest") == self.digest, "the content never changes")
        rule(self.last is None or at >= self.last - 1000000, "a step is not earlier than the previous step")
        rule(not self.all_yeses() or kind == "grant.activated", "after the last required approval, access becomes active and nothing else happens")
        decided = {"request.customer_approved", "request.customer_denied"}
        if kind == "request.submitted":
            rule(person and side == "vendor", "a request is submitted by a person of the vendor")
            rule(time("review_deadline") is not None and time("review_deadline") >= at, "a submission sets the review's deadline")
        elif kind in ("request.vendor_approved", "request.vendor_denied"):
            rule(person and side == "vendor", "the vendor review is made by a person of the vendor")
            rule(person != self.requester, "the requester does not review their own request")
            rule(person != self.supporter, "one person's approval counts once")
            rule(self.review_deadline is not None and at < self.review_deadline, "a vendor review counts only before its deadline")
            rule(kind.endswith("denied") or not self.emergency, "break-glass access needs two managers and a break-glass policy")
        elif kind in ("request.break_glass_supported", "request.break_glass_approved"):
            rule(self.emergency, "only break-glass access under a break-glass policy skips the customer's decision")
            rule(person and side == "vendor", "approvals of break-glass access are made by persons of the vendor")
            rule(person != self.requester, "the requester does not review their own request")
            rule(person != self.supporter, "break-glass access needs two different persons of the vendor")
            rule((self.supporter is None) == kind.endswith("supported"), "break-glass access needs two approvals, one after the other")
            rule(self.review_deadline is not None and at < self.review_deadline, "a vendor review counts only before its deadline")
        elif kind in decided:
            rule(person and side == "customer", "the customer's decision is made by a person of the customer")
            rule(person != self.requester, "the requester does not decide on their own request")
            rule(person != self.manager, "one person does not decide for both sides")
            rule(person not in [who for who, _ in self.yeses], "one person's approval counts once")
            rule(self.decision_deadline is not None and at < self.decision_deadline, "a decision counts only before its deadline")
            if kind == "request.customer_approved":
                allowed = number("duration_seconds")
                rule(allowed is not None and 1 <= allowed <= self.asked, "no longer access than was asked for")
                rule(number("approvals") == len(self.yeses) + 1, "each approval carries the number of approvals so far")
        elif kind == "grant.activated":
            if self.emergency:
                rule(self.all_yeses(), "break-glass access needs the approvals of two managers: at least one is missing")
                rule(self.asked <= LONGEST_BREAK_GLASS, "break-glass access is not longer than any break-glass policy can allow")
                deadline, start, shortest = self.review_deadline, at, self.asked
            else:
                rule(self.all_yeses(), "access needs both approvals: the customer's are missing")
                rule(self.manager is not None, "access needs both approvals: the manager's is missing")
                deadline, start = self.decision_deadline, max(at, self.starts or at)
                shortest = min([seconds for _, seconds in self.yeses] or [0])
            rule(deadline is not None and at < deadline, "access does not become active after the deadline")
            opens, closes = time("access_from"), time("access_until")
            rule(opens == start, "access opens with the last yes, or at the start asked for")
            rule(None not in (opens, closes) and closes == opens + shortest * SECOND, "access lasts as long as the shortest approved duration")
        elif kind == "grant.ended":
            rule(time("access_until") == self.until, "the end of access is set when access becomes active")
            rule({
                "expired": self.until is not None and at >= self.until,
                "revoked_by_customer": person and side == "customer",
                "revoked_by_vendor": person and side == "vendor" and person != self.requester,
                "released": person and person == self.requester,
                "ticket_closed": not person,
                "requester_disabled": not person,
            }.get(data.get("cause"), False), "access ends when its duration is over, or by somebody who may revoke it")
        elif kind == "request.expired":
            stage, deadline = ("vendor", self.review_deadline) if start == "pending_vendor" else ("customer", self.decision_deadline)
            rule(data.get("stage") == stage, "a request expires at the stage it is in")
            rule(time("deadline") == deadline, "the deadline never moves")
            rule(deadline is not None and at >= deadline, "a request expires at its deadline, not earlier")
        elif kind == "request.withdrawn":
            rule({
                "requester": person and person == self.requester,
                "ticket_closed": not person,
                "requester_disabled": not person,
            }.get(data.get("cause"), False), "taken back by the engineer, when they are disabled, or with its ticket")
        elif kind == "request.reminded":
            rule(time("decision_deadline") == self.decision_deadline, "the deadline never moves")
        elif kind in ("report.acknowledged", "report.disputed"):
            rule(person and side == "customer", "the response to the access report is made by a person of the customer")
            rule(person != self.requester, "the requester does not respond to the report on their own access")
        self.follow(kind, person, data, number, time)
        self.state, self.last, self.version = to, at, self.version + 1
        return broken

    def follow(self, kind, person, data, number, time):
        if kind == "request.submitted":
            self.digest, self.requester, self.review_deadline = data.get("digest"), person, time("review_deadline")
            self.starts = time("start_time")
            self.required = 1 if number("required_approvals") is None else number("required_approvals")
            self.asked = number("duration_seconds") or 0
            self.emergency = break_glass_of(data)
        elif kind == "request.break_glass_supported":
            self.supporter = person
        elif kind == "request.break_glass_approved":
            self.manager = person
        elif kind == "request.vendor_approved":
            self.manager, self.decision_deadline = person, time("decision_deadline")
        elif kind == "request.customer_approved" and person and number("duration_seconds") is not None:
            self.yeses.append((person, number("duration_seconds")))
        elif kind == "grant.activated":
            self.until = time("access_until")


def break_glass_of(data):
    """(name, digest) of the standing consent that a step names."""
    named = (data.get("break_glass"), data.get("break_glass_digest"))
    return named if all(isinstance(one, str) for one in named) else None


class Consents:
    """The standing consents of a log, by digest: the customer's yes to every emergency, given before it."""

    def __init__(self):
        self.given = {}

    def judge(self, kind, at, data, history):
        actor = data.get("actor") if isinstance(data.get("actor"), dict) else {}
        by_customer = actor.get("kind") == "person" and is_uuid(actor.get("id")) and actor.get("side") == "customer"
        if kind == "directory.changed":
            broken = []
            if isinstance(data.get("break_glass_policy"), dict):
                broken += self.give(data["break_glass_policy"], at, by_customer)
            if isinstance(data.get("break_glass_policy_ended"), str):
                broken += self.end(data["break_glass_policy_ended"], at, by_customer)
            return broken
        if history is None or history.emergency is None or kind not in ("request.submitted", "grant.activated"):
            return []
        return self.stand(history, at, data.get("service"), kind == "grant.activated")

    def give(self, document, at, by_customer):
        digest = hashlib.sha256(canonical(document).encode()).hexdigest()
        text = lambda name: document[name] if isinstance(document.get(name), str) else ""
        number = lambda name: document[name] if type(document.get(name)) is int else 0
        services = document["services"] if isinstance(document.get("services"), list) else []
        given = {"at": at, "name": text("name"), "services": [one for one in services if isinstance(one, str)],
                 "ceiling": number("ceiling_seconds"), "quota": number("quota"), "until": moment(text("until")) or 0,
                 "ended": None, "active": []}
        window = given["until"] - at
        narrow = (given["services"] and 1 <= given["ceiling"] <= LONGEST_BREAK_GLASS and 1 <= given["quota"] <= 100
                  and -SECOND < window <= 366 * 86400 * SECOND + SECOND)
        broken = [] if by_customer else ["a break-glass policy is created by a person of the customer"]
        broken += [] if narrow else ["a break-glass policy has services, a ceiling, a quota and an end, each within its limits"]
        broken += [] if digest not in self.given else ["a break-glass policy is created once"]
        self.given.setdefault(digest, given)
        return broken

    def end(self, digest, at, by_customer):
        given = self.given.get(digest)
        broken = [] if by_customer else ["a break-glass policy is revoked by a person of the customer"]
        if given is None:
            return broken + ["a break-glass policy is created before it is revoked"]
        if any(granted > at + SECOND for granted in given["active"]):
            broken.append("break-glass access does not use a revoked policy")
        if given["ended"] is None:
            given["ended"] = at
        return broken

    def stand(self, history, at, service, granted):
        name, digest = history.emergency
        given = self.given.get(digest)
        if given is None:
            return ["break-glass access needs a policy that the customer created before it"]
        if granted:
            given["active"].append(at)
        rules = [
            (given["name"] == name, "break-glass access names the policy that it uses"),
            (given["at"] <= at + SECOND, "break-glass access needs a policy that the customer created before it"),
            (given["ended"] is None or at <= given["ended"] + SECOND, "break-glass access does not use a revoked policy"),
            (at < given["until"], "break-glass access does not use a policy that is no longer valid"),
            (service in given["services"], "a break-glass policy covers its own services only"),
            (history.asked <= given["ceiling"], "break-glass access is not longer than its policy allows"),
            (len(given["active"]) <= given["quota"], "a break-glass policy is not used more often than its quota allows"),
        ]
        return [words for holds, words in rules if not holds]


# -- Views, section 9 -------------------------------------------------------------------------------------------------

CSV_HEAD = "index,time,type,tenant,request,step,who,side,from,to,event\r\n"


def csv_line(index, document, data):
    text = lambda value: value if isinstance(value, str) else ""
    actor = data.get("actor") if isinstance(data.get("actor"), dict) else {}
    version = document.get("subjectversion")
    cells = [
        str(index), document["time"], kind_of(document), text(document.get("tenant")), text(document.get("correlationid")),
        str(version) if isinstance(version, int) else "", text(who_of(data)), text(actor.get("side")),
        text(data.get("from")), text(data.get("to")), document["id"],
    ]
    out = []
    for cell in cells:
        if cell and cell[0] in "=+-@\t\r\0":
            cell = "'" + cell
        if any(c in cell for c in '",\r\n'):
            cell = '"' + cell.replace('"', '""') + '"'
        out.append(cell)
    return ",".join(out) + "\r\n"


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
    if "%" in text or (":" in text and "." in text):
        return False
    try:
        return str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def ocsf_line(origin, index, raw, document, data):
    def first(*names):
        return next((data[name] for name in names if isinstance(data.get(name), str)), None)

    def but_none(**members):
        return {name: value for name, value in members.items() if value is not None}

    kind = kind_of(document)
    actor = data.get("actor") if isinstance(data.get("actor"), dict) else {}
    string = lambda value: value if isinstance(value, str) else None
    request, uid = string(document.get("correlationid")), document["id"]
    class_uid, activity = OCSF_ACTIVITIES.get(kind, (3004, 3))
    if kind == "grant.used":
        class_uid, activity = 6003, OCSF_METHODS.get(string(data.get("method")), 99)
    failed = kind.endswith("failed") or kind == "message.dead_lettered"
    refused = failed or kind.endswith(".refused") or (kind == "grant.used" and data.get("allowed") is False)
    who = who_of(data)
    user = but_none(full_name=string(actor.get("display_name")), name=who if isinstance(who, str) else "unknown", uid=string(actor.get("id")))
    rest = {name: value for name, value in data.items() if name not in OCSF_MAPPED and value is not None}
    detail = first("message")
    made = but_none(
        activity_id=activity, actor={"app_name": "Lockbox"} if actor.get("kind") == "lockbox" else {"user": user},
        category_uid=class_uid // 1000, class_uid=class_uid, message=kind, raw_data=raw,
        metadata=but_none(
            correlation_uid=request, event_code=kind, log_name=origin, product={"name": "Lockbox", "vendor_name": "Lockbox"},
            profiles=["host"] if class_uid // 1000 == 3 else None, sequence=index,
            tenant_uid=string(document.get("tenant")), uid=uid, version="1.3.0"),
        severity_id=3 if failed or kind == "grant.orphan_removed" else 2 if refused else 1,
        status_code=first("code"), status_detail=detail if detail is not None else first("error"),
        status_id=2 if refused else 1, time=moment(document["time"]) // 1000, type_uid=class_uid * 100 + activity,
        unmapped=rest or None)
    if class_uid == 3005:
        made["privileges"] = [data["service"] if first("service") is not None else "access"]
        made["resource"] = but_none(name=first("resource"), type=first("service"), uid=request if request is not None else uid)
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
        millis = lambda name: None if moment(data.get(name)) is None else moment(data.get(name)) // 1000
        made["api"] = {"operation": operation, "service": {"name": "gate" if kind == "grant.used" else "commands"}}
        made.update(but_none(
            activity_name=operation if activity == 99 else None, count=data.get("count") if is_whole(data.get("count")) else None,
            end_time=millis("last_at"), resources=None if first("resource") is None else [{"name": first("resource")}],
            start_time=millis("first_at")))
    else:
        entity_uid = first("request", "dead_letter", "notification", "credential", "grant")
        made["entity"] = but_none(
            name=first("service_request", "recipient", "log", "person", "note"), type=kind.split(".")[0],
            uid=uid if entity_uid is None else entity_uid)
    return canonical(made) + "\n"


# -- The examination --------------------------------------------------------------------------------------------------

class Examination:
    def __init__(self, files, torn, keys, held, max_age=None):
        self.files, self.pinned, self.held, self.max_age = files, keys, held, max_age
        self.findings, self.remarks = [], []
        self.leaves, self.actual, self.entries = [], [], []
        self.streams, self.ids, self.key_changes, self.newest, self.requests = {}, set(), [], None, 0
        self.consents = Consents()
        if torn:
            self.find(GAP, "the archive is damaged: " + torn)

    def find(self, code, words, index=None, document=None):
        self.findings.append((code, words, index, document))

    def code(self):
        codes = {finding[0] for finding in self.findings}
        return next((code for code in GRAVEST_FIRST if code in codes), 0)

    def run(self):
        try:
            about = json.loads(self.files["bundle.json"].decode())
            self.origin, self.size, self.first, self.end = (about[name] for name in ("origin", "size", "first", "end"))
            sound = about["v"] == 1 and self.first % 256 == 0 and 0 <= self.first <= self.end and (
                self.end == self.size or (self.end < self.size and self.end % 256 == 0))
            if not sound or moment(about["made_at"]) is None:
                raise ValueError
            head = self.files["checkpoint"].decode()
        except (KeyError, ValueError, TypeError, RecursionError):
            self.find(GAP, "bundle.json or checkpoint is missing or cannot be read")
            return self
        try:
            self.head = Note(head)
            head_size = self.head.checkpoint[1] if self.head.checkpoint else 0
        except Malformed as fault:
            self.head, head_size = None, 0
            self.find(SIGNATURE, "the checkpoint cannot be read: %s" % fault)
        if head_size != self.size:
            self.find(CHANGED, "bundle.json speaks of %d entries, the checkpoint of %d" % (self.size, head_size))
        self.head_size = head_size
        if not self.pinned:
            self.remarks.append("the key was taken from the bundle itself; compare it with the one you were given")
            for line in self.files.get("keys.txt", b"").decode("utf-8", "replace").splitlines():
                try:
                    self.pinned.append(Key(line))
                except Malformed:
                    pass
        self.read_notes()
        self.sums()
        if (self.size + 255) // 256 > len(self.files):  # a size that only stands in a file
            self.find(GAP, "most of the tree is missing")
            self.size = self.end = 0
        self.walk()
        self.check_views()
        self.check_proofs()
        self.check_root(self.check_notes())
        self.check_age()
        return self

    def read_notes(self):
        self.older, self.proofs = [], {}
        for name in sorted(self.files):
            if name.startswith("checkpoints/"):
                try:
                    self.older.append((name, Note(self.files[name])))
                except Malformed as fault:
                    self.find(SIGNATURE, "%s: %s" % (name, fault))
        for name in sorted(self.files):
            if name.startswith("proofs/"):
                try:
                    self.proofs[name] = read_proof(self.files[name])
                except Malformed:
                    self.find(CHANGED, "%s does not prove what it says" % name)
                    continue
                note = self.proofs[name][3]
                if self.head is None or note.whole != self.head.whole:
                    self.older.append((name, note))

    def sums(self):
        if "SHA256SUMS" not in self.files:
            self.find(GAP, "SHA256SUMS is missing")
            return
        left = set(self.files) - {"SHA256SUMS"}
        try:
            lines = self.files["SHA256SUMS"].decode("utf-8").split("\n")
        except UnicodeDecodeError:
            self.find(GAP, "SHA256SUMS cannot be read")
            return
        for line in lines[:-1] if lines[-1] == "" else lines:
            digest, gap, name = line.partition("  ")
            if not gap:
                self.find(CHANGED, "SHA256SUMS has a line that is none")
                continue
            left.discard(name)
            if name not in self.files:
                self.find(GAP, "the file %s is missing" % name)
            elif hashlib.sha256(self.files[name]).hexdigest() != digest:
                self.find(CHANGED, "the file %s is not the one that was exported" % name)
        for name in left:
            self.find(CHANGED, "the file %s was put in after the export" % name)

    def walk(self):
        known = {"bundle.json", "checkpoint", "keys.txt", "texts.jsonl", "SHA256SUMS", "README.txt", "ENGINEER.txt",
                 "events.jsonl", "events.csv", "events.ocsf.jsonl"}
        self.roots_at = {note.checkpoint[1] for _, note in self.older + self.held if note.checkpoint}
        self.roots_at.add(self.head_size)
        for first in range(0, self.size, 256):
            width = min(256, self.size - first)
            path = "tile/0/" + numbered(first // 256, width)
            tile, entries = self.files.get(path), []
            known.add(path)
            if tile is None or len(tile) != 32 * width:
                self.find(GAP, "%s is missing or has not the size it must have" % path)
                tile = None
            if self.first <= first < self.end:
                path = "tile/entries/" + numbered(first // 256, width)
                known.add(path)
                try:
                    entries = read_entries(self.files.get(path, b""))
                except Malformed:
                    self.find(CHANGED, "%s ends within an entry" % path)
                if len(entries) > width:
                    self.find(CHANGED, "%s holds more entries than the tree has there" % path)
            for place in range(width):
                recorded = tile[32 * place:32 * place + 32] if tile else None
                entry = entries[place] if place < len(entries) else None
                self.leaf(first + place, recorded, entry)
        leaves = [recorded or actual for recorded, actual in zip(self.leaves, self.actual)]
        if None not in leaves:
            for path, data in upper_tiles(leaves).items():
                known.add(path)
                if path not in self.files:
                    self.find(GAP, "%s is missing" % path)
                elif self.files[path] != data:
                    self.find(CHANGED, "%s is not what the hashes below it make" % path)
        for name in self.files:
            if name not in known and not name.startswith(("checkpoints/", "proofs/")):
                self.find(CHANGED, "the file %s does not belong here" % name)

    def leaf(self, index, recorded, entry):
        actual = leaf_hash(entry) if entry is not None else None
        self.leaves.append(recorded)
        self.actual.append(actual)
        if entry is not None:
            self.entry(index, entry, actual)

    def entry(self, index, entry, leaf):
        match = ENTRY.fullmatch(entry)
        if not match:
            return self.find(RULE, "the entry is not in its format", index)
        raw, log, prev, seq, v = match.groups()
        document = read_event(raw, v == b"1")
        loose = document if document is not None else read_event(raw, False)
        if loose is not None:
            self.entries.append((index, raw, loose))
        if document is None:
            return self.find(RULE, "the event in the entry is not in its format", index)
        try:
            log = log.decode()
        except UnicodeDecodeError:
            return self.find(RULE, "the entry is not in its format", index)
        if log != self.origin:
            self.find(RULE, "the entry belongs to another log, %s" % log, index, document)
        if document["id"] in self.ids:
            self.find(RULE, "the same event is recorded twice", index, document)
        self.ids.add(document["id"])
        at, kind, seq = moment(document["time"]), kind_of(document), int(seq)
        self.newest = at if self.newest is None else max(self.newest, at)
        data = document.get("data") if isinstance(document.get("data"), dict) else {}
        if kind == "log.key_changed":
            key, previous = key_in(data, "key"), key_in(data, "previous")
            if key is None:
                self.find(RULE, "a change of the log's key names no key", index, document)
            else:
                self.key_changes.append((index, key, previous))
        name = document.get("correlationid") if isinstance(document.get("correlationid"), str) else ""
        version = document.get("subjectversion")
        version = version if isinstance(version, int) and not isinstance(version, bool) else None
        if name not in self.streams:
            whole = self.first == 0 or seq == 1
            before = 0 if whole else None
            self.streams[name] = [0, bytes(32), before, History()] if whole else [seq - 1, bytes.fromhex(prev.decode()), before, None]
        stream = self.streams[name]
        if seq != stream[0] + 1:
            self.find(GAP, "its stream goes on with %d where %d must follow" % (seq, stream[0] + 1), index, document)
        elif bytes.fromhex(prev.decode()) != stream[1]:
            self.find(CHANGED, "the entry before it in its stream is another than it was written after", index, document)
        stream[0], stream[1] = seq, leaf
        tenant = document.get("tenant") if isinstance(document.get("tenant"), str) else None
        if tenant != (self.origin.rsplit("/t/", 1)[1] if "/t/" in self.origin else None):
            self.find(RULE, "the event belongs to another tenant's log", index, document)
        if kind in KINDS and (version is None or name == ""):
            self.find(RULE, "%s is a step, and does not say of which request or which one" % kind, index, document)
        if version is not None and name != "":
            if stream[2] is not None and version != stream[2] + 1:
                self.find(GAP, "step %d of the request where step %d must follow" % (version, stream[2] + 1), index, document)
            stream[2] = version
            if stream[3] is not None:
                for words in stream[3].take(kind, at, data):
                    self.find(RULE, words, index, document)
        if self.first == 0:  # a consent may have been given before what is here
            for words in self.consents.judge(kind, at, data, stream[3]):
                self.find(RULE, words, index, document)
        return None

    def check_views(self):
        made = {"events.jsonl": [], "events.csv": [CSV_HEAD], "events.ocsf.jsonl": []}
        whole = sum(actual is not None for actual in self.actual) >= self.end - self.first
        texts = {}
        lines = self.files.get("texts.jsonl", b"").split(b"\n")
        for line in lines[:-1] if lines[-1] == b"" else lines:
            try:
                text = json.loads(line.decode("utf-8"))
                if canonical(text).encode() != line or len(text) != 4 or line is lines[-1]:
                    raise ValueError  # a member more, or one given twice, would show a reader another text
                texts.setdefault(text["event"], []).append(text)
            except (ValueError, KeyError, TypeError, RecursionError):
                texts.setdefault("", []).append(None)
        for index, raw, document in self.entries:
            data = document.get("data") if isinstance(document.get("data"), dict) else {}
            text = raw.decode("utf-8", "replace")
            made["events.jsonl"].append(text + "\n")
            made["events.csv"].append(csv_line(index, document, data))
            made["events.ocsf.jsonl"].append(ocsf_line(self.origin, index, text, document, data))
            for text in texts.pop(document["id"], []):
                if not committed(data, text):
                    self.find(CHANGED, "a text in texts.jsonl is not the one that was committed to", index, document)
        for name, lines in made.items():
            if name not in self.files:
                self.find(GAP, "%s is missing" % name)
                continue
            made_again, found = "".join(lines).encode("utf-8", "replace"), self.files[name]
            if found != made_again if whole else not found.startswith(made_again):
                self.find(CHANGED, "%s says something else than the entries" % name)
        if texts and whole:
            self.find(CHANGED, "texts.jsonl has texts of events that are not here")

    def check_proofs(self):
        for name, (entry, index, path, note) in self.proofs.items():
            match = ENTRY.fullmatch(entry) if entry is not None else None
            document = read_event(match.group(1), False) if match else None
            holds = (document is not None and note.checkpoint is not None
                     and name == "proofs/%s.tlog-proof" % document["id"]
                     and includes(leaf_hash(entry), index, note.checkpoint[1], path, note.checkpoint[2]))
            if not holds:
                self.find(CHANGED, "%s does not prove what it says" % name)

    def roots(self, leaves):
        """Root of the first n leaves for each n that a checkpoint names; up to the first leaf that is not there."""
        tree, roots = Tree(), {}
        for leaf in [*leaves, None]:
            if tree.size in self.roots_at:
                roots[tree.size] = tree.root()
            if leaf is None:
                return roots
            tree.push(leaf)

    def check_notes(self):
        """The keys that follow from the pinned ones, the head, and every earlier checkpoint."""
        recorded = self.roots([recorded or actual for recorded, actual in zip(self.leaves, self.actual)])
        self.recorded = recorded
        keys, grew = list(self.pinned), True
        notes = [note for _, note in self.older] + ([self.head] if self.head else [])
        while grew:
            grew = False
            for note in notes:
                checkpoint, _ = note.opened(keys)
                if not checkpoint or recorded.get(checkpoint[1]) != checkpoint[2]:
                    continue
                for index, key, previous in self.key_changes:
                    texts = [one.text for one in keys]
                    if index < checkpoint[1] and previous and previous.text in texts and key.text not in texts:
                        keys.append(key)
                        grew = True
        head = None
        if self.head:
            head, why = self.head.opened(keys)
            if not head:
                self.find(SIGNATURE, "the checkpoint: " + why)
            elif head[0] != self.origin:
                self.find(SIGNATURE, "the checkpoint is one of the log %s" % head[0])
        for name, note in self.older + self.held:
            earlier, why = note.opened(keys)
            if not earlier:
                self.find(SIGNATURE, "%s: this earlier checkpoint does not count: %s" % (name, why))
            elif head and earlier[0] != head[0]:
                self.find(SIGNATURE, "%s: it is a checkpoint of another log" % name)
            elif head and earlier[1] > head[1]:
                self.find(STALE, "%s: it speaks of %d entries and this log ends after %d" % (name, earlier[1], head[1]))
            elif head and earlier[1] in recorded and recorded[earlier[1]] != earlier[2]:
                if recorded.get(head[1]) == head[2] or (earlier[1] == head[1] and earlier[2] != head[2]):
                    self.find(FORK, "%s: the log signed then is not the beginning of the log signed now" % name)
        return head

    def check_root(self, head):
        if self.head is None or self.head.checkpoint is None:
            return
        size, signed = self.head.checkpoint[1:]
        nothing = [i for i, (r, a) in enumerate(zip(self.leaves, self.actual)) if r is None and a is None]
        if len(self.leaves) < size or (nothing and nothing[0] < size):
            self.find(GAP, "some of the entries that the checkpoint speaks of are missing", nothing[0] if nothing else len(self.leaves))
        if len(self.leaves) > size:
            self.find(CHANGED, "there are %d entries and %d are signed" % (len(self.leaves), size), size)
        mixed = [actual or recorded for recorded, actual in zip(self.leaves, self.actual)]
        if self.recorded.get(size) == signed:
            self.against_recorded()
        elif self.roots(mixed).get(size) == signed:
            self.find(CHANGED, "a recorded hash is not the entry's; the entry is right")
        elif size in self.recorded:
            self.find(CHANGED, "the entries do not lead to the signed root")
            self.against_recorded()

    def against_recorded(self):
        pairs = list(enumerate(zip(self.leaves, self.actual)))
        missing = {i for i, (_, actual) in pairs if actual is None and self.first <= i < self.end}
        other = {i: actual for i, (recorded, actual) in pairs if recorded and actual and recorded != actual}
        if not missing and not other:
            return
        there = {recorded or actual for i, (recorded, actual) in pairs if i not in missing and i not in other} | set(other.values())
        logged = {recorded or actual for recorded, actual in zip(self.leaves, self.actual)}
        found = False
        for i in sorted(missing | set(other)):
            gone, new = self.leaves[i] not in there, i in other and other[i] not in logged
            if gone and new:
                self.find(CHANGED, "this is not the entry that was logged here: it was changed", i)
            elif gone:
                self.find(GAP, "the entry that was logged here is gone", i)
            elif new:
                self.find(CHANGED, "this entry was never logged: it was put in", i)
            found = found or gone or new
        if not found:
            for i in sorted(other):
                self.find(CHANGED, "this entry was moved", i)

    def check_age(self):
        if self.max_age is not None:
            now = datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000000
            if self.newest is None or now - self.newest > self.max_age * 1000000:
                self.find(STALE, "the newest entry is older than %d s" % self.max_age)

    def tell(self):
        print("log         %s" % getattr(self, "origin", "?"))
        print("looked at   %d entries" % len(self.entries))
        for remark in self.remarks:
            print("note        %s" % remark)
        if not self.findings:
            print("\nGOOD: the log is what was signed, nothing is missing, and every step is by the rules.")
            return
        print("\nNOT GOOD: %d findings" % len(self.findings))
        for code, words, index, document in sorted(self.findings, key=lambda one: GRAVEST_FIRST.index(one[0]))[:100]:
            print("\n  %s: %s" % (NAMES[code], words))
            if index is not None:
                print("    entry %d" % index)
            if document:
                data = document.get("data") if isinstance(document.get("data"), dict) else {}
                print("    %s at %s, event %s, request %s, by %s" % (
                    kind_of(document), document["time"], document["id"], document.get("correlationid"), who_of(data)))


def committed(data, text):
    try:
        salt, words = binascii.unhexlify(text["salt"]), text["text"].encode()
        return len(salt) == 32 and data[text["field"]]["committed"] == hashlib.sha256(salt + words).hexdigest()
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def read_entries(data):
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 2], "big")
        if at + 2 > len(data) or at + 2 + length > len(data):
            raise Malformed("it ends within an entry")
        entries.append(data[at + 2:at + 2 + length])
        at += 2 + length
    return entries


def read_proof(data):
    """(extra, index, path, note)"""
    try:
        head, gap, note = data.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise Malformed("not a proof")
    lines = head.split("\n")
    if not gap or lines.pop(0) != "c2sp.org/tlog-proof@v1" or not lines:
        raise Malformed("not a proof")
    extra = None
    if lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0)[6:])
    if not lines or not re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[0]):
        raise Malformed("not a proof")
    path = [unbase64(line) for line in lines[1:]]
    if any(len(step) != 32 for step in path):
        raise Malformed("not a proof")
    return extra, int(lines[0][6:]), path, Note(note)


def verify(path, keys, held, max_age=None):
    files, torn = read_bundle(path)
    return Examination(files, torn, list(keys), held, max_age).run()


def batch(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            bundle, key, *held = line.rstrip("\n").split("\t")
            notes = []
            for name in held:
                notes += [(name, note) for note in notes_of(name)]
            print("%s\t%d" % (bundle, verify(bundle, [Key(key)], notes).code()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="a bundle: an archive or a folder")
    parser.add_argument("--key", action="append", default=[], help="a key you trust: name+id+base64")
    parser.add_argument("--checkpoint", action="append", default=[], help="a file with a checkpoint you kept, such as a mail")
    parser.add_argument("--max-age", type=int, help="how old the newest entry may be, in seconds")
    parser.add_argument("--batch", help="a list of bundles to verify in one process")
    given = parser.parse_args()
    if given.batch:
        batch(given.batch)
        return 0
    if not given.bundle:
        parser.error("a bundle is needed")
    held = []
    try:
        keys = [Key(text.strip()) for text in given.key]
    except Malformed:
        parser.error("a key has the form name+id+base64")
    for name in given.checkpoint:
        notes = notes_of(name)
        if not notes:
            parser.error("no checkpoint is in %s" % name)
        held += [(name, note) for note in notes]
    examined = verify(given.bundle, keys, held, given.max_age)
    examined.tell()
    return examined.code()


if __name__ == "__main__":
    sys.exit(main())
