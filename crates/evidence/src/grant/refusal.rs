//! Why a grant is not verified.

use consent::Fault;

use crate::decisions::DecisionFault;

/// Why a grant is not verified: what is missing or wrong, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The activation is not in a signed checkpoint. It usually is within two seconds.
    #[error("the grant is not in the signed log yet")]
    NotLogged,
    /// The checkpoint is unreadable or belongs to another log.
    #[error("the checkpoint of the log is not one of this tenant's log")]
    Checkpoint,
    /// No trusted key signed the checkpoint.
    #[error("no key in the trust folder signed the log")]
    LogKey,
    /// A signature of a trusted key does not verify.
    #[error("the signature of {0} on the log does not verify")]
    Signature(String),
    /// An entry is not in the signed tree, or not in the documented format.
    #[error("entry {0} is not in the signed log")]
    Entry(u64),
    /// The log has no authority, or another one than the trusted one.
    #[error("the authority in the log is not the one in the trust folder")]
    OtherAuthority,
    /// A statement of the authority is not valid.
    #[error("statement {version} of the authority of {tenant} is not valid: {fault}")]
    Statement {
        /// The authority: a tenant, or `vendor`.
        tenant: String,
        /// Number of the statement, as it should be.
        version: usize,
        /// What is wrong.
        fault: Fault,
    },
    /// No statement is in force at the time of a step.
    #[error("a step is earlier than the authority of the tenant")]
    BeforeAuthority,
    /// The steps are incomplete or break a rule of the lifecycle.
    #[error("the steps of the request break a rule: {0}")]
    Step(String),
    /// The content is missing, or is not what the digest stands for.
    #[error("the content of the request is missing in the log or does not match its digest")]
    Content,
    /// A decision is not proved to be that of its person.
    #[error("the decision of {who} is not proved: {fault}")]
    Decision {
        /// Short name of the person.
        who: String,
        /// What is wrong.
        fault: DecisionFault,
    },
    /// The request protects the tenant less than its authority demands.
    #[error("the request breaks a rule of the authority: {0}")]
    Rule(&'static str),
    /// Too few witnesses signed.
    #[error("{found} of {needed} required witnesses signed the log")]
    Witnesses {
        /// Witnesses whose signature verified.
        found: usize,
        /// Witnesses that the authority requires.
        needed: usize,
    },
}
