//! A passkey in software (ES256, user verified), which can send what a browser refuses to send.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consent::Assertion;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// User present, user verified.
const PRESENT_AND_VERIFIED: u8 = 0x05;
/// The public key is included.
const ATTESTED: u8 = 0x40;

/// A passkey.
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: [u8; 16],
    pub counter: u32,
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(what: &str, challenge: &str, origin: &str) -> Vec<u8> {
    json!({"type": what, "challenge": challenge, "origin": origin, "crossOrigin": false}).to_string().into_bytes()
}

impl Authenticator {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        Self { key, id: *uuid::Uuid::new_v4().as_bytes(), counter: 0 }
    }

    /// The public key, as an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, b"localhost").as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// The response of `navigator.credentials.create`.
    pub fn create(&self, options: &Value, origin: &str) -> Value {
        let mut data = self.data(PRESENT_AND_VERIFIED | ATTESTED);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        // COSE (RFC 9052): EC2, ES256, P-256, x and y of the uncompressed point.
        let point = self.key.public_key().as_ref();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        // CBOR: {fmt: "none", attStmt: {}, authData: bytes}.
        let mut object = vec![0xa3];
        object.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let challenge = options["publicKey"]["challenge"].as_str().unwrap();
        let said = client_data("webauthn.create", challenge, origin);
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "response": {"attestationObject": encode(&object), "clientDataJSON": encode(&said)},
            "clientExtensionResults": {},
        })
    }

    /// Signs a challenge at a page of this origin.
    pub fn sign(&mut self, challenge: [u8; 32], origin: &str) -> Assertion {
        self.counter += 1;
        let data = self.data(PRESENT_AND_VERIFIED);
        let said = client_data("webauthn.get", &encode(&challenge), origin);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &said).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        Assertion::Passkey {
            key: encode(&self.id),
            authenticator_data: encode(&data),
            client_data: encode(&said),
            signature: encode(signature.as_ref()),
        }
    }
}
