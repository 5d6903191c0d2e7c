//! The tree against the definition in RFC 6962, written out as plainly as there.

use proptest::prelude::*;
use tlog::{Error, Frontier, Hash, Tiles, leaf_hash, node_hash};

/// MTH of RFC 6962, section 2.1, by its definition.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [one] => *one,
        many => {
            let k = many.len().next_power_of_two() / 2;
            node_hash(&mth(&many[..k]), &mth(&many[k..]))
        }
    }
}

/// PATH of section 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut below, beside) =
        if m < k { (path(m, &leaves[..k]), mth(&leaves[k..])) } else { (path(m - k, &leaves[k..]), mth(&leaves[..k])) };
    below.push(beside);
    below
}

/// SUBPROOF of section 2.1.2.
fn subproof(m: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if known { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut below, beside) = if m <= k {
        (subproof(m, &leaves[..k], known), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    below.push(beside);
    below
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(format!("entry {n}").as_bytes())).collect()
}

/// A tree grown leaf by leaf, with what it would store.
fn grown(leaves: &[Hash]) -> (Frontier, Tiles) {
    let (mut frontier, mut tiles) = (Frontier::default(), Tiles::new());
    for leaf in leaves {
        for (id, bytes) in frontier.push(*leaf) {
            tiles.insert((id.level, id.index), bytes);
        }
    }
    for (id, bytes) in frontier.partial() {
        tiles.insert((id.level, id.index), bytes);
    }
    (frontier, tiles)
}

#[test]
fn known_hashes_of_rfc_6962_implementations_come_out() {
    let text = |hash: Hash| hash.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(text(tlog::root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(text(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    // The eight entries that certificate transparency's own tests use.
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let bytes = |entry: &str| {
        (0..entry.len() / 2).map(|i| u8::from_str_radix(&entry[2 * i..2 * i + 2], 16).unwrap()).collect::<Vec<_>>()
    };
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(&bytes(entry))).collect();
    assert_eq!(text(tlog::root(&leaves)), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

#[test]
fn every_size_around_a_tiles_edge_has_the_root_that_the_definition_gives() {
    let all = leaves(600);
    for size in (0..40).chain(250..262).chain(508..516).chain([600]) {
        let (frontier, tiles) = grown(&all[..size]);
        assert_eq!(frontier.root(), mth(&all[..size]), "size {size}");
        assert_eq!(Frontier::from_tiles(size as u64, &tiles), Ok(frontier), "size {size}");
    }
}

#[test]
fn a_tree_of_three_levels_of_tiles_proves_its_first_middle_and_last_entry() {
    let all = leaves(66_000);
    let (frontier, tiles) = grown(&all);
    let (size, root) = (all.len() as u64, frontier.root());
    assert_eq!(root, mth(&all));
    for index in [0, 255, 256, 40_000, 65_535, 65_536, 65_999] {
        let needed: Tiles = tlog::tiles_for_inclusion(index, size)
            .into_iter()
            .map(|id| ((id.level, id.index), tiles[&(id.level, id.index)].clone()))
            .collect();
        let proof = tlog::prove_inclusion(&needed, index, size).unwrap();
        assert_eq!(proof, path(index as usize, &all));
        assert_eq!(tlog::verify_inclusion(&all[index as usize], index, size, &proof, &root), Ok(()));
    }
    let missing = tlog::prove_inclusion(&Tiles::new(), 3, size);
    assert!(matches!(missing, Err(Error::MissingTile(_))), "{missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn proofs_are_those_of_the_definition_hold_and_hold_for_nothing_else(size in 1_usize..700, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let (frontier, tiles) = grown(&all);
        let (index, old, root) = (a.index(size), b.index(size) + 1, frontier.root());
        let size = size as u64;

        let proof = tlog::prove_inclusion(&tiles, index as u64, size).unwrap();
        prop_assert_eq!(&proof, &path(index, &all));
        let verify = |leaf: &Hash, index, proof: &[Hash]| tlog::verify_inclusion(leaf, index, size, proof, &root);
        prop_assert_eq!(verify(&all[index], index as u64, &proof), Ok(()));
        prop_assert!(verify(&leaf_hash(b"another"), index as u64, &proof).is_err());
        prop_assert!(verify(&all[index], (index as u64 + 1) % (size + 1), &proof).is_err());
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify(&all[index], index as u64, &longer).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(verify(&all[index], index as u64, shorter).is_err());
        }

        let old_root = mth(&all[..old]);
        let proof = tlog::prove_consistency(&tiles, old as u64, size).unwrap();
        if old as u64 != size {
            prop_assert_eq!(&proof, &subproof(old, &all, true));
            let needed: Tiles = tlog::tiles_for_consistency(old as u64, size).into_iter()
                .map(|id| ((id.level, id.index), tiles[&(id.level, id.index)].clone())).collect();
            prop_assert_eq!(&tlog::prove_consistency(&needed, old as u64, size).unwrap(), &proof);
        }
        let verify = |old_root: &Hash, proof: &[Hash]| tlog::verify_consistency((old as u64, old_root), (size, &root), proof);
        prop_assert_eq!(verify(&old_root, &proof), Ok(()));
        prop_assert!(verify(&leaf_hash(b"another"), &proof).is_err());
        prop_assert!(verify(&old_root, &[proof.as_slice(), &[root]].concat()).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(verify(&old_root, shorter).is_err());
        }
    }
}
