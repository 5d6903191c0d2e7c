//! Whether a request's row says what its history says.

use chrono::{DateTime, TimeDelta, Utc};
use domain::replay::Replayed;
use uuid::Uuid;

/// A row is written at most this long after the clock was read for its event.
const WRITING: TimeDelta = TimeDelta::seconds(60);

/// A request as the tables have it.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// Id.
    pub id: Uuid,
    /// State.
    pub state: String,
    /// Number of steps.
    pub version: i64,
    /// Digest, hexadecimal.
    pub digest: String,
    /// Digest of the content that is stored, hexadecimal.
    pub content_digest: String,
    /// Who asked.
    pub requester: Uuid,
    /// The manager who said yes.
    pub manager: Option<Uuid>,
    /// The manager must answer before.
    pub review_deadline: DateTime<Utc>,
    /// The customer must answer before.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Access opens.
    pub access_from: Option<DateTime<Utc>>,
    /// Access is over.
    pub access_until: Option<DateTime<Utc>>,
    /// Why it is over.
    pub cause: Option<String>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// Yeses of the customer in the table of decisions.
    pub approvals: Vec<(Uuid, i64)>,
    /// Steps that are committed and still on their way to the log.
    pub pending: i64,
}

/// What the row says otherwise than its history; empty when they agree. `None` when the row is ahead of the log.
pub fn differences(row: &RequestRow, history: &Replayed) -> Option<Vec<String>> {
    let mut differ = Vec::new();
    let mut same = |holds: bool, what: &str, row: &dyn std::fmt::Display, log: &dyn std::fmt::Display| {
        if !holds {
            differ.push(format!("{what}: the table says {row}, the log says {log}"));
        }
    };
    same(row.digest == row.content_digest, "content", &row.content_digest, &row.digest);
    same(row.digest == history.digest, "digest", &row.digest, &history.digest);
    same(Some(row.requester) == history.requester, "requester", &row.requester, &text(history.requester.as_ref()));
    same(
        Some(row.review_deadline) == history.review_deadline,
        "deadline of the review",
        &row.review_deadline,
        &text(history.review_deadline.as_ref()),
    );
    if row.pending > 0 && row.version == history.version + row.pending {
        return if differ.is_empty() { None } else { Some(differ) };
    }
    same(row.version == history.version, "number of steps", &row.version, &history.version);
    same(row.state == history.state, "state", &row.state, &history.state);
    let options = [
        ("manager", text(row.manager.as_ref()), text(history.manager.as_ref())),
        ("deadline", text(row.decision_deadline.as_ref()), text(history.decision_deadline.as_ref())),
        ("start of access", text(row.access_from.as_ref()), text(history.access_from.as_ref())),
        ("cause", text(row.cause.as_ref()), text(history.cause.as_ref())),
    ];
    for (what, table, log) in options {
        same(table == log, what, &table, &log);
    }
    let moments =
        [("end of access", row.access_until, history.access_until), ("end", row.finished_at, history.finished_at)];
    for (what, table, log) in moments {
        same(written(table, log), what, &text(table.as_ref()), &text(log.as_ref()));
    }
    let (mut table, mut log) = (row.approvals.clone(), history.approvals.clone());
    table.sort_unstable();
    log.sort_unstable();
    same(table == log, "yeses of the customer", &table.len(), &log.len());
    Some(differ)
}

fn text(value: Option<&impl std::fmt::Display>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

/// Equal, or the row was written a moment after the event's clock was read.
fn written(table: Option<DateTime<Utc>>, log: Option<DateTime<Utc>>) -> bool {
    match (table, log) {
        (Some(table), Some(log)) => table >= log && table - log < WRITING,
        (None, None) => true,
        _ => false,
    }
}
