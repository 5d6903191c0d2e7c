//! Steps of requests.

use domain::{EventKind, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Actor, Auth};
use crate::envelope::{About, Message, message_with};
use crate::kinds::Kind;
use crate::timestamp::Timestamp;
use crate::trace::Traceparent;
use crate::words::{Committed, commit_with, salt};

/// Data of every event that is a step of a request. The type determines which optional fields are present; the
/// schemas in `schemas/events/` list them for each type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The request.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Short name of the requester.
    pub requester: String,
    /// State before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// State after.
    pub to: String,
    /// Digest of the request's content.
    pub digest: String,
    /// Who caused it.
    pub actor: Actor,
    /// The actor's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Committed>,
    /// The fields of this type.
    #[serde(flatten)]
    pub particulars: Particulars,
}

/// Fields that only some types of events have.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Particulars {
    /// `request.submitted`: the requested resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `request.submitted`: reason category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// `request.submitted`: justification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<Committed>,
    /// `request.submitted`: the whole content, whose SHA-256 in RFC 8785 form is the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// `request.submitted`: urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// `request.submitted`: requested seconds; `request.customer_approved`: approved seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// `request.submitted`: start time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// `request.submitted`: the request that this one extends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Uuid>,
    /// Every step of break-glass access: name of the break-glass policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// The digest of that policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_digest: Option<String>,
    /// `request.submitted`: deadline of the vendor review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_deadline: Option<Timestamp>,
    /// `request.vendor_approved`, `request.reminded`: deadline of the customer's decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_deadline: Option<Timestamp>,
    /// `request.customer_approved`: approvals so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<i32>,
    /// `request.submitted`, `request.customer_approved`: required approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_approvals: Option<i32>,
    /// `grant.activated`: start of access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<Timestamp>,
    /// `grant.activated`, `grant.ended`: the end that was set when access became active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<Timestamp>,
    /// `grant.ended`, `request.withdrawn`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Decisions: what the person signed, and the assertion of their key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Value>,
    /// `request.expired`: the stage that had no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// `request.expired`: the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

fn particulars(kind: &EventKind, request: &Request) -> (Kind, Particulars) {
    let content = &request.content;
    let none = Particulars {
        break_glass: content.break_glass.as_ref().map(|break_glass| break_glass.name.clone()),
        break_glass_digest: content.break_glass.as_ref().map(|break_glass| break_glass.digest.to_string()),
        ..Particulars::default()
    };
    let required_approvals = Some(content.rules.required_approvals);
    match kind {
        EventKind::Submitted { review_deadline } => (
            Kind::RequestSubmitted,
            Particulars {
                resource: Some(content.resource.clone()),
                category: Some(content.category.as_str().to_owned()),
                severity: Some(content.severity.as_str().to_owned()),
                duration_seconds: Some(content.duration_seconds),
                start_time: content.start_time.map(Timestamp::from),
                extends: content.extends.map(|request| request.0),
                review_deadline: Some((*review_deadline).into()),
                required_approvals,
                ..none
            },
        ),
        EventKind::VendorApproved { decision_deadline } => {
            (Kind::RequestVendorApproved, Particulars { decision_deadline: Some((*decision_deadline).into()), ..none })
        }
        EventKind::VendorDenied => (Kind::RequestVendorDenied, none),
        EventKind::CustomerApproved { approvals, duration_seconds } => (
            Kind::RequestCustomerApproved,
            Particulars {
                approvals: Some(*approvals),
                required_approvals,
                duration_seconds: Some(*duration_seconds),
                ..none
            },
        ),
        EventKind::CustomerDenied => (Kind::RequestCustomerDenied, none),
        EventKind::GrantActivated { access_from, access_until } => (
            Kind::GrantActivated,
            Particulars {
                access_from: Some((*access_from).into()),
                access_until: Some((*access_until).into()),
                ..none
            },
        ),
        EventKind::GrantEnded { cause, access_until } => (
            Kind::GrantEnded,
            Particulars { cause: Some(cause.as_str().to_owned()), access_until: Some((*access_until).into()), ..none },
        ),
        EventKind::Expired { stage, deadline } => (
            Kind::RequestExpired,
            Particulars { stage: Some(stage.as_str().to_owned()), deadline: Some((*deadline).into()), ..none },
        ),
        EventKind::Reminded { decision_deadline } => {
            (Kind::RequestReminded, Particulars { decision_deadline: Some((*decision_deadline).into()), ..none })
        }
        EventKind::BreakGlassSupported => (Kind::RequestBreakGlassSupported, none),
        EventKind::BreakGlassApproved => (Kind::RequestBreakGlassApproved, none),
        EventKind::Commented => (Kind::RequestCommented, none),
        EventKind::ReportAcknowledged => (Kind::ReportAcknowledged, none),
        EventKind::ReportDisputed => (Kind::ReportDisputed, none),
        EventKind::Withdrawn { cause } => {
            (Kind::RequestWithdrawn, Particulars { cause: Some(cause.as_str().to_owned()), ..none })
        }
    }
}

/// Writes the event of one step. `version` is the request's version after it; `auth` is how its actor was authenticated.
pub fn step(
    request: &Request,
    event: &domain::Event,
    version: i32,
    cause: Option<String>,
    auth: Option<Auth>,
    trace: Traceparent,
) -> Message {
    let content = &request.content;
    let (kind, mut particulars) = particulars(&event.kind, request);
    particulars.signature = event.proof.as_ref().and_then(|proof| serde_json::from_str(&proof.evidence).ok());
    let mut texts = Vec::new();
    if matches!(event.kind, EventKind::Submitted { .. }) {
        let justification = &content.justification;
        particulars.content = Some(content.document());
        particulars.justification = Some(Committed { committed: hex::encode(justification.commitment()) });
        texts.extend(justification.salt().map(|salt| commit_with("justification", justification.text(), salt).1));
    }
    let comment = event.comment.as_deref().map(|comment| {
        let chosen = event.proof.as_ref().and_then(|proof| proof.comment_salt);
        let (committed, text) = commit_with("comment", comment, chosen.unwrap_or_else(salt));
        texts.push(text);
        committed
    });
    let auth = auth.map(|auth| Auth { passkey: event.proof.is_some(), ..auth });
    let data = Step {
        request: content.request.0,
        service_request: content.service_request.clone(),
        service: content.service.clone(),
        requester: content.requester_name.clone(),
        from: event.from.map(str::to_owned),
        to: event.to.to_owned(),
        digest: request.digest.to_string(),
        actor: event.actor.as_ref().map_or_else(Actor::lockbox, |person| Actor::person(person).known_by(auth)),
        comment,
        particulars,
    };
    let about = About {
        tenant: Some(content.tenant_name.clone()),
        request: Some(content.request.0),
        version: Some(version),
        cause,
        channel: None,
        trace: Some(trace),
    };
    message_with(kind, event.at, about, &data, texts)
}
