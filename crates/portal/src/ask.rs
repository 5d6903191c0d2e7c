//! The form that asks for access, with a preview of who will decide, until when and at most how long. The preview
//! checks with the very rules that intake checks with; only what intake finds counts.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::Kind;
use contracts::commands::{Justification, SubmitRequest};
use contracts::directory::parse_seconds;
use domain::policy::{Submission, SubmissionContext, admit};
use domain::{Person, Refusal, RequestId, Tenant};
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, Filled, Query, go, page};
use super::clicks::click;
use super::look::{Moment, duration};
use super::refused::{Problem, at, of_field, problems};
use super::request::find;
use super::session::Viewer;
use runtime::outcome::Failure;

/// What the engineer typed; kept when it is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    form_token: String,
    tenant: String,
    service_request: String,
    service: String,
    resource: String,
    category: String,
    justification: String,
    severity: String,
    duration: String,
    /// UTC; at once when empty.
    start_time: String,
    access_level: String,
    /// Name of the standing consent; empty unless it is an emergency.
    break_glass: String,
    /// The request whose access is to go on; empty for a new one.
    extends: String,
}

impl Asked {
    fn seconds(&self) -> Result<Option<i64>, String> {
        match self.duration.trim() {
            "" => Ok(None),
            text => parse_seconds(text).map(Some),
        }
    }

    fn start(&self) -> Result<Option<DateTime<Utc>>, String> {
        match self.start_time.trim() {
            "" => Ok(None),
            text => match chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M") {
                Ok(at) => Ok(Some(at.and_utc())),
                Err(_) => Err("name a moment (UTC)".to_owned()),
            },
        }
    }

    /// Name of the standing consent, when it is an emergency.
    fn named_consent(&self) -> Option<String> {
        Some(self.break_glass.trim().to_owned()).filter(|name| !name.is_empty())
    }
}

/// Who will decide, until when, at most how long: shown before anything is sent.
struct Preview {
    tenant: Tenant,
    managers: String,
    approvers: String,
    review_deadline: Moment,
    decision_deadline: Moment,
    duration: String,
    access_until: Moment,
    ceiling: String,
    /// What would be refused, each with its field; what is only not typed yet is not among them.
    faults: Vec<Problem>,
    /// Whether something is not typed yet.
    is_unfinished: bool,
}

#[derive(Template)]
#[template(path = "new.html")]
struct NewPage {
    viewer: Viewer,
    asked: Asked,
    tenants: Vec<Tenant>,
    preview: Option<Preview>,
    services: Vec<String>,
    reasons: &'static [domain::Category],
    severities: &'static [domain::Severity],
    /// What was refused, and its code.
    problem: Option<(String, Vec<Problem>)>,
}

impl NewPage {
    /// What is wrong with a field.
    fn at(&self, field: &str) -> Option<&str> {
        let sent = self.problem.as_ref().and_then(|(_, problems)| at(problems, field));
        sent.or_else(|| self.preview.as_ref().and_then(|preview| at(&preview.faults, field)))
    }

    /// What is wrong with the whole.
    fn whole(&self) -> impl Iterator<Item = &Problem> {
        self.problem.iter().flat_map(|(_, problems)| problems)
    }
}

fn names<'a>(people: impl Iterator<Item = &'a Person>) -> (usize, String) {
    let names: Vec<&str> = people.map(|person| person.display_name.as_str()).collect();
    let text = if names.is_empty() { "nobody, so the request would be refused".to_owned() } else { names.join(", ") };
    (names.len(), text)
}

/// What the rules say about what was typed so far, and whether something is missing.
fn faults(asked: &Asked, around: SubmissionContext<'_>, now: DateTime<Utc>) -> (Vec<Problem>, bool) {
    let is_unfinished =
        [&asked.service_request, &asked.resource, &asked.justification].iter().any(|text| text.is_empty());
    // What is not typed yet is no fault yet.
    let typed = |text: &str| if text.is_empty() { "-".to_owned() } else { text.trim().to_owned() };
    let (duration_seconds, mut faults) = match asked.seconds() {
        Ok(seconds) => (seconds, Vec::new()),
        Err(fault) => (None, vec![of_field("duration_seconds", &fault)]),
    };
    let start_time = asked.start().unwrap_or_else(|fault| {
        faults.push(of_field("start_time", &fault));
        None
    });
    let submission = Submission {
        service_request: typed(&asked.service_request),
        service: asked.service.clone(),
        resource: typed(&asked.resource),
        category: asked.category.clone(),
        justification: typed(&asked.justification).into(),
        severity: asked.severity.clone(),
        access_level: Some(asked.access_level.clone()).filter(|access_level| !access_level.is_empty()),
        duration_seconds,
        start_time,
        extends: asked.extends.parse().ok().map(RequestId),
        break_glass: asked.named_consent(),
    };
    match admit(RequestId(Uuid::nil()), submission, around, now) {
        Ok(_) => {}
        Err(Refusal::Invalid(found)) => {
            faults.extend(found.into_iter().map(|fault| of_field(fault.field, &fault.problem)));
        }
        Err(refusal) => faults.extend(problems(refusal.code(), &refusal.to_string())),
    }
    (faults, is_unfinished)
}

