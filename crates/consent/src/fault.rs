//! Why a signature, a statement or a chain is not accepted.

/// Why something that claims to be the customer's consent is not accepted. Each message is a whole sentence without its full
/// stop, for pages, reports and logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A part cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// The key is not in the authority that is in force.
    #[error("the key {0} belongs to no approver of the tenant's authority")]
    UnknownKey(String),
    /// The key is another person's.
    #[error("the key {key} does not belong to {person}")]
    OthersKey {
        /// Id of the key.
        key: String,
        /// Internal id of the person.
        person: String,
    },
    /// The signature was made over something else, or by another key.
    #[error("the signature does not verify")]
    Signature,
    /// The signed client data is for another purpose than a sign-in assertion.
    #[error("the passkey signed for another purpose than `webauthn.get`")]
    Purpose,
    /// The passkey signed another challenge.
    #[error("the passkey signed something else than this content")]
    Challenge,
    /// The assertion was made at another web address.
    #[error("the passkey signed at {found}, and the authority names {expected}")]
    Origin {
        /// Origin in the signed data.
        found: String,
        /// Origin that the authority names.
        expected: String,
    },
    /// The assertion was made for another relying party.
    #[error("the passkey signed for another relying party than the authority names")]
    RelyingParty,
    /// The person was not verified by the device.
    #[error("the device did not verify the person by fingerprint, face or PIN")]
    NotVerified,
    /// Software keys are not allowed.
    #[error("the tenant's authority allows no software keys")]
    SoftwareKey,
    /// The statement is not the next one.
    #[error("the statement is version {found}, and version {expected} is next")]
    Version {
        /// Version of the statement.
        found: u64,
        /// Version that is next.
        expected: u64,
    },
    /// The statement does not follow the one before.
    #[error("the statement names another predecessor than the last recorded statement")]
    Previous,
    /// The statement claims to be older than the one before.
    #[error("the statement is recorded earlier than the statement before it")]
    Backdated,
    /// The statement is another tenant's.
    #[error("the statement is about the tenant {0}")]
    Tenant(String),
    /// Too few approvers signed.
    #[error("{found} approvers signed the change, and it needs {needed}")]
    TooFew {
        /// Approvers whose signature verified.
        found: usize,
        /// Approvers who must sign.
        needed: usize,
    },
    /// The statement contradicts itself or leaves the tenant without protection.
    #[error("the statement is not valid: {0}")]
    Invalid(&'static str),
    /// The person may not decide about this service.
    #[error("the person is no approver of the tenant's authority for the service {0}")]
    NotApprover(String),
    /// The decision came too late for the time that was signed.
    #[error("the signature was valid until {0} and came later")]
    Stale(String),
    /// The decision claims a longer validity than a signature has.
    #[error("the signature claims to be valid until {0}, which is more than two minutes after the decision")]
    TooLong(String),
    /// The decision names another version of the authority than the one in force.
    #[error("the decision was signed under version {found} of the authority, and version {expected} is in force")]
    AuthorityVersion {
        /// Version that was signed.
        found: u64,
        /// Version in force.
        expected: u64,
    },
}
