"""Format chapter 9, "Verdicts": kinds of findings, their exit codes and their severity."""

SIGNATURE, CHANGED, MISSING, SPLIT_VIEW, STALE, RULE, CONSENT, NOT_VERIFIED = 10, 11, 12, 13, 14, 16, 17, 18
MOST_SEVERE_FIRST = [SIGNATURE, SPLIT_VIEW, CHANGED, MISSING, CONSENT, RULE, STALE, NOT_VERIFIED]
NAMES = {SIGNATURE: "signature", CHANGED: "changed", MISSING: "missing", SPLIT_VIEW: "split view", STALE: "stale",
         RULE: "rule broken", CONSENT: "consent", NOT_VERIFIED: "consent not verified"}


class Finding:
    """One finding, with the index and the document of its entry where there is one."""

    def __init__(self, code, message, index=None, document=None):
        self.code, self.message, self.index, self.document = code, message, index, document


def exit_code(findings):
    codes = {finding.code for finding in findings}
    return next((code for code in MOST_SEVERE_FIRST if code in codes), 0)
