//! Devices that sign in tests: of this crate and, with the feature `testing`, of others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;
use uuid::Uuid;

use crate::{Algorithm, Approver, Assertion, Key, KeyKind, Portal, Rules, Statement, sha256};

pub fn portal() -> Portal {
    Portal { origin: "https://lockbox.fabrikam.example".into(), rp_id: "lockbox.fabrikam.example".into() }
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A device that holds one private key.
pub struct Device {
    pub key: Key,
    pair: Pair,
}

impl Device {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        let key = Key {
            id: URL_SAFE_NO_PAD.encode(sha256(&public)),
            kind: KeyKind::Passkey,
            algorithm: Algorithm::ES256,
            public_key: URL_SAFE_NO_PAD.encode(public),
            aaguid: None,
        };
        Self { key, pair: Pair::P256(pair) }
    }

    pub fn software() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        Self { key: Key::software(&public), pair: Pair::Ed25519(pair) }
    }

    pub fn sign(&self, challenge: &[u8; 32]) -> Assertion {
        self.sign_with(challenge, "webauthn.get", 0x05, false)
    }

    /// Signs at the portal of a statement.
    pub fn sign_at(&self, portal: &Portal, challenge: &[u8; 32]) -> Assertion {
        self.make(portal, challenge, "webauthn.get", 0x05, false)
    }

    pub fn sign_with(&self, challenge: &[u8; 32], kind: &str, flags: u8, is_framed: bool) -> Assertion {
        self.make(&portal(), challenge, kind, flags, is_framed)
    }

    fn make(&self, portal: &Portal, challenge: &[u8; 32], kind: &str, flags: u8, is_framed: bool) -> Assertion {
        let key = self.key.id.clone();
        match &self.pair {
            Pair::Ed25519(pair) => {
                Assertion::Software { key, signature: URL_SAFE_NO_PAD.encode(pair.sign(challenge).as_ref()) }
            }
            Pair::P256(pair) => {
                let client = json!({
                    "type": kind, "challenge": URL_SAFE_NO_PAD.encode(challenge), "origin": portal.origin,
                    "crossOrigin": is_framed,
                });
                let client = client.to_string().into_bytes();
                let mut data = sha256(portal.rp_id.as_bytes()).to_vec();
                data.extend([flags, 0, 0, 0, 1]);
                let signed = [data.clone(), sha256(&client).to_vec()].concat();
                let signature = pair.sign(&SystemRandom::new(), &signed).unwrap();
                Assertion::Passkey {
                    key,
                    client_data: URL_SAFE_NO_PAD.encode(client),
                    authenticator_data: URL_SAFE_NO_PAD.encode(data),
                    signature: URL_SAFE_NO_PAD.encode(signature.as_ref()),
                }
            }
        }
    }
}

/// An approver with one passkey.
pub fn approver(name: &str, number: u128, device: &Device) -> Approver {
    Approver {
        person: Uuid::from_u128(number),
        name: name.into(),
        email: format!("{name}@contoso.example"),
        services: Vec::new(),
        keys: vec![device.key.clone()],
    }
}

/// The first statement of contoso, with one approver for each device.
pub fn founding(devices: &[&Device]) -> Statement {
    let names = ["alex", "dana", "kim"];
    let approvers = devices.iter().zip(names).zip(1..).map(|((device, name), number)| approver(name, number, device));
    Statement {
        v: 1,
        tenant: "contoso".into(),
        version: 1,
        previous: None,
        approvers: approvers.collect(),
        change_signatures: devices.len().min(2),
        change_delay_seconds: 86_400,
        recovery_key: None,
        portal: portal(),
        rules: Rules::default(),
        identity_provider: None,
        notification_recipients: Vec::new(),
        break_glass: Vec::new(),
        delegations: Vec::new(),
        effective_at: "2026-12-01T08:00:00.000000Z".into(),
    }
}
