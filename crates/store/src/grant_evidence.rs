//! Reads the evidence for a grant from the log of its tenant: the signed checkpoint, the entries of the request and of the
//! tenant's authority, and their inclusion proofs.
//!
//! Deliberately absent: any judgement. A user who can write to this database can write anything here; `evidence::grant` verifies.

use std::collections::BTreeSet;

use contracts::entry::Entry;
use evidence::grant::{GrantEvidence, Proved};
use tlog::{Hash, Tiles, prove_inclusion, tiles_for_inclusion};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

const ENTRIES: &str = include_str!("grant_evidence/entries.sql");
const TILES: &str = include_str!("grant_evidence/tiles.sql");

#[derive(sqlx::FromRow)]
struct Row {
    log: i32,
    origin: String,
    size: i64,
    note: String,
    r#type: String,
    index: i64,
    seq: i64,
    prev: Vec<u8>,
    v: i16,
    body: Vec<u8>,
}

impl Row {
    fn entry(&self) -> Vec<u8> {
        let prev = Hash::from_slice(&self.prev).map_or([0; 32], |hash| hash.0);
        Entry { event: &self.body, log: &self.origin, prev, seq: self.seq, v: self.v }.bytes()
    }
}

/// Places outside the tree have no proof, and the verifier reports them.
fn place(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Store {
    /// The evidence for a grant; `None` when its activation is not in a signed checkpoint of the tenant's log yet. Two
    /// statements, whatever the size of the log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grant_evidence(&self, tenant: &str, request: Uuid) -> Result<Option<GrantEvidence>, Error> {
        let doing = "reading the evidence for a grant";
        let rows: Vec<Row> =
            sqlx::query_as(ENTRIES).bind(tenant).bind(request).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        let Some(first) = rows.first() else { return Ok(None) };
        let size = place(first.size);
        let wanted = rows.iter().flat_map(|row| tiles_for_inclusion(place(row.index), size));
        let wanted: BTreeSet<(u8, u64, u16)> = wanted.map(|id| (id.level, id.index, id.width)).collect();
        let tiles = self.tiles_at_once(first.log, &wanted).await?;
        let mut evidence = GrantEvidence { checkpoint: first.note.clone(), ..GrantEvidence::default() };
        for row in &rows {
            let index = place(row.index);
            // An empty proof does not verify.
            let proof = prove_inclusion(&tiles, index, size).unwrap_or_default();
            let proved = Proved { index, entry: row.entry(), proof };
            let list = if row.r#type == "authority.changed" { &mut evidence.authority } else { &mut evidence.steps };
            list.push(proved);
        }
        Ok(Some(evidence))
    }

    async fn tiles_at_once(&self, log: i32, wanted: &BTreeSet<(u8, u64, u16)>) -> Result<Tiles, Error> {
        let first = |index: u64| i64::try_from(index * 256).unwrap_or(i64::MAX);
        let hashes: Vec<Option<Vec<u8>>> = sqlx::query_scalar(TILES)
            .bind(log)
            .bind(wanted.iter().map(|(level, ..)| i16::from(*level)).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(_, index, _)| first(*index)).collect::<Vec<_>>())
            .bind(
                wanted
                    .iter()
                    .map(|(_, index, width)| first(*index).saturating_add((*width).into()))
                    .collect::<Vec<_>>(),
            )
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("reading the tree of a log"))?;
        let places = wanted.iter().map(|(level, index, _)| (*level, *index));
        Ok(places.zip(hashes).filter_map(|(place, hashes)| Some((place, hashes?))).collect())
    }
}
