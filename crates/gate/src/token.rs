//! Signed tokens (JWT, RFC 7519, EdDSA) for proxies that cannot call the gate. A token is valid for a minute at most, and never
//! longer than the grant. After access is revoked, a token can still be valid for up to a minute: calling the gate is safer.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::decision::{Decision, access_level};
use runtime::outcome::Failure;

/// Longest lifetime of a token, in seconds.
const LIFE_SECONDS: i64 = 60;

/// Signs tokens.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// Reads the key from a file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the file cannot be read or has another format.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("token-key-file: {}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed)
            .map_err(|_| wrong("the key must be 64 hexadecimal digits".to_owned()))?;
        Ok(Self { key: SigningKey::from_bytes(&seed) })
    }

    /// A random key for this process, for development and tests.
    pub fn of_this_process() -> Self {
        let mut seed = Sha256::new();
        seed.update(Uuid::new_v4());
        seed.update(Uuid::new_v4());
        Self { key: SigningKey::from_bytes(&seed.finalize().into()) }
    }

    fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.key.verifying_key().as_bytes())[..8])
    }

    /// The public key as a JWK (RFC 8037).
    pub(super) fn public_key(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.id(), "x": x})
    }

    /// A token for an allowed check with its lifetime in seconds; `None` for a refused check. Its audience is the tenant and the
    /// service of the grant, never those of the check. Times are whole seconds, rounded so that the token never outlives the
    /// grant.
    pub(super) fn sign(&self, decision: &Decision) -> Option<(String, i64)> {
        let grant = decision.grant.as_ref().filter(|_| decision.is_allowed())?;
        let (now, until) = (decision.now?.timestamp(), grant.access_until?.timestamp());
        let end = until.min(now + LIFE_SECONDS);
        if end <= now {
            return None;
        }
        let head = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.id()});
        let claims = json!({
            "iss": contracts::envelope::SOURCE, "sub": grant.name, "aud": format!("{}/{}", grant.tenant, grant.service),
            "iat": now, "nbf": now, "exp": end, "jti": Uuid::now_v7(), "request": grant.request,
            "resource": grant.resource, "access_level": access_level(grant),
        });
        let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&head), encode(&claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes());
        Some((format!("{text}.{signature}"), end - now))
    }
}
