//! The page of one request.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::directory::format_seconds;
use domain::{Content, titles};
use operations::access_report::AccessReport;
use store::audit::AuditFilter;
use store::views::{DecisionView, RequestView};
use uuid::Uuid;

use super::app::App;
use super::format::{DisplayTime, Row, access_level, duration, state};
use super::grants::{Provisioning, Report};
use super::refused::RefusedForm;
use super::response::{PageError, PageResult, render};
use super::session::Viewer;
use super::signing::Signing;
use super::timeline::Timeline;
use super::updates::version;
use super::visibility::{Permissions, load_request, permissions, visible_content};

/// Most events in the timeline; the audit page has all of them.
const TIMELINE_LIMIT: i64 = 500;

/// An approval or a denial.
struct Decision {
    side: &'static str,
    name: String,
    verdict: &'static str,
    comment: Option<String>,
    /// `portal`, `api` or `cli`.
    channel: String,
    /// Whether a passkey signed it.
    signed: bool,
    at: DisplayTime,
}

impl From<DecisionView> for Decision {
    fn from(decision: DecisionView) -> Self {
        Self {
            side: if decision.stage == "vendor" { "vendor" } else { "customer" },
            name: decision.display_name,
            verdict: if decision.verdict == "approve" { "approved" } else { "denied" },
            comment: decision.comment,
            channel: decision.channel,
            signed: decision.signed,
            at: decision.decided_at.into(),
        }
    }
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    viewer: Viewer,
    row: Row,
    content: Content,
    category: String,
    severity: String,
    requester: String,
    digest: String,
    review_deadline: DisplayTime,
    decision_deadline: Option<DisplayTime>,
    /// Time for the customer's decision, such as `12 h`.
    decision_time: String,
    access_from: Option<DisplayTime>,
    access_until: Option<DisplayTime>,
    /// The latest possible end of access, while the request is pending.
    latest_end: Option<DisplayTime>,
    /// The content in the form of a decision, to explain a digest mismatch.
    shown: String,
    start_time: Option<DisplayTime>,
    access_level: String,
    /// Durations that an approver can choose: value of the form, and label.
    durations: Vec<(String, String)>,
    /// From the submission to the end.
    steps: Vec<Step>,
    provisioning: Option<Provisioning>,
    report: Option<Report>,
    decisions: Vec<Decision>,
    timeline: Timeline,
    /// Whether there are older events than the timeline shows.
    is_cut: bool,
    /// Salt of the commitment to the justification, in hexadecimal digits; empty when the text was redacted.
    justification_salt: String,
    /// Verdicts that the viewer signs, separated by spaces.
    signs: &'static str,
    /// Whether decisions must be signed and the viewer has no key for it.
    lacks_key: bool,
    /// Whether the tenant of the request has no authority of its own.
    is_unfounded: bool,
    can: Permissions,
    /// Other active access to the same content that this person may see.
    other_access: Vec<OtherAccess>,
    /// Whether this person can revoke any of it.
    can_revoke_other: bool,
    /// Version of what the page shows, for updates.
    version: String,
    /// A form of this page that was refused.
    typed: RefusedForm,
    /// A comment that was entered into a form that the page no longer has.
    lost_comment: Option<String>,
}

/// A step of the request on its way from the submission to the end.
struct Step {
    label: String,
    at: Option<DisplayTime>,
    is_done: bool,
}

/// The steps of a request: the ones that are done, and the ones that follow unless it was denied, withdrawn or expired.
fn steps(request: &RequestView, decisions: &[DecisionView]) -> Vec<Step> {
    let done = |label: &str, at: Option<DateTime<Utc>>| Step {
        label: label.to_owned(),
        at: at.map(DisplayTime::from),
        is_done: true,
    };
    let approved_by = |side: &str| {
        let approvals = decisions.iter().filter(|decision| decision.stage == side && decision.verdict == "approve");
        approvals.map(|decision| decision.decided_at).max()
    };
    let next = |label: &str| Step { label: label.to_owned(), at: None, is_done: false };
    let mut steps = vec![done("Submitted", Some(request.submitted_at))];
    let (is_active, is_ended) = (request.state == "active", request.state == "ended");
    let is_reviewed = approved_by("vendor").is_some() && request.state != "pending_vendor";
    if is_reviewed {
        steps.push(done("Vendor approved", approved_by("vendor")));
    }
    if is_active || is_ended {
        steps.push(done("Customer approved", approved_by("customer")));
        steps.push(done("Active", request.access_from));
    }
    match request.state.as_str() {
        "pending_vendor" => steps.extend(["Vendor approval", "Customer approval", "Active", "Ended"].map(next)),
        "pending_customer" => steps.extend(["Customer approval", "Active", "Ended"].map(next)),
        "active" => steps.push(next("Ended")),
        "ended" => steps.push(done("Ended", request.finished_at)),
        _ => steps.push(done(&state(request), request.finished_at)),
    }
    steps
}

/// Other active access to the same content.
pub(super) struct OtherAccess {
    pub id: Uuid,
    pub service_request: String,
    pub requester: String,
    pub until: Option<DisplayTime>,
    /// Whether this person can revoke it.
    pub can_revoke: bool,
}

