//! Why something was not done, as values to branch on and as sentences for people.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// One thing wrong with one field of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, as named in the schema.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// A refusal changes nothing and is audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A submission that cannot stand; every fault found.
    Invalid(Vec<Fault>),
    /// No such request, or none this person may know of.
    NotFound,
    /// No such tenant, or it takes no requests.
    UnknownTenant,
    /// The tenant has nobody who could approve.
    NoApprover,
    /// The vendor has nobody who could review.
    NoReviewer,
    /// No such person.
    UnknownPerson,
    /// The person is disabled.
    PersonDisabled,
    /// The requester does not hold the role engineer.
    NotEngineer,
    /// The decider does not hold the role manager on the vendor's side.
    NotManager,
    /// The decider does not hold the role approver for this service.
    NotApprover,
    /// The decider belongs to another tenant.
    WrongTenant,
    /// The requester tried to decide.
    OwnRequest,
    /// One person tried to say both yeses.
    BothSides,
    /// This person already decided at this stage.
    Repeated,
    /// The decision names another content than the stored one.
    DigestMismatch,
    /// Too late: the deadline is exclusive.
    DeadlinePassed {
        /// The deadline.
        deadline: DateTime<Utc>,
    },
    /// A timer or an end came before its time.
    NotDue {
        /// When it will be due.
        due_at: DateTime<Utc>,
    },
    /// The manager has not approved yet.
    NotReviewed,
    /// The stage this decision is for is over.
    StageFinished {
        /// State the request is in.
        state: &'static str,
    },
    /// There is no access to end.
    NotActive {
        /// State the request is in.
        state: &'static str,
    },
    /// No rule of the customer's stands behind this emergency.
    NoBreakGlassPolicy {
        /// What is missing.
        why: &'static str,
    },
    /// There is no closing report yet.
    NotEnded {
        /// State the request is in.
        state: &'static str,
    },
    /// The target was not read back as closed yet.
    RevocationUnconfirmed,
    /// Access was granted: end it instead of withdrawing.
    AlreadyActive,
    /// The request has its ending already.
    AlreadyFinished {
        /// State the request is in.
        state: &'static str,
    },
    /// Only the requester withdraws.
    NotRequester,
    /// Neither the requester, nor a manager, nor an approver of the tenant.
    MayNotRevoke,
    /// Neither the requester, nor a manager, nor an approver of the tenant.
    MayNotComment,
    /// The tenant wants a comment with every decision.
    CommentRequired,
    /// The tenant wants every yes signed with a passkey.
    PasskeyRequired,
    /// The passkey's signature does not stand behind this decision.
    PasskeyInvalid {
        /// What is wrong with it.
        why: String,
    },
    /// An approver may shorten the access, never lengthen it.
    DurationLonger,
    /// The broker login that sent this may not send it.
    WrongProducer {
        /// The login, if the message named one.
        login: Option<String>,
    },
}

impl Refusal {
    /// Every code.
    pub const CODES: &[&str] = &[
        "invalid",
        "not_found",
        "unknown_tenant",
        "no_approver",
        "no_reviewer",
        "unknown_person",
        "person_disabled",
        "not_engineer",
        "not_manager",
        "not_approver",
        "wrong_tenant",
        "own_request",
        "both_sides",
        "repeated",
        "digest_mismatch",
        "deadline_passed",
        "not_due",
        "not_reviewed",
        "stage_finished",
        "not_active",
        "no_break_glass_policy",
        "not_ended",
        "revocation_unconfirmed",
        "already_active",
        "already_finished",
        "not_requester",
        "may_not_revoke",
        "may_not_comment",
        "comment_required",
        "passkey_required",
        "passkey_invalid",
        "duration_longer",
        "wrong_producer",
    ];

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NotFound => "not_found",
            Self::UnknownTenant => "unknown_tenant",
            Self::NoApprover => "no_approver",
            Self::NoReviewer => "no_reviewer",
            Self::UnknownPerson => "unknown_person",
            Self::PersonDisabled => "person_disabled",
            Self::NotEngineer => "not_engineer",
            Self::NotManager => "not_manager",
            Self::NotApprover => "not_approver",
            Self::WrongTenant => "wrong_tenant",
            Self::OwnRequest => "own_request",
            Self::BothSides => "both_sides",
            Self::Repeated => "repeated",
            Self::DigestMismatch => "digest_mismatch",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::NotDue { .. } => "not_due",
            Self::NotReviewed => "not_reviewed",
            Self::StageFinished { .. } => "stage_finished",
            Self::NotActive { .. } => "not_active",
            Self::NoBreakGlassPolicy { .. } => "no_break_glass_policy",
            Self::NotEnded { .. } => "not_ended",
            Self::RevocationUnconfirmed => "revocation_unconfirmed",
            Self::AlreadyActive => "already_active",
            Self::AlreadyFinished { .. } => "already_finished",
            Self::NotRequester => "not_requester",
            Self::MayNotRevoke => "may_not_revoke",
            Self::MayNotComment => "may_not_comment",
            Self::CommentRequired => "comment_required",
            Self::PasskeyRequired => "passkey_required",
            Self::PasskeyInvalid { .. } => "passkey_invalid",
            Self::DurationLonger => "duration_longer",
            Self::WrongProducer { .. } => "wrong_producer",
        }
    }
}

