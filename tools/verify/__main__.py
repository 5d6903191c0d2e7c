"""Verifies a Lockbox evidence bundle as docs/audit-format.md describes it. Requires Python 3.8 and no packages.

    python3 verify BUNDLE --key KEY --authority FILE|FINGERPRINT [--vendor-authority FILE]
                   [--witness KEY]... [--witnesses N] [--checkpoint FILE]... [--max-age SECONDS]
    python3 verify --batch LIST

`verify` is the folder that contains this file. LIST has the arguments of one verification per line, separated by tabs;
the output is one line per bundle: path, tab, exit code.

Exit codes: 0 valid, 2 error of use, 10 signature, 11 changed, 12 missing, 13 split view, 14 stale, 16 rule broken,
17 consent, 18 consent not verified.
"""
import argparse
import sys

sys.dont_write_bytecode = True

from archive import read_bundle
from authority import Pinned, read_authority_file
from checkpoints import LOG, WITNESS, Key, Malformed
from consent import Trust
from examination import Examination
from mails import notes_in_file
from report import print_report


def argument_parser():
    parser = argparse.ArgumentParser(prog="verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="evidence bundle: an archive or a folder")
    parser.add_argument("--key", action="append", default=[], help="trusted log key in the form name+id+base64")
    parser.add_argument("--authority", help="authority of the tenant: the file, or the fingerprint of statement 1")
    parser.add_argument("--vendor-authority", metavar="FILE", help="authority file of the vendor")
    parser.add_argument("--witness", metavar="KEY", action="append", default=[],
                        help="trusted witness key; these keys take the place of the witnesses of the authority")
    parser.add_argument("--witnesses", metavar="N", type=int,
                        help="number of witnesses that must have cosigned the checkpoint (default: each --witness)")
    parser.add_argument("--checkpoint", metavar="FILE", action="append", default=[],
                        help="file with a pinned checkpoint, such as a saved mail")
    parser.add_argument("--max-age", metavar="SECONDS", type=int, help="maximum age of the newest entry in seconds")
    parser.add_argument("--batch", metavar="LIST", help="file with a list of bundles to verify in one process")
    return parser


def keys_of(parser, texts, option, kind):
    try:
        keys = [Key(text.strip()) for text in texts]
    except Malformed:
        keys = None
    if keys is None or any(key.kind != kind for key in keys):
        what = "log key" if kind == LOG else "witness key"
        parser.error("invalid %s: a %s has the form name+id+base64" % (option, what))
    return keys


def verify(parser, arguments):
    """Verifies one bundle with the trust that the arguments state."""
    keys = keys_of(parser, arguments.key, "--key", LOG)
    witnesses = keys_of(parser, arguments.witness, "--witness", WITNESS)
    pinned = []
    for name in arguments.checkpoint:
        notes = notes_in_file(name)
        if not notes:
            parser.error("%s contains no checkpoint" % name)
        pinned += [(name, note) for note in notes]
    try:
        authority = Pinned(arguments.authority) if arguments.authority else None
        vendor = read_authority_file(arguments.vendor_authority) if arguments.vendor_authority else None
    except Malformed as fault:
        parser.error(str(fault))
    files, damage = read_bundle(arguments.bundle)
    trust = Trust(authority, vendor, witnesses, arguments.witnesses)
    return Examination(files, damage, keys, pinned, arguments.max_age, trust).run()


def verify_batch(parser, path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            arguments = parser.parse_args(line.rstrip("\n").split("\t"))
            print("%s\t%d" % (arguments.bundle, verify(parser, arguments).code()))


def main():
    parser = argument_parser()
    arguments = parser.parse_args()
    if arguments.batch:
        verify_batch(parser, arguments.batch)
        return 0
    if not arguments.bundle:
        parser.error("no bundle given: pass the path of an archive or a folder")
    examination = verify(parser, arguments)
    print_report(examination)
    return examination.code()


if __name__ == "__main__":
    sys.exit(main())
