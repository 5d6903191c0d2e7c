//! The checks of a submission before it becomes a request.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::break_glass::PolicyUsage;
use crate::committed::CommittedText;
use crate::content::{AccessLevel, BreakGlass, Category, Content, Severity};
use crate::ids::RequestId;
use crate::people::{Person, Tenant};
use crate::refusal::{Fault, Refusal};
use crate::request::{Request, State};
use crate::scope;
use crate::text::{self, FreeText};

/// Services that every deployment has. The configuration can add more.
pub const SERVICES: [&str; 3] = ["exchange_online", "onedrive", "sharepoint"];
/// How far ahead a start time may be: 30 days.
pub const START_AHEAD_LIMIT_DAYS: i64 = 30;

/// A submission before any check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service name.
    pub service: String,
    /// Mailbox address, site or folder URL.
    pub resource: String,
    /// Reason category.
    pub category: String,
    /// Justification.
    pub justification: FreeText,
    /// Random salt of the commitment to the justification.
    pub justification_salt: [u8; 32],
    /// Urgency.
    pub severity: String,
    /// What the requester may do with the content; read only when absent.
    pub access_level: Option<String>,
    /// Requested seconds; the tenant's default when absent.
    pub duration_seconds: Option<i64>,
    /// Start time.
    pub start_time: Option<DateTime<Utc>>,
    /// The request whose access this submission extends.
    pub extends: Option<RequestId>,
    /// Name of the break-glass policy, for break-glass access.
    pub break_glass: Option<String>,
}

/// What the database says about the people and the tenant of a submission.
#[derive(Clone, Copy, Debug)]
pub struct SubmissionContext<'a> {
    /// The tenant, if it exists.
    pub tenant: Option<&'a Tenant>,
    /// The requester, if that person exists.
    pub requester: Option<&'a Person>,
    /// Approvers of the tenant for this service.
    pub approvers: usize,
    /// Managers who could review, without the requester.
    pub reviewers: usize,
    /// Services added in the configuration.
    pub services: &'a [String],
    /// The request to extend, if it exists.
    pub extended: Option<&'a Request>,
    /// The break-glass policy and its uses so far, if the tenant has one with that name.
    pub policy_usage: Option<&'a PolicyUsage>,
}

/// Checks a submission against the tenant's rules.
///
/// # Errors
/// [`Refusal::Invalid`] with every fault of the fields, or the one reason why the request could not be decided.
pub fn admit(
    request: RequestId,
    mut submission: Submission,
    context: SubmissionContext<'_>,
    now: DateTime<Utc>,
) -> Result<Content, Refusal> {
    // The preview and the intake role normalize the same way.
    submission.service_request = text::one_line(&submission.service_request);
    submission.resource = text::one_line(&submission.resource);
    let tenant = context.tenant.filter(|tenant| tenant.enabled).ok_or(Refusal::UnknownTenant)?;
    let requester = context.requester.ok_or(Refusal::UnknownPerson)?;
    if !requester.enabled {
        return Err(Refusal::PersonDisabled);
    }
    may_extend(&submission, context, tenant, requester)?;
    let break_glass = break_glass(&submission, context, now)?;
    let Words { category, severity, access_level, duration_seconds } =
        read(&submission, tenant, context.services, context.policy_usage, now)?;
    if !requester.may_request(&submission.service) {
        return Err(Refusal::NotEngineer);
    }
    // Break-glass access needs two managers, and one approver of the customer who is notified and can revoke it.
    let (reviewers, approvers) = match break_glass {
        Some(_) => (2, 1),
        None => (1, tenant.rules.required_approvals),
    };
    if context.reviewers < reviewers {
        return Err(Refusal::NoReviewer);
    }
    if (context.approvers as i64) < i64::from(approvers) {
        return Err(Refusal::NoApprover);
    }
    Ok(Content {
        request,
        tenant: tenant.id,
        tenant_name: tenant.name.clone(),
        service_request: submission.service_request,
        service: submission.service,
        resource: submission.resource,
        category,
        justification: CommittedText::new(submission.justification.into(), submission.justification_salt),
        severity,
        access_level,
        requester: requester.id,
        requester_name: requester.name.clone(),
        duration_seconds,
        // The database stores microseconds.
        start_time: submission.start_time.map(|start| start.trunc_subsecs(6)),
        extends: submission.extends,
        break_glass,
        rules: tenant.rules.clone(),
    })
}

/// An extension must come from the same requester, for the same content, after access was active.
fn may_extend(
    submission: &Submission,
    context: SubmissionContext<'_>,
    tenant: &Tenant,
    requester: &Person,
) -> Result<(), Refusal> {
    if submission.extends.is_none() {
        return Ok(());
    }
    let is_same = context.extended.is_some_and(|request| {
        let content = &request.content;
        content.tenant == tenant.id
            && content.requester == requester.id
            && content.service == submission.service
            && content.resource == submission.resource
            && matches!(request.state, State::Active { .. } | State::Ended { .. })
    });
    if is_same {
        return Ok(());
    }
    let problem = "must be a request of the same requester for the same content whose access became active".to_owned();
    Err(Refusal::Invalid(vec![Fault { field: "extends", problem }]))
}

