//! Ours against others' code: trees and proofs against `ct-merkle` and `tlog_tiles`, tiles against `tlog_tiles`, notes and
//! checkpoints against `signed_note` and `tlog_tiles`.
#![allow(clippy::unwrap_used, reason = "a test that finds something odd should stop there")]

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use proptest::prelude::*;
use sha2_next::Sha256;
use signed_note::{Note as OtherNote, StandardSigner, StandardVerifier, VerifierList};
use tlog::{Checkpoint, Frontier, Hash, Kind, Note, Signer, TileId, Tiles, Verifier, leaf_hash};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

type Other = MemoryBackedTree<Sha256, Vec<u8>>;

fn entry(number: usize) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// The same entries in our tree, with every tile it would store, and in theirs.
fn grown(size: usize) -> (Frontier, Tiles, Other) {
    let (mut ours, mut tiles, mut theirs) = (Frontier::default(), Tiles::new(), Other::new());
    for number in 0..size {
        let entry = entry(number);
        for (id, bytes) in ours.push(leaf_hash(&entry)) {
            tiles.insert((id.level, id.index), bytes);
        }
        theirs.push(entry);
    }
    for (id, bytes) in ours.partial() {
        tiles.insert((id.level, id.index), bytes);
    }
    (ours, tiles, theirs)
}

fn joined(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

/// Our tiles as they would be read from where we keep them.
struct Stored<'a>(&'a Tiles);

impl TileReader for Stored<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| self.0[&(tile.level(), tile.level_index())][..tile.width() as usize * 32].to_vec();
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// Hashes as `tlog_tiles` stores them when it grows a tree itself.
#[derive(Default)]
struct Grown(Vec<tlog_tiles::Hash>);

impl HashReader for Grown {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn roots_and_proofs_are_those_of_ct_merkle(size in 1_usize..900, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (ours, tiles, theirs) = grown(size);
        let root = theirs.root();
        prop_assert_eq!(ours.root().0.to_vec(), root.as_bytes().to_vec());
        let (index, old) = (a.index(size), b.index(size) + 1);
        let path = tlog::prove_inclusion(&tiles, index as u64, size as u64).unwrap();
        prop_assert_eq!(joined(&path), theirs.prove_inclusion(index).as_bytes().to_vec());
        let proof = InclusionProof::<Sha256>::try_from_bytes(joined(&path)).unwrap();
        prop_assert!(root.verify_inclusion(&entry(index), index as u64, &proof).is_ok());
        prop_assert!(root.verify_inclusion(&entry(size), index as u64, &proof).is_err());
        let path = tlog::prove_consistency(&tiles, old as u64, size as u64).unwrap();
        if old < size {
            prop_assert_eq!(joined(&path), theirs.prove_consistency(size - old).as_bytes().to_vec());
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(joined(&path)).unwrap();
            prop_assert!(root.verify_consistency(&grown(old).2.root(), &proof).is_ok());
        }
    }

    #[test]
    fn tiles_paths_and_proofs_are_those_of_tlog_tiles(size in 1_u64..1500, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (ours, tiles, _) = grown(usize::try_from(size).unwrap());
        let root = tlog_tiles::Hash(ours.root().0);
        let mut theirs = Grown::default();
        for number in 0..size {
            let entry = entry(usize::try_from(number).unwrap());
            let more = tlog_tiles::stored_hashes(number, &entry, &theirs).unwrap();
            theirs.0.extend(more);
        }
        prop_assert_eq!(tlog_tiles::tree_hash(size, &theirs).unwrap(), root);
        let wanted: BTreeMap<String, Tile> = Tile::new_tiles(8, 0, size).into_iter().map(|tile| (tile.path(), tile)).collect();
        for (path, tile) in &wanted {
            let id = TileId { level: tile.level(), index: tile.level_index(), width: u16::try_from(tile.width()).unwrap() };
            // Their path begins with the height of the tile.
            prop_assert_eq!(path.replacen("tile/8/", "tile/", 1), id.path());
            prop_assert_eq!(&tile.read_data(&theirs).unwrap(), &tiles[&(id.level, id.index)]);
        }
        prop_assert_eq!(wanted.len(), tlog::tile::all_tiles(size).count());
        let stored = Stored(&tiles);
        let reader = TileHashReader::new(size, root, &stored);
        let (index, old) = (a.index(usize::try_from(size).unwrap()) as u64, b.index(usize::try_from(size).unwrap()) as u64 + 1);
        let path = tlog::prove_inclusion(&tiles, index, size).unwrap();
        let proof: Vec<tlog_tiles::Hash> = path.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
        prop_assert_eq!(&tlog_tiles::prove_record(size, index, &reader).unwrap(), &proof);
        let leaf = tlog_tiles::record_hash(&entry(usize::try_from(index).unwrap()));
        prop_assert!(tlog_tiles::check_record(&proof, size, root, index, leaf).is_ok());
        let path = tlog::prove_consistency(&tiles, old, size).unwrap();
        let proof: Vec<tlog_tiles::Hash> = path.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
        let old_root = tlog_tiles::Hash(grown(usize::try_from(old).unwrap()).0.root().0);
        prop_assert_eq!(&tlog_tiles::prove_tree(size, old, &reader).unwrap(), &proof);
        prop_assert!(tlog_tiles::check_tree(&proof, size, root, old, old_root).is_ok());
    }
}

