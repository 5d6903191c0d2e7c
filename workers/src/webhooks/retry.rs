//! The retry rules of webhooks: when an event is delivered again, when its webhook pauses, and when it is disabled. Pure, and
//! the only copy of these rules.
//!
//! A response about one event (such as 400 or 500) defers that event. No response, or one about the whole endpoint (such as
//! 404, 429 or 503), pauses the webhook; after the pause one event is tried.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::StatusCode;
use store::webhooks::{Delivery, Next, REFUSALS};

use super::call::Reply;

/// Longest time during which both secrets sign after a rotation.
pub const OVERLAP_LIMIT: Duration = Duration::from_secs(7 * 86_400);
/// Pauses between attempts of one event in seconds, as Standard Webhooks recommends: about three days in total.
const EVENT_PAUSES: [u32; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Pauses of a webhook whose receiver fails, in seconds. A receiver that is down gets one request an hour.
const REST_PAUSES: [u32; 7] = [5, 15, 60, 300, 900, 1800, 3600];
/// A webhook that has accepted nothing for this long is disabled.
const DISABLE_AFTER: TimeDelta = TimeDelta::days(3);
/// Accepted values of `Retry-After` in seconds: not so short that retries overload the receiver, and not so long that a
/// mistake stops a webhook.
const RETRY_AFTER_BOUNDS: (f64, f64) = (1.0, 3600.0);

/// What follows from a response.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The event was accepted.
    Delivered,
    /// The event was not accepted: the outcome for metrics, and the next attempt.
    Retry(&'static str, Next),
    /// The webhook is disabled, with the reason. The event stays pending.
    Disable(Next, String),
}

impl Verdict {
    /// The outcome for metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(outcome, _) => outcome,
            Self::Disable(..) => "failed",
        }
    }
}

fn pause(pauses: &[u32], number: i32, chance: f64) -> f64 {
    let number = usize::try_from(number.max(0)).unwrap_or(usize::MAX).min(pauses.len() - 1);
    f64::from(pauses[number]) * (0.9 + 0.2 * chance)
}

/// Whether a response is about this event, and not about the endpoint.
fn is_about_event(status: StatusCode) -> bool {
    let endpoint = matches!(status.as_u16(), 401..=408 | 425 | 426 | 429 | 502..=504 | 511);
    !endpoint && (status.is_client_error() || status.is_server_error())
}

/// What follows from a response. `chance` is a random number from 0 to 1 that spreads attempts in time.
pub(super) fn verdict(one: &Delivery, reply: &Reply, chance: f64) -> Verdict {
    let rest = pause(&REST_PAUSES, one.failures, chance);
    // Only the first failure counts as an attempt of its event. Later events meet a webhook that was already failing.
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
    match reply {
        Reply::Status(status, _) if status.is_success() => return Verdict::Delivered,
        Reply::Status(StatusCode::GONE, _) => {
            return Verdict::Disable(stays, "its address responded with 410 (gone)".to_owned());
        }
        Reply::Status(..) | Reply::None(_) => {}
    }
    if failing_for >= DISABLE_AFTER {
        let why = match reply {
            Reply::Status(status, _) => format!("it responded with {status}"),
            Reply::None(why) => why.clone(),
        };
        return Verdict::Disable(stays, format!("it accepted nothing for {} days ({why})", failing_for.num_days()));
    }
    match reply {
        Reply::Status(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => {
            let (least, most) = RETRY_AFTER_BOUNDS;
            let after = after.as_secs_f64().clamp(least, most);
            let wait = Next { event: Some(after), rest: Some(after), counts: false, is_failure: false, ..next };
            Verdict::Retry("deferred", wait)
        }
        Reply::Status(status, _) if is_about_event(*status) => Verdict::Retry("refused", next),
        Reply::Status(..) | Reply::None(_) => Verdict::Retry("failed", endpoint),
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

    fn responded(status: u16, after: Option<u64>) -> Reply {
        Reply::Status(StatusCode::from_u16(status).expect("a status"), after.map(Duration::from_secs))
    }

    fn next(one: &Delivery, reply: &Reply) -> Next {
        match verdict(one, reply, 0.5) {
            Verdict::Retry(_, next) | Verdict::Disable(next, _) => next,
            Verdict::Delivered => panic!("the event was delivered"),
        }
    }

    #[test]
    fn a_refused_event_is_deferred_alone_and_a_failing_endpoint_is_paused() {
        let first = delivery(0, 0, TimeDelta::zero());
        for status in [400, 409, 413, 415, 422, 500, 501] {
            let next = next(&first, &responded(status, None));
            assert_eq!((next.event, next.rest), (Some(5.0), None), "{status}");
        }
        for status in [302, 307, 401, 403, 404, 408, 429, 502, 503, 504] {
            let next = next(&first, &responded(status, None));
            assert_eq!((next.event, next.rest), (Some(5.0), Some(5.0)), "{status}");
        }
        assert_eq!(next(&first, &Reply::None("closed".to_owned())).rest, Some(5.0));
        assert_eq!(verdict(&first, &responded(204, None), 0.5), Verdict::Delivered);
    }

    #[test]
    fn an_outage_uses_no_attempt_of_later_events() {
        let second = next(&delivery(1, 1, TimeDelta::minutes(1)), &Reply::None("closed".to_owned()));
        assert_eq!((second.event, second.rest, second.counts), (Some(15.0), Some(15.0), false));
        let later = next(&delivery(1, 40, TimeDelta::days(1)), &responded(502, None));
        assert_eq!(later.rest, Some(3600.0), "an hour at most");
    }

    #[test]
    fn retry_after_is_limited_and_does_not_count_as_a_failure() {
        let first = delivery(0, 0, TimeDelta::zero());
        for (asked, given) in [(0, 1.0), (120, 120.0), (10_000_000, 3600.0)] {
            for status in [429, 503] {
                let next = next(&first, &responded(status, Some(asked)));
                assert_eq!((next.event, next.rest), (Some(given), Some(given)), "{status}");
                assert!(!next.counts && !next.is_failure);
            }
        }
        assert_eq!(next(&first, &responded(400, Some(120))).event, Some(5.0), "Retry-After is ignored with 400");
    }

    #[test]
    fn an_event_fails_after_its_last_attempt_and_a_webhook_is_disabled_after_three_days() {
        assert_eq!(next(&delivery(9, 1, TimeDelta::hours(2)), &responded(400, None)).event, None);
        let days = delivery(3, 9, TimeDelta::days(3));
        for reply in [responded(400, None), responded(429, Some(5)), Reply::None("closed".to_owned())] {
            let verdict = verdict(&days, &reply, 0.5);
            assert!(
                matches!(&verdict, Verdict::Disable(next, why) if next.event.is_some() && why.contains("3 days")),
                "{verdict:?}"
            );
        }
        assert!(matches!(
            verdict(&delivery(0, 0, TimeDelta::zero()), &responded(410, None), 0.5),
            Verdict::Disable(..)
        ));
    }
}
