//! Verifies one grant from its own evidence: a checkpoint, the entries of the request and of the tenant's authority, and their
//! inclusion proofs. A gate decides by it without trust in the database that the evidence comes from.
//!
//! Deliberately absent: entries that the evidence leaves out, such as a later statement or an early end of access. A full
//! verification of the log and the customer's monitor find those; for the end of access, the gate asks the row.

use std::collections::BTreeSet;

mod authority;
mod decisions;
mod refusal;
mod steps;

use chrono::{DateTime, Utc};
use consent::{AuthorityFile, Pin, Statement};
use tlog::{Checkpoint, Error, Hash, Kind, Note, Verifier, leaf_hash, verify_inclusion};
use uuid::Uuid;

use crate::{Event, admission};
use authority::Timeline;

pub use refusal::Refusal;

/// What a gate trusts about one tenant, from files outside the reach of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Short name of the tenant.
    pub tenant: String,
    /// Keys of the tenant's log.
    pub keys: Vec<Verifier>,
    /// The authority of the tenant.
    pub authority: Pin,
    /// The authority of the vendor. With it, each decision of the vendor must be signed too.
    pub vendor: Option<AuthorityFile>,
}

/// An entry with the proof that it is in the tree of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Index of the entry.
    pub index: u64,
    /// Its exact bytes.
    pub entry: Vec<u8>,
    /// Inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
}

/// What shows that a grant has the consent of the tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantEvidence {
    /// The signed note of a checkpoint, with the signatures of witnesses.
    pub checkpoint: String,
    /// Entries with the statements of the tenant's authority, in the order of the log.
    pub authority: Vec<Proved>,
    /// Entries with the steps of the request up to `grant.activated`, in their order.
    pub steps: Vec<Proved>,
}

/// A grant as the signed log describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedGrant {
    /// Its request.
    pub request: Uuid,
    /// Short name of the tenant.
    pub tenant: String,
    /// Service.
    pub service: String,
    /// The resource that it covers.
    pub resource: String,
    /// Whether the requester may change content.
    pub may_write: bool,
    /// Id of the requester.
    pub requester: Uuid,
    /// Start of access.
    pub access_from: DateTime<Utc>,
    /// End of access, unless it ended earlier.
    pub access_until: DateTime<Utc>,
}

/// Verifies a grant: the signature of the log, the inclusion of every entry, the authority from what is trusted, the lifecycle
/// of the request, the signature of each decision by the authority in force at its time, the rules that protect the tenant, and
/// the signatures of witnesses (docs/audit-format.md, §10 and §11).
///
/// # Errors
/// The first [`Refusal`] that is found.
pub fn verify_grant(trust: &Trust, evidence: &GrantEvidence) -> Result<VerifiedGrant, Refusal> {
    let note: Note = evidence.checkpoint.parse().map_err(|_| Refusal::Checkpoint)?;
    let checkpoint = open(&note, &trust.keys)?;
    if checkpoint.origin.rsplit_once("/t/").map(|(_, tenant)| tenant) != Some(trust.tenant.as_str()) {
        return Err(Refusal::Checkpoint);
    }
    let read = |proved: &[Proved]| proved.iter().map(|one| included(one, &checkpoint)).collect::<Result<Vec<_>, _>>();
    let (statements, steps) = (read(&evidence.authority)?, read(&evidence.steps)?);
    let timeline = Timeline::of_log(&trust.authority, &statements)?;
    let vendor = trust.vendor.as_ref().map(Timeline::of_file).transpose()?;
    let last = steps.last().ok_or(Refusal::NotLogged)?.at.max(timeline.last());
    witnessed(&note, timeline.in_force(last)?)?;
    let history = steps::replay(&steps)?;
    let content = steps::content(&steps[0], &trust.tenant)?;
    decisions::verify(&steps, &content, &timeline, vendor.as_ref())?;
    let text = |name: &str| content[name].as_str().map(str::to_owned).ok_or(Refusal::Content);
    Ok(VerifiedGrant {
        request: steps::id(&content, "request")?,
        tenant: trust.tenant.clone(),
        service: text("service")?,
        resource: text("resource")?,
        may_write: text("access_level")? == "read_write",
        requester: steps::id(&content, "requester")?,
        access_from: history.access_from.ok_or(Refusal::NotLogged)?,
        access_until: history.access_until.ok_or(Refusal::NotLogged)?,
    })
}

fn open(note: &Note, keys: &[Verifier]) -> Result<Checkpoint, Refusal> {
    Checkpoint::open(note, keys).map(|(checkpoint, _)| checkpoint).map_err(|fault| match fault {
        Error::NotSigned => Refusal::LogKey,
        Error::BadSignature(name) => Refusal::Signature(name),
        _ => Refusal::Checkpoint,
    })
}

/// The event of an entry, when the entry is in the tree and belongs in this log.
fn included(proved: &Proved, checkpoint: &Checkpoint) -> Result<Event, Refusal> {
    let leaf = leaf_hash(&proved.entry);
    verify_inclusion(&leaf, proved.index, checkpoint.size, &proved.proof, &checkpoint.root)
        .map_err(|_| Refusal::Entry(proved.index))?;
    let (entry, event) = admission::read(&proved.entry).map_err(|_| Refusal::Entry(proved.index))?;
    if admission::faults(&checkpoint.origin, &entry, &event).is_empty() {
        Ok(event)
    } else {
        Err(Refusal::Entry(proved.index))
    }
}

/// Checks that enough of the witnesses of the authority signed the checkpoint. Other signatures of witnesses do not count.
fn witnessed(note: &Note, authority: &Statement) -> Result<(), Refusal> {
    let rules = &authority.rules;
    let keys: Vec<Verifier> = rules.witnesses.iter().filter_map(|witness| witness.key.parse().ok()).collect();
    let signs = |key: &&Verifier| key.kind == Kind::Witness && note.verify(&[(*key).clone()]).is_ok();
    let found = keys.iter().filter(signs).map(|key| key.key).collect::<BTreeSet<_>>().len();
    let needed = rules.witnesses_required;
    if found >= needed { Ok(()) } else { Err(Refusal::Witnesses { found, needed }) }
}

#[cfg(test)]
mod tests;
