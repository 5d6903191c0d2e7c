//! Software keys: Ed25519 in a file that only its owner can read, as PKCS #8 in PEM form (RFC 8410), which OpenSSL reads too.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consent::{Assertion, Key};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use runtime::outcome::Failure;

/// What PKCS #8 (version 1) has before the 32 bytes of an Ed25519 seed.
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// A private key on this machine.
pub(crate) struct SoftwareKey {
    pair: Ed25519KeyPair,
    /// Its public part.
    pub key: Key,
}

impl SoftwareKey {
    /// Creates a key, and writes it to a new file with mode 0600.
    ///
    /// # Errors
    /// [`Failure::Usage`] when the file exists, [`Failure::Failed`] when it cannot be written.
    pub fn create(file: &Path) -> Result<Self, Failure> {
        let mut seed = [0; 32];
        let no_random = |_| Failure::Failed("the operating system gives no random numbers".to_owned());
        SystemRandom::new().fill(&mut seed).map_err(no_random)?;
        let document = [PKCS8_PREFIX.as_slice(), &seed].concat();
        let pem = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(&document));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(file).and_then(|mut file| file.write_all(pem.as_bytes()));
        written.map_err(|fault| match fault.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::Usage(format!("{} exists already; choose another file", file.display()))
            }
            _ => Failure::Failed(format!("{} cannot be written: {fault}", file.display())),
        })?;
        Self::of(&document).ok_or_else(|| Failure::Failed("the new key cannot be read".to_owned()))
    }

    /// Reads a key from a file.
    ///
    /// # Errors
    /// [`Failure::Usage`] when the file cannot be read or holds no Ed25519 key.
    pub fn load(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|fault| Failure::Usage(format!("{} cannot be read: {fault}", file.display())))?;
        let body = text.split_once(PEM_BEGIN).and_then(|(_, rest)| Some(rest.split_once(PEM_END)?.0));
        let base64: String = body.unwrap_or_default().split_whitespace().collect();
        let key = STANDARD.decode(base64).ok().and_then(|document| Self::of(&document));
        key.ok_or_else(|| {
            let file = file.display();
            Failure::Usage(format!("{file} holds no Ed25519 key in PEM form; create one with `lockbox key create`"))
        })
    }

    fn of(document: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).ok()?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, key: Key::software(&public) })
    }

    /// Signs a challenge.
    pub fn sign(&self, challenge: &[u8; 32]) -> Assertion {
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(challenge).as_ref());
        Assertion::Software { key: self.key.id.clone(), signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_created_once_read_again_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alex.pem");
        let created = SoftwareKey::create(&file).unwrap();
        assert!(matches!(SoftwareKey::create(&file), Err(Failure::Usage(_))), "a key is never overwritten");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        let read = SoftwareKey::load(&file).unwrap();
        assert_eq!(read.key, created.key);
        let portal = consent::Portal { origin: "https://x.example".into(), rp_id: "x.example".into() };
        let challenge = [7; 32];
        assert_eq!(consent::verify(&read.key, &portal, &challenge, &read.sign(&challenge)), Ok(()));
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.pem");
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        for file in [file, folder.path().join("missing.pem")] {
            assert!(matches!(SoftwareKey::load(&file), Err(Failure::Usage(_))));
        }
    }
}
