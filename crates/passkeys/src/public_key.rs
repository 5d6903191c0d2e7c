//! The public key of a registered passkey in the form in which a statement of the authority holds it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consent::{Algorithm, Key, KeyKind};
use serde_json::Value;
use webauthn_rs::prelude::{COSEAlgorithm, COSEKeyType, COSERSAKey, ECDSACurve, EDDSACurve};

use crate::{Error, read};

/// The key of a stored passkey. Its id is the credential id.
///
/// # Errors
/// [`Error::Unreadable`] for a stored passkey that cannot be read, [`Error::Ceremony`] for a key that no statement can hold.
pub fn public_key(stored: &Value) -> Result<Key, Error> {
    let passkey = read(stored)?;
    let key = passkey.get_public_key();
    let (algorithm, bytes) = match (&key.type_, &key.key) {
        (COSEAlgorithm::ES256, COSEKeyType::EC_EC2(point)) if matches!(point.curve, ECDSACurve::SECP256R1) => {
            (Algorithm::ES256, [&[4], point.x.as_slice(), point.y.as_slice()].concat())
        }
        (COSEAlgorithm::EDDSA, COSEKeyType::EC_OKP(point)) if matches!(point.curve, EDDSACurve::ED25519) => {
            (Algorithm::EdDSA, point.x.clone())
        }
        (COSEAlgorithm::RS256, COSEKeyType::RSA(numbers)) => (Algorithm::RS256, rsa_public_key(numbers)),
        _ => return Err(Error::Ceremony("its kind of key cannot sign decisions; use another device")),
    };
    Ok(Key {
        id: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
        kind: KeyKind::Passkey,
        algorithm,
        public_key: URL_SAFE_NO_PAD.encode(bytes),
        aaguid: None,
    })
}

/// `RSAPublicKey` (RFC 8017 A.1.1) in DER form: a sequence of modulus and exponent.
fn rsa_public_key(key: &COSERSAKey) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    element(SEQUENCE, &[integer(&key.n), integer(&key.e)].concat())
}

/// A positive integer: without leading zeros, but with one where the first bit would be a sign.
fn integer(bytes: &[u8]) -> Vec<u8> {
    const INTEGER: u8 = 0x02;
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, digits].concat())
}

/// Tag, length (in one byte, or in a byte that counts the bytes that follow) and content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let digits = &length[start..];
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        element.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
    }
    element.extend(digits);
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsa_key_is_written_in_der_form() {
        let key = COSERSAKey { n: [&[0xc0], [7; 255].as_slice()].concat(), e: [1, 0, 1] };
        let bytes = rsa_public_key(&key);
        assert_eq!(bytes.len(), 4 + 4 + 257 + 5);
        assert_eq!(&bytes[..9], [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00]);
        assert_eq!(&bytes[bytes.len() - 5..], [0x02, 0x03, 0x01, 0x00, 0x01]);
        assert_eq!(integer(&[0, 0, 0x7f]), [0x02, 0x01, 0x7f]);
        assert_eq!(element(0x30, &[0; 200])[..3], [0x30, 0x81, 200]);
    }

    #[test]
    fn anything_but_a_stored_passkey_has_no_key() {
        assert!(matches!(public_key(&serde_json::json!({})), Err(Error::Unreadable(_))));
    }
}
