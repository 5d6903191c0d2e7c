"""Format chapter 5: valid cosignatures by witnesses under a checkpoint."""
import functools

from checkpoints import Key


@functools.lru_cache(maxsize=1024)
def _key(text):
    return Key(text)


def cosignatures(note, trusted):
    """(text form of the key, time in seconds since 1970) of each valid cosignature by a trusted witness."""
    found = []
    for text in sorted(trusted):
        key = _key(text)
        for name, key_id, signature in note.signatures:
            if (name, key_id) == (key.name, key.id) and key.verify(note.text, signature):
                found.append((text, int.from_bytes(signature[:8], "big")))
    return found
