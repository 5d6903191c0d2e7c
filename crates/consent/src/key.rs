//! Public keys of approvers, in the forms that a statement holds them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Where the private key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// In an authenticator, which verifies the person before it signs (`WebAuthn`).
    Passkey,
    /// In a file on the approver's machine.
    Software,
}

/// Algorithm of a signature, by its name in the IANA COSE registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE -7). The key is the uncompressed point, 65 bytes.
    ES256,
    /// Ed25519 (COSE -8). The key is 32 bytes.
    EdDSA,
    /// RSA PKCS #1 v1.5 with SHA-256 (COSE -257). The key is an `RSAPublicKey` in DER form (RFC 8017, A.1.1).
    RS256,
}

/// A public key of an approver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Id: of a passkey its credential id, of a software key the first 16 bytes of SHA-256 over the key; both in base64url
    /// without padding.
    pub id: String,
    /// Where the private key is.
    pub kind: KeyKind,
    /// Algorithm of its signatures.
    pub algorithm: Algorithm,
    /// The key, in base64url without padding.
    pub public_key: String,
    /// Model of the authenticator (`WebAuthn` AAGUID), when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<String>,
}

impl Key {
    /// A software key with the id that follows from the key.
    pub fn software(public_key: &[u8; 32]) -> Self {
        Self {
            id: URL_SAFE_NO_PAD.encode(&crate::sha256(public_key)[..16]),
            kind: KeyKind::Software,
            algorithm: Algorithm::EdDSA,
            public_key: URL_SAFE_NO_PAD.encode(public_key),
            aaguid: None,
        }
    }

    /// Verifies a signature over exactly these bytes.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when the key is not in the form of its algorithm, [`Fault::Signature`] when the signature does not
    /// verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let key = self.bytes()?;
        let verified = match self.algorithm {
            Algorithm::ES256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature),
            Algorithm::EdDSA => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Algorithm::RS256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature),
        };
        verified.map_err(|_| Fault::Signature)
    }

    fn bytes(&self) -> Result<Vec<u8>, Fault> {
        URL_SAFE_NO_PAD.decode(&self.public_key).map_err(|_| Fault::Unreadable("the public key"))
    }

    /// Whether the key is in the form that its kind and algorithm ask for.
    pub(crate) fn is_well_formed(&self) -> bool {
        let Ok(bytes) = self.bytes() else { return false };
        let fits = match self.algorithm {
            Algorithm::ES256 => bytes.len() == 65 && bytes[0] == 4,
            Algorithm::EdDSA => bytes.len() == 32,
            Algorithm::RS256 => bytes.len() >= 256,
        };
        let id = URL_SAFE_NO_PAD.decode(&self.id).is_ok_and(|id| (1..=1023).contains(&id.len()));
        let named = match self.kind {
            KeyKind::Passkey => true,
            KeyKind::Software => <[u8; 32]>::try_from(bytes).is_ok_and(|bytes| Self::software(&bytes) == *self),
        };
        fits && id && named
    }
}
