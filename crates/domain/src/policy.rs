//! What a submission must fulfil before it becomes a request.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::break_glass::PolicyStatus;
use crate::content::{AccessLevel, BreakGlass, Category, Content, Severity};
use crate::ids::RequestId;
use crate::people::{Person, Tenant};
use crate::refusal::{Fault, Refusal};
use crate::request::{Request, State};
use crate::scope;
use crate::text::{self, FreeText};

/// Services every deployment knows. More are added in configuration.
pub const SERVICES: [&str; 3] = ["exchange_online", "onedrive", "sharepoint"];
/// A later start may lie this far ahead: 30 days.
pub const START_AHEAD_LIMIT_DAYS: i64 = 30;

/// What somebody asks for, before anything was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service name.
    pub service: String,
    /// Mailbox address, site or folder URL.
    pub resource: String,
    /// Typed reason.
    pub category: String,
    /// Reason in words.
    pub justification: FreeText,
    /// Urgency.
    pub severity: String,
    /// How much the engineer may do; only to look when absent.
    pub access_level: Option<String>,
    /// Seconds asked for; the tenant's default when absent.
    pub duration_seconds: Option<i64>,
    /// Earliest start.
    pub start_time: Option<DateTime<Utc>>,
    /// The request whose access is to go on.
    pub extends: Option<RequestId>,
    /// An emergency, under the standing consent of this name.
    pub break_glass: Option<String>,
}

/// What the rows say about the people and the tenant of a submission.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The tenant named, if there is one.
    pub tenant: Option<&'a Tenant>,
    /// The requester named, if there is one.
    pub requester: Option<&'a Person>,
    /// Approvers of the tenant for this service.
    pub approvers: usize,
    /// Managers who could review, the requester not counted.
    pub reviewers: usize,
    /// Services added in configuration.
    pub services: &'a [String],
    /// The request that is to be extended, if there is one of that id.
    pub extended: Option<&'a Request>,
    /// The standing consent named, as it stands, if the tenant gave one of that name.
    pub policy_status: Option<&'a PolicyStatus>,
}

/// Checks a submission against the tenant's rules.
///
/// # Errors
/// [`Refusal::Invalid`] with every fault of the fields, or the one reason why nobody could decide it.
pub fn admit(
    request: RequestId,
    mut asked: Submission,
    around: Surroundings<'_>,
    now: DateTime<Utc>,
) -> Result<Content, Refusal> {
    // The preview and the role get the same form from whatever was typed or pasted.
    asked.service_request = text::one_line(&asked.service_request);
    asked.resource = text::one_line(&asked.resource);
    let tenant = around.tenant.filter(|tenant| tenant.enabled).ok_or(Refusal::UnknownTenant)?;
    let requester = around.requester.ok_or(Refusal::UnknownPerson)?;
    if !requester.enabled {
        return Err(Refusal::PersonDisabled);
    }
    may_extend(&asked, around, tenant, requester)?;
    let break_glass = break_glass(&asked, around, now)?;
    let Words { category, severity, access_level, duration_seconds } =
        read(&asked, tenant, around.services, around.policy_status, now)?;
    if !requester.may_ask(&asked.service) {
        return Err(Refusal::NotEngineer);
    }
    // An emergency takes two managers; and somebody of the customer must be there to be told and to end it.
    let (reviewers, approvers) = match break_glass {
        Some(_) => (2, 1),
        None => (1, tenant.rules.required_approvals),
    };
    if around.reviewers < reviewers {
        return Err(Refusal::NoReviewer);
    }
    if (around.approvers as i64) < i64::from(approvers) {
        return Err(Refusal::NoApprover);
    }
    Ok(Content {
        request,
        tenant: tenant.id,
        tenant_name: tenant.name.clone(),
        service_request: asked.service_request,
        service: asked.service,
        resource: asked.resource,
        category,
        justification: asked.justification.into(),
        severity,
        access_level,
        requester: requester.id,
        requester_name: requester.name.clone(),
        duration_seconds,
        // The database keeps microseconds.
        start_time: asked.start_time.map(|start| start.trunc_subsecs(6)),
        extends: asked.extends,
        break_glass,
        rules: tenant.rules.clone(),
    })
}

/// More time is asked for by the same engineer, for the same content, where access was granted before.
fn may_extend(
    asked: &Submission,
    around: Surroundings<'_>,
    tenant: &Tenant,
    requester: &Person,
) -> Result<(), Refusal> {
    if asked.extends.is_none() {
        return Ok(());
    }
    let is_same = around.extended.is_some_and(|request| {
        let content = &request.content;
        content.tenant == tenant.id
            && content.requester == requester.id
            && content.service == asked.service
            && content.resource == asked.resource
            && matches!(request.state, State::Active { .. } | State::Ended { .. })
    });
    if is_same {
        return Ok(());
    }
    let problem = "must be a request of the same engineer for the same content that was granted".to_owned();
    Err(Refusal::Invalid(vec![Fault { field: "extends", problem }]))
}

