//! Conversion of `requests` rows to domain values.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{Approval, Content, Digest, EndCause, PersonId, Request, Stage, State, Withdrawal};
use uuid::Uuid;

use crate::error::Error;

#[derive(sqlx::FromRow)]
pub(crate) struct RequestRow {
    pub id: Uuid,
    pub content: Vec<u8>,
    pub digest: Vec<u8>,
    pub state: String,
    pub version: i32,
    pub review_deadline: DateTime<Utc>,
    pub manager: Option<Uuid>,
    pub decision_deadline: Option<DateTime<Utc>>,
    pub access_from: Option<DateTime<Utc>>,
    pub access_until: Option<DateTime<Utc>>,
    pub cause: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct ApprovalRow {
    pub request: Uuid,
    pub stage: String,
    pub person: Uuid,
    pub duration_seconds: Option<i64>,
}

/// The approvals of one request so far.
#[derive(Default)]
pub(crate) struct Approvals {
    /// The first manager who approved.
    first: Option<PersonId>,
    /// The customer's approvals.
    customer: Vec<Approval>,
}

/// Approvals by request, in the order in which they were made.
pub(crate) fn approvals(rows: Vec<ApprovalRow>) -> HashMap<Uuid, Approvals> {
    let mut approvals: HashMap<Uuid, Approvals> = HashMap::new();
    for row in rows {
        let of_request = approvals.entry(row.request).or_default();
        let person = PersonId(row.person);
        if row.stage == "vendor" {
            of_request.first.get_or_insert(person);
        } else {
            of_request.customer.push(Approval { person, duration_seconds: row.duration_seconds.unwrap_or_default() });
        }
    }
    approvals
}

impl RequestRow {
    /// The request. Everything that approvers see is read from the hashed bytes themselves.
    pub fn into_request(self, approvals: Approvals) -> Result<Request, Error> {
        let corrupt = |problem: &str| Error::Corrupt { request: self.id, problem: problem.to_owned() };
        let digest = <[u8; 32]>::try_from(self.digest.as_slice()).map(Digest);
        let digest = digest.map_err(|_| corrupt("its digest does not have 32 bytes"))?;
        if Digest::of(&self.content) != digest {
            return Err(corrupt("the content does not have the digest that is stored with it"));
        }
        let content = Content::from_bytes(&self.content).ok_or_else(|| corrupt("the content is not readable"))?;
        if content.request.0 != self.id {
            return Err(corrupt("the content belongs to another request"));
        }
        let cause = self.cause.as_deref();
        let state = match self.state.as_str() {
            "pending_vendor" => {
                Some(State::PendingVendor { review_deadline: self.review_deadline, first: approvals.first })
            }
            "pending_customer" => self.manager.zip(self.decision_deadline).map(|(manager, decision_deadline)| {
                State::PendingCustomer { manager: PersonId(manager), decision_deadline, approvals: approvals.customer }
            }),
            "active" => self
                .access_from
                .zip(self.access_until)
                .map(|(access_from, access_until)| State::Active { access_from, access_until }),
            "ended" => cause.and_then(EndCause::parse).map(|cause| State::Ended { cause }),
            "vendor_denied" => Some(State::VendorDenied),
            "customer_denied" => Some(State::CustomerDenied),
            "expired" => cause.and_then(Stage::parse).map(|stage| State::Expired { stage }),
            "withdrawn" => cause.and_then(Withdrawal::parse).map(|cause| State::Withdrawn { cause }),
            _ => None,
        };
        let state = state.ok_or_else(|| corrupt("its state is not complete"))?;
        Ok(Request { content, digest, state, version: self.version })
    }
}
