//! Passkey signatures of decisions. The role that applies a decision verifies them, never the portal.

use std::sync::Arc;

use contracts::commands::Decide;
use domain::{Person, Proof, Refusal};
use passkeys::Passkeys;

use crate::context::BatchContext;

/// Verifies signatures that were made at the portal's address; without an address it refuses all.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    passkeys: Option<Arc<Passkeys>>,
}

impl Signatures {
    /// Signatures for the portal at this address. Passkeys cannot be bound to some addresses, such as an IP address; then
    /// every signature is refused.
    pub fn at(portal_url: &str) -> Self {
        match Passkeys::at(portal_url) {
            Ok(passkeys) => Self { passkeys: Some(Arc::new(passkeys)) },
            Err(fault) => {
                tracing::info!(%fault, "decisions with a passkey signature are refused, because passkeys do not work at this portal address");
                Self::default()
            }
        }
    }

    /// Verifies the signature of a decision, if it has one, and updates the passkey's counter.
    pub(crate) fn check(
        &self,
        decide: &Decide,
        by: &Person,
        context: &mut BatchContext<'_>,
    ) -> Result<Option<Proof>, Refusal> {
        let Some(assertion) = &decide.assertion else { return Ok(None) };
        let invalid = |why: &dyn std::fmt::Display| Refusal::PasskeyInvalid { why: why.to_string() };
        let passkeys =
            self.passkeys.as_ref().ok_or_else(|| invalid(&"passkeys do not work at the portal's address"))?;
        let (owner, record) = context
            .snapshot
            .passkeys
            .get(&assertion.credential)
            .filter(|(owner, _)| *owner == by.id)
            .ok_or_else(|| invalid(&"this person has no such passkey; it may have been removed"))?;
        let challenge = domain::challenge(&decide.digest, decide.verdict, decide.duration_seconds);
        let verified = passkeys.verify(record, challenge, assertion).map_err(|fault| invalid(&fault))?;
        let owner = *owner;
        let record = verified.passkey.record;
        context.snapshot.passkeys.insert(assertion.credential.clone(), (owner, record.clone()));
        context.changes.passkeys.push((assertion.credential.clone(), record));
        Ok(Some(Proof { credential: assertion.credential.clone(), evidence: verified.evidence.to_string() }))
    }
}
