//! Live grants: what is open now, until when, and which ends are not confirmed. The page updates by itself.

use askama::Template;
use axum::extract::State;
use domain::Content;
use store::provisionings::{AccessView, ProvisioningView};

use super::App;
use super::answer::{Answer, page};
use super::live::pulse;
use super::look::{Moment, duration};
use super::pages::scope;
use super::session::Viewer;
use operations::access_report::AccessReport;

/// An access in the list.
struct Live {
    id: String,
    service_request: String,
    tenant: String,
    service: String,
    resource: String,
    requester: String,
    access_level: &'static str,
    break_glass: bool,
    /// `opening`, `open` or `closing`.
    provisioning: String,
    from: Option<Moment>,
    until: Option<Moment>,
    /// The end is not confirmed since then.
    unconfirmed: Option<Moment>,
    trouble: Option<String>,
    /// Whether this person can end it here.
    can_end: bool,
}

#[derive(Template)]
#[template(path = "grants.html")]
struct Grants {
    viewer: Viewer,
    pulse: String,
    live: Vec<Live>,
}

/// How much the engineer may do, in words.
pub(super) fn access_level(content: &Content) -> &'static str {
    match content.access_level {
        domain::AccessLevel::ReadOnly => "only to look",
        domain::AccessLevel::ReadWrite => "to look and change",
    }
}

fn live(viewer: &Viewer, access: AccessView) -> Live {
    let content = Content::from_bytes(&access.content);
    let may_end = content.as_ref().is_some_and(|content| {
        let person = &viewer.person;
        content.requester == person.id
            || person.may_review(&content.service)
            || person.may_approve(content.tenant, &content.service)
    });
    Live {
        id: access.request.to_string(),
        access_level: content.as_ref().map_or("", access_level),
        break_glass: content.is_some_and(|content| content.break_glass.is_some()),
        service_request: access.service_request,
        tenant: access.tenant_name,
        service: domain::titles::service(&access.service),
        resource: access.resource,
        requester: access.requester,
        from: access.access_from.map(Moment::from),
        until: access.access_until.map(Moment::from),
        unconfirmed: access.revocation_ordered_at.filter(|_| access.provisioning == "revoking").map(Moment::from),
        trouble: access.last_error.filter(|_| access.failures > 0),
        can_end: may_end && access.state == "active",
        provisioning: access.provisioning,
    }
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Answer {
    let scope = scope(&app, &viewer).await?;
    let pulse = pulse(app.store.access_pulse(&scope).await?);
    let found = app.store.grants(&scope).await?;
    let live = found.into_iter().map(|access| live(&viewer, access)).collect();
    page(&Grants { viewer, pulse, live })
}

/// A provisioning on the page of its request.
pub(super) struct Provisioning {
    pub state: String,
    pub unconfirmed: bool,
    pub provisioned_at: Option<Moment>,
    pub revocation_ordered_at: Option<Moment>,
    pub refused_from: Option<Moment>,
    pub cut_at: Option<Moment>,
    pub sessions_cut: i64,
    pub revoked_at: Option<Moment>,
    /// Milliseconds from the order to the reading back.
    pub took: Option<i64>,
    pub failures: i32,
    pub trouble: Option<String>,
}

impl From<ProvisioningView> for Provisioning {
    fn from(provisioning: ProvisioningView) -> Self {
        let took = provisioning
            .revoked_at
            .zip(provisioning.revocation_ordered_at)
            .map(|(closed, ordered)| (closed - ordered).num_milliseconds());
        Self {
            unconfirmed: provisioning.state == "revoking",
            state: provisioning.state,
            provisioned_at: provisioning.provisioned_at.map(Moment::from),
            revocation_ordered_at: provisioning.revocation_ordered_at.map(Moment::from),
            refused_from: provisioning.refused_from.map(Moment::from),
            cut_at: provisioning.cut_at.map(Moment::from),
            sessions_cut: provisioning.sessions_cut,
            revoked_at: provisioning.revoked_at.map(Moment::from),
            took,
            failures: provisioning.failures,
            trouble: provisioning.last_error.filter(|_| provisioning.failures > 0),
        }
    }
}

/// One thing that was touched or tried.
pub(super) struct Used {
    pub method: String,
    pub resource: String,
    pub allowed: bool,
    pub count: i64,
    pub last_at: Option<Moment>,
}

/// The closing report on the page of its request.
pub(super) struct Report {
    pub asked: String,
    pub granted: String,
    pub open: String,
    pub unused: String,
    pub uses: i64,
    pub refused: i64,
    pub items: usize,
    pub used: Vec<Used>,
    /// Accepted or disputed, by whom, in which words, when.
    pub answer: Option<(bool, String, Option<String>, Moment)>,
}

impl From<AccessReport> for Report {
    fn from(closing: AccessReport) -> Self {
        let (uses, refused) = closing.counts();
        Self {
            asked: duration(closing.asked_seconds),
            granted: duration(closing.granted_seconds),
            open: duration(closing.open_seconds),
            unused: duration(closing.unused_seconds),
            uses,
            refused,
            items: closing.items(),
            used: closing
                .uses
                .into_iter()
                .take(100)
                .map(|used| Used {
                    method: used.method,
                    resource: used.resource,
                    allowed: used.allowed,
                    count: used.count,
                    last_at: used.last_at.map(Moment::from),
                })
                .collect(),
            answer: closing.answer.map(|answer| (answer.accepted, answer.by, answer.comment, answer.at.into())),
        }
    }
}
