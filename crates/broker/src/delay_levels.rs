//! The delay levels: one queue per rung, each with one fixed time to live, so that nothing queues behind a longer
//! delay. A hint waits on the longest rung that does not overshoot, comes back, and waits again until it is due.

use std::time::Duration;

/// One rung.
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

/// The rungs, longest first. Twelve hours, the usual deadline, is one hop.
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

/// How far a rung may overshoot: so that twelve hours less the milliseconds until the hint went out are still one hop.
const OVERSHOOT: Duration = Duration::from_millis(50);

/// The longest rung that does not overshoot; `None` for the last part of a second, which is waited for in process.
pub fn delay_level_for(remaining: Duration) -> Option<&'static DelayLevel> {
    DELAY_LEVELS.iter().find(|delay_level| delay_level.ttl <= remaining + OVERSHOOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_is_reached_from_below_in_few_hops() {
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
