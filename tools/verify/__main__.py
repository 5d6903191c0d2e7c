"""Verifies a Lockbox evidence bundle as docs/audit-format.md describes it. Requires Python 3.8 and no packages.

    python3 verify BUNDLE [--key KEY]... [--checkpoint FILE]... [--max-age SECONDS]
    python3 verify --batch LIST

`verify` is the folder that contains this file. LIST has one bundle per line: path, tab, key[, tab, checkpoint file];
the output is one line per bundle: path, tab, exit code.

Exit codes: 0 valid, 10 signature, 11 changed, 12 missing, 13 split view, 14 stale, 16 rule broken.
"""
import argparse
import sys

sys.dont_write_bytecode = True

from archive import read_bundle
from checkpoints import Key, Malformed
from examination import Examination
from mails import notes_in_file
from report import print_report


def verify(path, keys, pinned, max_age=None):
    files, damage = read_bundle(path)
    return Examination(files, damage, list(keys), pinned, max_age).run()


def verify_batch(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            bundle, key, *checkpoints = line.rstrip("\n").split("\t")
            pinned = [(name, note) for name in checkpoints for note in notes_in_file(name)]
            print("%s\t%d" % (bundle, verify(bundle, [Key(key)], pinned).code()))


def main():
    parser = argparse.ArgumentParser(prog="verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="evidence bundle: an archive or a folder")
    parser.add_argument("--key", action="append", default=[], help="trusted key in the form name+id+base64")
    parser.add_argument("--checkpoint", action="append", default=[], help="file with a pinned checkpoint, such as a saved mail")
    parser.add_argument("--max-age", type=int, help="maximum age of the newest entry in seconds")
    parser.add_argument("--batch", help="file with a list of bundles to verify in one process")
    arguments = parser.parse_args()
    if arguments.batch:
        verify_batch(arguments.batch)
        return 0
    if not arguments.bundle:
        parser.error("no bundle given: pass the path of an archive or a folder")
    pinned = []
    try:
        keys = [Key(text.strip()) for text in arguments.key]
    except Malformed:
        parser.error("invalid --key: a key has the form name+id+base64")
    for name in arguments.checkpoint:
        notes = notes_in_file(name)
        if not notes:
            parser.error("%s contains no checkpoint" % name)
        pinned += [(name, note) for note in notes]
    examination = verify(arguments.bundle, keys, pinned, arguments.max_age)
    print_report(examination)
    return examination.code()


if __name__ == "__main__":
    sys.exit(main())
