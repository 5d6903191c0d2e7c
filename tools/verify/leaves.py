"""Format chapter 9, "Which leaf": compares recorded leaf hashes and entries with the signed root."""
from findings import CHANGED, MISSING, Finding
from tree import Tree


def roots_at(sizes, leaves):
    """The root of the first n leaves for each n in sizes, up to the first leaf that is None."""
    tree, roots = Tree(), {}
    for leaf in [*leaves, None]:
        if tree.size in sizes:
            roots[tree.size] = tree.root()
        if leaf is None:
            return roots
        tree.push(leaf)


class Leaves:
    """The leaves of a log: the recorded hashes, and the hashes of the entries. Each is None where it is absent."""

    def __init__(self):
        self.recorded, self.actual = [], []

    def add(self, recorded, actual):
        self.recorded.append(recorded)
        self.actual.append(actual)

    def best(self):
        """The recorded hash of each leaf, else the hash of its entry."""
        return [recorded or actual for recorded, actual in zip(self.recorded, self.actual)]

    def check_root(self, size, signed, roots, covers):
        """Findings about the signed root. `roots` has the roots of the recorded leaves, `covers` is (first, end)."""
        findings, count = [], len(self.recorded)
        absent = [i for i, leaf in enumerate(self.best()) if leaf is None]
        if count < size or (absent and absent[0] < size):
            findings.append(Finding(MISSING, "entries that the checkpoint covers are missing", absent[0] if absent else count))
        if count > size:
            findings.append(Finding(CHANGED, "the log has %d entries, but the checkpoint covers only %d" % (count, size), size))
        by_entries = [actual or recorded for recorded, actual in zip(self.recorded, self.actual)]
        if roots.get(size) == signed:
            findings += self._compare(covers)
        elif roots_at({size}, by_entries).get(size) == signed:
            findings.append(Finding(CHANGED, "a recorded leaf hash was changed; its entry is correct"))
        elif size in roots:
            findings.append(Finding(CHANGED, "the entries do not match the signed root"))
            findings += self._compare(covers)
        return findings

    def _compare(self, covers):
        """Findings about the leaves whose entry differs from the recorded hash or is missing."""
        pairs = list(enumerate(zip(self.recorded, self.actual)))
        missing = {i for i, (_, actual) in pairs if actual is None and covers[0] <= i < covers[1]}
        other = {i: actual for i, (recorded, actual) in pairs if recorded and actual and recorded != actual}
        if not missing and not other:
            return []
        present = {recorded or actual for i, (recorded, actual) in pairs if i not in missing and i not in other}
        present |= set(other.values())
        logged, findings = set(self.best()), []
        for i in sorted(missing | set(other)):
            is_gone, is_new = self.recorded[i] not in present, i in other and other[i] not in logged
            if is_gone and is_new:
                findings.append(Finding(CHANGED, "this entry was changed after it was logged", i))
            elif is_gone:
                findings.append(Finding(MISSING, "the entry that was logged at this index is missing", i))
            elif is_new:
                findings.append(Finding(CHANGED, "this entry was added: it was never logged", i))
        return findings or [Finding(CHANGED, "this entry was moved", i) for i in sorted(other)]
