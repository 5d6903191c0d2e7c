//! A signature line of a note (c2sp.org/signed-note).

/// One line under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: [u8; 4],
    /// What the key made.
    pub bytes: Vec<u8>,
}
