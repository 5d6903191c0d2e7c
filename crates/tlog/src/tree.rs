//! Grows a tree from its right edge and computes its root.

use crate::Error;
use crate::hash::{Hash, complete, node_hash, sha256};
use crate::tile::{HEIGHT, TileId, TileSource, WIDTH, tiles_for_root};

/// Computes the root of a tree over these leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The right edge of a tree: sufficient to add leaves and to compute the root. A few kilobytes for any size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The partial tile of each level, lowest level first. Each has fewer than 256 hashes.
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    /// Loads the right edge of a stored tree from the tiles that [`tiles_for_root`] lists.
    ///
    /// # Errors
    /// When one of these tiles is missing.
    pub fn from_tiles(size: u64, tiles: &impl TileSource) -> Result<Self, Error> {
        let mut levels = Vec::new();
        for id in tiles_for_root(size) {
            let level = usize::from(id.level);
            levels.resize(levels.len().max(level + 1), Vec::new());
            levels[level] = id.read(tiles)?;
        }
        Ok(Self { size, levels })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Returns the tiles that it completes, lowest level first. For partial tiles, see [`Frontier::partial`].
    pub fn push(&mut self, leaf: Hash) -> Vec<(TileId, Vec<u8>)> {
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0_u8.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            let row = &mut self.levels[usize::from(level)];
            row.push(hash);
            if row.len() < WIDTH {
                break;
            }
            let index = self.size >> (HEIGHT * (u32::from(level) + 1));
            full.push((TileId { level, index, width: 256 }, bytes(row)));
            hash = complete(row);
            row.clear();
        }
        self.size += 1;
        full
    }

    /// The partial tiles with their hashes, lowest level first.
    pub fn partial(&self) -> Vec<(TileId, Vec<u8>)> {
        let tiles = tiles_for_root(self.size);
        tiles.into_iter().map(|id| (id, bytes(&self.levels[usize::from(id.level)]))).collect()
    }

    /// The root. Without leaves, it is the SHA-256 of the empty string.
    pub fn root(&self) -> Hash {
        let mut joined: Option<Hash> = None;
        for row in &self.levels {
            // For example, 5 hashes are a subtree of 4 and one of 1, left to right. The smallest is joined first.
            let mut end = row.len();
            while end > 0 {
                let width = 1 << end.trailing_zeros();
                let left = complete(&row[end - width..end]);
                joined = Some(joined.map_or(left, |right| node_hash(&left, &right)));
                end -= width;
            }
        }
        joined.unwrap_or_else(|| sha256(&[]))
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