/// The rule that an emergency stands on, named and hashed.
fn break_glass(
    asked: &Submission,
    around: Surroundings<'_>,
    now: DateTime<Utc>,
) -> Result<Option<BreakGlass>, Refusal> {
    if asked.break_glass.is_none() {
        return Ok(None);
    }
    let policy_status =
        around.policy_status.ok_or(Refusal::NoBreakGlassPolicy { why: "there is none of this name" })?;
    policy_status.check(&asked.service, now)?;
    let problem = if asked.start_time.is_some() {
        Some(("start_time", "an emergency begins at once".to_owned()))
    } else if asked.extends.is_some() {
        Some(("extends", "an emergency is not extended; another counts against the quota".to_owned()))
    } else {
        let ceiling = policy_status.policy.ceiling_seconds;
        let longer = asked.duration_seconds.is_some_and(|seconds| seconds > ceiling);
        longer.then(|| ("duration_seconds", format!("must be at most {ceiling}, the ceiling of the standing consent")))
    };
    if let Some((field, problem)) = problem {
        return Err(Refusal::Invalid(vec![Fault { field, problem }]));
    }
    let policy = &policy_status.policy;
    Ok(Some(BreakGlass { policy: policy.id, name: policy.name.clone(), digest: policy.digest() }))
}

/// The fields of a submission that are words from a list or have a default.
struct Words {
    category: Category,
    severity: Severity,
    access_level: AccessLevel,
    duration_seconds: i64,
}

/// Reads the fields, or says everything that is wrong with them.
fn read(
    asked: &Submission,
    tenant: &Tenant,
    services: &[String],
    policy_status: Option<&PolicyStatus>,
    now: DateTime<Utc>,
) -> Result<Words, Refusal> {
    let mut faults = Vec::new();
    let mut fault = |field, problem: String| faults.push(Fault { field, problem });

    for (field, text, limit) in [("service_request", &asked.service_request, 64), ("resource", &asked.resource, 512)] {
        if let Some(problem) = text::problem(text, limit, false) {
            fault(field, problem);
        }
    }
    if let Some(problem) = asked.justification.problem() {
        fault("justification.text", problem);
    }
    let is_text = text::problem(&asked.resource, 512, false).is_none();
    if let Some(problem) = scope::resource_problem(&asked.service, &asked.resource).filter(|_| is_text) {
        fault("resource", problem);
    }
    let known = |name: &str| SERVICES.contains(&name) || services.iter().any(|added| added == name);
    if !known(&asked.service) {
        let mut names: Vec<&str> = SERVICES.to_vec();
        names.extend(services.iter().map(String::as_str));
        fault("service", format!("unknown; one of {}", names.join(", ")));
    }
    let category = Category::parse(&asked.category);
    if category.is_none() {
        fault("justification.category", one_of(Category::ALL.iter().map(|code| code.as_str())));
    }
    let severity = Severity::parse(&asked.severity);
    if severity.is_none() {
        fault("severity", one_of(Severity::ALL.iter().map(|severity| severity.as_str())));
    }
    let access_level = asked.access_level.as_deref().map_or(Some(AccessLevel::ReadOnly), AccessLevel::parse);
    if access_level.is_none() {
        fault("access_level", one_of(AccessLevel::ALL.iter().map(|access_level| access_level.as_str())));
    }
    let usual = tenant.rules.access_default_seconds;
    let usual = policy_status.map_or(usual, |policy_status| usual.min(policy_status.policy.ceiling_seconds));
    let duration_seconds = asked.duration_seconds.unwrap_or(usual);
    let ceiling = tenant.rules.access_ceiling_seconds;
    if duration_seconds < 1 || duration_seconds > ceiling {
        fault(
            "duration_seconds",
            format!("must be between 1 and {ceiling}, the tenant's ceiling, not {duration_seconds}"),
        );
    }
    if let Some(start) = asked.start_time {
        if start <= now {
            fault("start_time", "lies in the past; leave it out to start at once".to_owned());
        } else if start > now + TimeDelta::days(START_AHEAD_LIMIT_DAYS) {
            fault("start_time", format!("lies more than {START_AHEAD_LIMIT_DAYS} days ahead"));
        }
    }
    for (field, problem) in tenant.rules.faults() {
        fault("tenant", format!("its rule {field} cannot stand: {problem}"));
    }
    match (category, severity, access_level) {
        (Some(category), Some(severity), Some(access_level)) if faults.is_empty() => {
            Ok(Words { category, severity, access_level, duration_seconds })
        }
        _ => Err(Refusal::Invalid(faults)),
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("unknown; one of {}", names.collect::<Vec<_>>().join(", "))
}
