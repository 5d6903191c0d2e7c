//! The delay levels: one queue per level, each with a fixed time to live, so that no message waits behind a longer delay. A
//! timer wake-up waits on the longest level that does not overshoot, returns, and waits again until it is due.

use std::time::Duration;

/// A delay level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayLevel {
    /// Routing key, and the end of the queue's name.
    pub name: &'static str,
    /// How long a message stays.
    pub ttl: Duration,
}

const fn delay_level(name: &'static str, seconds: u64) -> DelayLevel {
    DelayLevel { name, ttl: Duration::from_secs(seconds) }
}

/// The delay levels, longest first. Twelve hours, the usual deadline, need one level.
pub const DELAY_LEVELS: [DelayLevel; 12] = [
    delay_level("12h", 12 * 3600),
    delay_level("6h", 6 * 3600),
    delay_level("3h", 3 * 3600),
    delay_level("1h", 3600),
    delay_level("30m", 1800),
    delay_level("10m", 600),
    delay_level("5m", 300),
    delay_level("1m", 60),
    delay_level("30s", 30),
    delay_level("10s", 10),
    delay_level("5s", 5),
    delay_level("1s", 1),
];

/// How far a level can overshoot: twelve hours less the milliseconds until the wake-up is published still need one level.
const OVERSHOOT: Duration = Duration::from_millis(50);

/// The longest level that does not overshoot; `None` for less than a second, which the process waits itself.
pub fn delay_level_for(remaining: Duration) -> Option<&'static DelayLevel> {
    DELAY_LEVELS.iter().find(|delay_level| delay_level.ttl <= remaining + OVERSHOOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_is_reached_within_40_hops_and_never_exceeded() {
        let delays =
            (0..3600u64).map(Duration::from_secs).chain((1..400).map(|hours| Duration::from_secs(hours * 2777)));
        for delay in delays.map(|delay| delay + Duration::from_millis(400)) {
            let (mut waited, mut hops) = (Duration::ZERO, 0);
            while let Some(delay_level) = delay_level_for(delay - waited) {
                waited += delay_level.ttl;
                hops += 1;
            }
            assert!(waited <= delay && delay - waited < Duration::from_secs(1), "{delay:?}");
            assert!(hops <= 40, "{delay:?} took {hops} hops");
        }
        assert_eq!(delay_level_for(Duration::from_secs(43_200)).map(|delay_level| delay_level.name), Some("12h"));
    }
}
