//! Verifies for this process that a grant has the consent of its tenant, against the trust folder, and remembers the result.
//!
//! The row of a grant can be written by anyone who has the database. A grant of a tenant in the trust folder counts only as far
//! as the tenant's signed log proves it. Deliberately absent: the end of access, which the row and the clock decide.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use evidence::grant::{Refusal, Trust as TrustedTenant, VerifiedGrant, verify_grant};
use store::Store;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::trust::{Trust, TrustFolder};

/// Results that are remembered at least. The memory holds up to twice as many.
const REMEMBERED: usize = 50_000;
/// How long a refusal counts: the log may prove the grant a moment later.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(1);

/// What the row of a grant says.
#[derive(Clone, Copy, Debug)]
pub struct GrantRow<'a> {
    /// Its request.
    pub request: Uuid,
    /// Short name of its tenant.
    pub tenant: &'a str,
    /// Service.
    pub service: &'a str,
    /// The resource that it covers.
    pub resource: &'a str,
    /// Whether the requester may change content.
    pub may_write: bool,
    /// Id of the requester.
    pub person: Uuid,
    /// Whether the tenant has an authority of its own.
    pub is_founded: bool,
}

/// The consent to a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The signed log proves it.
    Verified(Arc<VerifiedGrant>),
    /// Not verified: this tenant has no authority of its own.
    NotVerified,
}

impl Consent {
    /// The time from which access is active, as far as the log decides.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Verified(grant) => grant.access_from <= now && now < grant.access_until,
            Self::NotVerified => true,
        }
    }

    /// The earlier of the end in the row and the end in the log.
    pub fn until(&self, row: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        match self {
            Self::Verified(grant) => row.map(|row| row.min(grant.access_until)),
            Self::NotVerified => row,
        }
    }
}

/// Why a grant does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The tenant has an authority, and this process does not know it.
    #[error("{0} has an authority of its own that is not in the trust folder; add it with `lockbox trust add {0}`")]
    NotTrusted(String),
    /// Consent is required, and the tenant has no authority.
    #[error("{0} has no authority in the trust folder, and the setting require-consent is on")]
    Required(String),
    /// The trust folder cannot be used.
    #[error("the trust folder cannot be used: {0}")]
    Folder(String),
    /// The row says more than the log.
    #[error("the row of the grant has another {0} than the signed log")]
    Row(&'static str),
    /// The log does not prove the grant.
    #[error("{0}")]
    Log(#[from] Refusal),
    /// The database does not answer.
    #[error("the log cannot be read: {0}")]
    Database(String),
}

impl Unverified {
    /// The codes.
    pub const CODES: [&'static str; 3] = ["consent_pending", "consent_not_trusted", "consent_unverified"];

    /// Its code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log(Refusal::NotLogged | Refusal::Witnesses { .. }) | Self::Database(_) => "consent_pending",
            Self::NotTrusted(_) | Self::Required(_) | Self::Folder(_) => "consent_not_trusted",
            Self::Log(_) | Self::Row(_) => "consent_unverified",
        }
    }

    /// Whether the log may prove the grant in a moment.
    pub fn is_pending(&self) -> bool {
        self.code() == "consent_pending"
    }
}

/// One verification, which concurrent callers share.
struct Slot {
    since: Instant,
    result: OnceCell<Result<Arc<VerifiedGrant>, Refusal>>,
}

/// Results by request. When the newer half is full, the older half is forgotten; a result that is used moves to the newer half.
#[derive(Default)]
struct Memory {
    trust: Arc<Trust>,
    newer: HashMap<Uuid, Arc<Slot>>,
    older: HashMap<Uuid, Arc<Slot>>,
}

impl Memory {
    fn slot(&mut self, trust: &Arc<Trust>, request: Uuid, now: Instant) -> Arc<Slot> {
        if !Arc::ptr_eq(&self.trust, trust) {
            *self = Self { trust: trust.clone(), ..Self::default() };
        }
        let is_over = |slot: &Slot| {
            matches!(slot.result.get(), Some(Err(_))) && now.duration_since(slot.since) >= REFUSAL_LIFETIME
        };
        let known = self.newer.get(&request).cloned().or_else(|| self.older.remove(&request));
        let slot = known
            .filter(|slot| !is_over(slot))
            .unwrap_or_else(|| Arc::new(Slot { since: now, result: OnceCell::new() }));
        if self.newer.len() >= REMEMBERED && !self.newer.contains_key(&request) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(request, slot.clone());
        slot
    }
}

struct Inner {
    store: Store,
    trust: TrustFolder,
    memory: Mutex<Memory>,
}

/// Verifies grants, and remembers the results.
#[derive(Clone)]
pub struct VerifiedGrants(Arc<Inner>);

impl VerifiedGrants {
    /// Reads evidence from this database and judges it by this folder.
    pub fn new(store: Store, trust: TrustFolder) -> Self {
        Self(Arc::new(Inner { store, trust, memory: Mutex::default() }))
    }

    /// The consent to a grant.
    ///
    /// # Errors
    /// Why it does not open.
    pub async fn verify(&self, row: GrantRow<'_>) -> Result<Consent, Unverified> {
        let result = self.find(row).await;
        if let Err(unverified) = &result {
            metrics::counter!("lockbox_consent_verifications_total", "result" => unverified.code()).increment(1);
        }
        result
    }

