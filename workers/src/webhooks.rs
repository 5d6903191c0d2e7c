//! Webhooks: events over HTTP, signed as Standard Webhooks (<https://www.standardwebhooks.com>), for programs that do not
//! speak AMQP. Runs beside the role `mail`; what is to be delivered stands in a table, so that nothing is lost and any
//! number of processes may deliver.
//!
//! Deliberately absent: redirects, proxies, and addresses inside the house that nobody allowed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::events::Actor;
use futures_util::stream::{self, StreamExt};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use store::webhooks::Delivery;

use crate::engine::chain;
use crate::supervisor::{SessionError, Surroundings, keep};

mod address;

pub use address::{Inside, check_url};

/// How often the table is looked at when nothing is due.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// Deliveries on their way at once.
const CONCURRENT: usize = 16;
/// Time for one delivery, all in all.
const DELIVERY_LIMIT: Duration = Duration::from_secs(10);
/// Pauses between tries, as Standard Webhooks recommends: about three days in all.
const PAUSES_SECONDS: [u32; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// What stands before every secret.
const SECRET_PREFIX: &str = "whsec_";

/// A new secret: 256 bits from the operating system. `None` when it has none.
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

/// Delivers until the stop.
pub async fn run(around: Surroundings, inside: Inside) {
    let inside = Arc::new(inside);
    keep(&around, "webhooks", || session(&around, &inside)).await;
}

async fn session(around: &Surroundings, inside: &Arc<Inside>) -> Result<(), SessionError> {
    around.store.check_schema().await?;
    // No proxy either: it would look names up itself, past the check.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(address::Guarded(inside.clone())))
        .connect_timeout(Duration::from_secs(5))
        .timeout(DELIVERY_LIMIT)
        .user_agent("lockbox")
        .build();
    let client = match client {
        Ok(client) => client,
        Err(fault) => {
            tracing::error!(error = chain(&fault), "webhooks cannot be called from here");
            around.stop.cancelled().await;
            return Ok(());
        }
    };
    around.health.set("webhooks", Ok(()));
    while !around.stop.is_cancelled() {
        let due = around.store.claim_deliveries(i64::try_from(CONCURRENT).unwrap_or(16)).await?;
        let is_idle = due.is_empty();
        let mut done = stream::iter(due).map(|one| deliver(around, &client, inside, one)).buffer_unordered(CONCURRENT);
        while let Some(done) = done.next().await {
            done?;
        }
        if is_idle {
            tokio::select! {
                () = around.stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_PERIOD) => {}
            }
        }
    }
    around.health.set("webhooks", Err("stopping".to_owned()));
    Ok(())
}

/// What became of one try.
enum Answer {
    Taken,
    /// The other end wants no more, ever.
    Gone,
    Failed(String),
}

async fn deliver(
    around: &Surroundings,
    client: &reqwest::Client,
    inside: &Inside,
    one: Delivery,
) -> Result<(), SessionError> {
    let answer = call(client, inside, &one).await;
    let outcome = if matches!(answer, Answer::Taken) { "taken" } else { "failed" };
    metrics::counter!("lockbox_webhook_total", "outcome" => outcome).increment(1);
    let why = match answer {
        Answer::Taken => return Ok(around.store.delivered(one.webhook, one.event).await?),
        Answer::Gone => "its address answered 410 (gone)".to_owned(),
        Answer::Failed(why) => {
            let attempt = usize::try_from(one.attempt).unwrap_or(usize::MAX);
            if let Some(&pause) = PAUSES_SECONDS.get(attempt) {
                let pause = f64::from(pause) * (0.9 + 0.2 * fastrand::f64());
                around.store.not_delivered(one.webhook, one.event, &why, pause).await?;
                tracing::warn!(webhook = %one.webhook, event = %one.event, why, "a webhook took nothing");
                return Ok(());
            }
            format!("it took nothing for days ({why})")
        }
    };
    // What it has not taken stays, and goes when somebody switches it on again.
    match around.store.switch_webhook(one.webhook, Some(&why), "Lockbox", Actor::lockbox()).await {
        Ok(messages) => {
            tracing::error!(webhook = %one.webhook, why, "a webhook was switched off");
            around.relay.hand_over(messages, Vec::new(), one.now).await;
            Ok(())
        }
        // Another delivery has done it.
        Err(store::Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn call(client: &reqwest::Client, inside: &Inside, one: &Delivery) -> Answer {
    // Again at every call: what is allowed may have changed since it was added.
    let url = match check_url(&one.url, inside) {
        Ok(url) => url,
        Err(why) => return Answer::Failed(why),
    };
    let (id, seconds) = (one.event.to_string(), one.now.timestamp());
    let Some(signature) = sign(&one.secret, &id, seconds, &one.body) else {
        return Answer::Failed("its secret cannot be read".to_owned());
    };
    let sending = client
        .post(url)
        .header("content-type", "application/cloudevents+json")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", signature)
        .body(one.body.clone())
        .send();
    // The answer's body is not read: nothing in it matters.
    match sending.await {
        Ok(answer) if answer.status().is_success() => Answer::Taken,
        Ok(answer) if answer.status() == StatusCode::GONE => Answer::Gone,
        Ok(answer) => Answer::Failed(format!("it answered {}", answer.status())),
        Err(fault) => Answer::Failed(chain(&fault.without_url())),
    }
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }
}
