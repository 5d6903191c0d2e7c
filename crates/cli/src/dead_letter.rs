//! `lockbox dead-letter`: inspect and replay dead-letter messages.

use broker::{Exchange, Link, Outgoing, Published, Publisher};
use clap::{Args, Subcommand};
use serde_json::json;
use store::Store;
use store::dead_letter::{DeadLetterFilter, DeadLetterRow};
use uuid::Uuid;
use workers::{REPLAY_HEADER, REPLAY_LOGIN_HEADER};

use super::operator::Operator;
use super::refresh::Refresh;
use runtime::configuration::Settings;
use runtime::connect::open_link;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, fields, json as print_json, line, printable, time};
use runtime::serve::open_store;

/// Dead-letter commands.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// List dead-letter messages, newest first.
    List(List),
    /// Show one message with its bytes.
    #[command(after_help = "Example:\n  lockbox dead-letter show 0197…")]
    Show {
        /// Id from the list.
        id: Uuid,
    },
    /// Send messages again unchanged, through their exchange and for the login that sent them.
    #[command(
        after_help = "Example:\n  lockbox dead-letter replay 0197… --operator lee --note \"the schema is fixed\""
    )]
    Replay(Resolve),
    /// Close messages without sending them again.
    #[command(after_help = "Example:\n  lockbox dead-letter discard 0197… --operator lee --note \"sender informed\"")]
    Discard(Resolve),
}

/// Messages to list.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lockbox dead-letter list --reason schema.invalid\n  lockbox dead-letter list --watch"
)]
pub struct List {
    /// Only messages with this reason, such as schema.invalid.
    #[arg(long)]
    reason: Option<String>,
    /// Replayed and discarded messages too.
    #[arg(long)]
    all: bool,
    /// Largest number of messages.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    refresh: Refresh,
}

/// Messages to resolve.
#[derive(Args, Debug)]
pub struct Resolve {
    /// Ids from the list.
    #[arg(required = true)]
    ids: Vec<Uuid>,
    /// Note for the audit log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

impl DeadLetterCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::List(List { reason, all, limit, columns, refresh }) => {
                let filter = DeadLetterFilter { reason, all, limit };
                let read = async || Ok(listing(&store.dead_letters(&filter).await?));
                refresh.print(&columns, format, read).await
            }
            Self::Show { id } => show(&store.find_dead_letter(id).await?, format),
            Self::Replay(resolve) => resolve.replay(settings, &store).await,
            Self::Discard(resolve) => {
                for id in &resolve.ids {
                    store.find_dead_letter(*id).await?;
                    resolve.mark(&store, *id, "discarded").await?;
                }
                Ok(())
            }
        }
    }
}

/// Messages as a table, and whole for programs.
fn listing(found: &[DeadLetterRow]) -> Listing {
    let rows = found
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                time(row.dead_lettered_at),
                row.reason.clone(),
                row.queue.clone(),
                row.login.clone().unwrap_or_default(),
                row.detail.clone(),
                row.status.clone(),
            ]
        })
        .collect();
    let json = found.iter().map(document).collect();
    Listing::new(vec!["id", "dead-lettered at", "reason", "queue", "sent by", "detail", "status"], rows, json)
        .brief(&["id", "reason", "queue", "status"])
}

fn document(row: &DeadLetterRow) -> serde_json::Value {
    json!({
        "id": row.id, "dead_lettered_at": time(row.dead_lettered_at), "reason": row.reason, "detail": row.detail, "queue": row.queue,
        "exchange": row.exchange, "routing_key": row.routing_key, "message_id": row.message_id,
        "message_type": row.message_type, "login": row.login, "size_bytes": row.size_bytes, "status": row.status,
        "resolved_by": row.resolved_by, "note": row.note, "body": String::from_utf8_lossy(&row.body),
    })
}

fn show(row: &DeadLetterRow, format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        return print_json(&document(row));
    }
    fields(&[
        ("Message", row.id.to_string()),
        ("Dead-lettered at", time(row.dead_lettered_at)),
        ("Reason", format!("{}: {}", row.reason, row.detail)),
        ("Exchange", row.exchange.clone()),
        ("Routing key", row.routing_key.clone()),
        ("Queue", row.queue.clone()),
        ("Sent by", row.login.clone().unwrap_or_else(|| "unknown (the message has no user_id)".to_owned())),
        ("Status", row.status.clone()),
        ("Size", format!("{} bytes", row.size_bytes)),
    ])?;
    line("")?;
    line(&printable(&String::from_utf8_lossy(&row.body)))
}

impl Resolve {
    async fn mark(&self, store: &Store, id: Uuid, resolution: &str) -> Result<(), Failure> {
        if store.resolve_dead_letter(id, resolution, &self.operator.name, self.note.as_deref()).await? {
            return line(&format!("{id} {resolution}"));
        }
        Err(Failure::Refused {
            code: "resolved".to_owned(),
            message: format!("{id} is already replayed or discarded; `lockbox dead-letter list --all` shows which"),
        })
    }

    async fn replay(&self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let link: Link = open_link(settings).await?;
        let mut publisher = Publisher::open(&link, &settings.names).await?;
        for id in &self.ids {
            let row = store.find_dead_letter(*id).await?;
            let outgoing = outgoing(settings, &row)?;
            if row.status != "dead_lettered" {
                // Already resolved: this reports it.
                return self.mark(store, *id, "replayed").await;
            }
            let published = publisher.publish(std::slice::from_ref(&outgoing)).await?;
            if published != [Published::Confirmed] {
                return Err(Failure::Failed(format!("the broker did not confirm {id}: {published:?}; try again")));
            }
            self.mark(store, *id, "replayed").await?;
        }
        link.close().await;
        Ok(())
    }
}

/// The unchanged message for the exchange that it came through and the login that sent it. The roles check the login's
/// permission again. A message that was refused because of its sender is not replayed.
fn outgoing(settings: &Settings, row: &DeadLetterRow) -> Result<Outgoing, Failure> {
    if row.reason.starts_with("auth.") {
        let message = format!(
            "{} was refused because of its sender ({}); discard it, and send the message with a login that may send it",
            row.id, row.reason
        );
        return Err(Failure::Refused { code: "replay.sender".to_owned(), message });
    }
    if usize::try_from(row.size_bytes).ok() != Some(row.body.len()) {
        return Err(Failure::Usage(format!(
            "{} is too large: only its first bytes are stored, so it cannot be sent again. Send the original message again",
            row.id
        )));
    }
    let is_original = |exchange: &Exchange| settings.names.exchange(*exchange) == row.exchange;
    let exchange = Exchange::ALL.into_iter().filter(|exchange| !exchange.is_broker_only()).find(is_original);
    let exchange = exchange.ok_or_else(|| {
        Failure::Usage(format!(
            "{} came through {:?}, which is not an exchange of this deployment; check --prefix",
            row.id, row.exchange
        ))
    })?;
    let mut headers = vec![(REPLAY_HEADER, row.id.to_string())];
    headers.extend(row.login.iter().map(|login| (REPLAY_LOGIN_HEADER, login.clone())));
    Ok(Outgoing {
        exchange,
        routing_key: row.routing_key.clone(),
        message_id: row.message_id.clone().unwrap_or_else(|| row.id.to_string()),
        message_type: row.message_type.clone().unwrap_or_default(),
        correlation_id: None,
        headers,
        body: row.body.clone().into(),
    })
}
