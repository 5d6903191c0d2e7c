//! Compares the database row of a request with its history in the log.

use chrono::{DateTime, TimeDelta, Utc};
use domain::replay::Replayed;
use uuid::Uuid;

/// Maximum time between reading the clock for an event and writing the row.
const WRITE_DELAY: TimeDelta = TimeDelta::seconds(60);

/// A request in the database.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// Id of the request.
    pub id: Uuid,
    /// State of the request.
    pub state: String,
    /// Number of steps.
    pub version: i64,
    /// Stored digest, hexadecimal.
    pub digest: String,
    /// Digest computed from the stored content, hexadecimal.
    pub content_digest: String,
    /// The requester.
    pub requester: Uuid,
    /// The manager who approved for the vendor.
    pub manager: Option<Uuid>,
    /// Deadline of the vendor review.
    pub review_deadline: DateTime<Utc>,
    /// Deadline of the customer decision.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// Cause of the end.
    pub cause: Option<String>,
    /// Time at which the request reached its final state.
    pub finished_at: Option<DateTime<Utc>>,
    /// Customer approvals in the database: approver and allowed seconds.
    pub approvals: Vec<(Uuid, i64)>,
    /// Number of committed steps that are not in the log yet.
    pub pending: i64,
}

/// Lists the differences between a row and its history. Returns `None` when the row only has newer steps than the log.
pub fn differences(row: &RequestRow, history: &Replayed) -> Option<Vec<String>> {
    let mut differ = Vec::new();
    let mut same = |holds: bool, what: &str, row: &dyn std::fmt::Display, log: &dyn std::fmt::Display| {
        if !holds {
            differ.push(format!("{what}: the database has {row}, the log has {log}"));
        }
    };
    same(row.digest == row.content_digest, "content", &row.content_digest, &row.digest);
    same(row.digest == history.digest, "digest", &row.digest, &history.digest);
    same(Some(row.requester) == history.requester, "requester", &row.requester, &text(history.requester.as_ref()));
    same(
        Some(row.review_deadline) == history.review_deadline,
        "review deadline",
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
        ("decision deadline", text(row.decision_deadline.as_ref()), text(history.decision_deadline.as_ref())),
        ("access start", text(row.access_from.as_ref()), text(history.access_from.as_ref())),
        ("cause", text(row.cause.as_ref()), text(history.cause.as_ref())),
    ];
    for (what, table, log) in options {
        same(table == log, what, &table, &log);
    }
    let moments =
        [("access end", row.access_until, history.access_until), ("end time", row.finished_at, history.finished_at)];
    for (what, table, log) in moments {
        same(matches_time(table, log), what, &text(table.as_ref()), &text(log.as_ref()));
    }
    let (mut table, mut log) = (row.approvals.clone(), history.approvals.clone());
    table.sort_unstable();
    log.sort_unstable();
    same(table == log, "customer approvals", &table.len(), &log.len());
    Some(differ)
}

fn text(value: Option<&impl std::fmt::Display>) -> String {
    value.map_or_else(|| "no value".to_owned(), ToString::to_string)
}

/// Whether both times are absent, or the row was written within the limit after the event's clock was read.
fn matches_time(table: Option<DateTime<Utc>>, log: Option<DateTime<Utc>>) -> bool {
    match (table, log) {
        (Some(table), Some(log)) => table >= log && table - log < WRITE_DELAY,
        (None, None) => true,
        _ => false,
    }
}