/// The break-glass policy of the request, with its name and digest.
fn break_glass(
    submission: &Submission,
    context: SubmissionContext<'_>,
    now: DateTime<Utc>,
) -> Result<Option<BreakGlass>, Refusal> {
    if submission.break_glass.is_none() {
        return Ok(None);
    }
    let policy_usage =
        context.policy_usage.ok_or(Refusal::NoBreakGlassPolicy { why: "there is no policy with this name" })?;
    policy_usage.check(&submission.service, now)?;
    let problem = if submission.start_time.is_some() {
        Some(("start_time", "must be absent; break-glass access starts immediately".to_owned()))
    } else if submission.extends.is_some() {
        Some(("extends", "must be absent; break-glass access cannot be extended, submit a new request".to_owned()))
    } else {
        let ceiling = policy_usage.policy.ceiling_seconds;
        let longer = submission.duration_seconds.is_some_and(|seconds| seconds > ceiling);
        longer.then(|| {
            (
                "duration_seconds",
                format!("must be at most {ceiling} seconds, the longest access that the break-glass policy allows"),
            )
        })
    };
    if let Some((field, problem)) = problem {
        return Err(Refusal::Invalid(vec![Fault { field, problem }]));
    }
    let policy = &policy_usage.policy;
    Ok(Some(BreakGlass { policy: policy.id, name: policy.name.clone(), digest: policy.digest() }))
}

/// The fields of a submission that have a fixed list of values or a default.
struct Words {
    category: Category,
    severity: Severity,
    access_level: AccessLevel,
    duration_seconds: i64,
}

/// Reads the fields, or reports everything that is wrong with them.
fn read(
    submission: &Submission,
    tenant: &Tenant,
    services: &[String],
    policy_usage: Option<&PolicyUsage>,
    now: DateTime<Utc>,
) -> Result<Words, Refusal> {
    let mut faults = Vec::new();
    let mut fault = |field, problem: String| faults.push(Fault { field, problem });

    for (field, text, limit) in
        [("service_request", &submission.service_request, 64), ("resource", &submission.resource, 512)]
    {
        if let Some(problem) = text::problem(text, limit, false) {
            fault(field, problem);
        }
    }
    if let Some(problem) = submission.justification.problem() {
        fault("justification.text", problem);
    }
    let is_text = text::problem(&submission.resource, 512, false).is_none();
    if let Some(problem) = scope::resource_problem(&submission.service, &submission.resource).filter(|_| is_text) {
        fault("resource", problem);
    }
    let known = |name: &str| SERVICES.contains(&name) || services.iter().any(|added| added == name);
    if !known(&submission.service) {
        let mut names: Vec<&str> = SERVICES.to_vec();
        names.extend(services.iter().map(String::as_str));
        fault("service", format!("unknown; one of {}", names.join(", ")));
    }
    let category = Category::parse(&submission.category);
    if category.is_none() {
        fault("justification.category", one_of(Category::ALL.iter().map(|code| code.as_str())));
    }
    let severity = Severity::parse(&submission.severity);
    if severity.is_none() {
        fault("severity", one_of(Severity::ALL.iter().map(|severity| severity.as_str())));
    }
    let access_level = submission.access_level.as_deref().map_or(Some(AccessLevel::ReadOnly), AccessLevel::parse);
    if access_level.is_none() {
        fault("access_level", one_of(AccessLevel::ALL.iter().map(|access_level| access_level.as_str())));
    }
    let usual = tenant.rules.access_default_seconds;
    let usual = policy_usage.map_or(usual, |policy_usage| usual.min(policy_usage.policy.ceiling_seconds));
    let duration_seconds = submission.duration_seconds.unwrap_or(usual);
    let ceiling = tenant.rules.access_ceiling_seconds;
    if duration_seconds < 1 || duration_seconds > ceiling {
        fault(
            "duration_seconds",
            format!(
                "must be between 1 and {ceiling} seconds, the longest access that the tenant allows, not {duration_seconds}"
            ),
        );
    }
    if let Some(start) = submission.start_time {
        if start <= now {
            fault("start_time", "is in the past; omit it to start immediately".to_owned());
        } else if start > now + TimeDelta::days(START_AHEAD_LIMIT_DAYS) {
            fault("start_time", format!("is more than {START_AHEAD_LIMIT_DAYS} days ahead"));
        }
    }
    for (field, problem) in tenant.rules.faults() {
        fault("tenant", format!("has an invalid rule {field}: {problem}"));
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
