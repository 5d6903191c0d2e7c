//! Why the gate answered as it did: stable codes for the audit log and for clients, each with one sentence for a person.

use axum::http::StatusCode;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Code {
    Ok,
    NoCredential,
    UnknownCredential,
    NotOpen,
    /// The token is good, but for another tenant or service.
    Elsewhere,
    NotCovered,
    /// A folder that the granted one lies in. File managers look at these before they open the granted one.
    Above,
    ReadOnly,
    /// COPY or MOVE onto the source, into it, or onto a folder that contains it: servers lose content over it.
    OntoItself,
    Odd,
    Slow,
    Unreachable,
    Full,
    /// Refused attempts beyond those that are told apart.
    More,
}

impl Code {
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
            Self::Odd => "odd",
            Self::Slow => "slow",
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::More => "more",
        }
    }

    /// 401 asks for another token: there was none, it is unknown, or its access is not open. Which of them is not said.
    /// 403 means that a token does not help, or that the gate does not know.
    pub fn refusal(self) -> StatusCode {
        match self {
            Self::NoCredential | Self::UnknownCredential | Self::NotOpen => StatusCode::UNAUTHORIZED,
            Self::Ok
            | Self::Elsewhere
            | Self::NotCovered
            | Self::Above
            | Self::ReadOnly
            | Self::OntoItself
            | Self::Odd
            | Self::Slow
            | Self::Unreachable
            | Self::Full
            | Self::More => StatusCode::FORBIDDEN,
        }
    }

    /// What a person reads: printable ASCII, so that it fits into a header.
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
            Self::Odd => {
                "The gate cannot read this request safely. Use a plain address without '..', '//' or encoded slashes."
            }
            Self::Slow | Self::Unreachable | Self::Full | Self::More => {
                "Lockbox cannot check this access now. Try again in a moment."
            }
        }
    }
}
