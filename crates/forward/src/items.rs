//! What is sent: entries in their order, and in the place of entries that cannot be read a gap that says so.

use chrono::{DateTime, Utc};
use evidence::{Entry, Event};
use serde_json::{Value, json};
use store::Store;
use store::log::{EntryRow, Head};

/// One thing to send.
pub(super) enum Item {
    Entry(Box<Sent>),
    Gap(Gap),
}

/// An entry on its way out.
pub(super) struct Sent {
    pub log: String,
    pub index: u64,
    pub seq: u64,
    pub prev: String,
    pub leaf: String,
    pub event: Event,
    pub bytes: Vec<u8>,
}

/// Entries that are missing or cannot be read.
#[derive(Debug)]
pub(super) struct Gap {
    pub log: String,
    pub tenant: Option<String>,
    pub first: i64,
    /// The entry after the last one.
    pub end: i64,
    /// When it was found.
    pub at: DateTime<Utc>,
}

impl Sent {
    /// Takes an event and its place apart; `None` when it lacks what every event has.
    pub fn read(log: &str, index: u64, bytes: &[u8], (seq, prev, leaf): (u64, &str, &str)) -> Option<Self> {
        let event = Event::read(serde_json::from_slice(bytes).ok()?)?;
        let (prev, leaf) = (prev.to_owned(), leaf.to_owned());
        Some(Self { log: log.to_owned(), index, seq, prev, leaf, event, bytes: bytes.to_vec() })
    }

    pub fn is_refusal(&self) -> bool {
        evidence::views::is_refusal(&self.event)
    }

    fn of(head: &Head, row: &EntryRow, bytes: &[u8]) -> Option<Self> {
        let entry = Entry::read(bytes)?;
        let place = (entry.seq, hex::encode(entry.prev.0), hex::encode(&row.leaf));
        Self::read(&head.origin, u64::try_from(row.index).ok()?, entry.event, (place.0, &place.1, &place.2))
    }
}

impl Gap {
    /// For people.
    pub fn words(&self) -> String {
        match self.end - self.first {
            1 => format!("entry {} of {} is missing or cannot be read", self.first, self.log),
            _ => format!("entries {} to {} of {} are missing or cannot be read", self.first, self.end - 1, self.log),
        }
    }

    /// For programs.
    pub fn document(&self) -> Value {
        json!({"end": self.end, "first": self.first, "log": self.log, "message": self.words(), "type": "lockbox.log.gap"})
    }
}

impl Item {
    /// Index of the entry after it.
    pub fn end(&self) -> i64 {
        match self {
            Self::Entry(sent) => i64::try_from(sent.index).unwrap_or(i64::MAX).saturating_add(1),
            Self::Gap(gap) => gap.end,
        }
    }

    /// How many entries are missing in its place.
    pub fn missing(&self) -> i64 {
        match self {
            Self::Entry(_) => 0,
            Self::Gap(gap) => gap.end - gap.first,
        }
    }

    pub fn ocsf(&self) -> Value {
        match self {
            Self::Entry(sent) => evidence::views::ocsf(&sent.log, sent.index, &sent.bytes, &sent.event),
            Self::Gap(gap) => {
                let first = u64::try_from(gap.first).unwrap_or_default();
                evidence::views::ocsf_gap(&gap.log, first, &gap.words(), gap.at, &gap.document())
            }
        }
    }
}

/// A stretch of a log: each entry, except those that are in the archive, and a gap for each run of unreadable ones.
pub(super) async fn read(store: &Store, head: &Head, from: i64, to: i64) -> Result<Vec<Item>, store::Error> {
    let mut rows = store.log_entries(head, from, to).await?.into_iter().peekable();
    let (mut found, mut archived, mut cut) = (Vec::new(), 0_u32, None);
    for index in from..to {
        let row = rows.next_if(|row| row.index == index);
        let bytes = row.as_ref().and_then(|row| row.bytes.as_deref());
        if row.is_some() && bytes.is_none() {
            let cut = match cut {
                Some(cut) => cut,
                None => *cut.insert(store.log_cut(head.id).await?),
            };
            if index < cut {
                archived += 1;
                continue;
            }
        }
        match row.as_ref().zip(bytes).and_then(|(row, bytes)| Sent::of(head, row, bytes)) {
            Some(sent) => found.push(Item::Entry(Box::new(sent))),
            None => miss(&mut found, head, index, store.clock().await?),
        }
    }
    for gap in found.iter().filter_map(|item| if let Item::Gap(gap) = item { Some(gap) } else { None }) {
        tracing::error!(log = head.origin, "{}; the other end is told; `lockbox audit verify` says more", gap.words());
    }
    if archived > 0 {
        tracing::warn!(
            log = head.origin,
            entries = archived,
            "entries were moved to the archive before they were forwarded"
        );
    }
    Ok(found)
}

fn miss(found: &mut Vec<Item>, head: &Head, index: i64, at: DateTime<Utc>) {
    if let Some(Item::Gap(gap)) = found.last_mut()
        && gap.end == index
    {
        gap.end += 1;
        return;
    }
    let (log, tenant) = (head.origin.clone(), head.tenant.clone());
    found.push(Item::Gap(Gap { log, tenant, first: index, end: index + 1, at }));
}
