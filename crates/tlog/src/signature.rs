//! A signature line of a note (c2sp.org/signed-note).

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: [u8; 4],
    /// The signature; for a witness, after its timestamp.
    pub bytes: Vec<u8>,
}
