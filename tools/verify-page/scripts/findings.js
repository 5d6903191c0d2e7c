// Findings and the verdict. The codes are those of the format page, most severe first.

const VERDICTS = [
  [10, "signature", "A signature does not hold. The log is not proved to be the log that the key signed."],
  [13, "split view", "There are two versions of this log. Somebody was shown another history."],
  [11, "changed", "Something was changed after it was signed."],
  [12, "missing", "Something is missing."],
  [17, "consent", "The customer's consent is not what the log claims."],
  [16, "rule", "The events do not follow the rules."],
  [15, "database mismatch", "A table differs from the log."],
  [14, "stale", "The bundle is older than something that was seen before."],
  [18, "consent not verified", "Nothing wrong was found, but it is not verified that the customer decided."],
];
const KEPT_PER_CODE = 200;

// What a verifier found. It keeps the first findings of each code and counts the others.
class Findings {
  constructor() {
    this.kept = [];
    this.counts = new Map();
  }

  // `where` names the entry: `{index, request}`.
  add(code, text, where = {}) {
    const count = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, count);
    if (count <= KEPT_PER_CODE) this.kept.push({ code, text, index: where.index ?? null, request: where.request ?? null });
  }

  has(code) {
    return this.counts.has(code);
  }

  // The exit code of the most severe finding; 0 without findings.
  code() {
    const worst = VERDICTS.find(([code]) => this.has(code));
    return worst ? worst[0] : 0;
  }
}
