//! Events of a grant's provisioning. They are not steps of the request: they have no version, and may come before or after steps.

use chrono::{DateTime, Utc};
use domain::Content;
use domain::provisioning::{Provisioning, ProvisioningEvent, ProvisioningState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;
use crate::envelope::{About, Message, message};
use crate::kinds::Kind;
use crate::timestamp::Timestamp;

/// Data of `grant.provisioned`, `grant.revoked` and `grant.provisioning_failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProvisioningStep {
    /// The request, whose id is the id of the grant.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// The resource that access covers.
    pub resource: String,
    /// `read_only` or `read_write`.
    pub access_level: String,
    /// Short name of the requester.
    pub requester: String,
    /// The connector; `gate` when only the gate enforces access.
    pub connector: String,
    /// State of the provisioning: `provisioning`, `active`, `revoking`, `revoked`.
    pub state: String,
    /// Failed attempts in this state.
    pub failures: i32,
    /// End of access.
    pub access_until: Timestamp,
    /// `grant.provisioning_failed`: since when attempts fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// `grant.provisioning_failed`: the error of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `grant.provisioning_failed`: whether the revocation is unconfirmed for more than a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<bool>,
    /// `grant.provisioned`: what the requester can do at the target beyond the request, through rights that the target gives to
    /// everybody. Each is a phrase that follows "the engineer can".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_rights: Vec<String>,
    /// `grant.revoked`: when each step of the revocation happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Lockbox.
    pub actor: Actor,
}

/// The receipt of a revocation. All times are the database's clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// When revocation was ordered.
    pub revocation_ordered_at: Timestamp,
    /// From when the gate denies access.
    pub refused_from: Timestamp,
    /// When running sessions were terminated.
    pub cut_at: Timestamp,
    /// How many sessions were terminated.
    pub sessions_cut: i64,
    /// When the target was read back without access.
    pub revoked_at: Timestamp,
}

impl Receipt {
    /// The receipt of a provisioning whose revocation is confirmed.
    pub fn of(provisioning: &Provisioning) -> Option<Self> {
        let revoked_at = provisioning.revoked_at.filter(|_| provisioning.state == ProvisioningState::Revoked)?;
        let revocation_ordered_at = provisioning.revocation_ordered_at?;
        Some(Self {
            revocation_ordered_at: revocation_ordered_at.into(),
            refused_from: provisioning.refused_from.unwrap_or(revocation_ordered_at).into(),
            cut_at: provisioning.cut_at.unwrap_or(revoked_at).into(),
            sessions_cut: provisioning.sessions_cut,
            revoked_at: revoked_at.into(),
        })
    }
}

/// Writes the event of a provisioning's step; `provisioning` is its state after the step.
pub fn provisioning(
    content: &Content,
    connector: &str,
    provisioning: &Provisioning,
    event: &ProvisioningEvent,
    at: DateTime<Utc>,
) -> Message {
    let (kind, error, alarm) = match event {
        ProvisioningEvent::Provisioned { .. } => (Kind::GrantProvisioned, None, None),
        ProvisioningEvent::Revoked => (Kind::GrantRevoked, None, None),
        ProvisioningEvent::Failed { problem, alarm } => {
            (Kind::GrantProvisioningFailed, Some(problem.clone()), Some(*alarm))
        }
    };
    let extra_rights = match event {
        ProvisioningEvent::Provisioned { extra_rights } => extra_rights.clone(),
        ProvisioningEvent::Revoked | ProvisioningEvent::Failed { .. } => Vec::new(),
    };
    let request = content.request.0;
    let data = ProvisioningStep {
        request,
        service_request: content.service_request.clone(),
        service: content.service.clone(),
        resource: content.resource.clone(),
        access_level: content.access_level.as_str().to_owned(),
        requester: content.requester_name.clone(),
        connector: connector.to_owned(),
        state: provisioning.state.as_str().to_owned(),
        failures: provisioning.failures,
        access_until: provisioning.until.into(),
        failing_since: provisioning
            .first_failed_at
            .filter(|_| kind == Kind::GrantProvisioningFailed)
            .map(Timestamp::from),
        error,
        alarm,
        receipt: Receipt::of(provisioning),
        extra_rights,
        actor: Actor::lockbox(),
    };
    let about = About { tenant: Some(content.tenant_name.clone()), request: Some(request), ..About::default() };
    message(kind, at, about, &data)
}

/// Data of `grant.orphan_removed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrphanRemoved {
    /// The grant whose mark it had. This database may not have a request with this id.
    pub grant: Uuid,
    /// The request, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// The connector that found it.
    pub connector: String,
    /// Sessions that were terminated with it.
    pub sessions_cut: i64,
    /// What was found and what was done.
    pub note: String,
    /// Lockbox.
    pub actor: Actor,
}

/// Writes the event of a removed orphaned entitlement.
pub fn orphan_removed(found: &OrphanRemoved, tenant: Option<String>, at: DateTime<Utc>) -> Message {
    let about = About { tenant, request: found.request, ..About::default() };
    message(Kind::GrantOrphanRemoved, at, about, found)
}
