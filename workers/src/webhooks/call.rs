//! One signed delivery, and the receiver's response.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use store::webhooks::{Attempt, Delivery};

use super::address::{Inside, check_url};
use crate::error_chain::error_chain;

/// Prefix of every secret.
const SECRET_PREFIX: &str = "whsec_";
/// Time limit of one delivery, from connecting to the end of the response.
pub(super) const DELIVERY_LIMIT: Duration = Duration::from_secs(10);

/// The response to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A status, with the time in `Retry-After`.
    Status(StatusCode, Option<Duration>),
    /// No response, with the reason.
    None(String),
}

/// A new secret: 256 bits from the operating system. `None` when it provides no random numbers.
pub fn secret() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes)))
}

/// The signature of a message: HMAC-SHA-256 over its id, the time and its exact bytes.
pub fn sign(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", STANDARD.encode(context.sign())))
}

/// The signatures with every valid secret, newest first.
fn signatures(one: &Delivery, id: &str, seconds: i64) -> Option<String> {
    let newest = sign(&one.secret, id, seconds, &one.body)?;
    let before = one.secret_before.as_deref().and_then(|secret| sign(secret, id, seconds, &one.body));
    Some(before.map_or_else(|| newest.clone(), |before| format!("{newest} {before}")))
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - now).to_std().unwrap_or_default())
}

/// Delivers one event and returns the response.
pub(super) async fn call(client: &reqwest::Client, inside: &Inside, one: &Delivery) -> (Reply, Attempt) {
    let started = Instant::now();
    let reply = send(client, inside, one).await;
    let took = started.elapsed();
    let (status, error) = match &reply {
        Reply::Status(status, _) if status.is_success() => (Some(status.as_u16()), None),
        Reply::Status(status, _) => (Some(status.as_u16()), Some(format!("it responded with {status}"))),
        Reply::None(why) => (None, Some(why.clone())),
    };
    (reply, Attempt { took, status, error })
}

async fn send(client: &reqwest::Client, inside: &Inside, one: &Delivery) -> Reply {
    // Checked at every call: the allowed addresses can have changed.
    let url = match check_url(&one.url, inside) {
        Ok(url) => url,
        Err(why) => return Reply::None(why),
    };
    let (id, seconds) = (one.event.to_string(), one.now.timestamp());
    let Some(signature) = signatures(one, &id, seconds) else {
        return Reply::None("its secret is not valid; rotate it".to_owned());
    };
    let sending = client
        .post(url)
        .header("content-type", "application/cloudevents+json")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", signature)
        .body(one.body.clone())
        .send();
    // The response body is not used and not read.
    match sending.await {
        Ok(response) => Reply::Status(response.status(), retry_after(response.headers(), one.now)),
        Err(fault) if fault.is_timeout() => {
            Reply::None(format!("it did not respond within {} s", DELIVERY_LIMIT.as_secs()))
        }
        Err(fault) => Reply::None(error_chain(&fault.without_url())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_matches_the_example_of_standard_webhooks() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn retry_after_is_read_in_seconds_or_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T10:00:00Z").expect("a time").to_utc();
        let read = |text: &str| {
            let headers: HeaderMap = [(RETRY_AFTER, text.parse().expect("a header"))].into_iter().collect();
            retry_after(&headers, now).map(|after| after.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Tue, 24 Nov 2026 10:02:00 GMT"), Some(120));
        assert_eq!(read("Tue, 24 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!((read("soon"), read("-5"), read("1.5")), (None, None, None));
    }
}
