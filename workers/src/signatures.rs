//! Passkeys behind decisions, verified by the role that acts and never by the page that shows.

use std::sync::Arc;

use contracts::commands::Decide;
use domain::{Person, Proof, Refusal};
use passkeys::Passkeys;

use crate::context::BatchContext;

/// Verifies signatures for the portal at one address, or refuses them where there is none.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    passkeys: Option<Arc<Passkeys>>,
}

impl Signatures {
    /// Signatures made at the portal of this address. At an address that passkeys cannot be bound to, such as a bare
    /// IP address, none holds.
    pub fn at(portal_url: &str) -> Self {
        match Passkeys::at(portal_url) {
            Ok(passkeys) => Self { passkeys: Some(Arc::new(passkeys)) },
            Err(fault) => {
                tracing::info!(%fault, "decisions signed with passkeys are refused");
                Self::default()
            }
        }
    }

    /// The proof behind a decision, if it carries a signature; the passkey's counter moves on.
    pub(crate) fn check(
        &self,
        decide: &Decide,
        by: &Person,
        context: &mut BatchContext<'_>,
    ) -> Result<Option<Proof>, Refusal> {
        let Some(assertion) = &decide.assertion else { return Ok(None) };
        let invalid = |why: &dyn std::fmt::Display| Refusal::PasskeyInvalid { why: why.to_string() };
        let passkeys = self.passkeys.as_ref().ok_or_else(|| invalid(&"the portal's address is none for passkeys"))?;
        let (owner, record) = context
            .snapshot
            .passkeys
            .get(&assertion.credential)
            .filter(|(owner, _)| *owner == by.id)
            .ok_or_else(|| invalid(&"the person has no such passkey; it may have been removed"))?;
        let challenge = domain::challenge(&decide.digest, decide.verdict, decide.duration_seconds);
        let verified = passkeys.verify(record, challenge, assertion).map_err(|fault| invalid(&fault))?;
        let owner = *owner;
        let record = verified.kept.record;
        context.snapshot.passkeys.insert(assertion.credential.clone(), (owner, record.clone()));
        context.changes.passkeys.push((assertion.credential.clone(), record));
        Ok(Some(Proof { credential: assertion.credential.clone(), evidence: verified.evidence.to_string() }))
    }
}
