"""Format chapter 4: the Merkle tree (RFC 6962) and its tiles (C2SP tlog-tiles)."""
import hashlib


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def _join(hashes):
    """Joins the roots of complete subtrees, which are listed from the largest to the smallest."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class Tree:
    """A tree that grows leaf by leaf and computes its root."""

    def __init__(self):
        self.size, self.stack = 0, []

    def push(self, leaf):
        node, n = leaf, self.size
        while n & 1:
            node, n = node_hash(self.stack.pop(), node), n >> 1
        self.stack.append(node)
        self.size += 1

    def root(self):
        return _join(self.stack) if self.stack else hashlib.sha256(b"").digest()


def upper_tiles(leaves):
    """Computes all tiles above the leaves: a dictionary from path to bytes."""
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
            tiles["tile/%d/%s" % (level, tile_path(start // 256, len(part)))] = b"".join(part)
        level, row = level + 1, above
    return tiles


def tile_path(index, width):
    """The path of a tile within its level, such as x001/x234/067.p/12."""
    path, rest = "%03d" % (index % 1000), index // 1000
    while rest:
        path, rest = "x%03d/%s" % (rest % 1000, path), rest // 1000
    return path if width == 256 else "%s.p/%d" % (path, width)


def verify_inclusion(leaf, index, size, path, root):
    """Verifies an inclusion proof (RFC 9162, 2.1.3.2)."""
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
