//! A signature by a person: what a passkey or a software key makes over a challenge, and its verification.
//!
//! The rules for passkeys are those of `WebAuthn` Level 3, § 7.2 "Verifying an Authentication Assertion", steps 10 to 21, without
//! the counter: a counter needs stored state, which a later verifier does not have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::key::{Key, KeyKind};
use crate::sha256;
use crate::statement::Portal;

/// Bit 0 of the authenticator's flags: the person was present.
const USER_PRESENT: u8 = 0x01;
/// Bit 2: the person was verified.
const USER_VERIFIED: u8 = 0x04;
/// Bit 3: the key may be backed up.
const BACKUP_ELIGIBLE: u8 = 0x08;
/// Bit 4: the key is backed up, which only an eligible key can be.
const BACKED_UP: u8 = 0x10;

/// What a key made. Binary parts are in base64url without padding, as browsers give them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Assertion {
    /// By a passkey.
    Passkey {
        /// Id of the key.
        key: String,
        /// JSON of the browser about the page, signed.
        client_data: String,
        /// Data of the authenticator about itself, signed.
        authenticator_data: String,
        /// The signature.
        signature: String,
    },
    /// By a software key, over the 32 bytes of the challenge.
    Software {
        /// Id of the key.
        key: String,
        /// The signature.
        signature: String,
    },
}

/// The members of the client data that are judged; browsers may add others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

impl Assertion {
    /// Id of the key that made it.
    pub fn key(&self) -> &str {
        match self {
            Self::Passkey { key, .. } | Self::Software { key, .. } => key,
        }
    }
}

/// Verifies that `key` signed exactly this challenge: a passkey at the portal that the authority names, with the person
/// verified by the device.
///
/// # Errors
/// The first [`Fault`] that is found.
pub fn verify(key: &Key, portal: &Portal, challenge: &[u8; 32], assertion: &Assertion) -> Result<(), Fault> {
    if assertion.key() != key.id {
        return Err(Fault::UnknownKey(assertion.key().to_owned()));
    }
    match (key.kind, assertion) {
        (KeyKind::Software, Assertion::Software { signature, .. }) => {
            key.verify(challenge, &decode(signature, "the signature")?)
        }
        (KeyKind::Passkey, Assertion::Passkey { client_data, authenticator_data, signature, .. }) => {
            let client = decode(client_data, "the client data")?;
            judge_client_data(&client, portal, challenge)?;
            let mut signed = decode(authenticator_data, "the authenticator data")?;
            judge_authenticator_data(&signed, portal)?;
            signed.extend(sha256(&client));
            key.verify(&signed, &decode(signature, "the signature")?)
        }
        (KeyKind::Software, Assertion::Passkey { .. }) | (KeyKind::Passkey, Assertion::Software { .. }) => {
            Err(Fault::Signature)
        }
    }
}

fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Unreadable(what))
}

fn judge_client_data(bytes: &[u8], portal: &Portal, challenge: &[u8; 32]) -> Result<(), Fault> {
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_| Fault::Unreadable("the client data"))?;
    if data.kind != "webauthn.get" {
        return Err(Fault::Purpose);
    }
    if data.challenge != URL_SAFE_NO_PAD.encode(challenge) {
        return Err(Fault::Challenge);
    }
    if data.origin != portal.origin || data.cross_origin {
        return Err(Fault::Origin { found: data.origin, expected: portal.origin.clone() });
    }
    Ok(())
}

