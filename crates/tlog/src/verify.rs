//! Verifies inclusion and consistency proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use crate::hash::node_hash;
use crate::{Error, Hash, root};

/// Verifies that the leaf with this hash has this index in the tree with `size` leaves and this root.
///
/// # Errors
/// [`Error::WrongRoot`] when the proof is invalid, [`Error::OutOfRange`] when the index is outside of the tree.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), Error> {
    if index >= size {
        return Err(Error::OutOfRange("the index is not in a tree of this size"));
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return Err(Error::WrongRoot);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(step, &hash);
            // On the right edge, skip the levels without a left sibling.
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(Error::WrongRoot) }
}

/// Verifies that the tree of `old` leaves is a prefix of the tree of `new` leaves.
///
/// # Errors
/// [`Error::WrongRoot`] when the proof is invalid, [`Error::OutOfRange`] when `old` is larger than `new`.
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), Error> {
    if old > new {
        return Err(Error::OutOfRange("the old tree is larger than the new tree"));
    }
    let same = if old == 0 { *old_root == root(&[]) } else { old_root == new_root };
    if old == 0 || old == new {
        return if same && proof.is_empty() { Ok(()) } else { Err(Error::WrongRoot) };
    }
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // When the old tree is complete, its root is the first step, and the proof does not contain it.
    let (first, steps) = match (old.is_power_of_two(), proof) {
        (true, steps) => (old_root, steps),
        (false, [first, steps @ ..]) => (first, steps),
        (false, []) => return Err(Error::WrongRoot),
    };
    let (mut from_old, mut from_new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(Error::WrongRoot);
        }
        if place & 1 == 1 || place == last {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(Error::WrongRoot) }
}
