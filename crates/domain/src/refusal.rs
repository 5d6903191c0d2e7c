//! Why a command was refused: codes for programs and sentences for people.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// One problem with one field of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, as named in the schema.
    pub field: &'static str,
    /// What is wrong and what is expected.
    pub problem: String,
}

/// Why a command was refused. A refused command changes nothing and is recorded in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The submission is invalid; lists every fault.
    Invalid(Vec<Fault>),
    /// There is no such request, or this person may not see it.
    NotFound,
    /// There is no such tenant, or it is disabled.
    UnknownTenant,
    /// The tenant does not have enough approvers.
    NoApprover,
    /// The vendor does not have enough managers to review the request.
    NoReviewer,
    /// There is no such person.
    UnknownPerson,
    /// The person is disabled.
    PersonDisabled,
    /// The requester does not have the role engineer.
    NotEngineer,
    /// The approver does not have the role manager at the vendor.
    NotManager,
    /// The approver does not have the role approver for this service.
    NotApprover,
    /// The approver belongs to another tenant.
    WrongTenant,
    /// The requester tried to decide on their own request.
    OwnRequest,
    /// One person tried to approve for both the vendor and the customer.
    BothSides,
    /// This person already decided at this stage.
    Repeated,
    /// The digest of the decision is not the digest of the stored content.
    DigestMismatch,
    /// The deadline passed. A decision at the deadline is too late.
    DeadlinePassed {
        /// The deadline.
        deadline: DateTime<Utc>,
    },
    /// A timer or an end arrived before its time.
    NotDue {
        /// When it is due.
        due_at: DateTime<Utc>,
    },
    /// The manager has not approved yet.
    NotReviewed,
    /// The stage that this decision belongs to is over.
    StageFinished {
        /// State the request is in.
        state: &'static str,
    },
    /// There is no active access to revoke.
    NotActive {
        /// State the request is in.
        state: &'static str,
    },
    /// No valid break-glass policy covers this request.
    NoBreakGlassPolicy {
        /// Why not.
        why: &'static str,
    },
    /// There is no access report yet.
    NotEnded {
        /// State the request is in.
        state: &'static str,
    },
    /// The target system has not confirmed yet that access is revoked.
    RevocationUnconfirmed,
    /// Access is active: it can be released, not withdrawn.
    AlreadyActive,
    /// The request is already in a final state.
    AlreadyFinished {
        /// State the request is in.
        state: &'static str,
    },
    /// Only the requester can withdraw a request.
    NotRequester,
    /// The person is not the requester, a manager of the vendor or an approver of the tenant.
    MayNotRevoke,
    /// The person is not the requester, a manager of the vendor or an approver of the tenant.
    MayNotComment,
    /// The tenant requires a comment with every decision.
    CommentRequired,
    /// The tenant requires a passkey for every approval.
    PasskeyRequired,
    /// The authority of the tenant, or of the vendor, requires a signature of every decision.
    SignatureRequired,
    /// The signature is not valid for this decision.
    SignatureInvalid {
        /// What is wrong with it.
        why: String,
    },
    /// The signed nonce does not count: it is unknown, used up, too late, or for another person or request.
    NonceInvalid,
    /// The approved duration is longer than the requested one.
    DurationLonger,
    /// The broker login may not send this command.
    WrongProducer {
        /// The login, if the message names one.
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
        "signature_required",
        "signature_invalid",
        "nonce_invalid",
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
            Self::SignatureRequired => "signature_required",
            Self::SignatureInvalid { .. } => "signature_invalid",
            Self::NonceInvalid => "nonce_invalid",
            Self::DurationLonger => "duration_longer",
            Self::WrongProducer { .. } => "wrong_producer",
        }
    }
}

