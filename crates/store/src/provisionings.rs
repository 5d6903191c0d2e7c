//! Provisionings: claims of those that are due, and their results. The rows are locked before the clock is read, and no
//! transaction is open while a target is called: a claim expires by itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::envelope::Message;
use contracts::events;
use domain::Content;
use domain::provisioning::{Provisioning, ProvisioningEvent, ProvisioningFact, ProvisioningState, step};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

mod row;
mod view;

use row::ProvisioningRow;
pub use view::{AccessView, ProvisioningView, UnconfirmedRevocations};

/// The connector of a service without a configured one: only the gate enforces access.
pub const GATE: &str = "gate";

/// A provisioning that this process may act on until its claim ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The claim.
    pub claim: Uuid,
    /// The provisioning.
    pub provisioning: Provisioning,
    /// The connector that provisions and revokes it.
    pub connector: String,
    /// The content of the request.
    pub content: Content,
    /// Whether the requester is enabled: nothing is provisioned for a disabled person.
    pub engineer_enabled: bool,
    /// Whether a provisioning call was in progress when the claim was made: it may undo what is observed now.
    pub provisioning_elsewhere: bool,
}

/// Result of claiming due provisionings.
#[derive(Debug, Default)]
pub struct Due {
    /// Provisionings to act on.
    pub claimed: Vec<Claimed>,
    /// Events of provisionings that needed no call to a target.
    pub messages: Vec<Message>,
    /// Number of provisionings that were due.
    pub count: usize,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// When the next provisioning is due, if any.
    pub next: Option<DateTime<Utc>>,
}

/// Pause before the proof of access is checked again.
const PROOF_PAUSE: TimeDelta = TimeDelta::seconds(1);

// A provisioning with a provisioning call in progress is locked like any other: revocation does not wait for it.
const DUE: &str = "select d.request, d.state, d.connector, d.until_at, d.next_try_at, d.opener, d.provisioning_until, d.failures, \
                   d.first_failed_at, d.last_error, d.alarmed, d.provisioned_at, d.revocation_ordered_at, d.refused_from, d.cut_at, \
                   d.sessions_cut, d.revoked_at, d.claim, r.content, p.enabled as engineer_enabled, \
                   t.witnesses_required is null or access_is_proved(r.id) as is_proved \
                   from provisionings d join requests r on r.id = d.request join people p on p.id = r.requester \
                   join tenants t on t.id = r.tenant \
                   where d.next_try_at <= clock_timestamp() order by d.next_try_at limit $1 for update of d skip locked";
const ONE: &str = "select d.request, d.state, d.connector, d.until_at, d.next_try_at, d.opener, d.provisioning_until, d.failures, \
                   d.first_failed_at, d.last_error, d.alarmed, d.provisioned_at, d.revocation_ordered_at, d.refused_from, d.cut_at, \
                   d.sessions_cut, d.revoked_at, d.claim, r.content, p.enabled as engineer_enabled, \
                   t.witnesses_required is null or access_is_proved(r.id) as is_proved \
                   from provisionings d join requests r on r.id = d.request join people p on p.id = r.requester \
                   join tenants t on t.id = r.tenant \
                   where d.request = $1 for update of d";
const CLOCK: &str = "select clock_timestamp()";
const NEXT: &str = "select min(next_try_at) from provisionings where next_try_at is not null";
const LIVE: &str = "select request from provisionings where request = any($1) and state <> 'revoked'";
const SHOULD_BE_OPEN: &str = "select d.request from provisionings d where d.state = 'active' and d.connector = $1 \
                              and d.until_at > clock_timestamp() and d.provisioned_at < clock_timestamp() - interval '10 seconds' limit 10000";

/// The provisioning with the order to revoke access that has ended by now.
fn order_revocation(provisioning: Provisioning, now: DateTime<Utc>) -> Provisioning {
    if provisioning.until > now {
        return provisioning;
    }
    let ended = ProvisioningFact::RevocationOrdered { refused_from: provisioning.until, at: now };
    step(&provisioning, &ended).0
}

