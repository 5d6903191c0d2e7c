//! Notes, checkpoints, proofs and paths against the examples of their specifications.

use proptest::prelude::*;
use tlog::tile::{all_tiles, leaf_tiles};
use tlog::{Checkpoint, Error, Hash, Kind, Note, ProofFile, Signer, TileId, Verifier, bundle};

#[allow(clippy::unwrap_used, reason = "a test fails by it")]
fn log() -> Signer {
    Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[7; 32]).unwrap()
}

#[allow(clippy::unwrap_used, reason = "a test fails by it")]
fn witness() -> Signer {
    Signer::from_seed("witness.contoso.example", Kind::Witness, &[9; 32]).unwrap()
}

fn signed(checkpoint: &Checkpoint, signers: &[&Signer]) -> Note {
    let text = checkpoint.to_string();
    let signatures = signers.iter().map(|signer| signer.sign(&text, 1_795_000_000)).collect();
    Note { text, signatures }
}

#[test]
fn the_example_key_and_note_of_the_go_implementation_hold() {
    let key: Verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note: Note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        .parse()
        .unwrap();
    assert_eq!(note.verify(std::slice::from_ref(&key)).unwrap()[0].by, key);
    let changed = Note { text: note.text.replace("think", "thing"), ..note.clone() };
    assert_eq!(changed.verify(&[key]), Err(Error::BadSignature("PeterNeumann".to_owned())));
    assert_eq!(note.verify(&[log().verifier().clone()]), Err(Error::NotSigned));
}

#[test]
fn a_checkpoint_needs_its_own_logs_key_and_keeps_the_witnesss_time() {
    let checkpoint = Checkpoint { origin: log().verifier().name.clone(), size: 7, root: Hash::of(b"root") };
    let keys = [log().verifier().clone(), witness().verifier().clone()];
    let note: Note = signed(&checkpoint, &[&log(), &witness()]).to_string().parse().unwrap();
    let (opened, by) = Checkpoint::open(&note, &keys).unwrap();
    assert_eq!(opened, checkpoint);
    assert_eq!(by.iter().map(|one| one.at).collect::<Vec<_>>(), [None, Some(1_795_000_000)]);

    let by_witness = signed(&checkpoint, &[&witness()]);
    assert_eq!(Checkpoint::open(&by_witness, &keys), Err(Error::NotSigned));
    let other = Checkpoint { origin: "elsewhere.example".to_owned(), ..checkpoint };
    assert_eq!(Checkpoint::open(&signed(&other, &[&log()]), &keys), Err(Error::NotSigned));
}

#[test]
fn a_number_or_path_written_in_another_way_is_refused() {
    let good = format!("log.example\n12\n{}\n", Hash::of(b""));
    assert!(good.parse::<Checkpoint>().is_ok());
    for bad in
        [good.replace("\n12", "\n012"), good.replace("\n12", "\n+12"), format!("{good}more\n"), good[..10].to_owned()]
    {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
    }
    let id = TileId { level: 0, index: 1_234_067, width: 256 };
    assert_eq!(id.path(), "tile/0/x001/x234/067");
    for bad in ["tile/0/1", "tile/00/001", "tile/0/001.p/256", "tile/0/001.p/0", "tile/0/x000/001", "tile/0/001.p/01"] {
        assert!(TileId::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_tree_of_70_000_has_the_tiles_that_the_specification_counts() {
    let tiles: Vec<TileId> = all_tiles(70_000).collect();
    let count = |level, full| tiles.iter().filter(|id| id.level == level && (id.width == 256) == full).count();
    assert_eq!([count(0, true), count(0, false), count(1, true), count(1, false), count(2, false)], [273, 1, 1, 1, 1]);
    let widths: Vec<u16> = tiles.iter().filter(|id| id.width < 256).map(|id| id.width).collect();
    assert_eq!(widths, [112, 17, 1]);
    assert_eq!(leaf_tiles(256).count(), 1);
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(index in any::<u64>(), width in 1_u16..=256, level in 0_u8..64, entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let id = TileId { level, index, width };
        prop_assert_eq!(TileId::parse(&id.path()), Ok((Some(level), index, width)));
        prop_assert_eq!(TileId::parse(&id.entries_path()), Ok((None, index, width)));
        let bytes = bundle::encode(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(bundle::decode(&bytes).unwrap(), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if !bytes.is_empty() {
            prop_assert!(bundle::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        }
        let checkpoint = Checkpoint { origin: log().verifier().name.clone(), size: index, root: Hash::of(b"x") };
        let file = ProofFile { extra: entries.first().cloned(), index, path: vec![checkpoint.root; entries.len()], note: signed(&checkpoint, &[&log(), &witness()]) };
        prop_assert_eq!(file.to_string().parse::<ProofFile>(), Ok(file));
        let key = witness().verifier().clone();
        prop_assert_eq!(key.to_string().parse::<Verifier>(), Ok(key));
    }

    #[test]
    fn nothing_that_can_be_sent_makes_reading_fail_otherwise_than_by_an_error(text in "\\PC*", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = text.parse::<Note>().is_ok();
        let _ = text.parse::<Checkpoint>().is_ok();
        let _ = text.parse::<ProofFile>().is_ok();
        let _ = text.parse::<Verifier>().is_ok();
        let _ = TileId::parse(&text).is_ok();
        let _ = bundle::decode(&bytes).is_ok();
    }
}
