//! The only copy of the retry rule, as pure functions of what happened and how often.

use std::time::Duration;

/// What became of a message that needs the outside (a mail server, a target system).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// May work later.
    Transient(String),
    /// The server takes nothing from us now: it is away, or refuses our login or sender. Says nothing of the message.
    Unavailable(String),
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

/// Longest pause while the server takes nothing: 15 minutes, so that mail goes out soon after somebody repaired it.
const UNAVAILABLE_PAUSE_SECONDS: u64 = 900;
/// Tries while the server takes nothing: about three days, since what is wrong is for the operator to repair.
const UNAVAILABLE_TRIES: usize = 290;

/// Decides on the `attempt`-th try (the first is 0). `jitter` is between 0 and 1 and spreads pauses by a fifth.
pub fn settle(outcome: Outcome, attempt: usize, jitter: f64) -> Settlement {
    let (pause, reason) = match outcome {
        Outcome::Done => return Settlement::Take,
        Outcome::Permanent(reason) => return Settlement::GiveUp(reason),
        Outcome::Transient(reason) => (PAUSES_SECONDS.get(attempt).copied(), reason),
        Outcome::Unavailable(reason) => {
            let seconds = PAUSES_SECONDS.get(attempt).copied().unwrap_or(UNAVAILABLE_PAUSE_SECONDS);
            let seconds = seconds.min(UNAVAILABLE_PAUSE_SECONDS);
            ((attempt < UNAVAILABLE_TRIES).then_some(seconds), reason)
        }
    };
    match pause {
        Some(seconds) => Settlement::Retry(Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))),
        None => Settlement::GiveUp(format!("not sent after {attempt} tries: {reason}")),
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
        let unavailable = |attempt| settle(Outcome::Unavailable("535 wrong password".into()), attempt, 0.5);
        assert_eq!(unavailable(0), Settlement::Retry(Duration::from_secs(5)));
        assert_eq!(unavailable(200), Settlement::Retry(Duration::from_secs(900)), "soon after it was repaired");
        assert!(matches!(unavailable(290), Settlement::GiveUp(_)));
        assert_eq!(settle(Outcome::Done, 3, 0.0), Settlement::Take);
        assert_eq!(settle(Outcome::Permanent("no such box".into()), 0, 0.0), Settlement::GiveUp("no such box".into()));
    }
}
