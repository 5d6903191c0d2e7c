//! Signatures of decisions. The role that applies a decision verifies them, never the portal: by the statement of the authority
//! that is in force, or, where there is no authority, by the passkeys that are registered.

use std::sync::Arc;

use consent::{Decision, SignedDecision, Statement, time_text};
use contracts::commands::Decide;
use domain::{Person, Proof, Refusal, Request, Stage, Verdict, commitment};
use passkeys::Passkeys;
use store::ReadSet;

use crate::context::BatchContext;

/// Verifies signatures. Passkeys of tenants without an authority count at the portal's address only; without an address they
/// are refused.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    passkeys: Option<Arc<Passkeys>>,
}

/// Adds what the verification of a decision reads.
pub(crate) fn collect_signature(decide: &Decide, read_set: &mut ReadSet) {
    read_set.signatures = true;
    if let Some(signed) = &decide.signature {
        read_set.passkeys.push(signed.assertion.key().to_owned());
        read_set.nonces.push(signed.decision.nonce.clone());
    }
}

impl Signatures {
    /// Signatures for the portal at this address. Passkeys cannot be bound to some addresses, such as an IP address; then
    /// every signature by a registered passkey is refused.
    pub fn at(portal_url: &str) -> Self {
        match Passkeys::at(portal_url) {
            Ok(passkeys) => Self { passkeys: Some(Arc::new(passkeys)) },
            Err(fault) => {
                tracing::info!(%fault, "decisions with a passkey signature are refused, because passkeys do not work at this portal address");
                Self::default()
            }
        }
    }

    /// Verifies the signature of a decision, and uses its nonce up. Without a signature: `None`, or a refusal where the
    /// authority requires one.
    pub(crate) fn check(
        &self,
        decide: &Decide,
        stage: Stage,
        by: &Person,
        context: &mut BatchContext<'_>,
    ) -> Result<Option<Proof>, Refusal> {
        // The lifecycle refuses a decision about a request that does not exist.
        let Some(request) = context.snapshot.requests.get(&decide.request).cloned() else { return Ok(None) };
        let name = match stage {
            Stage::Vendor => consent::VENDOR,
            Stage::Customer => &request.content.tenant_name,
        };
        let authority = context.snapshot.authorities.get(name).cloned();
        let Some(signed) = &decide.signature else {
            return if authority.is_some() { Err(Refusal::SignatureRequired) } else { Ok(None) };
        };
        let uncommented = decide.comment.as_ref().is_none_or(|comment| comment.as_str().is_empty());
        if authority.as_ref().is_some_and(|authority| authority.rules.comment_required) && uncommented {
            return Err(Refusal::CommentRequired);
        }
        check_nonce(signed, by, context)?;
        let version = authority.as_ref().map_or(0, |authority| authority.version);
        check_members(signed, &expected(signed, decide, (stage, name, version), by, &request))?;
        match &authority {
            Some(authority) => check_authority(signed, authority, context)?,
            None => self.check_passkey(signed, by, context)?,
        }
        context.snapshot.nonces.remove(&signed.decision.nonce);
        context.changes.nonces.push(signed.decision.nonce.clone());
        let evidence = serde_json::to_string(signed).map_err(|_| invalid(&"it cannot be written"))?;
        let comment_salt = decide.comment.as_ref().and(decide.comment_salt);
        Ok(Some(Proof { key: signed.assertion.key().to_owned(), evidence, comment_salt }))
    }

    /// Verifies a signature by a registered passkey, and updates its counter.
    fn check_passkey(
        &self,
        signed: &SignedDecision,
        by: &Person,
        context: &mut BatchContext<'_>,
    ) -> Result<(), Refusal> {
        let passkeys =
            self.passkeys.as_ref().ok_or_else(|| invalid(&"passkeys do not work at the portal's address"))?;
        let credential = signed.assertion.key().to_owned();
        let (owner, record) = context
            .snapshot
            .passkeys
            .get(&credential)
            .filter(|(owner, _)| *owner == by.id)
            .ok_or_else(|| invalid(&"this person has no such passkey; it may have been removed"))?;
        let owner = *owner;
        let challenge = signed.decision.challenge();
        let passkey = passkeys.verify(record, challenge, &signed.assertion).map_err(|fault| invalid(&fault))?;
        context.snapshot.passkeys.insert(credential.clone(), (owner, passkey.record.clone()));
        context.changes.passkeys.push((credential, passkey.record));
        Ok(())
    }
}

fn invalid(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::SignatureInvalid { why: why.to_string() }
}

/// The nonce was issued for this person and request, was not used, and is not too old.
fn check_nonce(signed: &SignedDecision, by: &Person, context: &BatchContext<'_>) -> Result<(), Refusal> {
    let decision = &signed.decision;
    let issued = context.snapshot.nonces.get(&decision.nonce).ok_or(Refusal::NonceInvalid)?;
    let is_own = issued.person == by.id.0 && issued.request == decision.request;
    let is_exact = decision.not_after == time_text(issued.not_after);
    if is_own && is_exact && context.now() <= issued.not_after { Ok(()) } else { Err(Refusal::NonceInvalid) }
}

/// The decision that follows from the command and from the stored content.
fn expected(
    signed: &SignedDecision,
    decide: &Decide,
    (stage, tenant, version): (Stage, &str, u64),
    by: &Person,
    request: &Request,
) -> Decision {
    let content = &request.content;
    let approved = match stage {
        Stage::Vendor => content.duration_seconds,
        Stage::Customer => decide.duration_seconds.unwrap_or(content.duration_seconds),
    };
    let comment = decide.comment.as_ref().map(|comment| {
        let salt = decide.comment_salt.unwrap_or_default();
        commitment(&salt, comment.as_str()).iter().map(|byte| format!("{byte:02x}")).collect()
    });
    Decision {
        tenant: tenant.to_owned(),
        authority_version: version,
        request: content.request.0,
        digest: request.digest.to_string(),
        verdict: decide.verdict.as_str().to_owned(),
        person: by.id.0,
        duration_seconds: if decide.verdict == Verdict::Approve { approved } else { 0 },
        service: content.service.clone(),
        resource: content.resource.clone(),
        access_level: content.access_level.as_str().to_owned(),
        comment,
        nonce: signed.decision.nonce.clone(),
        not_after: signed.decision.not_after.clone(),
    }
}

/// Every member of what was signed is that of the command and of the stored content.
fn check_members(signed: &SignedDecision, expected: &Decision) -> Result<(), Refusal> {
    let found = &signed.decision;
    let members = [
        ("tenant", found.tenant == expected.tenant),
        ("version of the authority", found.authority_version == expected.authority_version),
        ("request", found.request == expected.request),
        ("digest", found.digest == expected.digest),
        ("verdict", found.verdict == expected.verdict),
        ("person", found.person == expected.person),
        ("duration", found.duration_seconds == expected.duration_seconds),
        ("service", found.service == expected.service),
        ("resource", found.resource == expected.resource),
        ("access level", found.access_level == expected.access_level),
        ("comment", found.comment == expected.comment),
    ];
    match members.into_iter().find(|(_, is_equal)| !is_equal) {
        Some((member, _)) => Err(invalid(&format_args!("it was made for another {member}"))),
        None => Ok(()),
    }
}

/// Verifies the signature by the statement in force.
fn check_authority(signed: &SignedDecision, authority: &Statement, context: &BatchContext<'_>) -> Result<(), Refusal> {
    let verified = signed.decision.verify(authority, &signed.assertion, context.now());
    verified.map(drop).map_err(|fault| invalid(&fault))
}
