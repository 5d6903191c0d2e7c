"""Format chapter 9, "Earlier checkpoints": finds checkpoints in texts and saved mails."""
import email
import html
import re

from checkpoints import Malformed, Note


DASH = "\u2014 "
BASE64 = re.compile("[A-Za-z0-9+/=]+")


def notes_in_text(text):
    """Finds signed checkpoints in a text, which may be quoted, and joins signature lines that a mail program folded."""
    lines = [line.lstrip("> \t|").rstrip() for line in text.splitlines()]
    notes, line_number = [], 4
    while line_number < len(lines):
        if not lines[line_number].startswith(DASH) or lines[line_number - 1].startswith(DASH):
            line_number += 1
            continue
        note = lines[line_number - 4:line_number]
        while line_number < len(lines) and lines[line_number].startswith(DASH):
            line, line_number = lines[line_number], line_number + 1
            # The base64 of an Ed25519 signature or cosignature ends with padding.
            while not line.endswith("=") and line_number < len(lines) and BASE64.fullmatch(lines[line_number]):
                line += ("" if " " in line[len(DASH):] else " ") + lines[line_number]
                line_number += 1
            note.append(line)
        try:
            notes.append(Note("\n".join(note) + "\n"))
        except Malformed:
            pass
    return notes


def notes_in_file(path):
    """Finds signed checkpoints in a file: a text or a saved mail."""
    with open(path, "rb") as file:
        data = file.read()
    plain, rich = [], []
    for part in email.message_from_bytes(data).walk():
        if part.get_content_maintype() == "text":
            text = (part.get_payload(decode=True) or b"").decode("utf-8", "replace")
            if part.get_content_subtype() == "html":
                rich += notes_in_text(html.unescape(re.sub("<[^>]*>", "", re.sub("<br[^>]*>(\r?\n)?", "\n", text))).replace("\u00a0", " "))
            else:
                plain += notes_in_text(text)
    return plain or rich or notes_in_text(data.decode("utf-8", "replace"))
