//! The only copy of the retry rule, as pure functions of what happened and how often.

use std::time::Duration;

/// What became of a message that needs the outside (a mail server, a target system).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// May work later.
    Transient(String),
    /// Will never work.
    Permanent(String),
}

/// What to do with the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Take it off.
    Take,
    /// Try again after this pause.
    Retry(Duration),
    /// Give up, with this reason.
    GiveUp(String),
}

/// Pauses between tries: about eight hours in all.
const PAUSES_SECONDS: [u64; 8] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400];

/// Decides on the `attempt`-th try (the first is 0). `jitter` is between 0 and 1 and spreads pauses by a fifth.
pub fn settle(outcome: Outcome, attempt: usize, jitter: f64) -> Settlement {
    match outcome {
        Outcome::Done => Settlement::Take,
        Outcome::Permanent(reason) => Settlement::GiveUp(reason),
        Outcome::Transient(reason) => match PAUSES_SECONDS.get(attempt) {
            Some(&seconds) => {
                Settlement::Retry(Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0)))
            }
            None => Settlement::GiveUp(format!("given up after {attempt} tries: {reason}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_pause_longer_each_time_and_end() {
        let mut last = Duration::ZERO;
        for attempt in 0..PAUSES_SECONDS.len() {
            let Settlement::Retry(pause) = settle(Outcome::Transient("no answer".into()), attempt, 0.5) else {
                panic!("attempt {attempt} must be retried");
            };
            assert!(pause > last);
            last = pause;
        }
        assert!(matches!(settle(Outcome::Transient("no answer".into()), 8, 0.5), Settlement::GiveUp(_)));
        assert_eq!(settle(Outcome::Done, 3, 0.0), Settlement::Take);
        assert_eq!(settle(Outcome::Permanent("no such box".into()), 0, 0.0), Settlement::GiveUp("no such box".into()));
    }
}
