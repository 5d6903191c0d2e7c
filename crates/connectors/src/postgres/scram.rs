//! The verifier that Postgres stores of a password (RFC 5803). The server gets the verifier and not the password, because
//! server logs can contain statements that create roles: with `log_statement`, and when they fail.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// Postgres' own number of rounds. More rounds would not help, because the passwords are random.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");
/// Postgres' own salt length, in bytes.
const SALT_SIZE_BYTES: usize = 16;

/// The verifier of a password of ASCII characters, with a new salt.
pub(super) fn verifier(password: &str) -> Result<String, ring::error::Unspecified> {
    let mut salt = [0; SALT_SIZE_BYTES];
    SystemRandom::new().fill(&mut salt)?;
    Ok(salted(password, &salt))
}

fn salted(password: &str, salt: &[u8]) -> String {
    let mut key = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password.as_bytes(), &mut key);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [salt, stored.as_ref(), server.as_ref()].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${ROUNDS}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_equals_the_one_that_postgres_stores() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            salted("pencil", &salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn two_verifiers_of_a_password_differ_and_do_not_contain_it() {
        let (one, other) = (verifier("a password").unwrap(), verifier("a password").unwrap());
        assert!(one != other && !one.contains("a password") && one.len() == other.len());
    }
}
