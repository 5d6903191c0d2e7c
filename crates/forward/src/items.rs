//! What is forwarded: entries in order, and a gap in place of unreadable entries.

use chrono::{DateTime, Utc};
use evidence::{Entry, Event};
use serde_json::{Value, json};
use store::Store;
use store::log::{EntryRow, Head};

/// One item to forward.
pub(super) enum Item {
    Entry(Box<Sent>),
    Gap(Gap),
}

/// An entry to forward.
pub(super) struct Sent {
    pub log: String,
    pub index: u64,
    pub seq: u64,
    pub prev: String,
    pub leaf: String,
    pub event: Event,
    pub bytes: Vec<u8>,
}

/// A run of entries that are missing or unreadable.
#[derive(Debug)]
pub(super) struct Gap {
    pub log: String,
    pub tenant: Option<String>,
    pub first: i64,
    /// Index after the last of them.
    pub end: i64,
    /// When the gap was found.
    pub at: DateTime<Utc>,
}

impl Sent {
    /// Parses an event; `None` when it lacks a field that every event has.
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
    /// A sentence for people.
    pub fn words(&self) -> String {
        match self.end - self.first {
            1 => format!("entry {} of {} is missing or cannot be read", self.first, self.log),
            _ => format!("entries {} to {} of {} are missing or cannot be read", self.first, self.end - 1, self.log),
        }
    }

    /// A document for programs.
    pub fn document(&self) -> Value {
        json!({"end": self.end, "first": self.first, "log": self.log, "message": self.words(), "type": "lockbox.log.gap"})
    }
}

impl Item {
    /// Index after this item.
    pub fn end(&self) -> i64 {
        match self {
            Self::Entry(sent) => i64::try_from(sent.index).unwrap_or(i64::MAX).saturating_add(1),
            Self::Gap(gap) => gap.end,
        }
    }

    /// Number of entries in the gap.
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

/// A range of a log: every entry that is not in the archive, and a gap for each run of unreadable entries.
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
            None => add_to_gap(&mut found, head, index, store.clock().await?),
        }
    }
    for gap in found.iter().filter_map(|item| if let Item::Gap(gap) = item { Some(gap) } else { None }) {
        tracing::error!(
            log = head.origin,
            "{}; reporting a gap to the receiver; run `lockbox audit verify` for the details",
            gap.words()
        );
    }
    if archived > 0 {
        tracing::warn!(
            log = head.origin,
            entries = archived,
            "entries were archived before they were forwarded; the receiver does not get them"
        );
    }
    Ok(found)
}

fn add_to_gap(found: &mut Vec<Item>, head: &Head, index: i64, at: DateTime<Utc>) {
    if let Some(Item::Gap(gap)) = found.last_mut()
        && gap.end == index
    {
        gap.end += 1;
        return;
    }
    let (log, tenant) = (head.origin.clone(), head.tenant.clone());
    found.push(Item::Gap(Gap { log, tenant, first: index, end: index + 1, at }));
}
