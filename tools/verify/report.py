"""Prints the report of an examination."""
from events import actor_name, data_of, type_of
from findings import MOST_SEVERE_FIRST, NAMES, NOT_VERIFIED

LISTED_FINDINGS = 100


def print_report(examination):
    print("log         %s" % (examination.origin or "?"))
    print("verified    %d entries" % len(examination.streams.entries))
    for remark in examination.remarks:
        print("note        %s" % remark)
    if examination.consent is not None:
        _print_consent(examination)
    findings = sorted(examination.findings, key=lambda finding: MOST_SEVERE_FIRST.index(finding.code))
    if not findings:
        print("\nVALID: the log matches its signatures, nothing is missing, and every step follows the rules.")
        if examination.consent.is_founded():
            print("Each decision of the customer is signed by an approver of the authority.")
    elif findings[0].code == NOT_VERIFIED:
        print("\nNOT VERIFIED: nothing was found, but the log does not show whether the customer made the decisions.")
    else:
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


def _print_consent(examination):
    """The authority, who signed what for each grant, and what was not proved."""
    consent = examination.consent
    for one in consent.chain.recorded[:1]:
        print("authority   %s, %d statements" % (one.digest, len(consent.chain.recorded)))
    for index, document, _ in consent.events:
        if type_of(document) == "grant.activated":
            _print_grant(consent, index, document)
    for sentence in _not_proved(examination):
        print("not proved  %s" % sentence)


def _print_grant(consent, index, document):
    data, request = data_of(document), document.get("correlationid")
    print("\ngrant       %s %s, entry %d" % (data.get("service_request"), request, index))
    print("  access    %s, from %s until %s" % (data.get("service"), data.get("access_from"), data.get("access_until")))
    signatures = consent.signed.get(request, [])
    for signed in signatures:
        decision = signed.decision
        print("  signed    by %s for the %s, with the %s %s" % (
            signed.approver["name"], signed.side, {"passkey": "passkey", "software": "software key"}[signed.key["kind"]], signed.key["id"]))
        print("            %s, %d s, %s" % (decision["verdict"], decision["duration_seconds"], decision["resource"]))
    if not any(signed.side == "customer" for signed in signatures):
        policy = data.get("break_glass")
        print("  signed    no decision of the customer" + (": break-glass policy %s" % policy if policy is not None else ""))
    print()


def _not_proved(examination):
    consent, is_founded = examination.consent, examination.consent.is_founded()
    founded = consent.chain.founded_at()
    if not is_founded:
        yield "the consent of the customer: this log has no authority"
    elif any(at < founded for _, _, at in consent.events):
        yield "decisions before the tenant was founded"
    if (examination.first, examination.end) != (0, examination.size):
        yield "decisions outside the period of this bundle, and that no later statement of the authority was left out"
    if consent.vendor is None:
        yield "decisions of the vendor: no authority of the vendor was given"
    yield "what happens outside Lockbox: content that the vendor serves past the gate leaves no entry"
