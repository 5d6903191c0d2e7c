//! Passkeys (`WebAuthn` Level 3, <https://www.w3.org/TR/webauthn-3/>): the second factor of a decision.
//!
//! A passkey signs the decision itself ([`consent::Decision`]) and not a random number. The assertion is stored with the
//! decision and proves later, from the audit log alone, what the approver signed. No state is stored between the challenge and
//! the assertion, so that any worker can verify it. `webauthn-rs` runs the ceremonies; docs/adr/0005 describes how they get our
//! own challenge.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consent::Assertion;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

pub use public_key::public_key;

mod public_key;

/// Why a passkey cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Passkeys cannot be bound to the address of the portal.
    #[error("passkeys need a portal address with a host name over https, or localhost: {0}")]
    Address(String),
    /// Data from the browser or the database cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// The ceremony failed; the text is for people.
    #[error("{0}")]
    Ceremony(&'static str),
}

impl From<WebauthnError> for Error {
    /// Replaces the library's messages for developers with text for pages and the audit log.
    fn from(fault: WebauthnError) -> Self {
        use WebauthnError as Fault;
        Self::Ceremony(match fault {
            Fault::MismatchedChallenge | Fault::ChallengeNotFound => "it did not sign exactly this decision",
            Fault::InvalidRPOrigin | Fault::InvalidRPIDHash => {
                "it was made for another address than the one of this portal"
            }
            Fault::UserNotPresent | Fault::UserNotVerified => {
                "the device did not verify the person by fingerprint, face or PIN"
            }
            Fault::CredentialPossibleCompromise | Fault::CredentialCounterUpdateFailure => {
                "its counter did not rise, so the passkey may have been copied; remove it and add a new one"
            }
            Fault::CredentialAlreadyExists => "this passkey is already registered",
            Fault::CredentialNotFound => "this passkey is not registered",
            Fault::CredentialBackupEligibilityInconsistent => {
                "its backup state has changed; remove the passkey and add it again"
            }
            Fault::AuthenticationFailure | Fault::SignatureInvalid => "its signature is not valid",
            _ => "the response of the device is not valid; try again, or use another device",
        })
    }
}

/// A registration in progress.
#[derive(Clone, Debug)]
pub struct StartedRegistration {
    /// Options for `navigator.credentials.create`.
    pub options: Value,
    /// State to store on the server until the browser responds.
    pub state: Value,
}

/// A stored passkey.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPasskey {
    /// Its id in base64url, as browsers send it.
    pub credential: String,
    /// Public key, counter and flags.
    pub record: Value,
}

/// Passkeys of one portal.
#[derive(Clone, Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
}

impl Passkeys {
    /// Passkeys that are bound to the portal at this address. They work at no other address.
    ///
    /// # Errors
    /// [`Error::Address`] when the address has no host name, such as `http://127.0.0.1`.
    pub fn at(portal_url: &str) -> Result<Self, Error> {
        let address = |fault: &dyn std::fmt::Display| Error::Address(format!("{portal_url}: {fault}"));
        let url = Url::parse(portal_url).map_err(|fault| address(&fault))?;
        let host = url.domain().ok_or_else(|| address(&"it has no host name"))?;
        let builder = WebauthnBuilder::new(host, &url).map_err(|fault| address(&fault))?;
        Ok(Self { webauthn: builder.rp_name("Lockbox").build()? })
    }

    /// Starts a registration for a person who already has these passkeys.
    ///
    /// # Errors
    /// When a stored passkey cannot be read.
    pub fn begin(&self, person: &domain::Person, existing: &[Value]) -> Result<StartedRegistration, Error> {
        let existing = existing.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let exclude = existing.iter().map(|passkey| passkey.cred_id().clone()).collect();
        let (options, state) = self.webauthn.start_passkey_registration(
            Uuid::from_bytes(*person.id.0.as_bytes()),
            &person.name,
            &person.display_name,
            Some(exclude),
        )?;
        let write = |value: Result<Value, _>| value.map_err(|_: serde_json::Error| Error::Unreadable("a registration"));
        Ok(StartedRegistration {
            options: write(serde_json::to_value(options))?,
            state: write(serde_json::to_value(state))?,
        })
    }

    /// Completes a registration with the browser's response.
    ///
    /// # Errors
    /// When the response is not for this registration or this portal, or the person was not verified.
    pub fn finish(&self, state: &Value, answer: &str) -> Result<StoredPasskey, Error> {
        let state: PasskeyRegistration = parse(state, "the registration")?;
        let answer: RegisterPublicKeyCredential =
            serde_json::from_str(answer).map_err(|_| Error::Unreadable("the browser's response"))?;
        let passkey = self.webauthn.finish_passkey_registration(&answer, &state)?;
        to_stored(&passkey)
    }

    /// Verifies that the owner of a stored passkey signed exactly this decision at this portal, with user verification. Returns the
    /// passkey with its new counter.
    ///
    /// # Errors
    /// When the challenge, the origin, the signature or the counter of the assertion is not valid.
    pub fn verify(&self, stored: &Value, challenge: [u8; 32], assertion: &Assertion) -> Result<StoredPasskey, Error> {
        let mut passkey = read(stored)?;
        let (options, state) = self.webauthn.start_passkey_authentication(std::slice::from_ref(&passkey))?;
        drop(options);
        // The library creates its own challenge. Ours replaces it in the state that the library verifies against.
        let mut state = serde_json::to_value(state).map_err(|_| Error::Unreadable("the ceremony"))?;
        let place = state.pointer_mut("/ast/challenge").ok_or(Error::Unreadable("the ceremony"))?;
        *place = json!(URL_SAFE_NO_PAD.encode(challenge));
        let state: PasskeyAuthentication = parse(&state, "the ceremony")?;
        let Assertion::Passkey { key, client_data, authenticator_data, signature } = assertion else {
            return Err(Error::Ceremony("it was made by another kind of key than a passkey"));
        };
        let answer = json!({
            "id": key, "rawId": key, "type": "public-key",
            "response": {
                "authenticatorData": authenticator_data, "clientDataJSON": client_data,
                "signature": signature, "userHandle": null,
            },
        });
        let answer: PublicKeyCredential = parse(&answer, "the assertion")?;
        let result = self.webauthn.finish_passkey_authentication(&answer, &state)?;
        passkey.update_credential(&result);
        to_stored(&passkey)
    }
}

fn parse<T: DeserializeOwned>(value: &Value, what: &'static str) -> Result<T, Error> {
    serde_json::from_value(value.clone()).map_err(|_| Error::Unreadable(what))
}

fn read(stored: &Value) -> Result<Passkey, Error> {
    parse(stored, "a stored passkey")
}

fn to_stored(passkey: &Passkey) -> Result<StoredPasskey, Error> {
    let record = serde_json::to_value(passkey).map_err(|_| Error::Unreadable("a passkey"))?;
    Ok(StoredPasskey { credential: URL_SAFE_NO_PAD.encode(passkey.cred_id()), record })
}
