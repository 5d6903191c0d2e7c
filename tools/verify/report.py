"""Prints the report of an examination."""
from events import actor_name, data_of, type_of
from findings import MOST_SEVERE_FIRST, NAMES

LISTED_FINDINGS = 100


def print_report(examination):
    print("log         %s" % (examination.origin or "?"))
    print("verified    %d entries" % len(examination.streams.entries))
    for remark in examination.remarks:
        print("note        %s" % remark)
    findings = sorted(examination.findings, key=lambda finding: MOST_SEVERE_FIRST.index(finding.code))
    if not findings:
        print("\nVALID: the log matches its signatures, nothing is missing, and every step follows the rules.")
        return
    print("\nNOT VALID: %d findings" % len(findings))
    for finding in findings[:LISTED_FINDINGS]:
        print("\n  %s: %s" % (NAMES[finding.code], finding.message))
        if finding.index is not None:
            print("    entry %d" % finding.index)
        if finding.document:
            document = finding.document
            print("    %s at %s, event %s, request %s, by %s" % (
                type_of(document), document["time"], document["id"], document.get("correlationid"),
                actor_name(data_of(document))))
