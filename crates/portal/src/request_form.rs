//! The form that requests access or an extension, with a preview of the approvers, the deadlines and the longest access.
//! The preview checks the same rules as the intake role; only the decision of the intake role counts.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::Kind;
use contracts::commands::{Justification, SubmitRequest};
use contracts::directory::parse_seconds;
use domain::policy::{Submission, SubmissionContext, admit};
use domain::{Person, Refusal, RequestId, Tenant};
use runtime::outcome::Failure;
use serde::Deserialize;
use uuid::Uuid;

use super::app::App;
use super::commands::submit_command;
use super::format::{DisplayTime, duration};
use super::refused::{Problem, at, field_problem, problems};
use super::response::{Form, PageError, PageResult, Query, redirect, render};
use super::session::Viewer;
use super::visibility::load_request;

/// What the requester entered; shown again after a refusal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RequestInput {
    form_token: String,
    tenant: String,
    service_request: String,
    service: String,
    resource: String,
    category: String,
    justification: String,
    severity: String,
    duration: String,
    /// UTC; on approval when empty.
    start_time: String,
    access_level: String,
    /// Name of the break-glass policy; empty unless this is break-glass access.
    break_glass: String,
    /// The request that this one extends; empty for a new one.
    extends: String,
}

impl RequestInput {
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
                Err(_) => Err("enter a date and a time (UTC)".to_owned()),
            },
        }
    }

    /// Name of the break-glass policy.
    fn policy_name(&self) -> Option<String> {
        Some(self.break_glass.trim().to_owned()).filter(|name| !name.is_empty())
    }

    fn access_level(&self) -> Option<String> {
        Some(self.access_level.clone()).filter(|level| !level.is_empty())
    }
}

/// Approvers, deadlines and longest access, before anything is submitted.
struct Preview {
    tenant: Tenant,
    managers: String,
    approvers: String,
    review_deadline: DisplayTime,
    decision_deadline: DisplayTime,
    duration: String,
    access_until: DisplayTime,
    ceiling: String,
    /// What would be refused. Fields that are still empty do not count.
    problems: Vec<Problem>,
    /// Whether a required field is still empty.
    is_incomplete: bool,
}

#[derive(Template)]
#[template(path = "request_form.html")]
struct RequestFormPage {
    viewer: Viewer,
    input: RequestInput,
    tenants: Vec<Tenant>,
    preview: Option<Preview>,
    services: Vec<String>,
    categories: &'static [domain::Category],
    severities: &'static [domain::Severity],
    /// Code and error messages of a refusal.
    refusal: Option<(String, Vec<Problem>)>,
}

impl RequestFormPage {
    /// The error message of a field.
    fn at(&self, field: &str) -> Option<&str> {
        let refused = self.refusal.as_ref().and_then(|(_, problems)| at(problems, field));
        refused.or_else(|| self.preview.as_ref().and_then(|preview| at(&preview.problems, field)))
    }

    /// Every error message of the refusal.
    fn refusal_problems(&self) -> impl Iterator<Item = &Problem> {
        self.refusal.iter().flat_map(|(_, problems)| problems)
    }
}

/// Number of people, and their names.
fn names<'a>(people: impl Iterator<Item = &'a Person>) -> (usize, String) {
    let names: Vec<&str> = people.map(|person| person.display_name.as_str()).collect();
    let text = if names.is_empty() { "no one, so the request would be refused".to_owned() } else { names.join(", ") };
    (names.len(), text)
}

/// What the rules refuse in the input so far, and whether a required field is still empty.
fn input_problems(input: &RequestInput, context: SubmissionContext<'_>, now: DateTime<Utc>) -> (Vec<Problem>, bool) {
    let is_incomplete =
        [&input.service_request, &input.resource, &input.justification].iter().any(|text| text.is_empty());
    // A field that is still empty is not a problem yet.
    let filled = |text: &str| if text.is_empty() { "-".to_owned() } else { text.trim().to_owned() };
    let (duration_seconds, mut found) = match input.seconds() {
        Ok(seconds) => (seconds, Vec::new()),
        Err(problem) => (None, vec![field_problem("duration_seconds", &problem)]),
    };
    let start_time = input.start().unwrap_or_else(|problem| {
        found.push(field_problem("start_time", &problem));
        None
    });
    let submission = Submission {
        service_request: filled(&input.service_request),
        service: input.service.clone(),
        resource: filled(&input.resource),
        category: input.category.clone(),
        justification: filled(&input.justification).into(),
        // A preview commits to nothing.
        justification_salt: [0; 32],
        severity: input.severity.clone(),
        access_level: input.access_level(),
        duration_seconds,
        start_time,
        extends: input.extends.parse().ok().map(RequestId),
        break_glass: input.policy_name(),
    };
    match admit(RequestId(Uuid::nil()), submission, context, now) {
        Ok(_) => {}
        Err(Refusal::Invalid(faults)) => {
            found.extend(faults.into_iter().map(|fault| field_problem(fault.field, &fault.problem)));
        }
        Err(refusal) => found.extend(problems(refusal.code(), &refusal.to_string())),
    }
    (found, is_incomplete)
}