#[test]
fn a_tree_of_three_levels_of_tiles_is_the_one_that_tlog_tiles_reads_out_of_our_tiles() {
    let size = 66_000;
    let (ours, tiles, _) = grown(66_000);
    let stored = Stored(&tiles);
    let root = tlog_tiles::Hash(ours.root().0);
    let reader = TileHashReader::new(size, root, &stored);
    assert_eq!(tlog_tiles::tree_hash(size, &reader).unwrap(), root);
    for index in [0, 255, 65_535, 65_536, 65_999] {
        let theirs = tlog_tiles::prove_record(size, index, &reader).unwrap();
        let ours: Vec<Hash> = theirs.iter().map(|hash| Hash(hash.0)).collect();
        assert_eq!(tlog::prove_inclusion(&tiles, index, size).unwrap(), ours);
    }
}

#[test]
fn notes_and_checkpoints_are_read_and_written_alike() {
    let name = "lockbox.fabrikam.example/t/contoso";
    let ours = Signer::from_seed(name, Kind::Log, &[7; 32]).unwrap();
    let public = ours.verifier().to_string();
    let checkpoint = Checkpoint { origin: name.to_owned(), size: 1042, root: Hash::of(b"root") };
    let text = checkpoint.to_string();
    let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes());
    let theirs = theirs.unwrap();
    assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), (name, 1042, checkpoint.root.0));
    assert_eq!(theirs.to_bytes(), text.as_bytes());
    // Ours is verified by them.
    let note = Note { signatures: vec![ours.sign(&text, 0)], text: text.clone() };
    let known = || VerifierList::new(vec![Box::new(StandardVerifier::new(&public).unwrap())]);
    let read = OtherNote::from_bytes(note.to_string().as_bytes()).unwrap();
    assert_eq!(read.verify(&known()).unwrap().0.len(), 1);
    assert_eq!(read.to_bytes(), note.to_string().into_bytes());
    // Theirs is verified by us.
    let secret = [&[1], [7; 32].as_slice()].concat();
    let id = hex_of(&ours.verifier().id());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{}", base64_of(&secret))).unwrap();
    let mut other = OtherNote::new(text.as_bytes(), &[]).unwrap();
    other.add_sigs(&[&signer]).unwrap();
    let back: Note = String::from_utf8(other.to_bytes()).unwrap().parse().unwrap();
    let key: Verifier = public.parse().unwrap();
    assert_eq!(Checkpoint::open(&back, &[key]).unwrap().0, checkpoint);
    assert_eq!(back, note, "Ed25519 signs the same every time");
    // What one of us refuses, the other refuses too.
    let whole = note.to_string();
    for broken in [
        whole.replace("1042", "1043"),
        whole.replace("\n\n", "\n"),
        whole.replace('\u{2014}', "-"),
        whole.trim_end().to_owned(),
        whole.replace("1042", "1042\u{7}"),
    ] {
        let we = broken.parse::<Note>().is_ok_and(|note| note.verify(std::slice::from_ref(ours.verifier())).is_ok());
        let they = OtherNote::from_bytes(broken.as_bytes()).is_ok_and(|note| note.verify(&known()).is_ok());
        assert!(!we && !they, "{broken:?}: {we} {they}");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
