"""Format chapter 7: verifies a bundle and collects the findings."""
import datetime
import hashlib
import json

from archive import read_entries, read_proof
from checkpoints import Key, Malformed, Note
from consent import Consent, Trust
from entries import ENTRY, Streams
from events import canonical, data_of, is_committed, parse_time, read_event, type_of
from findings import CHANGED, MISSING, NOT_VERIFIED, SIGNATURE, SPLIT_VIEW, STALE, Finding, exit_code
from leaves import Leaves, roots_at
from ocsf import ocsf_line
from tree import leaf_hash, tile_path, upper_tiles, verify_inclusion
from views import CSV_HEAD, csv_line

BUNDLE_FILES = {"bundle.json", "checkpoint", "keys.txt", "texts.jsonl", "SHA256SUMS", "README.txt", "ENGINEER.txt",
                "verify.html", "events.jsonl", "events.csv", "events.ocsf.jsonl"}


PROOFS = ("proofs/", "authority/")


class Examination:
    """Verifies the files of a bundle with trusted keys, pinned checkpoints, a list of (name, Note), and an authority."""

    def __init__(self, files, damage, keys, pinned, max_age=None, trust=None):
        self.files, self.keys, self.pinned, self.max_age, self.trust = files, keys, pinned, max_age, trust or Trust()
        self.findings, self.remarks, self.origin, self.leaves, self.consent = [], [], None, Leaves(), None
        self.has_key, self.size, self.first, self.end = bool(keys), 0, 0, 0
        self.streams = Streams(None, 0, self.findings)
        if damage:
            self.find(MISSING, "the archive is damaged: " + damage)

    def find(self, code, message, index=None, document=None):
        self.findings.append(Finding(code, message, index, document))

    def code(self):
        return exit_code(self.findings)

    def run(self):
        if not self.read_manifest():
            return self
        if not self.keys:
            self.remarks.append("no trusted key was given, so the key in the bundle was used; "
                                "compare it with the key that you received when the service started, and pass it with --key")
            for line in self.files.get("keys.txt", b"").decode("utf-8", "replace").splitlines():
                try:
                    self.keys.append(Key(line))
                except Malformed:
                    pass
        self.read_notes()
        self.check_sums()
        if (self.size + 255) // 256 > len(self.files):  # a forged size would make the loop below run almost forever
            self.find(MISSING, "most of the Merkle tree is missing or cannot be read")
            self.size = self.end = 0
        self.check_tiles()
        self.check_views()
        self.check_proofs()
        self.check_checkpoints()
        self.check_consent()
        self.check_age()
        self.check_trust()
        return self

    def read_manifest(self):
        try:
            manifest = json.loads(self.files["bundle.json"].decode())
            self.origin, self.size, self.first, self.end = (manifest[name] for name in ("origin", "size", "first", "end"))
            is_valid = manifest["v"] == 1 and self.first % 256 == 0 and 0 <= self.first <= self.end and (
                self.end == self.size or (self.end < self.size and self.end % 256 == 0))
            if not is_valid or parse_time(manifest["made_at"]) is None:
                raise ValueError
            head = self.files["checkpoint"].decode()
        except (KeyError, ValueError, TypeError, RecursionError):
            self.find(MISSING, "bundle.json or checkpoint is missing or cannot be read")
            return False
        self.streams = Streams(self.origin, self.first, self.findings)
        try:
            self.head = Note(head)
            self.head_size = self.head.checkpoint[1] if self.head.checkpoint else 0
        except Malformed as fault:
            self.head, self.head_size = None, 0
            self.find(SIGNATURE, "the checkpoint cannot be read: %s" % fault)
        if self.head_size != self.size:
            self.find(CHANGED, "bundle.json has a size of %d entries, the checkpoint has %d" % (self.size, self.head_size))
        return True

    def read_notes(self):
        """Reads earlier checkpoints: those in checkpoints/, and those of proofs that differ from the checkpoint."""
        self.earlier, self.proofs = [], {}
        for name in sorted(self.files):
            if name.startswith("checkpoints/"):
                try:
                    self.earlier.append((name, Note(self.files[name])))
                except Malformed as fault:
                    self.find(SIGNATURE, "%s: %s" % (name, fault))
        for name in sorted(self.files):
            if name.startswith(PROOFS):
                try:
                    self.proofs[name] = read_proof(self.files[name])
                except Malformed:
                    self.find(CHANGED, "%s is not a valid proof of its entry" % name)
                    continue
                note = self.proofs[name][3]
                if self.head is None or note.whole != self.head.whole:
                    self.earlier.append((name, note))

    def check_sums(self):
        if "SHA256SUMS" not in self.files:
            self.find(MISSING, "SHA256SUMS is missing")
            return
        unlisted = set(self.files) - {"SHA256SUMS"}
        try:
            lines = self.files["SHA256SUMS"].decode("utf-8").split("\n")
        except UnicodeDecodeError:
            self.find(MISSING, "SHA256SUMS cannot be read")
            return
        for line in lines[:-1] if lines[-1] == "" else lines:
            digest, separator, name = line.partition("  ")
            if not separator:
                self.find(CHANGED, "SHA256SUMS has a malformed line")
                continue
            unlisted.discard(name)
            if name not in self.files:
                self.find(MISSING, "the file %s is missing" % name)
            elif hashlib.sha256(self.files[name]).hexdigest() != digest:
                self.find(CHANGED, "the file %s does not match its checksum in SHA256SUMS" % name)
        for name in unlisted:
            self.find(CHANGED, "the file %s is not listed in SHA256SUMS" % name)

    def check_tiles(self):
        """Reads the leaf tiles with their entries, compares the upper tiles, and reports files that do not belong."""
        known = set(BUNDLE_FILES)
        for first in range(0, self.size, 256):
            width = min(256, self.size - first)
            path = "tile/0/" + tile_path(first // 256, width)
            known.add(path)
            tile = self.files.get(path)
            if tile is None or len(tile) != 32 * width:
                self.find(MISSING, "%s is missing or has the wrong size" % path)
                tile = None
            entries = []
            if self.first <= first < self.end:
                path = "tile/entries/" + tile_path(first // 256, width)
                known.add(path)
                entries = self.read_entries(path, width)
            for place in range(width):
                recorded = tile[32 * place:32 * place + 32] if tile else None
                entry = entries[place] if place < len(entries) else None
                actual = leaf_hash(entry) if entry is not None else None
                self.leaves.add(recorded, actual)
                if entry is not None:
                    self.streams.add_entry(first + place, entry, actual)
        leaves = self.leaves.best()
        if None not in leaves:
            for path, data in upper_tiles(leaves).items():
                known.add(path)
                if path not in self.files:
                    self.find(MISSING, "%s is missing" % path)
                elif self.files[path] != data:
                    self.find(CHANGED, "%s does not match the hashes of the tiles below it" % path)
        for name in self.files:
            if name not in known and not name.startswith(("checkpoints/",) + PROOFS):
                self.find(CHANGED, "the file %s does not belong in this bundle" % name)

    def read_entries(self, path, width):
        entries = []
        try:
            entries = read_entries(self.files.get(path, b""))
        except Malformed:
            self.find(CHANGED, "%s ends inside an entry" % path)
        if len(entries) > width:
            self.find(CHANGED, "%s holds more entries than its tile has leaves" % path)
        return entries

    def read_texts(self):
        """The lines of texts.jsonl by event id. Malformed lines are None under the id ""."""
        texts, lines = {}, self.files.get("texts.jsonl", b"").split(b"\n")
        for line in lines[:-1] if lines[-1] == b"" else lines:
            try:
                text = json.loads(line.decode("utf-8"))
                # An extra or duplicate member could show different text in another program.
                if canonical(text).encode() != line or len(text) != 4 or line is lines[-1]:
                    raise ValueError
                texts.setdefault(text["event"], []).append(text)
            except (ValueError, KeyError, TypeError, RecursionError):
                texts.setdefault("", []).append(None)
        return texts

    def check_views(self):
        expected = {"events.jsonl": [], "events.csv": [CSV_HEAD], "events.ocsf.jsonl": []}
        is_complete = sum(actual is not None for actual in self.leaves.actual) >= self.end - self.first
        texts = self.read_texts()
        for index, raw, document in self.streams.entries:
            data, text = data_of(document), raw.decode("utf-8", "replace")
            expected["events.jsonl"].append(text + "\n")
            expected["events.csv"].append(csv_line(index, document, data))
            expected["events.ocsf.jsonl"].append(ocsf_line(self.origin, index, text, document, data))
            for text in texts.pop(document["id"], []):
                if not is_committed(data, text):
                    self.find(CHANGED, "a text in texts.jsonl does not match its commitment", index, document)
        for name, lines in expected.items():
            if name not in self.files:
                self.find(MISSING, "%s is missing" % name)
                continue
            computed, found = "".join(lines).encode("utf-8", "replace"), self.files[name]
            if found != computed if is_complete else not found.startswith(computed):
                self.find(CHANGED, "%s differs from the entries" % name)
        if texts and is_complete:
            self.find(CHANGED, "texts.jsonl has text of events that are not in the bundle")

    def check_proofs(self):
        """Checks the proofs, and collects the statements that they prove."""
        self.proved = []
        for name, (entry, index, path, note) in self.proofs.items():
            match = ENTRY.fullmatch(entry) if entry is not None else None
            document = read_event(match.group(1), False) if match else None
            is_valid = (document is not None and note.checkpoint is not None
                        and name in ("proofs/%s.tlog-proof" % document["id"], statement_file(document))
                        and verify_inclusion(leaf_hash(entry), index, note.checkpoint[1], path, note.checkpoint[2]))
            if not is_valid:
                self.find(CHANGED, "%s is not a valid proof of its entry" % name)
            elif name.startswith("authority/") and not self.first <= index < self.end and read_event(match.group(1), True):
                self.proved.append((index, document, parse_time(document["time"])))
        for index, document, _ in self.streams.events:
            name = statement_file(document)
            if name is not None and name not in self.files:
                self.find(MISSING, "%s is missing" % name, index, document)

    def check_checkpoints(self):
        """Checks the signatures, the earlier and pinned checkpoints, and the signed root."""
        sizes = {note.checkpoint[1] for _, note in self.earlier + self.pinned if note.checkpoint}
        roots = roots_at(sizes | {self.head_size}, self.leaves.best())
        keys = self.follow_key_changes(roots)
        self.valid_notes = [note for note in [self.head, *(note for _, note in self.earlier + self.pinned)]
                            if note is not None and note.open(keys)[0]]
        head = None
        if self.head:
            head, reason = self.head.open(keys)
            if not head:
                self.find(SIGNATURE, "the checkpoint: " + reason)
            elif head[0] != self.origin:
                self.find(SIGNATURE, "the checkpoint belongs to another log, %s" % head[0])
        for name, note in self.earlier + self.pinned:
            self.check_earlier(name, note, keys, head, roots)
        if self.head is not None and self.head.checkpoint is not None:
            size, signed = self.head.checkpoint[1:]
            self.findings += self.leaves.check_root(size, signed, roots, (self.first, self.end))

    def follow_key_changes(self, roots):
        """The trusted keys, and the keys that signed key change entries derive from them."""
        keys, has_grown = list(self.keys), True
        notes = [note for _, note in self.earlier] + ([self.head] if self.head else [])
        while has_grown:
            has_grown = False
            for note in notes:
                checkpoint, _ = note.open(keys)
                if not checkpoint or roots.get(checkpoint[1]) != checkpoint[2]:
                    continue
                for index, key, previous in self.streams.key_changes:
                    texts = [one.text for one in keys]
                    if index < checkpoint[1] and previous and previous.text in texts and key.text not in texts:
                        keys.append(key)
                        has_grown = True
        return keys

    def check_earlier(self, name, note, keys, head, roots):
        earlier, reason = note.open(keys)
        if not earlier:
            self.find(SIGNATURE, "%s: this earlier checkpoint is not valid: %s" % (name, reason))
        elif head and earlier[0] != head[0]:
            self.find(SIGNATURE, "%s: this checkpoint belongs to another log" % name)
        elif head and earlier[1] > head[1]:
            self.find(STALE, "%s: this checkpoint covers %d entries, but the log has only %d" % (name, earlier[1], head[1]))
        elif head and earlier[1] in roots and roots[earlier[1]] != earlier[2]:
            if roots.get(head[1]) == head[2] or (earlier[1] == head[1] and earlier[2] != head[2]):
                self.find(SPLIT_VIEW, "%s: the first %d entries of the log differ from those that this checkpoint signed"
                          % (name, earlier[1]))

    def check_consent(self):
        tenant = self.origin.rsplit("/t/", 1)[1] if "/t/" in self.origin else "vendor"
        consent = Consent(tenant, self.streams.events, self.proved, self.streams.partial, self.trust)
        self.consent = consent.run(self.head, self.valid_notes)
        self.findings += consent.findings

    def check_trust(self):
        """Without a finding, says what was not verified: the result is valid only with a log key and an authority."""
        is_operator_log = "/t/" not in self.origin
        reasons = [] if self.has_key else ["no trusted log key was given: pass --key"]
        if not is_operator_log and not self.consent.is_founded():
            reasons.append("this tenant has no authority of its own")
        elif not is_operator_log and self.trust.authority is None:
            reasons.append("no authority was given: pass --authority with the file or the fingerprint that the tenant keeps")
        if not self.findings:
            for reason in reasons:
                self.find(NOT_VERIFIED, reason)

    def check_age(self):
        if self.max_age is not None:
            now, newest = datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000000, self.streams.newest
            if newest is None or now - newest > self.max_age * 1000000:
                self.find(STALE, "the newest entry is older than %d s" % self.max_age)


def statement_file(document):
    """The name of the file that proves this statement of the authority. None when the event records no statement."""
    statement = data_of(document).get("statement")
    version = statement.get("version") if isinstance(statement, dict) else None
    return "authority/%d.tlog-proof" % version if type_of(document) == "authority.changed" and type(version) is int else None