    async fn find(&self, row: GrantRow<'_>) -> Result<Consent, Unverified> {
        let trust = self.0.trust.current();
        if let Some(fault) = &trust.fault {
            return Err(Unverified::Folder(fault.clone()));
        }
        let tenant = match trust.tenants.get(row.tenant) {
            Some(Ok(tenant)) => tenant,
            Some(Err(fault)) => return Err(Unverified::Folder(fault.clone())),
            None if row.is_founded => return Err(Unverified::NotTrusted(row.tenant.to_owned())),
            None if trust.is_required => return Err(Unverified::Required(row.tenant.to_owned())),
            None => return Ok(Consent::NotVerified),
        };
        let now = Instant::now();
        let slot = self.0.memory.lock().unwrap_or_else(PoisonError::into_inner).slot(&trust, row.request, now);
        let result = slot.result.get_or_try_init(|| self.judge(tenant, row.request)).await?;
        let grant = result.as_ref().map_err(Clone::clone)?;
        compare(&row, grant)?;
        Ok(Consent::Verified(grant.clone()))
    }

    /// Verifies a grant now. A failure to read the evidence is not remembered.
    async fn judge(
        &self,
        tenant: &TrustedTenant,
        request: Uuid,
    ) -> Result<Result<Arc<VerifiedGrant>, Refusal>, Unverified> {
        let evidence = self.0.store.grant_evidence(&tenant.tenant, request).await;
        let evidence = evidence.map_err(|error| Unverified::Database(crate::error_chain(&error)))?;
        let result = match evidence {
            Some(evidence) => verify_grant(tenant, &evidence).map(Arc::new),
            None => Err(Refusal::NotLogged),
        };
        match &result {
            Ok(_) => {
                metrics::counter!("lockbox_consent_verifications_total", "result" => "verified").increment(1);
            }
            Err(Refusal::NotLogged) => {}
            Err(refusal) => {
                tracing::warn!(%request, tenant = tenant.tenant, %refusal, "the consent to a grant is not verified; it does not open");
            }
        }
        Ok(result)
    }
}

/// Checks that the row states no more than the log.
fn compare(row: &GrantRow<'_>, grant: &VerifiedGrant) -> Result<(), Unverified> {
    let members = [
        ("request", row.request == grant.request),
        ("tenant", row.tenant == grant.tenant),
        ("service", row.service == grant.service),
        ("resource", row.resource == grant.resource),
        ("access level", !row.may_write || grant.may_write),
        ("requester", row.person == grant.requester),
    ];
    members.into_iter().find(|(_, is_same)| !is_same).map_or(Ok(()), |(member, _)| Err(Unverified::Row(member)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> VerifiedGrant {
        let (access_from, access_until) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1));
        let text = |text: &str| text.to_owned();
        VerifiedGrant {
            request: Uuid::from_u128(1),
            tenant: text("contoso"),
            service: text("sharepoint"),
            resource: text("https://contoso.example/sites/finance"),
            may_write: false,
            requester: Uuid::from_u128(2),
            access_from,
            access_until,
        }
    }

    #[test]
    fn a_row_that_says_more_than_the_log_does_not_open() {
        let grant = grant();
        let row = GrantRow {
            request: grant.request,
            tenant: "contoso",
            service: "sharepoint",
            resource: "https://contoso.example/sites/finance",
            may_write: false,
            person: grant.requester,
            is_founded: true,
        };
        assert_eq!(compare(&row, &grant), Ok(()));
        let less = VerifiedGrant { may_write: true, ..grant.clone() };
        assert_eq!(compare(&row, &less), Ok(()), "the row allows less");
        for (other, member) in [
            (GrantRow { request: Uuid::from_u128(3), ..row }, "request"),
            (GrantRow { tenant: "adatum", ..row }, "tenant"),
            (GrantRow { service: "onedrive", ..row }, "service"),
            (GrantRow { resource: "https://contoso.example/", ..row }, "resource"),
            (GrantRow { may_write: true, ..row }, "access level"),
            (GrantRow { person: Uuid::from_u128(3), ..row }, "requester"),
        ] {
            assert_eq!(compare(&other, &grant), Err(Unverified::Row(member)));
        }
        let (now, consent) = (grant.access_until, Consent::Verified(Arc::new(grant.clone())));
        assert_eq!(consent.until(Some(now + chrono::TimeDelta::hours(1))), Some(now), "the earlier end counts");
        assert_eq!(consent.until(Some(grant.access_from)), Some(grant.access_from));
        assert!(!consent.is_active(now) && consent.is_active(grant.access_from));
    }

    #[test]
    fn a_verified_grant_is_remembered_a_refusal_for_a_second_and_neither_with_other_trust() {
        let (mut memory, trust, start) = (Memory::default(), Arc::new(Trust::default()), Instant::now());
        let (verified, refused) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let slot = memory.slot(&trust, verified, start);
        slot.result.set(Ok(Arc::new(grant()))).unwrap();
        memory.slot(&trust, refused, start).result.set(Err(Refusal::NotLogged)).unwrap();
        let later = start + REFUSAL_LIFETIME;
        assert!(memory.slot(&trust, refused, start).result.get().is_some());
        assert!(memory.slot(&trust, refused, later).result.get().is_none(), "verified again");
        assert!(Arc::ptr_eq(&memory.slot(&trust, verified, later), &slot));
        // Many other grants: one that is used stays, and the memory is bounded.
        for number in 0..3 * REMEMBERED {
            let other = Uuid::from_u128(1000 + u128::try_from(number).unwrap());
            memory.slot(&trust, other, start);
            if number % 1000 == 0 {
                assert!(Arc::ptr_eq(&memory.slot(&trust, verified, start), &slot));
            }
        }
        assert!(memory.newer.len() + memory.older.len() <= 2 * REMEMBERED);
        assert!(memory.slot(&trust, refused, start).result.get().is_none(), "forgotten");
        let other_trust = Arc::new(Trust { is_required: true, ..Trust::default() });
        assert!(memory.slot(&other_trust, verified, start).result.get().is_none());
    }
}
