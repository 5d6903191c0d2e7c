//! The page of active access: who has access, until when, and which revocations are not confirmed. It updates itself.
//! Also what the page of a request shows about provisioning and the access report.

use askama::Template;
use axum::extract::State;
use domain::Content;
use operations::access_report::AccessReport;
use store::provisionings::{AccessView, ProvisioningView};

use super::app::App;
use super::format::{DisplayTime, access_level, duration};
use super::response::{PageResult, render};
use super::session::Viewer;
use super::updates::version;
use super::visibility::request_scope;

/// Most resources that an access report lists on the page.
const ACTIVITY_LIMIT: usize = 100;

/// A grant in the list.
struct Row {
    id: String,
    service_request: String,
    tenant: String,
    service: String,
    resource: String,
    requester: String,
    access_level: String,
    break_glass: bool,
    /// `provisioning`, `active` or `revoking`.
    provisioning: String,
    from: Option<DisplayTime>,
    until: Option<DisplayTime>,
    /// Since when the revocation is not confirmed.
    unconfirmed: Option<DisplayTime>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// Whether this person can revoke it here.
    can_revoke: bool,
}

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    viewer: Viewer,
    version: String,
    grants: Vec<Row>,
}

fn row(viewer: &Viewer, access: AccessView) -> Row {
    let content = Content::from_bytes(&access.content);
    let may_revoke = content.as_ref().is_some_and(|content| {
        let person = &viewer.person;
        content.requester == person.id
            || person.may_review(&content.service)
            || person.may_approve(content.tenant, &content.service)
    });
    Row {
        id: access.request.to_string(),
        access_level: content.as_ref().map(|content| access_level(content.access_level)).unwrap_or_default(),
        break_glass: content.is_some_and(|content| content.break_glass.is_some()),
        service_request: access.service_request,
        tenant: access.tenant_name,
        service: domain::titles::service(&access.service),
        resource: access.resource,
        requester: access.requester,
        from: access.access_from.map(DisplayTime::from),
        until: access.access_until.map(DisplayTime::from),
        unconfirmed: access.revocation_ordered_at.filter(|_| access.provisioning == "revoking").map(DisplayTime::from),
        error: access.last_error.filter(|_| access.failures > 0),
        can_revoke: may_revoke && access.state == "active",
        provisioning: access.provisioning,
    }
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> PageResult {
    let scope = request_scope(&app, &viewer).await?;
    let version = version(app.store.grants_version(&scope).await?);
    let found = app.store.grants(&scope).await?;
    let grants = found.into_iter().map(|access| row(&viewer, access)).collect();
    render(&GrantsPage { viewer, version, grants })
}

/// The provisioning of a grant on the page of its request.
pub(super) struct Provisioning {
    /// State in words.
    pub state: &'static str,
    pub unconfirmed: bool,
    pub provisioned_at: Option<DisplayTime>,
    pub revocation_ordered_at: Option<DisplayTime>,
    pub refused_from: Option<DisplayTime>,
    pub cut_at: Option<DisplayTime>,
    pub sessions_cut: i64,
    pub revoked_at: Option<DisplayTime>,
    /// Milliseconds from the order to the verified revocation.
    pub revocation_ms: Option<i64>,
    pub failures: i32,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

impl From<ProvisioningView> for Provisioning {
    fn from(provisioning: ProvisioningView) -> Self {
        let revocation = provisioning.revoked_at.zip(provisioning.revocation_ordered_at);
        Self {
            unconfirmed: provisioning.state == "revoking",
            state: match provisioning.state.as_str() {
                "provisioning" => "Provisioning",
                "active" => "Active, verified in the target system",
                "revoking" => "Revocation unconfirmed",
                _ => "Revoked, verified in the target system",
            },
            provisioned_at: provisioning.provisioned_at.map(DisplayTime::from),
            revocation_ordered_at: provisioning.revocation_ordered_at.map(DisplayTime::from),
            refused_from: provisioning.refused_from.map(DisplayTime::from),
            cut_at: provisioning.cut_at.map(DisplayTime::from),
            sessions_cut: provisioning.sessions_cut,
            revoked_at: provisioning.revoked_at.map(DisplayTime::from),
            revocation_ms: revocation.map(|(revoked, ordered)| (revoked - ordered).num_milliseconds()),
            failures: provisioning.failures,
            error: provisioning.last_error.filter(|_| provisioning.failures > 0),
        }
    }
}

/// Access activity on one resource.
pub(super) struct Activity {
    pub method: String,
    pub resource: String,
    pub allowed: bool,
    pub count: i64,
    pub last_at: Option<DisplayTime>,
}

/// The customer's response to an access report.
pub(super) struct ReportResponse {
    /// Acknowledged, or disputed.
    pub acknowledged: bool,
    pub name: String,
    pub comment: Option<String>,
    pub at: DisplayTime,
}

/// The access report on the page of its request.
pub(super) struct Report {
    pub requested: String,
    pub approved: String,
    pub active: String,
    pub unused: String,
    pub uses: i64,
    pub refused: i64,
    /// Number of resources.
    pub items: usize,
    pub activity: Vec<Activity>,
    pub response: Option<ReportResponse>,
}

impl From<AccessReport> for Report {
    fn from(report: AccessReport) -> Self {
        let (uses, refused) = report.counts();
        Self {
            requested: duration(report.asked_seconds),
            approved: duration(report.granted_seconds),
            active: duration(report.open_seconds),
            unused: duration(report.unused_seconds),
            uses,
            refused,
            items: report.items(),
            activity: report
                .uses
                .into_iter()
                .take(ACTIVITY_LIMIT)
                .map(|used| Activity {
                    method: used.method,
                    resource: used.resource,
                    allowed: used.allowed,
                    count: used.count,
                    last_at: used.last_at.map(DisplayTime::from),
                })
                .collect(),
            response: report.answer.map(|answer| ReportResponse {
                acknowledged: answer.accepted,
                name: answer.by,
                comment: answer.comment,
                at: answer.at.into(),
            }),
        }
    }
}
