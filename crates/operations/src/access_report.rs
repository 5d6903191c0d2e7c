//! The access report: what was requested, approved and used, and how access ended. It is read from the tables and the audit
//! log; nothing is stored for it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use store::provisionings::ProvisioningView;
use store::uses::UseView;
use store::views::RequestView;

use runtime::outcome::Failure;
use runtime::output::{data, time};

/// The customer's latest response to a report.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether the report is acknowledged; otherwise it is disputed.
    pub accepted: bool,
    /// Display name of the person who responded.
    pub by: String,
    /// Comment.
    pub comment: Option<String>,
    /// Time of the response.
    pub at: DateTime<Utc>,
}

/// The access report.
pub struct AccessReport {
    /// Requested seconds.
    pub asked_seconds: i64,
    /// Approved seconds: fewer than requested when an approver approved less time.
    pub granted_seconds: i64,
    /// Seconds for which access was active.
    pub open_seconds: i64,
    /// Approved seconds that were not used.
    pub unused_seconds: i64,
    /// Access activity, allowed and refused.
    pub uses: Vec<UseView>,
    /// The provisioning.
    pub provisioning: Option<ProvisioningView>,
    /// The customer's latest response.
    pub answer: Option<Answer>,
}

fn answer_of(events: &[AuditRow]) -> Option<Answer> {
    let said = events.iter().rev().find(|event| event.type_name.starts_with("report."))?;
    let data = data(&said.body);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Answer {
        accepted: said.type_name == "report.acknowledged",
        by: text(&data["actor"]["display_name"]).or_else(|| said.person.clone()).unwrap_or_default(),
        comment: text(&data["comment"]),
        at: said.at,
    })
}

impl AccessReport {
    /// The report of a request whose access has ended; `None` when there was no access, or it is still active.
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
        let granted = of_type("grant.activated").await?;
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
            provisioning: store.provisioning(request.id).await?,
            answer: answer_of(&of_type("report.").await?),
        }))
    }

    /// Numbers of allowed and of refused checks.
    pub fn counts(&self) -> (i64, i64) {
        let count = |allowed| self.uses.iter().filter(|used| used.allowed == allowed).map(|used| used.count).sum();
        (count(true), count(false))
    }

    /// Number of different resources that were accessed.
    pub fn items(&self) -> usize {
        let mut touched: Vec<&str> =
            self.uses.iter().filter(|used| used.allowed).map(|used| used.resource.as_str()).collect();
        touched.sort_unstable();
        touched.dedup();
        touched.len()
    }

    /// The report as JSON.
    pub fn json(&self, request: &RequestView) -> Value {
        let (uses, refused) = self.counts();
        let access_level = request.content().map(|content| content.access_level.as_str());
        json!({
            "request": request.id,
            "service_request": request.service_request,
            "service": request.service,
            "resource": request.resource,
            "access_level": access_level,
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
            "provisioning": self.provisioning.as_ref().map(provisioning_json),
            "answer": self.answer.as_ref().map(|answer| json!({
                "acknowledged": answer.accepted, "by": answer.by, "comment": answer.comment, "at": time(answer.at),
            })),
        })
    }
}

/// A provisioning as JSON.
pub fn provisioning_json(provisioning: &ProvisioningView) -> Value {
    json!({
        "state": provisioning.state,
        "connector": provisioning.connector,
        "confirmed": provisioning.revoked_at.is_some(),
        "provisioned_at": provisioning.provisioned_at.map(time),
        "revocation_ordered_at": provisioning.revocation_ordered_at.map(time),
        "refused_from": provisioning.refused_from.map(time),
        "cut_at": provisioning.cut_at.map(time),
        "sessions_cut": provisioning.sessions_cut,
        "revoked_at": provisioning.revoked_at.map(time),
        "failures": provisioning.failures,
        "failing_since": provisioning.first_failed_at.map(time),
        "last_error": provisioning.last_error,
        "said": provisioning_text(provisioning),
    })
}

/// State of a provisioning as a sentence.
pub fn provisioning_text(provisioning: &ProvisioningView) -> String {
    let at = |moment: Option<DateTime<Utc>>| moment.map(time).unwrap_or_default();
    let trouble = provisioning
        .last_error
        .as_deref()
        .map(|error| format!(" ({} failed attempts, last error: {error})", provisioning.failures));
    let trouble = trouble.unwrap_or_default();
    match (provisioning.state.as_str(), provisioning.revoked_at, provisioning.revocation_ordered_at) {
        ("revoked", Some(closed), Some(ordered)) => format!(
            "revoked: refused from {}, {} sessions ended at {}, revocation confirmed at {} ({} ms after the order)",
            at(provisioning.refused_from),
            provisioning.sessions_cut,
            at(provisioning.cut_at),
            time(closed),
            (closed - ordered).num_milliseconds()
        ),
        ("revoking", _, _) => format!(
            "REVOCATION UNCONFIRMED since {}: the gate refuses from {}, and the target has not confirmed the revocation yet{trouble}",
            at(provisioning.revocation_ordered_at),
            at(provisioning.refused_from)
        ),
        ("active", _, _) => format!("active since {}", at(provisioning.provisioned_at)),
        _ => format!("not active yet{trouble}"),
    }
}
