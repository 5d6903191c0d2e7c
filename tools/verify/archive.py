"""Format chapter 9: the files of a bundle, from a POSIX archive or a folder, and the files that hold entries and proofs."""
import os
import re

from checkpoints import Malformed, Note, decode_base64


def read_tar(data):
    """Returns the files of a POSIX ustar archive, and the reason why it is damaged or None."""
    files, at = {}, 0
    while True:
        block = data[at:at + 512]
        if len(block) < 512:
            return files, "it ends before the end-of-archive blocks"
        if block == bytes(512):
            rest = data[at + 512:]
            return files, None if len(rest) >= 512 and not any(rest) else "the end-of-archive blocks are invalid"
        total = sum(block[:148]) + 8 * 32 + sum(block[156:])
        kind = block[156:157]
        if block[148:156] != b"%06o\0 " % total or block[257:262] != b"ustar" or block[135] or kind not in (b"0", b"5"):
            return files, "the header of a file is invalid"
        try:
            size = int(block[124:135], 8)
            name = block[:100].split(b"\0")[0].decode()
            prefix = block[345:500].split(b"\0")[0].decode()
        except (ValueError, UnicodeDecodeError):
            return files, "the header of a file is invalid"
        at += 512
        end = at + size
        filled = end + -size % 512
        if len(data) < filled:
            return files, "it ends inside a file"
        if any(data[end:filled]):
            return files, "the padding after a file is not zero"
        if kind == b"0":
            name = (prefix + "/" if prefix else "") + name
            while name.startswith("./"):
                name = name[2:]
            if name in files:
                return files, "it contains the same file twice"
            files[name] = data[at:end]
        at = filled


def read_bundle(path):
    """Returns the files of an archive or a folder, and the reason why the archive is damaged or None."""
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


def read_entries(data):
    """Splits the entries of a tile. Each follows its length in two bytes, big endian."""
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 2], "big")
        if at + 2 > len(data) or at + 2 + length > len(data):
            raise Malformed("it ends inside an entry")
        entries.append(data[at + 2:at + 2 + length])
        at += 2 + length
    return entries


def read_proof(data):
    """Parses a C2SP tlog-proof into (extra, index, path, note)."""
    try:
        head, separator, note = data.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise Malformed("it is not a proof")
    lines = head.split("\n")
    if not separator or lines.pop(0) != "c2sp.org/tlog-proof@v1" or not lines:
        raise Malformed("it is not a proof")
    extra = None
    if lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0)[6:])
    if not lines or not re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[0]):
        raise Malformed("it is not a proof")
    path = [decode_base64(line) for line in lines[1:]]
    if any(len(step) != 32 for step in path):
        raise Malformed("it is not a proof")
    return extra, int(lines[0][6:]), path, Note(note)
