//! The page for operators: pending and failed messages, and the command that helps. Managers and auditors of the vendor see it.
//!
//! Deliberately absent: contents of messages, and buttons. Operators act with the command line and their own login.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use store::dead_letter::{DeadLetterFilter, DeadLetterRow};

use super::app::App;
use super::format::{DisplayTime, duration};
use super::response::{PageError, PageResult, render};
use super::session::Viewer;

/// Most dead-letter messages on the page.
const DEAD_LETTER_LIMIT: i64 = 20;

/// A figure of the installation.
struct Figure {
    name: &'static str,
    count: i64,
    /// Age of the oldest, and the reason if one is known.
    detail: String,
    /// What an operator does about it; empty when nothing is to be done.
    advice: &'static str,
}

/// A dead-letter message, without its content.
struct DeadLetter {
    id: String,
    at: DisplayTime,
    reason: String,
    queue: String,
}

#[derive(Template)]
#[template(path = "installation.html")]
struct InstallationPage {
    viewer: Viewer,
    figures: Vec<Figure>,
    dead_letters: Vec<DeadLetter>,
}

/// `oldest 5m` for a number of seconds.
fn oldest(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    format!("oldest {}", duration(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

fn figure(name: &'static str, count: i64, detail: String, advice: &'static str) -> Figure {
    if count == 0 {
        return Figure { name, count, detail: String::new(), advice: "" };
    }
    Figure { name, count, detail, advice }
}

impl From<DeadLetterRow> for DeadLetter {
    fn from(row: DeadLetterRow) -> Self {
        Self { id: row.id.to_string(), at: row.dead_lettered_at.into(), reason: row.reason, queue: row.queue }
    }
}

async fn figures(app: &App) -> Result<Vec<Figure>, PageError> {
    let outbox = app.store.outbox_depth().await?;
    let webhooks = app.store.webhook_depth().await?;
    let unconfirmed = app.store.unconfirmed_revocations().await?;
    let log = app.store.completeness(None).await?;
    let reason = outbox.deferred_reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    Ok(vec![
        figure(
            "Messages that no worker has processed yet",
            outbox.waiting,
            oldest(outbox.oldest_seconds),
            "They should be processed within seconds. If not: lockbox doctor",
        ),
        figure(
            "Deferred messages",
            outbox.deferred,
            format!("{}{reason}", oldest(outbox.deferred_oldest_seconds)),
            "Fix the cause; Lockbox retries automatically.",
        ),
        figure(
            "Dead-letter messages",
            app.store.dead_letter_count().await?,
            String::new(),
            "lockbox dead-letter show ID, then replay or discard",
        ),
        figure(
            "Unconfirmed revocations",
            unconfirmed.count,
            oldest(unconfirmed.oldest_seconds),
            "Fix the target system; Lockbox retries automatically.",
        ),
        figure("Failing webhooks", webhooks.failing, oldest(webhooks.oldest_seconds), "lockbox webhook list"),
        figure("Webhooks that are off", webhooks.off, String::new(), "lockbox webhook on ID"),
        figure("Quarantined events of the operator log", log.quarantined, String::new(), "lockbox audit check"),
    ])
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer) -> PageResult {
    if !viewer.may_operate() {
        return Err(PageError::NotFound);
    }
    let filter = DeadLetterFilter { reason: None, all: false, limit: DEAD_LETTER_LIMIT };
    let dead_letters = app.store.dead_letters(&filter).await?.into_iter().map(DeadLetter::from).collect();
    render(&InstallationPage { figures: figures(&app).await?, dead_letters, viewer })
}
