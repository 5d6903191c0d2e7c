//! Transparency logs: the Merkle tree of RFC 6962 and its C2SP text formats, without I/O.
//!
//! A log is stored as *tiles* ([`TileId`], up to 256 hashes of one level) and one *bundle* of entries per leaf tile. A
//! writer has a [`Frontier`], pushes leaves, and stores the tiles that it returns. A prover determines the tiles of a
//! proof ([`tiles_for_inclusion`], [`tiles_for_consistency`]), loads them, and calls [`prove_inclusion`] or
//! [`prove_consistency`]. A verifier needs no tiles: [`verify_inclusion`] and [`verify_consistency`] take a root from
//! a signed [`Note`] that contains a [`Checkpoint`].
//!
//! Deliberately absent: storage, clocks, key files, and the meaning of entries.

mod add_checkpoint;
pub mod bundle;
pub mod checkpoint;
mod hash;
pub mod keys;
pub mod note;
pub mod proof_file;
mod prove;
mod signature;
pub mod tile;
mod tree;
mod verify;

pub use add_checkpoint::AddCheckpoint;
pub use checkpoint::Checkpoint;
pub use hash::{Hash, leaf_hash, node_hash};
pub use keys::{Kind, Signer, Verifier};
pub use note::{Note, Signed};
pub use proof_file::ProofFile;
pub use prove::{prove_consistency, prove_inclusion, tiles_for_consistency, tiles_for_inclusion};
pub use signature::Signature;
pub use tile::{TileId, TileSource, Tiles, tiles_for_root};
pub use tree::{Frontier, root};
pub use verify::{verify_consistency, verify_inclusion};

/// Errors of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Text or bytes are not in the documented format.
    #[error("{0} is malformed: {1}")]
    Format(&'static str, &'static str),
    /// A required tile is missing or too short.
    #[error("tile {0} is missing or too short")]
    MissingTile(TileId),
    /// Sizes or indices are inconsistent.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// The proof does not lead to the root.
    #[error("the proof does not lead to the root")]
    WrongRoot,
    /// A signature by a known key is invalid.
    #[error("the signature of {0} is invalid")]
    BadSignature(String),
    /// No known key signed.
    #[error("no trusted key signed it")]
    NotSigned,
}
