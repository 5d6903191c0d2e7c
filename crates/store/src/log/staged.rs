//! Recorded events without a position, and the tree nodes that new positions create.

use chrono::{DateTime, Utc};
use tlog::{Hash, TileId};
use uuid::Uuid;

/// A recorded event without a position yet.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Staged {
    pub(super) n: i64,
    pub(super) id: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) request: Option<Uuid>,
    pub(super) version: Option<i32>,
    pub(super) tenant: Option<String>,
    #[sqlx(rename = "type")]
    pub(super) type_name: String,
    pub(super) body: Vec<u8>,
}

/// The node on the level above that a full tile becomes.
pub(crate) fn node(tile: &TileId, hashes: &[u8]) -> (u8, u64, Hash) {
    let leaves: Vec<Hash> = hashes.chunks_exact(32).filter_map(Hash::from_slice).collect();
    (tile.level + 1, tile.index, tlog::root(&leaves))
}
