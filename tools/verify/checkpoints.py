"""Format chapter 5: public keys, signed notes and checkpoints (C2SP)."""
import base64
import binascii
import hashlib
import re

from ed25519 import is_valid_signature


# The types of keys.
LOG, WITNESS = 1, 4


class Malformed(Exception):
    """The input is not in its documented format."""


def decode_base64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("it is not base64")
    if base64.b64encode(data).decode() != text:
        raise Malformed("it is not base64")
    return data


class Key:
    """A public key in the text form name+id+base64."""

    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Malformed("it is not a public key")
        self.text, self.name, data = text, parts[0], decode_base64(parts[2])
        if len(data) != 33 or data[0] not in (LOG, WITNESS) or not self.name:
            raise Malformed("it is not a public key")
        self.kind, self.key = data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != parts[1]:
            raise Malformed("it is not a public key")

    def verify(self, text, signature):
        if self.kind == LOG:
            return is_valid_signature(self.key, text.encode(), signature)
        if len(signature) < 8:
            return False
        seconds = int.from_bytes(signature[:8], "big")
        return is_valid_signature(self.key, ("cosignature/v1\ntime %d\n%s" % (seconds, text)).encode(), signature[8:])


class Note:
    """A signed note. `checkpoint` is (origin, size, root), or None when the text is not a checkpoint."""

    def __init__(self, data):
        try:
            note = data.decode("utf-8") if isinstance(data, bytes) else data
        except UnicodeDecodeError:
            raise Malformed("it is not UTF-8")
        if len(note) > 1000000 or any((ord(c) < 32 or ord(c) == 127) and c != "\n" for c in note):
            raise Malformed("it is not a signed note")
        split = note.rfind("\n\n")
        if split < 1 or not note.endswith("\n") or split + 2 >= len(note):
            raise Malformed("it is not a signed note")
        self.whole, self.text, self.signatures = note, note[:split + 1], []
        for line in note[split + 2:-1].split("\n"):
            words = line.split(" ", 2)
            if len(words) != 3 or words[0] != "\u2014" or not words[1] or "+" in words[1]:
                raise Malformed("it has a malformed signature line")
            blob = decode_base64(words[2])
            if len(blob) < 5:
                raise Malformed("it has a malformed signature line")
            self.signatures.append((words[1], blob[:4], blob[4:]))
        self.checkpoint = None
        lines = self.text.split("\n")
        if len(lines) == 4 and lines[0] and re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
            try:
                root = decode_base64(lines[2])
            except Malformed:
                return
            if len(root) == 32:
                self.checkpoint = (lines[0], int(lines[1]), root)

    def open(self, keys):
        """Returns (checkpoint, None) when a log key signed and no log key's signature is invalid, else (None, reason)."""
        has_log_signature = False
        for name, key_id, signature in self.signatures:
            for key in keys:
                if key.kind == LOG and key.name == name and key.id == key_id:
                    if not key.verify(self.text, signature):
                        return None, "the signature of %s is invalid" % name
                    has_log_signature = has_log_signature or (self.checkpoint and self.checkpoint[0] == name)
        if not has_log_signature:
            return None, "no trusted key of this log signed it"
        return self.checkpoint, None