async fn look(app: &App, viewer: &Viewer, asked: &Asked, tenant: Tenant) -> Result<Preview, Fault> {
    let (now, services) = (app.store.clock().await?, app.store.services().await?);
    let staff = app.store.people_of(tenant.id.0).await?;
    let vendor = app.store.managers().await?;
    let may_review = |person: &&Person| person.may_review(&asked.service) && person.id != viewer.person.id;
    let (reviewers, managers) = names(vendor.iter().filter(may_review));
    let (approvers, deciding) = names(staff.iter().filter(|person| person.may_approve(tenant.id, &asked.service)));
    let policies = app.store.policies(tenant.id.0).await?;
    let named = asked.named_consent();
    let policy_status = policies.iter().find(|policy_status| Some(&policy_status.policy.name) == named.as_ref());
    let extended = match asked.extends.parse() {
        Ok(id) => app.store.request(id).await?,
        Err(_) => None,
    };
    let around = SubmissionContext {
        tenant: Some(&tenant),
        requester: Some(&viewer.person),
        approvers,
        reviewers,
        services: &services,
        extended: extended.as_ref(),
        policy_usage: policy_status,
    };
    let (faults, is_unfinished) = faults(asked, around, now);
    let rules = &tenant.rules;
    let seconds = asked.seconds().ok().flatten().unwrap_or(rules.access_default_seconds);
    let seconds = seconds.clamp(0, rules.access_ceiling_seconds);
    let review_deadline = now + TimeDelta::seconds(rules.review_deadline_seconds);
    let decision_deadline = review_deadline + TimeDelta::seconds(rules.decision_deadline_seconds);
    Ok(Preview {
        managers,
        approvers: deciding,
        review_deadline: review_deadline.into(),
        decision_deadline: decision_deadline.into(),
        duration: duration(seconds),
        access_until: (decision_deadline + TimeDelta::seconds(seconds)).into(),
        ceiling: duration(rules.access_ceiling_seconds),
        faults,
        is_unfinished,
        tenant,
    })
}

async fn form_page(app: &App, viewer: Viewer, mut asked: Asked, problem: Option<(String, Vec<Problem>)>) -> Answer {
    let tenants = app.store.tenants().await?;
    let services = every_service(app.store.services().await?);
    if asked.service.is_empty() {
        asked.service = services.first().cloned().unwrap_or_default();
    }
    if asked.category.is_empty() {
        asked.category = domain::Category::ALL.first().map(|code| code.as_str().to_owned()).unwrap_or_default();
    }
    let chosen = tenants.iter().find(|tenant| tenant.name == asked.tenant).or_else(|| tenants.first()).cloned();
    let preview = match chosen {
        Some(tenant) => Some(look(app, &viewer, &asked, tenant).await?),
        None => None,
    };
    page(&NewPage {
        tenants,
        preview,
        services,
        reasons: domain::Category::ALL,
        severities: domain::Severity::ALL,
        viewer,
        asked,
        problem,
    })
}

/// The request that more time is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct More {
    extends: String,
}

pub(crate) async fn form(State(app): State<App>, viewer: Viewer, Query(more): Query<More>) -> Answer {
    if !viewer.is_engineer() {
        return Err(Fault::Missing);
    }
    let asked = if more.extends.is_empty() {
        Asked { severity: "normal".to_owned(), ..Asked::default() }
    } else {
        let (request, content) = find(&app, &viewer, &more.extends).await?;
        Asked {
            tenant: content.tenant_name,
            service_request: content.service_request,
            service: content.service,
            resource: content.resource,
            category: content.category.as_str().to_owned(),
            severity: content.severity.as_str().to_owned(),
            access_level: content.access_level.as_str().to_owned(),
            extends: request.id.to_string(),
            ..Asked::default()
        }
    };
    form_page(&app, viewer, asked, None).await
}

/// The form again, with what was typed and what would become of it. Nothing is sent.
pub(crate) async fn preview(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    if !viewer.is_engineer() {
        return Err(Fault::Missing);
    }
    form_page(&app, viewer, asked, None).await
}

pub(crate) async fn submit(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    if !viewer.is_engineer() {
        return Err(Fault::Missing);
    }
    let duration_seconds = match asked.seconds() {
        Ok(seconds) => seconds,
        Err(fault) => {
            let problem = ("duration.unreadable".to_owned(), vec![of_field("duration_seconds", &fault)]);
            return form_page(&app, viewer, asked, Some(problem)).await;
        }
    };
    let start_time = match asked.start() {
        Ok(start) => start,
        Err(fault) => {
            let problem = ("start.unreadable".to_owned(), vec![of_field("start_time", &fault)]);
            return form_page(&app, viewer, asked, Some(problem)).await;
        }
    };
    let data = SubmitRequest {
        tenant: asked.tenant.clone(),
        service_request: asked.service_request.trim().to_owned(),
        service: asked.service.clone(),
        resource: asked.resource.trim().to_owned(),
        justification: Justification { category: asked.category.clone(), text: asked.justification.as_str().into() },
        severity: asked.severity.clone(),
        requester: viewer.person.name.clone(),
        duration_seconds,
        access_level: Some(asked.access_level.clone()).filter(|access_level| !access_level.is_empty()),
        start_time,
        extends: asked.extends.parse().ok(),
        break_glass: asked.named_consent(),
    };
    match click(&app, &viewer, Kind::RequestSubmit, None, &data).await {
        Ok(events) => {
            let id = events.iter().find_map(|event| event.request);
            go(&id.map_or_else(|| "/".to_owned(), |id| format!("/requests/{id}")))
        }
        Err(Failure::Refused { code, message }) => {
            let problems = problems(&code, &message);
            form_page(&app, viewer, asked, Some((code, problems))).await
        }
        Err(failure) => Err(Fault::of_click(failure, "/requests/new")),
    }
}

/// The services that are always there, then those the deployment added.
pub(super) fn every_service(added: Vec<String>) -> Vec<String> {
    let mut services: Vec<String> = domain::policy::SERVICES.map(str::to_owned).to_vec();
    services.extend(added.into_iter().filter(|name| !domain::policy::SERVICES.contains(&name.as_str())));
    services
}
