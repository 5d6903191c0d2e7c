//! Which nodes make up a proof, and how to get them out of tiles.
//!
//! Which nodes a proof has depends on sizes alone, so the tiles it needs are known before any is fetched.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::Error;
use crate::hash::{Hash, complete, node_hash};
use crate::tile::{HEIGHT, TileId, TileSource, WIDTH};

/// A complete subtree: 2^height leaves, the index-th of its kind.
#[derive(Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// The tile that holds it, or the hashes it is made of, and where in the tile these are.
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

/// The complete subtrees that leaves `range` consist of, left to right; the start is a multiple of every size used.
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

/// Ranges of leaves whose hashes are the inclusion path (RFC 6962, 2.1.1), the leaf's sibling first.
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

/// Ranges of leaves whose hashes are the consistency proof (RFC 6962, 2.1.2).
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

/// The tile at this place in a tree of this size, with the width it has there.
fn within(level: u8, index: u64, size: u64) -> TileId {
    let hashes = size >> (HEIGHT * u32::from(level));
    TileId { level, index, width: (hashes - index * WIDTH as u64).min(WIDTH as u64) as u16 }
}

/// The tiles that an inclusion proof of leaf `index` in a tree of `size` needs.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TileId> {
    if index < size { tiles_of(&inclusion(index, size), size) } else { Vec::new() }
}

/// The tiles that a proof from a tree of `old` leaves to one of `new` needs.
pub fn tiles_for_consistency(old: u64, new: u64) -> Vec<TileId> {
    if old == 0 || old >= new { Vec::new() } else { tiles_of(&consistency(old, new), new) }
}

/// The proof that leaf `index` is in the tree of `size` leaves: the leaf's sibling first.
///
/// # Errors
/// When the leaf is not in the tree, or a tile of [`tiles_for_inclusion`] is not given.
pub fn prove_inclusion(tiles: &impl TileSource, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    if index >= size {
        return Err(Error::OutOfRange("the entry is not in a tree of this size"));
    }
    inclusion(index, size).iter().map(|range| range_hash(range, tiles)).collect()
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new` leaves.
///
/// # Errors
/// When `old` is the larger, or a tile of [`tiles_for_consistency`] is not given.
pub fn prove_consistency(tiles: &impl TileSource, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    if old > new {
        return Err(Error::OutOfRange("a tree does not shrink"));
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    consistency(old, new).iter().map(|range| range_hash(range, tiles)).collect()
}
