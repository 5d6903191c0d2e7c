//! The retry rule, as a pure function of the outcome and the number of attempts. There is no other copy of it.

use std::time::Duration;

/// The outcome of a call to a mail server or a target system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed and may succeed later.
    Transient(String),
    /// The server accepts nothing from us now: it is unreachable, or refuses our login or sender. The message is not at fault.
    Unavailable(String),
    /// It failed permanently.
    Permanent(String),
}

/// What happens with the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Done,
    /// Try again after this pause.
    Retry(Duration),
    /// It failed, for this reason.
    Fail(String),
}

/// Pauses between attempts in seconds: about eight hours in total.
const PAUSES_SECONDS: [u64; 8] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400];

/// Longest pause while the server is unavailable: 15 minutes, so that mail is sent soon after a repair.
const UNAVAILABLE_PAUSE_SECONDS: u64 = 900;
/// Attempts while the server is unavailable: about three days, because an operator must repair it.
const UNAVAILABLE_ATTEMPTS: usize = 290;

/// Settles an attempt; the first has number 0. `jitter` is between 0 and 1 and changes the pause by up to a fifth.
pub fn settle(outcome: Outcome, attempt: usize, jitter: f64) -> Settlement {
    let (pause, reason) = match outcome {
        Outcome::Done => return Settlement::Done,
        Outcome::Permanent(reason) => return Settlement::Fail(reason),
        Outcome::Transient(reason) => (PAUSES_SECONDS.get(attempt).copied(), reason),
        Outcome::Unavailable(reason) => {
            let seconds = PAUSES_SECONDS.get(attempt).copied().unwrap_or(UNAVAILABLE_PAUSE_SECONDS);
            let seconds = seconds.min(UNAVAILABLE_PAUSE_SECONDS);
            ((attempt < UNAVAILABLE_ATTEMPTS).then_some(seconds), reason)
        }
    };
    match pause {
        Some(seconds) => Settlement::Retry(Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))),
        None => Settlement::Fail(format!("not sent after {attempt} attempts: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_attempts_grow_and_attempts_end() {
        let mut last = Duration::ZERO;
        for attempt in 0..PAUSES_SECONDS.len() {
            let Settlement::Retry(pause) = settle(Outcome::Transient("no answer".into()), attempt, 0.5) else {
                panic!("attempt {attempt} must be retried");
            };
            assert!(pause > last);
            last = pause;
        }
        assert!(matches!(settle(Outcome::Transient("no answer".into()), 8, 0.5), Settlement::Fail(_)));
        let unavailable = |attempt| settle(Outcome::Unavailable("535 wrong password".into()), attempt, 0.5);
        assert_eq!(unavailable(0), Settlement::Retry(Duration::from_secs(5)));
        assert_eq!(unavailable(200), Settlement::Retry(Duration::from_secs(900)), "soon after a repair");
        assert!(matches!(unavailable(290), Settlement::Fail(_)));
        assert_eq!(settle(Outcome::Done, 3, 0.0), Settlement::Done);
        assert_eq!(settle(Outcome::Permanent("no such box".into()), 0, 0.0), Settlement::Fail("no such box".into()));
    }
}