impl Store {
    /// Claims up to `limit` due provisionings for `lease`. Those whose connector is the gate are completed immediately. The order
    /// to revoke access that has ended is written here, before a target is called.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_provisionings(
        &self,
        limit: i64,
        lease: Duration,
        choose: impl Fn(&str) -> &'static str,
    ) -> Result<Due, Error> {
        let doing = "claiming provisionings";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let rows: Vec<ProvisioningRow> =
            sqlx::query_as(DUE).bind(limit).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let mut due = Due { count: rows.len(), now, ..Due::default() };
        let mut written = Vec::with_capacity(rows.len());
        for mut row in rows {
            let content = row.content()?;
            let before = row.provisioning()?;
            let was = before.state;
            let provisioning = order_revocation(before, now);
            let connector = row.connector.clone().unwrap_or_else(|| choose(&content.service).to_owned());
            if provisioning.state == ProvisioningState::Provisioning && !row.is_proved {
                // Access without proof is not provisioned: it is checked again until the log has both approvals. Revocation never waits for it.
                row.update(&Provisioning { next_try_at: Some(now + PROOF_PAUSE), ..provisioning }, connector);
                row.claim = None;
            } else if connector == GATE
                && provisioning.state == ProvisioningState::Revoking
                && was != ProvisioningState::Revoking
            {
                // The order and the revocation are two state changes: the next claim, immediately, completes it.
                row.update(&Provisioning { next_try_at: Some(now), ..provisioning }, connector);
                row.claim = None;
            } else if connector == GATE {
                let facts = [
                    ProvisioningFact::Provisioned { extra_rights: Vec::new(), at: now },
                    ProvisioningFact::SessionsCut { sessions: 0, at: provisioning.refused_from.unwrap_or(now) },
                    ProvisioningFact::Revoked { at: now },
                ];
                let (provisioning, events) = fold(
                    &provisioning,
                    if provisioning.state == ProvisioningState::Provisioning { &facts[..1] } else { &facts[1..] },
                );
                due.messages.extend(messages(&content, &connector, &provisioning, events, now));
                row.update(&provisioning, connector);
                row.claim = None;
            } else {
                let claim = Uuid::now_v7();
                let provisioning_elsewhere = row.provisioning_until.is_some_and(|until| until > now);
                let until = now + lease;
                if provisioning.state == ProvisioningState::Provisioning {
                    (row.opener, row.provisioning_until) = (Some(claim), Some(until));
                }
                row.update(&Provisioning { next_try_at: Some(until), ..provisioning.clone() }, connector.clone());
                row.claim = Some(claim);
                let engineer_enabled = row.engineer_enabled;
                due.claimed.push(Claimed {
                    claim,
                    provisioning,
                    connector,
                    content,
                    engineer_enabled,
                    provisioning_elsewhere,
                });
            }
            written.push(row);
        }
        row::write(&mut tx, &written).await?;
        crate::insert_outbox(&mut tx, &due.messages).await?;
        if due.count == 0 {
            due.next = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(due)
    }

    /// Stores the result of a claim. If another process took over, or access ended meanwhile, the result only records that this
    /// process no longer provisions.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn store_provisioning_result(
        &self,
        claimed: &Claimed,
        facts: &[ProvisioningFact],
    ) -> Result<Vec<Message>, Error> {
        let doing = "storing the result of a provisioning";
        let request = claimed.content.request.0;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let mut row: ProvisioningRow =
            sqlx::query_as(ONE).bind(request).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let before = row.provisioning()?;
        if row.opener == Some(claimed.claim) {
            (row.opener, row.provisioning_until) = (None, None);
        }
        let mut said = Vec::new();
        if row.claim == Some(claimed.claim) {
            let opens = claimed.provisioning_elsewhere || row.provisioning_until.is_some_and(|until| until > now);
            let believed = |fact: &&ProvisioningFact| !(opens && matches!(fact, ProvisioningFact::Revoked { .. }));
            let (mut provisioning, events) = fold(&before, facts.iter().filter(believed));
            if opens && provisioning.state == ProvisioningState::Revoking && provisioning.failures == before.failures {
                // The other provisioning call gets time to finish; then access is revoked and the target is read again.
                provisioning.next_try_at = Some(row.provisioning_until.unwrap_or(now).max(now));
            }
            said = messages(&claimed.content, &claimed.connector, &provisioning, events, now);
            row.update(&provisioning, claimed.connector.clone());
            row.claim = None;
        } else if before.state == ProvisioningState::Revoking && row.claim.is_none() {
            // The provisioning call has finished, so the revocation need not wait.
            row.next_try_at = Some(now);
        }
        row::write(&mut tx, std::slice::from_ref(&row)).await?;
        crate::insert_outbox(&mut tx, &said).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(said)
    }

    /// Applies a fact without a claim, such as that active access was missing in the target.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn apply_provisioning_fact(
        &self,
        request: Uuid,
        fact: impl Fn(DateTime<Utc>) -> ProvisioningFact,
    ) -> Result<Vec<Message>, Error> {
        let doing = "storing an observation of a provisioning";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let mut row: ProvisioningRow =
            sqlx::query_as(ONE).bind(request).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let content = row.content()?;
        let connector = row.connector.clone().unwrap_or_default();
        let (provisioning, events) = step(&row.provisioning()?, &fact(now));
        let said = messages(&content, &connector, &provisioning, events, now);
        if !said.is_empty() {
            row.update(&provisioning, connector);
            row::write(&mut tx, std::slice::from_ref(&row)).await?;
            crate::insert_outbox(&mut tx, &said).await?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(said)
    }

    /// Which of these grants may have access in a target: all except those confirmed as revoked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn live_provisionings(&self, grants: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar(LIVE).bind(grants).fetch_all(&self.pool).await.map_err(Error::at("comparing provisionings"))
    }

    /// Active grants of a connector, except those that were just provisioned.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_provisionings(&self, connector: &str) -> Result<Vec<Uuid>, Error> {
        let reading = sqlx::query_scalar(SHOULD_BE_OPEN).bind(connector).fetch_all(&self.pool);
        reading.await.map_err(Error::at("comparing provisionings"))
    }
}

fn fold<'a>(
    provisioning: &Provisioning,
    facts: impl IntoIterator<Item = &'a ProvisioningFact>,
) -> (Provisioning, Vec<ProvisioningEvent>) {
    facts.into_iter().fold((provisioning.clone(), Vec::new()), |(provisioning, mut events), fact| {
        let (next, more) = step(&provisioning, fact);
        events.extend(more);
        (next, events)
    })
}

fn messages(
    content: &Content,
    connector: &str,
    provisioning: &Provisioning,
    events: Vec<ProvisioningEvent>,
    now: DateTime<Utc>,
) -> Vec<Message> {
    events.iter().map(|event| events::provisioning(content, connector, provisioning, event, now)).collect()
}
