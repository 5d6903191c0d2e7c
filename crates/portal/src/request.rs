//! One request on its page.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Content, titles};
use store::audit::AuditFilter;
use store::views::RequestView;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, page};
use super::grants::{Provisioning, Report, access_level};
use super::look::{Moment, Row, duration};
use super::refused::Typed;
use super::session::Viewer;
use super::sight::{Can, can, see};
use super::story::Story;
use operations::access_report::AccessReport;

/// Most events in the timeline; the audit page has all.
const TIMELINE_LIMIT: i64 = 500;

/// A yes or no.
struct Decided {
    stage: &'static str,
    name: String,
    verdict: &'static str,
    comment: Option<String>,
    channel: String,
    /// Whether a passkey signed it.
    signed: bool,
    at: Moment,
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    viewer: Viewer,
    row: Row,
    content: Content,
    justification: String,
    severity: String,
    asked: String,
    requester: String,
    digest: String,
    review_deadline: Moment,
    decision_deadline: Option<Moment>,
    decision_time: String,
    access_from: Option<Moment>,
    access_until: Option<Moment>,
    /// Access cannot last longer than until then.
    latest_end: Option<Moment>,
    /// The content's bytes, for the form.
    shown: String,
    start_time: Option<Moment>,
    access_level: &'static str,
    provisioning: Option<Provisioning>,
    report: Option<Report>,
    decisions: Vec<Decided>,
    story: Story,
    /// Whether there are older events than the timeline shows.
    is_cut: bool,
    /// Ids of the viewer's passkeys, with spaces between.
    passkeys: String,
    can: Can,
    /// Other access that is open to the same content, as far as this person may see it.
    beside: Vec<Beside>,
    /// Whether this person can end any of it.
    can_end_beside: bool,
    /// What the browser has seen, for news.
    pulse: String,
    /// A form that was refused.
    typed: Typed,
    /// What was typed into a form that is not on the page any more.
    lost: Option<String>,
}

/// Another access that is open to the same content.
pub(super) struct Beside {
    pub id: Uuid,
    pub service_request: String,
    pub requester: String,
    pub until: Option<Moment>,
    /// Whether this person can end it.
    pub can_end: bool,
}

/// Other access that is open to the content of a request, as far as this person may see it.
pub(super) async fn beside(app: &App, viewer: &Viewer, request: Uuid) -> Result<Vec<Beside>, Fault> {
    let mut found = Vec::new();
    for access in app.store.other_access(request).await? {
        let other = app.store.show_request(access.request).await?;
        let Ok(content) = see(viewer, &other) else { continue };
        found.push(Beside {
            id: other.id,
            can_end: can(viewer, &other, &content, &[]).end,
            service_request: other.service_request,
            requester: other.requester,
            until: other.access_until.map(Moment::from),
        });
    }
    Ok(found)
}

/// A request that this person may see.
pub(crate) async fn find(app: &App, viewer: &Viewer, id: &str) -> Result<(RequestView, Content), Fault> {
    let id: Uuid = id.parse().map_err(|_| Fault::Missing)?;
    let request = app.store.show_request(id).await?;
    let content = see(viewer, &request)?;
    Ok((request, content))
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let found = find(&app, &viewer, &id).await?;
    shown(&app, viewer, found, Typed::default()).await
}

/// The page after a form of it was refused: as it stands now, with what was typed.
pub(super) async fn refused(app: &App, viewer: Viewer, id: Uuid, typed: Typed, status: StatusCode) -> Answer {
    let found = find(app, &viewer, &id.to_string()).await?;
    let page = shown(app, viewer, found, typed).await?;
    Ok((status, page).into_response())
}

async fn shown(app: &App, viewer: Viewer, (request, content): (RequestView, Content), typed: Typed) -> Answer {
    let (version, recorded) = app.store.pulse(request.id).await?;
    let decisions = app.store.decisions(request.id).await?;
    let can = can(&viewer, &request, &content, &decisions);
    let filter = AuditFilter { request: Some(request.id), limit: TIMELINE_LIMIT, ..AuditFilter::default() };
    let mut events = app.store.search_audit(&filter).await?;
    let is_cut = i64::try_from(events.len()).unwrap_or_default() == TIMELINE_LIMIT;
    events.reverse();
    let requester = app.store.person(content.requester.0).await?;
    let is_or_was_open = matches!(request.state.as_str(), "active" | "ended");
    let beside = if is_or_was_open { beside(app, &viewer, request.id).await? } else { Vec::new() };
    let closing = AccessReport::of(&app.store, &request).await.map_err(|failure| Fault::Away(failure.to_string()))?;
    let passkeys = app.store.passkeys(viewer.person.id.0).await?;
    let passkeys: Vec<String> = passkeys.into_iter().map(|passkey| passkey.credential).collect();
    page(&RequestPage {
        row: Row::from(&request),
        justification: titles::category(content.category.as_str()),
        severity: titles::sentence(content.severity.as_str()).to_lowercase(),
        asked: duration(content.duration_seconds),
        requester: requester.map_or(content.requester_name.clone(), |person| person.display_name),
        digest: request.digest().to_string(),
        review_deadline: request.review_deadline.into(),
        decision_deadline: request.decision_deadline.map(Moment::from),
        decision_time: duration(content.rules.decision_deadline_seconds),
        access_from: request.access_from.map(Moment::from),
        access_until: request.access_until.map(Moment::from),
        latest_end: latest_end(&request, &content).map(Moment::from),
        shown: String::from_utf8_lossy(&request.content).into_owned(),
        start_time: content.start_time.map(Moment::from),
        access_level: access_level(&content),
        provisioning: app.store.provisioning(request.id).await?.map(Provisioning::from),
        report: closing.map(Report::from),
        decisions: decisions
            .into_iter()
            .map(|decision| Decided {
                stage: if decision.stage == "vendor" { "the vendor's manager" } else { "the customer" },
                name: decision.display_name,
                verdict: if decision.verdict == "approve" { "approved" } else { "rejected" },
                comment: decision.comment,
                channel: decision.channel,
                signed: decision.signed,
                at: decision.decided_at.into(),
            })
            .collect(),
        story: Story::of(&events),
        is_cut,
        passkeys: passkeys.join(" "),
        lost: typed.lost(&can, &request).map(str::to_owned),
        typed,
        can,
        can_end_beside: beside.iter().any(|other| other.can_end),
        beside,
        pulse: super::live::pulse((version, recorded)),
        content,
        viewer,
    })
}

/// The last moment access could have, should everybody say yes as late as they may.
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
