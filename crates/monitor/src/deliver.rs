//! Sends alarms by mail and to a webhook, each once. What cannot be sent is sent again later.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::alarm::Alarm;
use crate::book::Book;
use crate::error::Error;

/// How often unsent alarms are looked for.
const PERIOD: Duration = Duration::from_millis(500);
/// Longest pause after failures.
const PAUSE_LIMIT: Duration = Duration::from_secs(300);
/// Time limit of one call or mail.
const LIMIT: Duration = Duration::from_secs(30);

/// Mail settings.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Mail server: `smtp://host`, `smtps://user:password@host`.
    pub server: String,
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
}

/// A way to send alarms.
#[derive(Clone, Debug)]
pub(crate) enum Channel {
    /// By mail.
    Mail { transport: AsyncSmtpTransport<Tokio1Executor>, from: Mailbox, to: Vec<Mailbox> },
    /// By HTTP.
    Webhook { client: reqwest::Client, url: Url },
}

impl Channel {
    /// Mail through a server.
    pub fn mail(options: &MailOptions) -> Result<Self, Error> {
        let setting = |what: &str, fault: &dyn std::fmt::Display| Error::Setting(format!("{what}: {fault}"));
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&options.server)
            .map_err(|fault| setting("the URL of the mail server is not valid", &fault))?
            .timeout(Some(LIMIT))
            .build();
        let mailbox = |text: &String| {
            text.parse::<Mailbox>().map_err(|fault| setting(&format!("the address {text} is not valid"), &fault))
        };
        Ok(Self::Mail {
            transport,
            from: mailbox(&options.from)?,
            to: options.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    /// POST to a URL.
    pub fn webhook(url: Url) -> Result<Self, Error> {
        let client = reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self::Webhook { client: client.map_err(|fault| Error::Setting(fault.to_string()))?, url })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Mail { .. } => "mail",
            Self::Webhook { .. } => "webhook",
        }
    }

    async fn send(&self, origin: &str, alarms: &[Alarm]) -> Result<(), String> {
        match self {
            Self::Mail { transport, from, to } => {
                let mut message = Message::builder().from(from.clone()).subject(subject(origin, alarms));
                for one in to {
                    message = message.to(one.clone());
                }
                let message = message.header(ContentType::TEXT_PLAIN).body(text(origin, alarms));
                transport.send(message.map_err(|fault| fault.to_string())?).await.map_err(|fault| fault.to_string())?;
                Ok(())
            }
            Self::Webhook { client, url } => {
                let body = json!({"source": "lockbox monitor", "log": origin, "alarms": alarms}).to_string();
                let request = client.post(url.clone()).header("content-type", "application/json").body(body);
                let response = request.send().await.map_err(|fault| fault.to_string())?;
                if response.status().is_success() {
                    Ok(())
                } else {
                    Err(format!("the answer is {}", response.status()))
                }
            }
        }
    }

    /// Sends what was not sent yet.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub async fn flush(&self, origin: &str, book: &Mutex<Book>) -> Result<(), String> {
        let unsent = book.lock().unwrap_or_else(PoisonError::into_inner).unsent(self.name());
        if unsent.is_empty() {
            return Ok(());
        }
        self.send(origin, &unsent).await?;
        let marking = book.lock().unwrap_or_else(PoisonError::into_inner).mark_sent(self.name(), &unsent);
        marking.map_err(|fault| fault.to_string())
    }

    /// Sends alarms until the stop.
    pub async fn run(self, origin: String, book: Arc<Mutex<Book>>, stop: CancellationToken) {
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let pause = match self.flush(&origin, &book).await {
                Ok(()) => {
                    failures = 0;
                    PERIOD
                }
                Err(why) => {
                    if failures == 0 {
                        tracing::error!(channel = self.name(), "alarms cannot be sent; trying again: {why}");
                    }
                    failures += 1;
                    (PERIOD * 2_u32.saturating_pow(failures.min(16))).min(PAUSE_LIMIT)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn subject(origin: &str, alarms: &[Alarm]) -> String {
    // The most severe one first.
    let first = alarms.iter().min_by_key(|alarm| alarm.kind);
    let title = first.map_or("", |alarm| alarm.title.as_str());
    let more = if alarms.len() > 1 { format!(" and {} more", alarms.len() - 1) } else { String::new() };
    format!("[Lockbox monitor] {title}{more}: {origin}")
}

fn text(origin: &str, alarms: &[Alarm]) -> String {
    let mut sorted: Vec<&Alarm> = alarms.iter().collect();
    sorted.sort_by_key(|alarm| (alarm.kind, alarm.index));
    let parts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
    format!("Your monitor of the log {origin} reports:\n\n{}\n", parts.join("\n\n"))
}
