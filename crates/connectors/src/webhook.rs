//! A provisioning system of any kind, told over HTTP with signed calls (Standard Webhooks) to open, close, cut and probe.
//! `examples/webhook/` has an adapter to start from and a kit that checks one.
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

/// Longest answer that is read, in bytes: room for the marks of tens of thousands of grants.
const ANSWER_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// A call that takes longer has failed, whatever it did.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Where the adapter is and how calls are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebhookSettings {
    /// Every call is a POST to this URL.
    pub url: String,
    /// File that holds the secret, as `whsec_` and base64.
    pub secret_file: PathBuf,
}

/// The connector.
pub struct Webhook {
    url: url::Url,
    key: hmac::Key,
    http: reqwest::Client,
}

impl Webhook {
    /// Makes the connector.
    ///
    /// # Errors
    /// When the secret cannot be read or is too short to keep anybody out.
    pub fn new(settings: &WebhookSettings) -> Result<Self, String> {
        let path = settings.secret_file.display();
        let text = std::fs::read_to_string(&settings.secret_file)
            .map_err(|fault| format!("{path} cannot be read: {fault}"))?;
        let encoded = text.trim().strip_prefix("whsec_").ok_or_else(|| format!("{path} does not begin with whsec_"))?;
        let secret = STANDARD.decode(encoded).map_err(|fault| format!("{path} is not base64: {fault}"))?;
        if secret.len() < 24 {
            return Err(format!("{path} holds {} bytes; a secret has at least 24", secret.len()));
        }
        let url = url::Url::parse(&settings.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("{:?} is no http or https URL", settings.url))?;
        let http = reqwest::Client::builder()
            // A redirect could lead a signed call anywhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_LIMIT)
            .build()
            .map_err(|fault| fault.to_string())?;
        Ok(Self { url, key: hmac::Key::new(hmac::HMAC_SHA256, &secret), http })
    }

    /// Sends one call and reads the JSON object it is answered with.
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
                return Err(Fault::Permanent(format!("{what} was answered with more than {ANSWER_LIMIT_BYTES} bytes")));
            }
        }
        if !status.is_success() {
            let said: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(200).collect();
            let problem = format!("{what} was answered with {status}: {said}");
            let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
            return Err(if again { Fault::Transient(problem) } else { Fault::Permanent(problem) });
        }
        serde_json::from_slice(&text)
            .map_err(|fault| Fault::Permanent(format!("{what} was answered with something else than JSON: {fault}")))
    }
}

/// A failure with its causes: `error sending request` alone helps nobody.
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

fn odd(what: &str, answer: &Value) -> Fault {
    let shown: String = answer.to_string().chars().take(200).collect();
    Fault::Permanent(format!("{what} was answered with {shown}, which says nothing"))
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
        answer["sessions"].as_u64().ok_or_else(|| odd("cut", &answer))
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        let answer = self.call("probe", Some(order)).await?;
        match answer["state"].as_str() {
            Some("open") => Ok(Found::Open),
            Some("closed") => Ok(Found::Closed),
            _ => Err(odd("probe", &answer)),
        }
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        let answer = self.call("marked", None).await?;
        let grants = answer["grants"].as_array().ok_or_else(|| odd("marked", &answer))?;
        grants
            .iter()
            .map(|grant| grant.as_str().and_then(|id| id.parse().ok()).ok_or_else(|| odd("marked", grant)))
            .collect()
    }
}
