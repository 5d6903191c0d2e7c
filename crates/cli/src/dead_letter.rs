//! `lockbox dead-letter list | show | replay | discard`: messages given up on.

use broker::{Exchange, Link, Outgoing, Published, Publisher};
use clap::{Args, Subcommand};
use serde_json::json;
use store::Store;
use store::dead_letter::{DeadLetterFilter, DeadLetterRow};
use uuid::Uuid;
use workers::{REPLAY_HEADER, REPLAY_LOGIN_HEADER};

use runtime::configuration::Settings;
use runtime::connect::open_link;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, json as print_json, line, printable, time};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// List parked messages, newest first.
    List {
        /// Only this reason, such as schema.invalid.
        #[arg(long)]
        reason: Option<String>,
        /// Also those that were replayed or discarded.
        #[arg(long)]
        all: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
    },
    /// One message with its bytes.
    Show {
        /// Id from the list.
        id: Uuid,
    },
    /// Send messages again as they were, to the exchange they came through and for the login that sent them.
    Replay(Resolve),
    /// Mark messages as done with.
    Discard(Resolve),
}

/// Which messages.
#[derive(Args, Debug)]
pub struct Resolve {
    /// Ids from the list.
    #[arg(required = true)]
    ids: Vec<Uuid>,
    /// Why.
    #[arg(long)]
    note: Option<String>,
    /// Who, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

impl DeadLetterCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::List { reason, all, limit } => list(&store, DeadLetterFilter { reason, all, limit }, format).await,
            Self::Show { id } => show(&store.dead_letter_one(id).await?, format),
            Self::Replay(resolve) => resolve.replay(settings, &store).await,
            Self::Discard(resolve) => {
                for id in &resolve.ids {
                    store.dead_letter_one(*id).await?;
                    resolve.mark(&store, *id, "discarded").await?;
                }
                Ok(())
            }
        }
    }
}

async fn list(store: &Store, filter: DeadLetterFilter, format: Format) -> Result<(), Failure> {
    let found = store.dead_letter(&filter).await?;
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
    Listing { head: vec!["id", "parked at", "reason", "queue", "sent by", "detail", "status"], rows, json }
        .print(format)
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
    line(&format!("parked      {} at {}", row.id, time(row.dead_lettered_at)))?;
    line(&format!("reason      {}: {}", row.reason, printable(&row.detail)))?;
    line(&format!("came from   exchange {:?}, key {:?}, queue {}", row.exchange, row.routing_key, row.queue))?;
    line(&format!("sent by     {}", row.login.as_deref().unwrap_or("(no user_id)")))?;
    line(&format!("status      {}", row.status))?;
    line(&format!("{} bytes:", row.size_bytes))?;
    line(&printable(&String::from_utf8_lossy(&row.body)))
}

impl Resolve {
    async fn mark(&self, store: &Store, id: Uuid, resolution: &str) -> Result<(), Failure> {
        if store.resolve_dead_letter(id, resolution, &self.by, self.note.as_deref()).await? {
            return line(&format!("{id} {resolution}"));
        }
        Err(Failure::Refused {
            code: "resolved".to_owned(),
            message: format!("{id} was resolved before; `lockbox dead-letter list --all` shows how"),
        })
    }

    async fn replay(&self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let link: Link = open_link(settings).await?;
        let mut publisher = Publisher::open(&link, &settings.names).await?;
        for id in &self.ids {
            let row = store.dead_letter_one(*id).await?;
            let outgoing = outgoing(settings, &row)?;
            if row.status != "dead_lettered" {
                // Resolved before: this says so.
                return self.mark(store, *id, "replayed").await;
            }
            let published = publisher.publish(std::slice::from_ref(&outgoing)).await?;
            if published != [Published::Confirmed] {
                return Err(Failure::Failed(format!("the broker did not take {id}: {published:?}")));
            }
            self.mark(store, *id, "replayed").await?;
        }
        link.close().await;
        Ok(())
    }
}

/// The message as it was, back on the exchange that it came through, for the login that sent it: the roles ask again
/// whether that login may send it. What was refused for its sender stays refused.
fn outgoing(settings: &Settings, row: &DeadLetterRow) -> Result<Outgoing, Failure> {
    if row.reason.starts_with("auth.") {
        let message = format!(
            "{} was refused because of its sender ({}); discard it, and let the right login send it",
            row.id, row.reason
        );
        return Err(Failure::Refused { code: "replay.sender".to_owned(), message });
    }
    if usize::try_from(row.size_bytes).ok() != Some(row.body.len()) {
        return Err(Failure::Usage(format!(
            "{} is too large: only its beginning is stored, so it cannot be sent again",
            row.id
        )));
    }
    let is_original = |exchange: &Exchange| settings.names.exchange(*exchange) == row.exchange;
    let exchange = Exchange::ALL.into_iter().filter(|exchange| !exchange.is_broker_only()).find(is_original);
    let exchange = exchange.ok_or_else(|| {
        Failure::Usage(format!(
            "{} came through {:?}, which is not an exchange of this deployment",
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