/// Other active access to the content of a request that this person may see.
pub(super) async fn other_access(app: &App, viewer: &Viewer, request: Uuid) -> Result<Vec<OtherAccess>, PageError> {
    let mut found = Vec::new();
    for access in app.store.other_access(request).await? {
        let other = app.store.show_request(access.request).await?;
        let Ok(content) = visible_content(viewer, &other) else { continue };
        found.push(OtherAccess {
            id: other.id,
            can_revoke: permissions(viewer, &other, &content, &[]).revoke,
            service_request: other.service_request,
            requester: other.requester,
            until: other.access_until.map(DisplayTime::from),
        });
    }
    Ok(found)
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> PageResult {
    let found = load_request(&app, &viewer, &id).await?;
    page(&app, viewer, found, RefusedForm::default()).await
}

/// The page after one of its forms was refused: the current state, with what was entered.
pub(super) async fn refused_page(
    app: &App,
    viewer: Viewer,
    id: Uuid,
    form: RefusedForm,
    status: StatusCode,
) -> PageResult {
    let found = load_request(app, &viewer, &id.to_string()).await?;
    let page = page(app, viewer, found, form).await?;
    Ok((status, page).into_response())
}

async fn page(app: &App, viewer: Viewer, (request, content): (RequestView, Content), typed: RefusedForm) -> PageResult {
    let version = version(app.store.request_version(request.id).await?);
    let decisions = app.store.decisions(request.id).await?;
    let can = permissions(&viewer, &request, &content, &decisions);
    let filter = AuditFilter { request: Some(request.id), limit: TIMELINE_LIMIT, ..AuditFilter::default() };
    let mut events = app.store.search_audit(&filter).await?;
    let is_cut = i64::try_from(events.len()).unwrap_or_default() == TIMELINE_LIMIT;
    events.reverse();
    let requester = app.store.person(content.requester.0).await?;
    let is_or_was_active = matches!(request.state.as_str(), "active" | "ended");
    let other_access = if is_or_was_active { other_access(app, &viewer, request.id).await? } else { Vec::new() };
    let report = AccessReport::of(&app.store, &request).await;
    let report = report.map_err(|failure| PageError::Unavailable(failure.to_string()))?;
    let signing = Signing::of(app, &viewer.person, &request.tenant).await?;
    render(&RequestPage {
        row: Row::from(&request),
        category: titles::category(content.category.as_str()),
        severity: titles::sentence(content.severity.as_str()),
        requester: requester.map_or(content.requester_name.clone(), |person| person.display_name),
        digest: request.digest().to_string(),
        review_deadline: request.review_deadline.into(),
        decision_deadline: request.decision_deadline.map(DisplayTime::from),
        decision_time: duration(content.rules.decision_deadline_seconds),
        access_from: request.access_from.map(DisplayTime::from),
        access_until: request.access_until.map(DisplayTime::from),
        latest_end: latest_end(&request, &content).map(DisplayTime::from),
        shown: String::from_utf8_lossy(&request.content).into_owned(),
        start_time: content.start_time.map(DisplayTime::from),
        access_level: access_level(content.access_level),
        durations: durations(content.duration_seconds, typed.duration_in("decision")),
        steps: steps(&request, &decisions),
        provisioning: app.store.provisioning(request.id).await?.map(Provisioning::from),
        report: report.map(Report::from),
        decisions: decisions.into_iter().map(Decision::from).collect(),
        timeline: Timeline::of(&events),
        is_cut,
        justification_salt: request.justification_salt.as_deref().map(hex::encode).unwrap_or_default(),
        signs: signing.verdicts(),
        lacks_key: signing.lacks_key()
            || (can.decide && content.rules.passkey_required && signing.verdicts().is_empty()),
        is_unfounded: !app.store.has_authority(content.tenant.0).await?,
        lost_comment: typed.lost_comment(&can, &request).map(str::to_owned),
        typed,
        can,
        can_revoke_other: other_access.iter().any(|other| other.can_revoke),
        other_access,
        version,
        content,
        viewer,
    })
}

/// The requested duration, then shorter ones, and what was entered into a refused form.
fn durations(requested: i64, entered: &str) -> Vec<(String, String)> {
    const OFFERED: [i64; 8] = [8 * 3600, 4 * 3600, 2 * 3600, 3600, 1800, 900, 600, 300];
    let shorter = OFFERED.into_iter().filter(|seconds| *seconds < requested);
    let mut durations = vec![(String::new(), format!("{} (as requested)", duration(requested)))];
    durations.extend(shorter.map(|seconds| (format_seconds(seconds), duration(seconds))));
    if durations.iter().all(|(value, _)| value != entered) {
        durations.push((entered.to_owned(), entered.to_owned()));
    }
    durations
}

/// The latest possible end of access, if every decision comes at its deadline.
fn latest_end(request: &RequestView, content: &Content) -> Option<DateTime<Utc>> {
    let wait = TimeDelta::seconds(content.rules.decision_deadline_seconds);
    let decided = match request.state.as_str() {
        "pending_vendor" => request.review_deadline + wait,
        "pending_customer" => request.decision_deadline?,
        _ => return None,
    };
    let begins = content.start_time.map_or(decided, |start| start.max(decided));
    Some(begins + TimeDelta::seconds(content.duration_seconds))
}
