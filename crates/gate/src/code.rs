//! The codes of authorization checks: stable for the audit log and for clients, each with a sentence for people.

use axum::http::StatusCode;
use workers::verified_grants::Unverified;

/// The result of an authorization check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Code {
    Ok,
    NoCredential,
    UnknownCredential,
    NotOpen,
    /// The token is valid for another tenant or service.
    Elsewhere,
    NotCovered,
    /// A folder that contains the granted one. File managers read it before they open the granted folder.
    Above,
    ReadOnly,
    /// COPY or MOVE onto the source, into it, or onto a folder that contains it. Servers can lose content by it.
    OntoItself,
    /// The signed log of the tenant does not prove the grant yet.
    ConsentPending,
    /// The trust folder does not have what is needed to verify the consent of the tenant.
    ConsentNotTrusted,
    /// The signed log of the tenant does not prove the grant.
    ConsentUnverified,
    Odd,
    Slow,
    Unreachable,
    Full,
    /// Refused checks that were only counted.
    More,
}

impl Code {
    /// The code of a grant whose consent is not verified.
    pub fn of(unverified: &Unverified) -> Self {
        match unverified.code() {
            "consent_pending" => Self::ConsentPending,
            "consent_not_trusted" => Self::ConsentNotTrusted,
            _ => Self::ConsentUnverified,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoCredential => "no_credential",
            Self::UnknownCredential => "unknown_credential",
            Self::NotOpen => "not_open",
            Self::Elsewhere => "elsewhere",
            Self::NotCovered => "not_covered",
            Self::Above => "above",
            Self::ReadOnly => "read_only",
            Self::OntoItself => "onto_itself",
            Self::ConsentPending => "consent_pending",
            Self::ConsentNotTrusted => "consent_not_trusted",
            Self::ConsentUnverified => "consent_unverified",
            Self::Odd => "odd",
            Self::Slow => "slow",
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::More => "more",
        }
    }

    /// 401 requests another token: there was none, it is unknown, or its access is not active. The response does not tell
    /// which. 403 means that another token does not help, or that the gate cannot decide.
    pub fn refusal(self) -> StatusCode {
        match self {
            Self::NoCredential | Self::UnknownCredential | Self::NotOpen => StatusCode::UNAUTHORIZED,
            Self::Ok
            | Self::Elsewhere
            | Self::NotCovered
            | Self::Above
            | Self::ReadOnly
            | Self::OntoItself
            | Self::ConsentPending
            | Self::ConsentNotTrusted
            | Self::ConsentUnverified
            | Self::Odd
            | Self::Slow
            | Self::Unreachable
            | Self::Full
            | Self::More => StatusCode::FORBIDDEN,
        }
    }

    /// A sentence for people, in printable ASCII, so that it fits into a header.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Ok => "Allowed.",
            Self::NoCredential | Self::UnknownCredential | Self::NotOpen => {
                "Sign in with your Lockbox user name and the access token of an active grant. A token stops working when access ends."
            }
            Self::Elsewhere => {
                "This access token was created for another customer or service. Use the token of the grant for this one."
            }
            Self::NotCovered => {
                "This access token was created for another resource. Open the resource that was approved."
            }
            Self::Above => {
                "This folder contains the approved one and is not itself approved. Open the approved folder."
            }
            Self::ReadOnly => "This access is read only. Request read and write access to change something.",
            Self::OntoItself => {
                "Nothing can be copied or moved onto itself, into itself, or onto a folder that contains it."
            }
            Self::ConsentPending => "The customer's signed log does not prove this access yet. Try again in a moment.",
            Self::ConsentNotTrusted => "The gate cannot verify the customer's consent. Ask the operator of the gate.",
            Self::ConsentUnverified => "The customer's consent to this access is not verified.",
            Self::Odd => {
                "The gate cannot read this request safely. Use a plain address without '..', '//' or encoded slashes."
            }
            Self::Slow | Self::Unreachable | Self::Full | Self::More => {
                "Lockbox cannot check this access now. Try again in a moment."
            }
        }
    }
}
