//! One request on its page, and the form that asks for one.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use contracts::Kind;
use contracts::commands::{Reason, SubmitRequest};
use contracts::directory::parse_seconds;
use domain::{Content, Role, Tenant};
use serde::Deserialize;
use store::audit::AuditFilter;
use store::views::RequestView;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, go, page};
use super::clicks::click;
use super::look::{Moment, Row, duration};
use super::session::Viewer;
use super::sight::{Can, can, see};
use crate::outcome::Failure;

/// A yes or no.
struct Decided {
    stage: &'static str,
    name: String,
    verdict: &'static str,
    comment: Option<String>,
    channel: String,
    at: Moment,
}

/// One event in the timeline.
struct Happened {
    id: String,
    text: String,
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    viewer: Viewer,
    row: Row,
    content: Content,
    reason: &'static str,
    severity: &'static str,
    asked: String,
    requester: String,
    digest: String,
    review_by: Moment,
    decide_by: Option<Moment>,
    decision_time: String,
    access_from: Option<Moment>,
    access_until: Option<Moment>,
    starts_at: Option<Moment>,
    decisions: Vec<Decided>,
    events: Vec<Happened>,
    can: Can,
    /// What the browser has seen, for news.
    pulse: String,
}

/// A request that this person may see.
pub(crate) async fn find(app: &App, viewer: &Viewer, id: &str) -> Result<(RequestView, Content), Fault> {
    let id: Uuid = id.parse().map_err(|_| Fault::Missing)?;
    let request = app.store.show_request(id).await?;
    let content = see(viewer, &request)?;
    Ok((request, content))
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let (request, content) = find(&app, &viewer, &id).await?;
    let (version, recorded) = app.store.pulse(request.id).await?;
    let decisions = app.store.decisions(request.id).await?;
    let can = can(&viewer, &request, &content, &decisions);
    let filter = AuditFilter { request: Some(request.id), limit: 500, ..AuditFilter::default() };
    let mut events = app.store.search_audit(&filter).await?;
    events.reverse();
    let requester = app.store.person(content.requester.0).await?;
    page(&RequestPage {
        row: Row::from(&request),
        reason: content.reason_code.as_str(),
        severity: content.severity.as_str(),
        asked: duration(content.duration_seconds),
        requester: requester.map_or(content.requester_name.clone(), |person| person.display_name),
        digest: request.digest().to_string(),
        review_by: request.review_by.into(),
        decide_by: request.decide_by.map(Moment::from),
        decision_time: duration(content.rules.decision_deadline_seconds),
        access_from: request.access_from.map(Moment::from),
        access_until: request.access_until.map(Moment::from),
        starts_at: content.starts_at.map(Moment::from),
        decisions: decisions
            .into_iter()
            .map(|decision| Decided {
                stage: if decision.stage == "manager" { "the vendor's manager" } else { "the customer" },
                name: decision.display_name,
                verdict: if decision.verdict == "approve" { "approved" } else { "rejected" },
                comment: decision.comment,
                channel: decision.channel,
                at: decision.decided_at.into(),
            })
            .collect(),
        events: events
            .iter()
            .map(|event| Happened { id: event.id.to_string(), text: crate::cli::event_text(event) })
            .collect(),
        can,
        pulse: format!("{version}.{recorded}"),
        content,
        viewer,
    })
}

/// What the engineer typed; kept when it is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    form_token: String,
    tenant: String,
    service_request: String,
    service: String,
    resource: String,
    reason_code: String,
    reason: String,
    severity: String,
    duration: String,
}

/// Who will decide, until when, at most how long: shown before anything is sent.
struct Preview {
    tenant: Tenant,
    approvers: String,
    review: String,
    decision: String,
    default: String,
    ceiling: String,
}

#[derive(Template)]
#[template(path = "new.html")]
struct NewPage {
    viewer: Viewer,
    asked: Asked,
    previews: Vec<Preview>,
    services: Vec<String>,
    reasons: &'static [domain::ReasonCode],
    severities: &'static [domain::Severity],
    problem: Option<(String, String)>,
}

async fn form_page(app: &App, viewer: Viewer, asked: Asked, problem: Option<(String, String)>) -> Answer {
    let everybody = app.store.everybody().await?;
    let previews = app.store.tenants().await?.into_iter().map(|tenant| {
        let approvers: Vec<&str> = everybody
            .iter()
            .filter(|person| person.side == domain::Side::Customer(tenant.id))
            .filter(|person| person.assignments.iter().any(|held| held.role == Role::Approver))
            .map(|person| person.display_name.as_str())
            .collect();
        Preview {
            approvers: if approvers.is_empty() {
                "nobody: requests are refused".to_owned()
            } else {
                approvers.join(", ")
            },
            review: duration(tenant.rules.review_deadline_seconds),
            decision: duration(tenant.rules.decision_deadline_seconds),
            default: duration(tenant.rules.access_default_seconds),
            ceiling: duration(tenant.rules.access_ceiling_seconds),
            tenant,
        }
    });
    page(&NewPage {
        previews: previews.collect(),
        services: app.store.services().await?,
        reasons: domain::ReasonCode::ALL,
        severities: domain::Severity::ALL,
        viewer,
        asked,
        problem,
    })
}

pub(crate) async fn form(State(app): State<App>, viewer: Viewer) -> Answer {
    if !viewer.is_engineer() {
        return Err(Fault::Missing);
    }
    let asked = Asked { severity: "normal".to_owned(), ..Asked::default() };
    form_page(&app, viewer, asked, None).await
}

pub(crate) async fn submit(State(app): State<App>, viewer: Viewer, Form(asked): Form<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    if !viewer.is_engineer() {
        return Err(Fault::Missing);
    }
    let duration_seconds = match asked.duration.trim() {
        "" => None,
        text => match parse_seconds(text) {
            Ok(seconds) => Some(seconds),
            Err(fault) => {
                let problem = ("duration.unreadable".to_owned(), format!("how long: {fault}"));
                return form_page(&app, viewer, asked, Some(problem)).await;
            }
        },
    };
    let data = SubmitRequest {
        tenant: asked.tenant.clone(),
        service_request: asked.service_request.trim().to_owned(),
        service: asked.service.clone(),
        resource: asked.resource.trim().to_owned(),
        reason: Reason { code: asked.reason_code.clone(), text: asked.reason.trim().to_owned() },
        severity: asked.severity.clone(),
        requester: viewer.person.name.clone(),
        duration_seconds,
        starts_at: None,
    };
    match click(&app, Kind::RequestSubmit, None, &data).await {
        Ok(events) => {
            let id = events.iter().find_map(|event| event.request);
            go(&id.map_or_else(|| "/".to_owned(), |id| format!("/requests/{id}")))
        }
        Err(Failure::Refused { code, message }) => form_page(&app, viewer, asked, Some((code, message))).await,
        Err(failure) => Err(Fault::of_click(failure, "/requests/new")),
    }
}
