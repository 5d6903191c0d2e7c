//! A collector that accepts OCSF documents over HTTPS, a JSON array per batch. A 2xx response means that it accepted the batch.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use rustls::ClientConfig;
use serde_json::Value;
use url::Url;

use super::credentials::Token;
use super::fault::{Fault, unconnected};
use super::items::Item;

/// Time limit of one batch.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest accepted value of `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Most characters of a response that are shown.
const SHOWN: usize = 300;

pub(super) struct Collector {
    to: Url,
    token: Token,
    client: reqwest::Client,
}

impl Collector {
    pub(super) fn new(to: Url, token: Token, config: ClientConfig) -> Result<Self, String> {
        // A redirect could send the entries and the token to another host.
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(config)
            .redirect(Policy::none())
            .timeout(LIMIT)
            .user_agent("lockbox")
            .build()
            .map_err(|fault| workers::error_chain(&fault))?;
        Ok(Self { to, token, client })
    }

    pub(super) async fn send(&self, batch: &[Item]) -> Result<(), Fault> {
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
        StatusCode::UNAUTHORIZED => Fault::Refused(format!(
            "{host} does not accept the token (401); set a valid token with --bearer-file{said}"
        )),
        StatusCode::FORBIDDEN => Fault::Refused(format!("{host} does not allow this token to send events (403){said}")),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Fault::TooLarge(format!("{host} refuses a single event as too large (413){said}"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Fault::Unavailable(format!("{host} requests a pause ({status}){said}"), pause)
        }
        status if status.is_client_error() || status.is_redirection() => {
            Fault::Refused(format!("{host} refuses the events ({status}); check the path of --to{said}"))
        }
        status => Fault::Unavailable(format!("{host} responded with {status}{said}"), pause),
    }
}
