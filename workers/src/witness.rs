//! A witness of logs: cosigns a checkpoint only if it extends the one that the witness saw before, so that a log operator
//! cannot show a split view. The protocol is c2sp.org/tlog-witness; the command line serves it over HTTP.

use std::collections::BTreeMap;

use tlog::{AddCheckpoint, Checkpoint, Note, Signer, Verifier};

use crate::signer::{Memory, MemoryFault};

/// A witness's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The signature lines to add to the note.
    Cosigned(String),
    /// The request does not have the protocol's form.
    Malformed(&'static str),
    /// The witness does not know the log.
    Unknown,
    /// No known key of the log signed the checkpoint.
    NotSigned,
    /// The old size is wrong; this is the size that the witness saw last.
    Conflict(u64),
    /// The consistency proof is not valid.
    Unproved,
}

/// A witness with the checkpoints that it has seen.
#[derive(Debug)]
pub struct Witness {
    keys: Vec<Signer>,
    logs: BTreeMap<String, Vec<Verifier>>,
    memory: Memory,
}

impl Witness {
    /// A witness with its own keys and with the keys of the logs that it knows.
    pub fn new(keys: Vec<Signer>, logs: Vec<Verifier>, memory: Memory) -> Self {
        let mut by_origin: BTreeMap<String, Vec<Verifier>> = BTreeMap::new();
        for key in logs {
            by_origin.entry(key.name.clone()).or_default().push(key);
        }
        Self { keys, logs: by_origin, memory }
    }

    /// Responds to a log. The checkpoint is on the disk before the cosignature is returned.
    ///
    /// # Errors
    /// When the checkpoint cannot be stored; then nothing is signed.
    pub fn add(&mut self, body: &str, now_seconds: u64) -> Result<Answer, MemoryFault> {
        let Some(request) = AddCheckpoint::parse(body) else {
            return Ok(Answer::Malformed("expected: old, a proof, an empty line and a signed checkpoint"));
        };
        let Ok(claimed) = request.note.text.parse::<Checkpoint>() else {
            return Ok(Answer::Malformed("the note has no checkpoint"));
        };
        let Some(known) = self.logs.get(&claimed.origin) else { return Ok(Answer::Unknown) };
        let Ok((tree, _)) = Checkpoint::open(&request.note, known) else { return Ok(Answer::NotSigned) };
        if request.old > tree.size {
            return Ok(Answer::Malformed("the old size is larger than the new size"));
        }
        let (seen, root) = self.memory.tree(&tree.origin).unwrap_or((0, tlog::root(&[])));
        if request.old != seen || (seen == tree.size && root != tree.root) {
            return Ok(Answer::Conflict(seen));
        }
        if tlog::verify_consistency((seen, &root), (tree.size, &tree.root), &request.proof).is_err() {
            return Ok(Answer::Unproved);
        }
        let text = tree.to_string();
        if seen < tree.size {
            self.memory.remember(&[tree])?;
        }
        let signatures = self.keys.iter().map(|key| key.sign(&text, now_seconds)).collect();
        let note = Note { text: text.clone(), signatures }.to_string();
        Ok(Answer::Cosigned(note[text.len() + 1..].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use tlog::{Hash, Kind, tiles_for_consistency};

    use super::*;

    fn tree(leaves: &[Hash]) -> Checkpoint {
        let size = u64::try_from(leaves.len()).unwrap();
        Checkpoint { origin: "lockbox.fabrikam.example/t/contoso".into(), size, root: tlog::root(leaves) }
    }

    fn ask(leaves: &[Hash], old: u64, key: &Signer) -> String {
        let size = u64::try_from(leaves.len()).unwrap();
        let tiles = tlog::Tiles::from([((0, 0), leaves.iter().flat_map(|hash| hash.0).collect())]);
        assert!(tiles_for_consistency(old, size).iter().all(|tile| tile.index == 0));
        let proof = tlog::prove_consistency(&tiles, old, size).unwrap_or_default();
        let note: Note = crate::signer::sign(
            &tree(leaves),
            &[Signer::from_seed(&key.verifier().name, Kind::Log, &[1; 32]).unwrap()],
        )
        .parse()
        .unwrap();
        AddCheckpoint { old, proof, note }.body()
    }

    #[test]
    fn a_witness_cosigns_only_extensions_of_the_checkpoint_that_it_saw() {
        let log = Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[1; 32]).unwrap();
        let own = || Signer::from_seed("witness.contoso.example", Kind::Witness, &[2; 32]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let begin = || Witness::new(vec![own()], vec![log.verifier().clone()], Memory::open(folder.path()).unwrap());
        let leaves: Vec<Hash> = (0..9_u8).map(|n| tlog::leaf_hash(&[n])).collect();
        let other: Vec<Hash> = (0..9_u8).map(|n| tlog::leaf_hash(&[n, n])).collect();
        let mut witness = begin();
        let Answer::Cosigned(lines) = witness.add(&ask(&leaves[..4], 0, &log), 1_700_000_000).unwrap() else {
            panic!()
        };
        let note: Note = format!("{}\n{lines}", tree(&leaves[..4])).parse().unwrap();
        assert_eq!(note.verify(&[own().verifier().clone()]).unwrap()[0].at, Some(1_700_000_000));
        assert_eq!(witness.add(&ask(&leaves[..7], 0, &log), 1).unwrap(), Answer::Conflict(4));
        drop(witness);
        // It remembers the checkpoint after a restart.
        let mut witness = begin();
        assert!(matches!(witness.add(&ask(&leaves[..7], 4, &log), 1).unwrap(), Answer::Cosigned(_)));
        assert_eq!(witness.add(&ask(&other, 7, &log), 1).unwrap(), Answer::Unproved, "a fork");
        assert_eq!(witness.add(&ask(&other[..7], 7, &log), 1).unwrap(), Answer::Conflict(7), "a fork of the same size");
        assert!(matches!(witness.add(&ask(&leaves[..4], 7, &log), 1).unwrap(), Answer::Malformed(_)), "shrinking");
        let stranger = ask(&leaves, 7, &log).replace("t/contoso", "t/adatum");
        assert_eq!(witness.add(&stranger, 1).unwrap(), Answer::Unknown);
        let unsigned = ask(&leaves, 7, &log);
        let unsigned = unsigned.replacen("\u{2014} lockbox", "\u{2014} nobody", 1);
        assert_eq!(witness.add(&unsigned, 1).unwrap(), Answer::NotSigned);
        assert!(matches!(witness.add("nonsense", 1).unwrap(), Answer::Malformed(_)));
    }
}