fn time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(faults) => {
                for (index, fault) in faults.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "; " };
                    write!(f, "{comma}{}: {}", fault.field, fault.problem)?;
                }
                Ok(())
            }
            Self::NotFound => f.write_str("no such request; check the id with `lockbox request list`"),
            Self::UnknownTenant => {
                f.write_str("no tenant of this name takes requests; check the name or add it with `lockbox apply`")
            }
            Self::NoApprover => f.write_str(
                "the tenant has no approver for this service, so nobody could say yes; ask the tenant to name one",
            ),
            Self::NoReviewer => f.write_str(
                "the vendor has no manager who could review this; name one other than the requester with `lockbox apply`",
            ),
            Self::UnknownPerson => f.write_str("no person of this name; check the name or add it with `lockbox apply`"),
            Self::PersonDisabled => f.write_str("this person is disabled"),
            Self::NotEngineer => f.write_str("this person does not hold the role engineer for this service"),
            Self::NotManager => f.write_str("this person does not hold the role manager at the vendor"),
            Self::NotApprover => f.write_str("this person does not hold the role approver for this service"),
            Self::WrongTenant => f.write_str("this person does not belong to the tenant whose content is asked for"),
            Self::OwnRequest => f.write_str("nobody decides on their own request"),
            Self::BothSides => f.write_str("the two yeses must come from different people"),
            Self::Repeated => f.write_str("this person has already decided on this request"),
            Self::DigestMismatch => f.write_str(
                "the decision was made on other content than the stored one; look at the request again and decide anew",
            ),
            Self::DeadlinePassed { deadline } => {
                write!(f, "too late: the deadline was {}; a new request is needed", time(deadline))
            }
            Self::NotDue { due_at } => write!(f, "not due before {}", time(due_at)),
            Self::NotReviewed => f.write_str("the vendor's manager has not approved this request yet"),
            Self::StageFinished { state } => write!(f, "this stage is over: the request is {state}"),
            Self::NotActive { state } => write!(f, "there is no open access to end: the request is {state}"),
            Self::NoBreakGlassPolicy { why } => write!(
                f,
                "no standing consent of the customer is behind this emergency: {why}; ask in the ordinary way, or ask the customer's approvers for a rule"
            ),
            Self::NotEnded { state } => write!(f, "there is no closing report: the request is {state}"),
            Self::RevocationUnconfirmed => f.write_str(
                "the end is not confirmed: the target was not read back as closed yet; a report can be disputed meanwhile, not accepted",
            ),
            Self::AlreadyActive => f.write_str("access is open already; end it instead with `lockbox grant revoke`"),
            Self::AlreadyFinished { state } => write!(f, "the request is over: it is {state}"),
            Self::NotRequester => f.write_str("only the engineer who asked withdraws a request"),
            Self::MayNotRevoke => {
                f.write_str("only the engineer, a manager of the vendor or an approver of the tenant ends access")
            }
            Self::MayNotComment => {
                f.write_str("only the engineer, a manager of the vendor or an approver of the tenant asks and answers here")
            }
            Self::CommentRequired => f.write_str("the tenant wants a comment with every decision"),
            Self::PasskeyRequired => {
                f.write_str("the tenant wants every yes signed with a passkey; approve in the portal, where passkeys are added too")
            }
            Self::PasskeyInvalid { why } => write!(f, "the passkey does not stand behind this decision: {why}"),
            Self::DurationLonger => f.write_str("an approver may shorten the time asked for, not lengthen it"),
            Self::WrongProducer { login: Some(login) } => write!(
                f,
                "the broker login {login} may not send this command; list it under `producers` in the directory"
            ),
            Self::WrongProducer { login: None } => f.write_str(
                "the message names no broker login; set the property user_id to the login that publishes",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn the_list_of_codes_has_every_code() {
        let source = include_str!("refusal.rs");
        let body = source.split("pub fn code(&self)").nth(1).and_then(|rest| rest.split("\n    }\n").next());
        let codes: Vec<&str> = body
            .into_iter()
            .flat_map(|body| body.split("=> \"").skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(codes.len() > 30 && codes == Refusal::CODES, "{codes:?}");
    }
}
