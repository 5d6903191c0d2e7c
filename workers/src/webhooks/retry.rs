//! When an event is sent again, when its webhook rests, and when it is switched off. Pure, and the only copy of these
//! rules.
//!
//! A receiver that answers "not this event" (400, 500 and their like) makes that event wait; one that does not answer, or
//! answers for the whole endpoint (404, 429, 503 and their like), makes the webhook rest, and is tried with one event after.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::StatusCode;
use store::webhooks::{Delivery, Next, REFUSALS};

use super::call::Answer;

/// Longest time for which two secrets sign.
pub const OVERLAP_LIMIT: Duration = Duration::from_secs(7 * 86_400);
/// Pauses between attempts of one event in seconds, as Standard Webhooks recommends: about three days in all.
const EVENT_PAUSES: [u32; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Pauses of a webhook whose receiver fails, in seconds. A receiver that is down costs one request an hour.
const REST_PAUSES: [u32; 7] = [5, 15, 60, 300, 900, 1800, 3600];
/// A webhook that has accepted nothing for so long is switched off.
const OFF_AFTER: TimeDelta = TimeDelta::days(3);
/// What `Retry-After` may ask for: not so little that it hurts, not so much that a mistake silences a webhook.
const RETRY_AFTER_BOUNDS: (f64, f64) = (1.0, 3600.0);

/// What follows from an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It was accepted.
    Delivered,
    /// It was not; in one word for metrics, and what follows.
    Again(&'static str, Next),
    /// The webhook is switched off, and why. The event stays.
    Off(Next, String),
}

impl Verdict {
    /// In one word, for metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again(outcome, _) => outcome,
            Self::Off(..) => "failed",
        }
    }
}

fn pause(pauses: &[u32], number: i32, chance: f64) -> f64 {
    let number = usize::try_from(number.max(0)).unwrap_or(usize::MAX).min(pauses.len() - 1);
    f64::from(pauses[number]) * (0.9 + 0.2 * chance)
}

/// Whether an answer is about this event, and not about the endpoint.
fn is_about_event(status: StatusCode) -> bool {
    let endpoint = matches!(status.as_u16(), 401..=408 | 425 | 426 | 429 | 502..=504 | 511);
    !endpoint && (status.is_client_error() || status.is_server_error())
}

