//! Verifies that a signed checkpoint extends what was verified, entry by entry.

use chrono::SecondsFormat;
use tlog::{Checkpoint, Frontier, Hash, TileId, Tiles};

use super::Monitor;
use crate::alarm::{Kind, Raised};
use crate::error::Error;
use crate::judge::Arrival;
use crate::rejected::Rejected;

/// Entries in a full tile.
const WIDTH: u64 = 256;

impl Monitor {
    /// Accepts a signed checkpoint if everything below it is verified.
    pub(super) async fn accept(&mut self, text: &str, checkpoint: &Checkpoint) -> Result<Result<(), Rejected>, Error> {
        self.folder.keep_checkpoint(text)?;
        if checkpoint.size <= self.tree.size() {
            if let Some(raised) = self.compare(checkpoint) {
                return Ok(Err(Rejected::Alarm(Box::new(raised))));
            }
        } else if let Err(rejected) = self.grow(checkpoint).await? {
            return Ok(Err(rejected));
        }
        self.state.verified_at = (self.clock)().to_rfc3339_opts(SecondsFormat::Micros, true);
        self.folder.save(&self.state)?;
        Ok(Ok(()))
    }

    /// Compares a checkpoint of at most the verified size with the verified tree.
    fn compare(&self, checkpoint: &Checkpoint) -> Option<Raised> {
        let (size, own) = (checkpoint.size, self.tree.size());
        if self.tree.root_at(size) != Some(checkpoint.root) {
            return Some(self.fork(checkpoint));
        }
        let message = format!(
            "the log shows a checkpoint of {size} entries, but {own} entries were verified at {}; entries from index {size} \
             on are no longer in it",
            self.state.verified_at
        );
        (size < own).then(|| Raised::new(Kind::Rollback, own.to_string(), message))
    }

    fn fork(&self, checkpoint: &Checkpoint) -> Raised {
        let message = format!(
            "the signed checkpoint of {} entries with the root {} does not fit the {} entries with the root {} that were \
             signed and verified before",
            checkpoint.size,
            checkpoint.root,
            self.tree.size(),
            self.tree.root()
        );
        Raised::new(Kind::Fork, self.tree.size().to_string(), message)
    }

    /// Reads the entries up to a checkpoint. They count when they lead to its root.
    async fn grow(&mut self, checkpoint: &Checkpoint) -> Result<Result<(), Rejected>, Error> {
        let (from, start) = (self.tree.size(), self.state.bytes);
        let read = self.download(from, checkpoint.size).await?;
        let leaves = match read {
            Ok(leaves) if self.tree.root_with(&leaves) == checkpoint.root => leaves,
            other => {
                self.folder.cut(start)?;
                return Ok(Err(match other {
                    Ok(_) => self.explain(checkpoint).await,
                    Err(rejected) => rejected,
                }));
            }
        };
        self.folder.sync_entries()?;
        let now = (self.clock)();
        let arrival = self.verified_at().map(|before| Arrival { before, now });
        let mut stored = self.folder.entries(start, u64::MAX)?;
        let mut raised = Vec::new();
        for (index, leaf) in (from..).zip(leaves) {
            let entry = stored.next()?.unwrap_or_default();
            self.state.bytes += u64::try_from(entry.len()).unwrap_or_default() + 2;
            self.tree.push(leaf);
            raised.extend(self.judge.add(index, &entry, leaf, arrival));
        }
        raised.extend(self.judge.settle());
        self.state.size = self.tree.size();
        self.state.root = self.tree.root().to_string();
        self.raise(raised)?;
        Ok(Ok(()))
    }

    /// Stores the entries of a range after the verified ones; returns their leaf hashes.
    async fn download(&mut self, from: u64, to: u64) -> Result<Result<Vec<Hash>, Rejected>, Error> {
        let mut leaves = Vec::new();
        for index in from / WIDTH..to.div_ceil(WIDTH) {
            let first = index * WIDTH;
            let width = (to - first).min(WIDTH);
            let id = TileId { level: 0, index, width: u16::try_from(width).unwrap_or(256) };
            let file = match self.source.entries(id).await {
                Ok(file) => file,
                Err(fault) => return Ok(Err(Rejected::Unreachable(fault.to_string()))),
            };
            let entries = tlog::bundle::decode(&file).ok().filter(|entries| u64::try_from(entries.len()) == Ok(width));
            let Some(entries) = entries else {
                let message = format!("{} does not hold {width} entries", id.entries_path());
                let raised = Raised::new(Kind::EntriesDiffer, self.tree.size().to_string(), message);
                return Ok(Err(Rejected::Alarm(Box::new(raised))));
            };
            let skip = usize::try_from(from.saturating_sub(first)).unwrap_or_default();
            self.folder.append_entries(&entries[skip..])?;
            leaves.extend(entries[skip..].iter().map(|entry| tlog::leaf_hash(entry)));
        }
        Ok(Ok(leaves))
    }

    /// Finds out why entries do not lead to a signed root: the log was forked, or the entries are not those of the log.
    async fn explain(&self, checkpoint: &Checkpoint) -> Rejected {
        let (own, size) = (self.tree.size(), checkpoint.size);
        let mut tiles = Tiles::new();
        for id in tlog::tiles_for_root(size).into_iter().chain(tlog::tiles_for_consistency(own, size)) {
            match self.source.tile(id).await {
                Ok(hashes) => drop(tiles.insert((id.level, id.index), hashes)),
                Err(fault) => return Rejected::Unreachable(fault.to_string()),
            }
        }
        let is_signed = Frontier::from_tiles(size, &tiles).is_ok_and(|tree| tree.root() == checkpoint.root);
        let proof = tlog::prove_consistency(&tiles, own, size).unwrap_or_default();
        let grew = tlog::verify_consistency((own, &self.tree.root()), (size, &checkpoint.root), &proof).is_ok();
        Rejected::Alarm(Box::new(if is_signed && !grew {
            self.fork(checkpoint)
        } else {
            let message = format!(
                "the entries from index {own} on do not lead to the root {} that is signed for {size} entries",
                checkpoint.root
            );
            Raised::new(Kind::EntriesDiffer, own.to_string(), message)
        }))
    }
}
