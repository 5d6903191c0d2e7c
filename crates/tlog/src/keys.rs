//! Named Ed25519 keys of logs and witnesses, which sign notes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::{Error, Hash, Signature};

/// What a key signs (c2sp.org/signed-note and c2sp.org/tlog-cosignature).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 0x01: the note's text.
    Log,
    /// 0x04: the note's text with the time of the cosignature, by a witness.
    Witness,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// A public key with its name; its text form is `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verifier {
    /// Name of the key: a URL without its scheme.
    pub name: String,
    /// What it signs.
    pub kind: Kind,
    /// The key itself.
    pub key: [u8; 32],
}

/// The bytes that a witness signs.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

impl Verifier {
    /// The first four bytes of SHA-256(name ‖ newline ‖ kind ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let bytes = [self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.key].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let mut id = [0; 4];
        id.copy_from_slice(&digest.as_ref()[..4]);
        id
    }

    /// Verifies a signature of a text. Returns the time of a cosignature in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when the signature is invalid.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, Error> {
        let bad = || Error::BadSignature(self.name.clone());
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        match self.kind {
            Kind::Log => key.verify(text.as_bytes(), signature).map(|()| None).map_err(|_| bad()),
            Kind::Witness => {
                let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(bad)?;
                let seconds = u64::from_be_bytes(*time);
                key.verify(cosigned(text, seconds).as_bytes(), signature).map_err(|_| bad())?;
                Ok(Some(seconds))
            }
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = |why| Error::Format("a public key", why);
        let (name, rest) = text.split_once('+').ok_or_else(|| fault("expected name+id+key"))?;
        let (id, key) = rest.split_once('+').ok_or_else(|| fault("expected name+id+key"))?;
        let key = STANDARD.decode(key).map_err(|_| fault("the key is not base64"))?;
        let kind = match key.first() {
            Some(0x01) => Kind::Log,
            Some(0x04) => Kind::Witness,
            _ => return Err(fault("it is neither a log key nor a witness key")),
        };
        let key = key[1..].try_into().map_err(|_| fault("an Ed25519 key has 32 bytes"))?;
        let verifier = Self { name: name.to_owned(), kind, key };
        if !valid_name(name) || hex::encode(verifier.id()) != id {
            return Err(fault("its id does not match its name and key"));
        }
        Ok(verifier)
    }
}

/// A private key with its name.
pub struct Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Creates the key from these 32 secret bytes.
    ///
    /// # Errors
    /// When the name is empty, or contains white space, a control character or a plus sign.
    pub fn from_seed(name: &str, kind: Kind, seed: &[u8; 32]) -> Result<Self, Error> {
        let fault = || Error::Format("a key's name", "it must not contain white space or a plus sign");
        if !valid_name(name) {
            return Err(fault());
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| Error::Format("a seed", "it is not a valid Ed25519 seed"))?;
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { verifier: Verifier { name: name.to_owned(), kind, key }, pair })
    }

    /// The public key.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a text. A witness also signs the time in seconds since 1970. A log key ignores the time.
    pub fn sign(&self, text: &str, seconds: u64) -> Signature {
        let bytes = match self.verifier.kind {
            Kind::Log => self.pair.sign(text.as_bytes()).as_ref().to_vec(),
            Kind::Witness => {
                let signature = self.pair.sign(cosigned(text, seconds).as_bytes());
                [&seconds.to_be_bytes(), signature.as_ref()].concat()
            }
        };
        Signature { name: self.verifier.name.clone(), id: self.verifier.id(), bytes }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

impl Hash {
    /// SHA-256 of the bytes without a prefix, for files. For leaves, see [`crate::leaf_hash`].
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        Self(hash)
    }
}