/// What follows from an answer. `chance` is a random number from 0 to 1 that spreads attempts in time.
pub(super) fn verdict(one: &Delivery, answer: &Answer, chance: f64) -> Verdict {
    let rest = pause(&REST_PAUSES, one.failures, chance);
    // An event that fails first waits for itself; one that meets a webhook that failed before is not to blame.
    let is_new_failure = one.failures == 0;
    let own = usize::try_from(one.attempt).ok().and_then(|attempt| EVENT_PAUSES.get(attempt));
    let own = own.map(|_| pause(&EVENT_PAUSES, one.attempt, chance));
    let next = Next {
        event: own,
        rest: None,
        rest_when_refusing: pause(&REST_PAUSES, one.failures + 1 - REFUSALS, chance),
        counts: true,
        is_failure: true,
    };
    let endpoint =
        Next { event: if is_new_failure { own } else { Some(rest) }, rest: Some(rest), counts: is_new_failure, ..next };
    let stays = Next { event: Some(0.0), counts: false, ..endpoint };
    let failing_for = one.failing_since.map_or(TimeDelta::zero(), |since| one.now - since);
    match answer {
        Answer::Status(status, _) if status.is_success() => return Verdict::Delivered,
        Answer::Status(StatusCode::GONE, _) => {
            return Verdict::Off(stays, "its address answered 410 (gone)".to_owned());
        }
        Answer::Status(..) | Answer::None(_) => {}
    }
    if failing_for >= OFF_AFTER {
        let why = match answer {
            Answer::Status(status, _) => format!("it answered {status}"),
            Answer::None(why) => why.clone(),
        };
        return Verdict::Off(stays, format!("it accepted nothing for {} days ({why})", failing_for.num_days()));
    }
    match answer {
        Answer::Status(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => {
            let (least, most) = RETRY_AFTER_BOUNDS;
            let after = after.as_secs_f64().clamp(least, most);
            let wait = Next { event: Some(after), rest: Some(after), counts: false, is_failure: false, ..next };
            Verdict::Again("deferred", wait)
        }
        Answer::Status(status, _) if is_about_event(*status) => Verdict::Again("refused", next),
        Answer::Status(..) | Answer::None(_) => Verdict::Again("failed", endpoint),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;

    fn delivery(attempt: i32, failures: i32, failing: TimeDelta) -> Delivery {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(365);
        Delivery {
            webhook: Uuid::nil(),
            event: Uuid::nil(),
            type_name: "lockbox.grant.activated.v1".to_owned(),
            attempt,
            tries: attempt,
            url: "https://hooks.contoso.example/".to_owned(),
            secret: String::new(),
            secret_before: None,
            body: Vec::new(),
            failures,
            failing_since: (failures > 0).then(|| now - failing),
            now,
        }
    }

    fn answered(status: u16, after: Option<u64>) -> Answer {
        Answer::Status(StatusCode::from_u16(status).expect("a status"), after.map(Duration::from_secs))
    }

    fn next(one: &Delivery, answer: &Answer) -> Next {
        match verdict(one, answer, 0.5) {
            Verdict::Again(_, next) | Verdict::Off(next, _) => next,
            Verdict::Delivered => panic!("it was delivered"),
        }
    }

    #[test]
    fn an_event_that_is_refused_waits_alone_and_an_endpoint_that_fails_rests() {
        let first = delivery(0, 0, TimeDelta::zero());
        for status in [400, 409, 413, 415, 422, 500, 501] {
            let next = next(&first, &answered(status, None));
            assert_eq!((next.event, next.rest), (Some(5.0), None), "{status}");
        }
        for status in [302, 307, 401, 403, 404, 408, 429, 502, 503, 504] {
            let next = next(&first, &answered(status, None));
            assert_eq!((next.event, next.rest), (Some(5.0), Some(5.0)), "{status}");
        }
        assert_eq!(next(&first, &Answer::None("closed".to_owned())).rest, Some(5.0));
        assert_eq!(verdict(&first, &answered(204, None), 0.5), Verdict::Delivered);
    }

    #[test]
    fn an_outage_uses_up_no_attempt_of_the_events_that_meet_it() {
        let second = next(&delivery(1, 1, TimeDelta::minutes(1)), &Answer::None("closed".to_owned()));
        assert_eq!((second.event, second.rest, second.counts), (Some(15.0), Some(15.0), false));
        let later = next(&delivery(1, 40, TimeDelta::days(1)), &answered(502, None));
        assert_eq!(later.rest, Some(3600.0), "an hour at most");
    }

    #[test]
    fn the_time_that_a_receiver_names_holds_within_bounds_and_is_no_failure() {
        let first = delivery(0, 0, TimeDelta::zero());
        for (asked, given) in [(0, 1.0), (120, 120.0), (10_000_000, 3600.0)] {
            for status in [429, 503] {
                let next = next(&first, &answered(status, Some(asked)));
                assert_eq!((next.event, next.rest), (Some(given), Some(given)), "{status}");
                assert!(!next.counts && !next.is_failure);
            }
        }
        assert_eq!(next(&first, &answered(400, Some(120))).event, Some(5.0), "400 names no time");
    }

    #[test]
    fn an_event_is_given_up_after_its_last_attempt_and_a_webhook_after_three_days_without_one() {
        assert_eq!(next(&delivery(9, 1, TimeDelta::hours(2)), &answered(400, None)).event, None);
        let days = delivery(3, 9, TimeDelta::days(3));
        for answer in [answered(400, None), answered(429, Some(5)), Answer::None("closed".to_owned())] {
            let verdict = verdict(&days, &answer, 0.5);
            assert!(
                matches!(&verdict, Verdict::Off(next, why) if next.event.is_some() && why.contains("3 days")),
                "{verdict:?}"
            );
        }
        assert!(matches!(verdict(&delivery(0, 0, TimeDelta::zero()), &answered(410, None), 0.5), Verdict::Off(..)));
    }
}
