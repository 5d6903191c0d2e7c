//! Computes inclusion and consistency proofs from tiles.
//!
//! The nodes of a proof depend only on index and sizes, so callers can determine the required tiles before they load any.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::Error;
use crate::hash::{Hash, complete, node_hash};
use crate::tile::{HEIGHT, TileId, TileSource, WIDTH};

/// A complete subtree of 2^height leaves. `index` counts the subtrees of this height from the left.
#[derive(Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// The tile that contains its hash or the hashes below it, and their range in the tile.
    fn place(self) -> (TileId, Range<usize>) {
        let (level, inner) = (self.height / HEIGHT, self.height % HEIGHT);
        let first = self.index << inner;
        let start = (first % WIDTH as u64) as usize;
        let end = start + (1 << inner);
        (TileId { level: level as u8, index: first / WIDTH as u64, width: end as u16 }, start..end)
    }

    fn hash(self, tiles: &impl TileSource) -> Result<Hash, Error> {
        let (id, range) = self.place();
        Ok(complete(&id.read(tiles)?[range]))
    }
}

/// Splits a range of leaves into complete subtrees, left to right. The start must be a multiple of the size of each subtree.
fn nodes(range: Range<u64>) -> Vec<Node> {
    let (mut start, mut nodes) = (range.start, Vec::new());
    while start < range.end {
        let height = (range.end - start).ilog2();
        nodes.push(Node { height, index: start >> height });
        start += 1 << height;
    }
    nodes
}

fn range_hash(range: &Range<u64>, tiles: &impl TileSource) -> Result<Hash, Error> {
    let mut joined: Option<Hash> = None;
    for node in nodes(range.clone()).into_iter().rev() {
        let left = node.hash(tiles)?;
        joined = Some(joined.map_or(left, |right| node_hash(&left, &right)));
    }
    joined.ok_or(Error::OutOfRange("an empty range of leaves has no hash"))
}

/// The largest power of two below `n`, where RFC 6962 splits a tree of n > 1 leaves.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The ranges of leaves whose hashes form the inclusion proof (RFC 6962, 2.1.1), the leaf's sibling first.
fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut tree, mut path) = (0..size, Vec::new());
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    path.reverse();
    path
}

/// The ranges of leaves whose hashes form the consistency proof (RFC 6962, 2.1.2).
fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut tree, mut path, mut known) = (0..new, Vec::new(), true);
    while old != tree.end {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
            known = false;
        }
    }
    if !known {
        path.push(tree);
    }
    path.reverse();
    path
}

fn tiles_of(ranges: &[Range<u64>], size: u64) -> Vec<TileId> {
    let all = ranges.iter().flat_map(|range| nodes(range.clone())).map(|node| node.place().0);
    let places: BTreeSet<(u8, u64)> = all.map(|id| (id.level, id.index)).collect();
    places.into_iter().map(|(level, index)| within(level, index, size)).collect()
}

/// The tile at this level and index, with its width in a tree of this size.
fn within(level: u8, index: u64, size: u64) -> TileId {
    let hashes = size >> (HEIGHT * u32::from(level));
    TileId { level, index, width: (hashes - index * WIDTH as u64).min(WIDTH as u64) as u16 }
}

/// The tiles that are required for an inclusion proof of leaf `index` in a tree of `size`.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TileId> {
    if index < size { tiles_of(&inclusion(index, size), size) } else { Vec::new() }
}

/// The tiles that are required for a consistency proof between trees of `old` and `new` leaves.
pub fn tiles_for_consistency(old: u64, new: u64) -> Vec<TileId> {
    if old == 0 || old >= new { Vec::new() } else { tiles_of(&consistency(old, new), new) }
}

/// Computes the proof that leaf `index` is in the tree of `size` leaves, the leaf's sibling first.
///
/// # Errors
/// When the leaf is not in the tree, or a tile of [`tiles_for_inclusion`] is missing.
pub fn prove_inclusion(tiles: &impl TileSource, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    if index >= size {
        return Err(Error::OutOfRange("the index is not in a tree of this size"));
    }
    inclusion(index, size).iter().map(|range| range_hash(range, tiles)).collect()
}

/// Computes the proof that the tree of `old` leaves is a prefix of the tree of `new` leaves.
///
/// # Errors
/// When `old` is larger than `new`, or a tile of [`tiles_for_consistency`] is missing.
pub fn prove_consistency(tiles: &impl TileSource, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    if old > new {
        return Err(Error::OutOfRange("the old tree is larger than the new tree"));
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    consistency(old, new).iter().map(|range| range_hash(range, tiles)).collect()
}
