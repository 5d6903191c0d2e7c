//! The chain of a tenant's statements: which one is in force at a moment, and whether the next one is accepted.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::assertion::{self, Assertion};
use crate::change::{Change, Effect, changes};
use crate::fault::Fault;
use crate::key::KeyKind;
use crate::statement::Statement;

/// A signature of an approver, or of the recovery key, under a statement.
pub type Signature = Assertion;

/// A statement with its signatures, as the event `authority.changed` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// What is stated.
    pub statement: Statement,
    /// Signatures over its challenge.
    pub signatures: Vec<Signature>,
}

/// What followed from recording a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What it changes.
    pub changes: Vec<Change>,
    /// When it is in force, unless another statement replaces it before.
    pub in_force_from: DateTime<Utc>,
    /// Approvers who signed.
    pub signers: Vec<Uuid>,
}

/// A statement that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pending {
    statement: Statement,
    from: DateTime<Utc>,
}

/// A tenant's authority as it follows from its statements.
///
/// Times are those at which the log recorded the statements. A statement is judged by the one that is in force when it is
/// recorded. It replaces a statement that is still pending, so that the approvers in force can stop a change that they did
/// not want before it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    founding: Statement,
    latest: Statement,
    in_force: Statement,
    pending: Option<Pending>,
    recorded_at: Option<DateTime<Utc>>,
}

impl Chain {
    /// Begins a chain. Every approver of the first statement signs it, which proves that they hold their keys.
    ///
    /// # Errors
    /// The first [`Fault`] that is found.
    pub fn found(signed: &SignedStatement) -> Result<Self, Fault> {
        let statement = &signed.statement;
        statement.validate()?;
        if statement.version != 1 {
            return Err(Fault::Version { found: statement.version, expected: 1 });
        }
        let signers = signers(statement, signed)?;
        let needed = statement.approvers.len();
        if signers.persons.len() < needed {
            return Err(Fault::TooFew { found: signers.persons.len(), needed });
        }
        Ok(Self {
            founding: statement.clone(),
            latest: statement.clone(),
            in_force: statement.clone(),
            pending: None,
            recorded_at: None,
        })
    }

    /// The first statement, whose fingerprint a customer keeps.
    pub fn founding(&self) -> &Statement {
        &self.founding
    }

    /// The last statement that was recorded, whether or not it is in force.
    pub fn latest(&self) -> &Statement {
        &self.latest
    }

    /// The statement in force at a moment not before the last recorded one.
    pub fn in_force(&self, at: DateTime<Utc>) -> &Statement {
        self.pending.as_ref().filter(|pending| pending.from <= at).map_or(&self.in_force, |pending| &pending.statement)
    }

    /// The statement that takes effect later, and when.
    pub fn pending(&self, at: DateTime<Utc>) -> Option<(&Statement, DateTime<Utc>)> {
        self.pending.as_ref().filter(|pending| pending.from > at).map(|pending| (&pending.statement, pending.from))
    }

    /// Adds the next statement, recorded at `at`.
    ///
    /// # Errors
    /// The first [`Fault`] that is found; the chain is as it was.
    pub fn record(&mut self, signed: &SignedStatement, at: DateTime<Utc>) -> Result<Recorded, Fault> {
        let (judge, next) = (self.in_force(at).clone(), &signed.statement);
        next.validate()?;
        if next.tenant != self.founding.tenant {
            return Err(Fault::Tenant(next.tenant.clone()));
        }
        let expected = self.latest.version + 1;
        if next.version != expected {
            return Err(Fault::Version { found: next.version, expected });
        }
        if next.previous.as_deref() != Some(hex::encode(self.latest.hash()).as_str()) {
            return Err(Fault::Previous);
        }
        // An older judge would know approvers who have been removed since.
        if self.recorded_at.is_some_and(|last| at < last) {
            return Err(Fault::Backdated);
        }
        let changes = changes(&judge, next);
        let signers = signers(&judge, signed)?;
        let own = is_own(&changes, &signers.persons);
        let needed = needed_signatures(&judge, &changes, own);
        if !signers.has_recovery && signers.persons.len() < needed {
            return Err(Fault::TooFew { found: signers.persons.len(), needed });
        }
        let weakens = changes.iter().any(|change| change.effect == Effect::Weakens) && !own;
        let delayed = weakens || signers.persons.len() < needed;
        let delay = if delayed { TimeDelta::seconds(judge.change_delay_seconds) } else { TimeDelta::zero() };
        let stated = DateTime::parse_from_rfc3339(&next.effective_at).map_or(at, |time| time.to_utc());
        let in_force_from = stated.max(at + delay);
        self.in_force = judge;
        self.latest = next.clone();
        self.recorded_at = Some(at);
        self.pending = Some(Pending { statement: next.clone(), from: in_force_from });
        Ok(Recorded { changes, in_force_from, signers: signers.persons.into_iter().collect() })
    }
}

/// Who signed a statement.
struct Signers {
    persons: BTreeSet<Uuid>,
    has_recovery: bool,
}

/// Verifies every signature by the keys of `judge`. One that does not verify, or is nobody's, makes the statement invalid.
fn signers(judge: &Statement, signed: &SignedStatement) -> Result<Signers, Fault> {
    let challenge = signed.statement.challenge();
    let mut signers = Signers { persons: BTreeSet::new(), has_recovery: false };
    for signature in &signed.signatures {
        let id = signature.key();
        if let Some(key) = judge.recovery_key.as_ref().filter(|key| key.id == id) {
            assertion::verify(key, &judge.portal, &challenge, signature)?;
            signers.has_recovery = true;
            continue;
        }
        let (approver, key) = judge.key(id).ok_or_else(|| Fault::UnknownKey(id.to_owned()))?;
        if key.kind == KeyKind::Software && !judge.rules.software_keys {
            return Err(Fault::SoftwareKey);
        }
        assertion::verify(key, &judge.portal, &challenge, signature)?;
        signers.persons.insert(approver.person);
    }
    Ok(signers)
}

/// Whether the change is about the keys and delegations of one approver alone, who signed it with a key in force.
fn is_own(changes: &[Change], signers: &BTreeSet<Uuid>) -> bool {
    let Some(owner) = changes.first().and_then(|change| change.own_of) else { return false };
    signers.contains(&owner) && changes.iter().all(|change| change.own_of == Some(owner))
}

fn needed_signatures(judge: &Statement, changes: &[Change], own: bool) -> usize {
    // No change at all withdraws the pending one, which any approver may do.
    if changes.is_empty() || own {
        return 1;
    }
    let weakens = changes.iter().any(|change| change.effect == Effect::Weakens);
    let decision = if weakens { judge.rules.required_approvals.max(2) } else { 1 };
    judge.change_signatures.max(decision).min(judge.signers())
}

#[cfg(test)]
mod tests;
