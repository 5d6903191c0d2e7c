//! Error pages of sign-in.

use super::client::Trouble;
use crate::response::PageError;

impl From<Trouble> for PageError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unavailable(why) => {
                tracing::error!(why, "identity provider not available");
                not_signed_in(
                    "sign_in.provider_away",
                    "The identity provider is not available. Try again in a few minutes.",
                )
            }
            Trouble::Issuer(why) => {
                tracing::error!(why, "issuer of the identity provider differs from the settings");
                not_signed_in(
                    "sign_in.provider_settings",
                    "The issuer of the identity provider does not match the settings of the portal. Ask the operator of the \
                     portal to fix the settings.",
                )
            }
            Trouble::Refused(why) => {
                tracing::warn!(why, "sign-in refused by the identity provider");
                not_signed_in(
                    "sign_in.code",
                    "The identity provider did not confirm the sign-in. Sign in again. If this happens again, ask the \
                     operator of the portal.",
                )
            }
        }
    }
}

/// An error page with this code and message.
pub(super) fn not_signed_in(code: &'static str, message: impl Into<String>) -> PageError {
    PageError::NotSignedIn { code, message: message.into() }
}