fn judge_authenticator_data(bytes: &[u8], portal: &Portal) -> Result<(), Fault> {
    // 32 bytes of hash, one of flags, four of counter; extensions may follow.
    if bytes.len() < 37 {
        return Err(Fault::Unreadable("the authenticator data"));
    }
    if bytes[..32] != sha256(portal.rp_id.as_bytes()) {
        return Err(Fault::RelyingParty);
    }
    let has = |flag: u8| bytes[32] & flag == flag;
    if !has(USER_PRESENT | USER_VERIFIED) {
        return Err(Fault::NotVerified);
    }
    if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
        return Err(Fault::Unreadable("the authenticator data"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Device, portal};

    #[test]
    fn a_passkey_signs_one_challenge_at_one_portal_with_the_person_verified() {
        let (device, challenge) = (Device::new(), [7; 32]);
        let made = device.sign(&challenge);
        assert_eq!(verify(&device.key, &portal(), &challenge, &made), Ok(()));
        assert_eq!(verify(&device.key, &portal(), &[8; 32], &made), Err(Fault::Challenge));
        let other = Device::new();
        let claimed = Key { id: device.key.id.clone(), ..other.key.clone() };
        assert_eq!(verify(&claimed, &portal(), &challenge, &made), Err(Fault::Signature), "another key under this id");
        assert_eq!(verify(&other.key, &portal(), &challenge, &made), Err(Fault::UnknownKey(device.key.id.clone())));
        let elsewhere = Portal { origin: "https://evil.example".into(), ..portal() };
        assert!(matches!(verify(&device.key, &elsewhere, &challenge, &made), Err(Fault::Origin { .. })));
        let party = Portal { rp_id: "evil.example".into(), ..portal() };
        assert_eq!(verify(&device.key, &party, &challenge, &made), Err(Fault::RelyingParty));
    }

    #[test]
    fn an_assertion_without_verification_for_registration_or_in_a_foreign_frame_is_refused() {
        let (device, challenge) = (Device::new(), [7; 32]);
        let judge = |made| verify(&device.key, &portal(), &challenge, &made);
        assert_eq!(judge(device.sign_with(&challenge, "webauthn.get", 0x01, false)), Err(Fault::NotVerified));
        assert_eq!(judge(device.sign_with(&challenge, "webauthn.get", 0x04, false)), Err(Fault::NotVerified));
        assert_eq!(judge(device.sign_with(&challenge, "webauthn.create", 0x05, false)), Err(Fault::Purpose));
        assert!(matches!(judge(device.sign_with(&challenge, "webauthn.get", 0x05, true)), Err(Fault::Origin { .. })));
        assert!(judge(device.sign_with(&challenge, "webauthn.get", 0x15, false)).is_err(), "backed up, not eligible");
        assert_eq!(judge(device.sign_with(&challenge, "webauthn.get", 0x1d, false)), Ok(()));
    }

    #[test]
    fn a_software_key_signs_and_is_no_passkey() {
        let (software, challenge) = (Device::software(), [7; 32]);
        let made = software.sign(&challenge);
        assert_eq!(verify(&software.key, &portal(), &challenge, &made), Ok(()));
        assert_eq!(verify(&software.key, &portal(), &[0; 32], &made), Err(Fault::Signature));
        let claimed = Key { kind: KeyKind::Passkey, ..software.key.clone() };
        assert_eq!(verify(&claimed, &portal(), &challenge, &made), Err(Fault::Signature));
    }

    #[test]
    fn any_changed_byte_of_an_assertion_is_found() {
        let (device, challenge) = (Device::new(), [7; 32]);
        let Assertion::Passkey { key, client_data, authenticator_data, signature } = device.sign(&challenge) else {
            panic!("a passkey's")
        };
        let flip = |text: &str, place: usize| {
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes[place] ^= 1;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let length = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap().len();
        let with = |client: String, authenticator: String, signature: String| {
            let key = key.clone();
            Assertion::Passkey { key, client_data: client, authenticator_data: authenticator, signature }
        };
        let mut tampered = Vec::new();
        for place in 0..length(&client_data) {
            tampered.push(with(flip(&client_data, place), authenticator_data.clone(), signature.clone()));
        }
        for place in 0..length(&authenticator_data) {
            tampered.push(with(client_data.clone(), flip(&authenticator_data, place), signature.clone()));
        }
        for place in 0..length(&signature) {
            tampered.push(with(client_data.clone(), authenticator_data.clone(), flip(&signature, place)));
        }
        assert!(tampered.len() > 200);
        for assertion in tampered {
            assert!(verify(&device.key, &portal(), &challenge, &assertion).is_err(), "{assertion:?}");
        }
    }
}
