//! The closing report of one access: what was asked, granted, used and given back, and the receipt of its end. Everything
//! is read from the rows and the audit log; nothing is kept for it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use store::doors::DoorView;
use store::uses::UseView;
use store::views::RequestView;

use runtime::outcome::Failure;
use runtime::output::{data, time};

/// The customer's last word on a report.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Accepted, or disputed.
    pub accepted: bool,
    /// Name for people of who said so.
    pub by: String,
    /// In their words.
    pub comment: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The report.
pub struct Closing {
    /// Seconds asked for.
    pub asked_seconds: i64,
    /// Seconds granted: less than asked for when an approver allowed less.
    pub granted_seconds: i64,
    /// Seconds until access was over.
    pub open_seconds: i64,
    /// Seconds granted and given back.
    pub unused_seconds: i64,
    /// What was touched or tried.
    pub uses: Vec<UseView>,
    /// The door with its receipt.
    pub door: Option<DoorView>,
    /// The customer's last word.
    pub answer: Option<Answer>,
}

fn answer_of(events: &[AuditRow]) -> Option<Answer> {
    let said = events.iter().rev().find(|event| event.type_name.starts_with("report."))?;
    let data = data(&said.body);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Answer {
        accepted: said.type_name == "report.accepted",
        by: text(&data["actor"]["display_name"]).or_else(|| said.person.clone()).unwrap_or_default(),
        comment: text(&data["comment"]),
        at: said.at,
    })
}

impl Closing {
    /// The report of a request whose access is over; `None` when there was none, or it is still open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(store: &Store, request: &RequestView) -> Result<Option<Self>, Failure> {
        let (Some(from), Some(until)) = (request.access_from, request.access_until) else { return Ok(None) };
        if request.state != "ended" {
            return Ok(None);
        }
        let of_type = async |type_name: &str| {
            let filter = AuditFilter {
                request: Some(request.id),
                type_name: Some(type_name.to_owned()),
                limit: 100,
                ..AuditFilter::default()
            };
            store.search_audit(&filter).await.map(|mut events| {
                events.reverse();
                events
            })
        };
        let granted = of_type("access.granted").await?;
        let fixed: Option<DateTime<Utc>> =
            granted.first().and_then(|event| serde_json::from_value(data(&event.body)["access_until"].clone()).ok());
        let granted_seconds = (fixed.unwrap_or(until) - from).num_seconds();
        let open_seconds = (until - from).num_seconds().max(0);
        Ok(Some(Self {
            asked_seconds: request.duration_seconds,
            granted_seconds,
            open_seconds,
            unused_seconds: (granted_seconds - open_seconds).max(0),
            uses: store.uses(request.id).await?,
            door: store.door(request.id).await?,
            answer: answer_of(&of_type("report.").await?),
        }))
    }

    /// How often it was used, and how often the gate refused.
    pub fn counts(&self) -> (i64, i64) {
        let count = |allowed| self.uses.iter().filter(|used| used.allowed == allowed).map(|used| used.count).sum();
        (count(true), count(false))
    }

    /// Different things that were touched.
    pub fn items(&self) -> usize {
        let mut touched: Vec<&str> =
            self.uses.iter().filter(|used| used.allowed).map(|used| used.resource.as_str()).collect();
        touched.sort_unstable();
        touched.dedup();
        touched.len()
    }

    /// For programs.
    pub fn json(&self, request: &RequestView) -> Value {
        let (uses, refused) = self.counts();
        let mode = request.content().map(|content| content.mode.as_str());
        json!({
            "request": request.id,
            "service_request": request.service_request,
            "service": request.service,
            "resource": request.resource,
            "mode": mode,
            "requester": request.requester,
            "cause": request.cause,
            "asked_seconds": self.asked_seconds,
            "granted_seconds": self.granted_seconds,
            "open_seconds": self.open_seconds,
            "unused_seconds": self.unused_seconds,
            "access_from": request.access_from.map(time),
            "access_until": request.access_until.map(time),
            "uses": uses,
            "refused": refused,
            "items": self.uses.iter().map(|used| json!({
                "method": used.method, "resource": used.resource, "allowed": used.allowed, "count": used.count,
                "first_at": used.first_at.map(time), "last_at": used.last_at.map(time),
            })).collect::<Vec<_>>(),
            "door": self.door.as_ref().map(door_json),
            "answer": self.answer.as_ref().map(|answer| json!({
                "accepted": answer.accepted, "by": answer.by, "comment": answer.comment, "at": time(answer.at),
            })),
        })
    }
}

/// A door for programs.
pub fn door_json(door: &DoorView) -> Value {
    json!({
        "state": door.state,
        "connector": door.connector,
        "confirmed": door.closed_at.is_some(),
        "opened_at": door.opened_at.map(time),
        "ordered_at": door.ordered_at.map(time),
        "refused_from": door.refused_from.map(time),
        "cut_at": door.cut_at.map(time),
        "sessions_cut": door.sessions_cut,
        "closed_at": door.closed_at.map(time),
        "failures": door.failures,
        "failing_since": door.first_failed_at.map(time),
        "last_error": door.last_error,
        "said": door_text(door),
    })
}

/// Where a door stands, as a sentence for people.
pub fn door_text(door: &DoorView) -> String {
    let at = |moment: Option<DateTime<Utc>>| moment.map(time).unwrap_or_default();
    let trouble = door.last_error.as_deref().map(|error| format!(" ({} tries: {error})", door.failures));
    let trouble = trouble.unwrap_or_default();
    match (door.state.as_str(), door.closed_at, door.ordered_at) {
        ("closed", Some(closed), Some(ordered)) => format!(
            "closed: refused from {}, {} sessions cut at {}, read back as closed at {} ({} ms after the order)",
            at(door.refused_from),
            door.sessions_cut,
            at(door.cut_at),
            time(closed),
            (closed - ordered).num_milliseconds()
        ),
        ("closing", _, _) => format!(
            "END NOT CONFIRMED since {}: the gate refuses from {}, and the target was not read back as closed yet{trouble}",
            at(door.ordered_at),
            at(door.refused_from)
        ),
        ("open", _, _) => format!("open since {}", at(door.opened_at)),
        _ => format!("not open yet{trouble}"),
    }
}