fn time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl fmt::Display for Refusal {
    #[allow(clippy::too_many_lines, reason = "one arm for each refusal, so that all sentences are in one place")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(faults) => {
                for (index, fault) in faults.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "; " };
                    write!(f, "{comma}{}: {}", fault.field, fault.problem)?;
                }
                Ok(())
            }
            Self::NotFound => f.write_str("there is no such request; check the id with `lockbox request list`"),
            Self::UnknownTenant => {
                f.write_str("there is no enabled tenant with this name; check the name, or add the tenant with `lockbox apply`")
            }
            Self::NoApprover => f.write_str(
                "the tenant does not have enough approvers for this service; ask the tenant to add one",
            ),
            Self::NoReviewer => f.write_str(
                "the vendor does not have enough managers to review this request; add one other than the requester with `lockbox apply`",
            ),
            Self::UnknownPerson => {
                f.write_str("there is no person with this name; check the name, or add the person with `lockbox apply`")
            }
            Self::PersonDisabled => f.write_str("this person is disabled; enable the person with `lockbox apply`"),
            Self::NotEngineer => f.write_str(
                "this person does not have the role engineer for this service; assign the role with `lockbox apply`",
            ),
            Self::NotManager => f.write_str(
                "this person does not have the role manager at the vendor; ask a manager of the vendor to decide",
            ),
            Self::NotApprover => f.write_str(
                "this person does not have the role approver for this service; ask an approver of the tenant to decide",
            ),
            Self::WrongTenant => f.write_str(
                "this person does not belong to the tenant whose content is requested; ask an approver of that tenant to decide",
            ),
            Self::OwnRequest => f.write_str("you cannot decide on your own request; ask another person to decide"),
            Self::BothSides => f.write_str(
                "the vendor approval and the customer approval must come from different people; ask another approver to decide",
            ),
            Self::Repeated => f.write_str("this person has already decided on this request; a decision cannot be changed"),
            Self::DigestMismatch => f.write_str(
                "the decision does not match the stored content; open the request again and repeat the decision",
            ),
            Self::DeadlinePassed { deadline } => {
                write!(f, "the deadline was {}; submit a new request", time(deadline))
            }
            Self::NotDue { due_at } => write!(f, "this is not due before {}", time(due_at)),
            Self::NotReviewed => f.write_str("the vendor has not approved this request yet; wait for the vendor approval"),
            Self::StageFinished { state } => write!(f, "this stage is over because the request is {state}"),
            Self::NotActive { state } => write!(f, "there is no active access to revoke because the request is {state}"),
            Self::NoBreakGlassPolicy { why } => write!(
                f,
                "no break-glass policy of the customer covers this request: {why}; submit a regular request, or ask the customer's approvers for a policy"
            ),
            Self::NotEnded { state } => write!(
                f,
                "there is no access report because the request is {state}; wait until access has ended"
            ),
            Self::RevocationUnconfirmed => f.write_str(
                "the target system has not confirmed the revocation yet; dispute the report, or acknowledge it after the confirmation",
            ),
            Self::AlreadyActive => f.write_str("access is already active; end it with `lockbox grant revoke`"),
            Self::AlreadyFinished { state } => write!(f, "the request is already {state}; submit a new request"),
            Self::NotRequester => f.write_str("only the requester can withdraw a request"),
            Self::MayNotRevoke => {
                f.write_str("only the requester, a manager of the vendor or an approver of the tenant can revoke access")
            }
            Self::MayNotComment => {
                f.write_str("only the requester, a manager of the vendor or an approver of the tenant can comment on this request")
            }
            Self::CommentRequired => {
                f.write_str("the tenant requires a comment with every decision; add a comment and decide again")
            }
            Self::PasskeyRequired => {
                f.write_str("the tenant requires a passkey for every approval; approve in the portal, where you can also add a passkey")
            }
            Self::SignatureRequired => {
                f.write_str("every decision must be signed with a key of the authority; decide in the portal, or with `--key` on the command line")
            }
            Self::SignatureInvalid { why } => write!(
                f,
                "the signature is not valid for this decision: {why}; open the request again and repeat the decision"
            ),
            Self::NonceInvalid => f.write_str(
                "the signature is too old, or was used before; open the request again and repeat the decision",
            ),
            Self::DurationLonger => f.write_str(
                "the approved duration is longer than the requested duration; approve for the requested duration or less",
            ),
            Self::WrongProducer { login: Some(login) } => write!(
                f,
                "the broker login {login} may not send this command; list it under `producers` in the directory"
            ),
            Self::WrongProducer { login: None } => f.write_str(
                "the message does not name a broker login; set the property user_id to the login that publishes",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn the_list_of_codes_contains_every_code() {
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
