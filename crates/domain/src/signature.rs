//! The challenge that a passkey signs when its owner decides on a request.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::verdict::Verdict;

/// Evidence that the owner of a passkey signed a decision, as JSON. It was verified when the decision arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Id of the passkey.
    pub credential: String,
    /// Public key, signed data and signature.
    pub evidence: String,
}

/// The challenge of a decision: SHA-256 over four lines, so that the signature covers both the content and the decision.
/// The browser hashes the same lines.
pub fn challenge(digest: &Digest, verdict: Verdict, duration_seconds: Option<i64>) -> [u8; 32] {
    let duration = duration_seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    let lines = format!("lockbox.decision.v1\n{digest}\n{}\n{duration}", verdict.as_str());
    Sha256::digest(lines).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_verdict_or_time_is_another_challenge() {
        let (here, there) = (Digest::of(b"here"), Digest::of(b"there"));
        let challenge_of = |digest, verdict, time| challenge(digest, verdict, time);
        let all = [
            challenge_of(&here, Verdict::Approve, None),
            challenge_of(&there, Verdict::Approve, None),
            challenge_of(&here, Verdict::Deny, None),
            challenge_of(&here, Verdict::Approve, Some(60)),
            challenge_of(&here, Verdict::Approve, Some(600)),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
    }
}
