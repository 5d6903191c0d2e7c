//! Any provisioning system, over HTTP with signed calls (Standard Webhooks): open, close, cut (end sessions) and probe (read
//! back). `examples/webhook/` has an adapter to start from, and a kit that checks an adapter.
//!
//! Source of the signature: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::order::{Connector, Fault, Found, Order};

/// Longest response that is read, in bytes: enough for the marks of tens of thousands of grants.
const ANSWER_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Time limit of a call. After it the call has failed, whatever the adapter did.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// URL of the adapter and the secret of the signatures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebhookSettings {
    /// Every call is a POST to this URL.
    pub url: String,
    /// File with the secret: `whsec_` followed by base64.
    pub secret_file: PathBuf,
}

/// The connector.
pub struct Webhook {
    url: url::Url,
    key: hmac::Key,
    http: reqwest::Client,
}

impl Webhook {
    /// Creates the connector.
    ///
    /// # Errors
    /// When the secret cannot be read or is too short to be safe.
    pub fn new(settings: &WebhookSettings) -> Result<Self, String> {
        let path = settings.secret_file.display();
        let text = std::fs::read_to_string(&settings.secret_file)
            .map_err(|fault| format!("{path} cannot be read: {fault}"))?;
        let encoded = text.trim().strip_prefix("whsec_").ok_or_else(|| format!("{path} does not start with whsec_"))?;
        let secret = STANDARD
            .decode(encoded)
            .map_err(|fault| format!("{path} does not contain base64 after whsec_: {fault}"))?;
        if secret.len() < 24 {
            return Err(format!("{path} has {} bytes; a secret needs at least 24", secret.len()));
        }
        let url = url::Url::parse(&settings.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("{:?} is not an http or https URL", settings.url))?;
        let http = reqwest::Client::builder()
            // A redirect could send a signed call to any host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_LIMIT)
            .build()
            .map_err(|fault| fault.to_string())?;
        Ok(Self { url, key: hmac::Key::new(hmac::HMAC_SHA256, &secret), http })
    }

    /// Sends one call and reads the JSON object of the response.
    async fn call(&self, what: &str, order: Option<&Order>) -> Result<Value, Fault> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let id = format!("msg_{}", Uuid::now_v7().simple());
        let body = json!({ "type": format!("lockbox.provisioning.{what}"), "data": order.map(order_json) }).to_string();
        let tag = hmac::sign(&self.key, format!("{id}.{now}.{body}").as_bytes());
        let sending = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
            .body(body)
            .send();
        let mut response = sending.await.map_err(|fault| Fault::Transient(reason(&fault)))?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|fault| Fault::Transient(reason(&fault)))? {
            text.extend_from_slice(&chunk);
            if text.len() > ANSWER_LIMIT_BYTES {
                return Err(Fault::Permanent(format!(
                    "the response to {what} is longer than {ANSWER_LIMIT_BYTES} bytes"
                )));
            }
        }
        if !status.is_success() {
            let said: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(200).collect();
            let problem = format!("the adapter responded to {what} with {status}: {said}");
            let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
            return Err(if again { Fault::Transient(problem) } else { Fault::Permanent(problem) });
        }
        serde_json::from_slice(&text)
            .map_err(|fault| Fault::Permanent(format!("the response to {what} is not JSON: {fault}")))
    }
}

/// An error with its causes, because `error sending request` alone does not help.
fn reason(fault: &reqwest::Error) -> String {
    let mut text = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn order_json(order: &Order) -> Value {
    json!({
        "grant": order.grant,
        "tenant": order.tenant,
        "service": order.service,
        "resource": order.resource,
        "access_level": order.access_level.as_str(),
        "engineer": order.engineer,
        "until": order.until.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

fn invalid_response(what: &str, answer: &Value) -> Fault {
    let shown: String = answer.to_string().chars().take(200).collect();
    Fault::Permanent(format!("the response to {what} is {shown}, which has not the expected form"))
}

#[async_trait]
impl Connector for Webhook {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        self.call("open", Some(order)).await.map(drop)
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        self.call("close", Some(order)).await.map(drop)
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        let answer = self.call("cut", Some(order)).await?;
        answer["sessions"].as_u64().ok_or_else(|| invalid_response("cut", &answer))
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        let answer = self.call("probe", Some(order)).await?;
        match answer["state"].as_str() {
            Some("open") => Ok(Found::Open),
            Some("closed") => Ok(Found::Closed),
            _ => Err(invalid_response("probe", &answer)),
        }
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        let answer = self.call("marked", None).await?;
        let grants = answer["grants"].as_array().ok_or_else(|| invalid_response("marked", &answer))?;
        grants
            .iter()
            .map(|grant| grant.as_str().and_then(|id| id.parse().ok()).ok_or_else(|| invalid_response("marked", grant)))
            .collect()
    }
}
