//! Transparency logs: the Merkle tree of RFC 6962 and the C2SP text formats around it, pure and without any I/O.
//!
//! What is stored is a *tile* ([`TileId`], up to 256 hashes of one level) and a *bundle* of entries beside each tile of
//! leaves. A writer keeps a [`Frontier`], pushes leaves, and stores the tiles it gets back. A prover asks which tiles a
//! proof needs ([`tiles_for_inclusion`], [`tiles_for_consistency`]), fetches them, and calls [`prove_inclusion`] or
//! [`prove_consistency`]. A verifier needs neither: [`verify_inclusion`] and [`verify_consistency`] take a root, which
//! comes out of a signed [`Note`] that holds a [`Checkpoint`].
//!
//! Absent on purpose: storage, clocks, key files, and any opinion of what an entry means.

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

/// Why something is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Text or bytes that are not in their format.
    #[error("{0} is not in its format: {1}")]
    Format(&'static str, &'static str),
    /// A tile that was needed and not given, or is too short.
    #[error("tile {0} is missing or too short")]
    MissingTile(TileId),
    /// Sizes or indices that cannot belong together.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// A proof that does not lead to the root.
    #[error("the proof does not lead to the root")]
    WrongRoot,
    /// A signature by a known key that does not hold.
    #[error("the signature of {0} does not hold")]
    BadSignature(String),
    /// No known key signed.
    #[error("none of the known keys signed this")]
    NotSigned,
}
