//! A collector that takes OCSF documents over HTTPS, a JSON array at a time. What it answers with 2xx it has taken.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use rustls::ClientConfig;
use serde_json::Value;
use url::Url;

use super::fault::{Fault, unconnected};
use super::items::Item;
use super::token::Token;

/// Time for one batch, all in all.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest pause that the other end may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// As much of an answer as is worth showing, in characters.
const SHOWN: usize = 300;

pub(super) struct Collector {
    to: Url,
    token: Token,
    client: reqwest::Client,
}

impl Collector {
    pub(super) fn new(to: Url, token: Token, config: ClientConfig) -> Result<Self, String> {
        // A redirect would carry the record, and the token, to where nobody sent them.
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(config)
            .redirect(Policy::none())
            .timeout(LIMIT)
            .user_agent("lockbox")
            .build()
            .map_err(|fault| workers::error_chain(&fault))?;
        Ok(Self { to, token, client })
    }

    pub(super) async fn take(&self, batch: &[Item]) -> Result<(), Fault> {
        let documents: Vec<Value> = batch.iter().map(Item::ocsf).collect();
        let body = Value::from(documents).to_string();
        let mut sending = self.client.post(self.to.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(token) = self.token.read()? {
            sending = sending.bearer_auth(token);
        }
        let host = self.to.host_str().unwrap_or_default();
        match sending.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused(host, answer).await),
            Err(fault) => Err(unconnected(host, &fault.without_url())),
        }
    }
}

async fn refused(host: &str, answer: Response) -> Fault {
    let status = answer.status();
    let pause = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let pause = pause.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
    let said = answer.text().await.unwrap_or_default();
    let said: String = said.trim().chars().take(SHOWN).collect();
    let said =
        if said.is_empty() { said } else { format!(": {}", runtime::output::printable(&said).replace('\n', " ")) };
    match status {
        StatusCode::UNAUTHORIZED => {
            Fault::Refused(format!("{host} does not know our token (401); give the right one with --bearer-file{said}"))
        }
        StatusCode::FORBIDDEN => Fault::Refused(format!("{host} knows our token and forbids sending (403){said}")),
        StatusCode::PAYLOAD_TOO_LARGE => Fault::TooLarge(format!("{host} finds a single event too large (413){said}")),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Fault::Away(format!("{host} asks to wait ({status}){said}"), pause)
        }
        status if status.is_client_error() || status.is_redirection() => {
            Fault::Refused(format!("{host} does not take what is sent ({status}); is the path right?{said}"))
        }
        status => Fault::Away(format!("{host} answered {status}{said}"), pause),
    }
}