async fn make_preview(app: &App, viewer: &Viewer, input: &RequestInput, tenant: Tenant) -> Result<Preview, PageError> {
    let (now, services) = (app.store.clock().await?, app.store.services().await?);
    let staff = app.store.people_of(tenant.id.0).await?;
    let vendor = app.store.managers().await?;
    let may_review = |person: &&Person| person.may_review(&input.service) && person.id != viewer.person.id;
    let (reviewers, managers) = names(vendor.iter().filter(may_review));
    let (approvers, approver_names) =
        names(staff.iter().filter(|person| person.may_approve(tenant.id, &input.service)));
    let policies = app.store.policies(tenant.id.0).await?;
    let policy_name = input.policy_name();
    let policy_usage = policies.iter().find(|usage| Some(&usage.policy.name) == policy_name.as_ref());
    let extended = match input.extends.parse() {
        Ok(id) => app.store.request(id).await?,
        Err(_) => None,
    };
    let context = SubmissionContext {
        tenant: Some(&tenant),
        requester: Some(&viewer.person),
        approvers,
        reviewers,
        services: &services,
        extended: extended.as_ref(),
        policy_usage,
    };
    let (problems, is_incomplete) = input_problems(input, context, now);
    let rules = &tenant.rules;
    let seconds = input.seconds().ok().flatten().unwrap_or(rules.access_default_seconds);
    let seconds = seconds.clamp(0, rules.access_ceiling_seconds);
    let review_deadline = now + TimeDelta::seconds(rules.review_deadline_seconds);
    let decision_deadline = review_deadline + TimeDelta::seconds(rules.decision_deadline_seconds);
    Ok(Preview {
        managers,
        approvers: approver_names,
        review_deadline: review_deadline.into(),
        decision_deadline: decision_deadline.into(),
        duration: duration(seconds),
        access_until: (decision_deadline + TimeDelta::seconds(seconds)).into(),
        ceiling: duration(rules.access_ceiling_seconds),
        problems,
        is_incomplete,
        tenant,
    })
}

async fn form_page(
    app: &App,
    viewer: Viewer,
    mut input: RequestInput,
    refusal: Option<(String, Vec<Problem>)>,
) -> PageResult {
    let tenants = app.store.tenants().await?;
    let services = app.services().await?;
    if input.service.is_empty() {
        input.service = services.first().cloned().unwrap_or_default();
    }
    if input.category.is_empty() {
        input.category = domain::Category::ALL.first().map(|code| code.as_str().to_owned()).unwrap_or_default();
    }
    let chosen = tenants.iter().find(|tenant| tenant.name == input.tenant).or_else(|| tenants.first()).cloned();
    let preview = match chosen {
        Some(tenant) => Some(make_preview(app, &viewer, &input, tenant).await?),
        None => None,
    };
    render(&RequestFormPage {
        tenants,
        preview,
        services,
        categories: domain::Category::ALL,
        severities: domain::Severity::ALL,
        viewer,
        input,
        refusal,
    })
}

/// The request to extend.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExtensionQuery {
    extends: String,
}

pub(crate) async fn show(State(app): State<App>, viewer: Viewer, Query(query): Query<ExtensionQuery>) -> PageResult {
    if !viewer.is_engineer() {
        return Err(PageError::NotFound);
    }
    let input = if query.extends.is_empty() {
        RequestInput { severity: "normal".to_owned(), ..RequestInput::default() }
    } else {
        let (request, content) = load_request(&app, &viewer, &query.extends).await?;
        RequestInput {
            tenant: content.tenant_name,
            service_request: content.service_request,
            service: content.service,
            resource: content.resource,
            category: content.category.as_str().to_owned(),
            severity: content.severity.as_str().to_owned(),
            access_level: content.access_level.as_str().to_owned(),
            extends: request.id.to_string(),
            ..RequestInput::default()
        }
    };
    form_page(&app, viewer, input, None).await
}

/// Shows the form again with a preview of what was entered. Nothing is submitted.
pub(crate) async fn preview(State(app): State<App>, viewer: Viewer, Form(input): Form<RequestInput>) -> PageResult {
    viewer.check(&input.form_token)?;
    if !viewer.is_engineer() {
        return Err(PageError::NotFound);
    }
    form_page(&app, viewer, input, None).await
}

pub(crate) async fn submit(State(app): State<App>, viewer: Viewer, Form(input): Form<RequestInput>) -> PageResult {
    viewer.check(&input.form_token)?;
    if !viewer.is_engineer() {
        return Err(PageError::NotFound);
    }
    let duration_seconds = match input.seconds() {
        Ok(seconds) => seconds,
        Err(problem) => {
            let refusal = ("duration.unreadable".to_owned(), vec![field_problem("duration_seconds", &problem)]);
            return form_page(&app, viewer, input, Some(refusal)).await;
        }
    };
    let start_time = match input.start() {
        Ok(start) => start,
        Err(problem) => {
            let refusal = ("start.unreadable".to_owned(), vec![field_problem("start_time", &problem)]);
            return form_page(&app, viewer, input, Some(refusal)).await;
        }
    };
    let data = SubmitRequest {
        tenant: input.tenant.clone(),
        service_request: input.service_request.trim().to_owned(),
        service: input.service.clone(),
        resource: input.resource.trim().to_owned(),
        justification: Justification { category: input.category.clone(), text: input.justification.as_str().into() },
        severity: input.severity.clone(),
        requester: viewer.person.name.clone(),
        duration_seconds,
        access_level: input.access_level(),
        start_time,
        extends: input.extends.parse().ok(),
        break_glass: input.policy_name(),
    };
    match submit_command(&app, &viewer, Kind::RequestSubmit, None, &data).await {
        Ok(events) => {
            let id = events.iter().find_map(|event| event.request);
            redirect(&id.map_or_else(|| "/".to_owned(), |id| format!("/requests/{id}")))
        }
        Err(Failure::Refused { code, message }) => {
            let problems = problems(&code, &message);
            form_page(&app, viewer, input, Some((code, problems))).await
        }
        Err(failure) => Err(PageError::of_failure(failure, "/requests/new")),
    }
}
