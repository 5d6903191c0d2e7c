"""Prints the report of an examination."""
from events import actor_name, data_of, type_of
from findings import MOST_SEVERE_FIRST, NAMES, NOT_VERIFIED

LISTED_FINDINGS = 100


def _say(line, *values):
    """Prints a line. A text from the log cannot add lines or control the terminal."""
    print(line % tuple("".join(c if c.isprintable() else "\ufffd" for c in str(value)) for value in values))


def print_report(examination):
    _say("log         %s", examination.origin or "?")
    _say("verified    %s entries", len(examination.streams.entries))
    for remark in examination.remarks:
        _say("note        %s", remark)
    if examination.consent is not None:
        _print_consent(examination)
    findings = sorted(examination.findings, key=lambda finding: MOST_SEVERE_FIRST.index(finding.code))
    if not findings:
        print("\nVALID: the log matches its signatures, nothing is missing, and every step follows the rules.")
        if examination.consent.is_founded():
            print("Each decision of the customer is signed by an approver of the authority.")
    elif findings[0].code == NOT_VERIFIED:
        print("\nNOT VERIFIED: nothing was found, but it was not verified whether the customer made the decisions.")
    else:
        _say("\nNOT VALID: %s findings", len(findings))
    for finding in findings[:LISTED_FINDINGS]:
        _say("\n  %s: %s", NAMES[finding.code], finding.message)
        if finding.index is not None:
            _say("    entry %s", finding.index)
        if finding.document:
            document = finding.document
            _say("    %s at %s, event %s, request %s, by %s", type_of(document), document["time"], document["id"],
                 document.get("correlationid"), actor_name(data_of(document)))


def _print_consent(examination):
    """The authority, who signed what for each grant, and what was not proved."""
    consent = examination.consent
    for one in consent.chain.recorded[:1]:
        _say("authority   %s, %s statements", one.digest, len(consent.chain.recorded))
    for index, document, _ in consent.events:
        if type_of(document) == "grant.activated":
            _print_grant(consent, index, document)
    print()
    for sentence in _not_proved(examination):
        _say("not proved  %s", sentence)


def _print_grant(consent, index, document):
    data, request = data_of(document), document.get("correlationid")
    _say("\ngrant       %s %s, entry %s", data.get("service_request"), request, index)
    _say("  access    %s, from %s until %s", data.get("service"), data.get("access_from"), data.get("access_until"))
    signatures = consent.signed.get(request, [])
    for signed in signatures:
        decision, kind = signed.decision, {"passkey": "passkey", "software": "software key"}[signed.key["kind"]]
        _say("  signed    by %s for the %s, with the %s %s", signed.approver["name"], signed.side, kind, signed.key["id"])
        _say("            %s, %s s, %s", decision["verdict"], decision["duration_seconds"], decision["resource"])
    if not any(signed.side == "customer" for signed in signatures):
        policy = data.get("break_glass")
        _say("  signed    no decision of the customer%s", "" if policy is None else ": break-glass policy %s" % policy)


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
