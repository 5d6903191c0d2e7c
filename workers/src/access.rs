//! Role `access`: opens and revokes provisionings in target systems. It consumes `grant.activated` and `grant.ended` as
//! wake-ups, reads the table every second in any case, and writes `grant.provisioned`, `grant.revoked`,
//! `grant.provisioning_failed` or `grant.orphan_removed`.
//!
//! The order to open or revoke is in the row before any call. A call is outside any transaction, and its result is stored
//! after it. Nothing is opened before this process has verified the consent of the tenant. Revoking depends on no policy. A provisioning is revoked when the target was read back as closed.

use std::sync::Arc;

use contracts::{Envelope, Kind, Malformed};
use store::WriteSet;
use tokio::sync::Notify;

use crate::batches::Batches;
use crate::dead_letter::{describe_delivery, record_dead_letter};
use crate::received::Source;
use crate::role_name::RoleName;
use crate::session::{Outage, SessionError, supervise};
use crate::shared::Shared;
use crate::trust::{TrustFolder, TrustSettings};
use crate::verified_grants::VerifiedGrants;

mod call;
mod provision;
mod reconcile;
mod targets;

pub use targets::Provisionings;

/// Most wake-ups that are acknowledged as one batch.
const BATCH_LIMIT: usize = 256;

/// Runs the role until the stop.
pub async fn run(shared: Shared, provisionings: Provisionings, trust: TrustSettings) {
    for built in provisionings.all() {
        // From 0 on, so that the first orphan is an increase.
        metrics::counter!("lockbox_orphans_removed_total", "service" => built.service.clone()).increment(0);
    }
    let wake = Arc::new(Notify::new());
    let (trust, reading) = TrustFolder::open(trust, shared.stop.clone());
    shared.tasks.spawn(reading);
    let verified = VerifiedGrants::new(shared.store.clone(), trust);
    shared.tasks.spawn(provision::run(shared.clone(), provisionings.clone(), verified, wake.clone()));
    shared.tasks.spawn(reconcile::run(shared.clone(), provisionings));
    supervise(&shared, RoleName::Access.as_str(), || wake_ups(&shared, &wake)).await;
}

/// Consumes events. Each one makes the provisioning loop read the table at once.
async fn wake_ups(shared: &Shared, wake: &Notify) -> Result<(), SessionError> {
    let role = RoleName::Access.as_str();
    let mut batches = Batches::open(shared, role, BATCH_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let mut outage = Outage::new(shared, role);
        while let Err(error) = consume(shared, wake, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.end(());
        metrics::counter!("lockbox_messages_total", "role" => role)
            .increment(u64::try_from(batch.deliveries.len()).unwrap_or_default());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

async fn consume(shared: &Shared, wake: &Notify, deliveries: &[broker::Delivery]) -> Result<(), store::Error> {
    let role = RoleName::Access.as_str();
    let mut changes = WriteSet::default();
    let mut unreadable = Vec::new();
    for delivery in deliveries {
        let source = Source::of(delivery, &shared.login);
        match read(delivery.body()) {
            Ok(id) if source.is_own => changes.consumed.extend(id),
            // An event from another login only makes the loop read the table.
            Ok(_) => {}
            Err(fault) => unreadable.push(describe_delivery(delivery, role, source, &fault)),
        }
    }
    wake.notify_one();
    let now = shared.store.clock().await?;
    for dead_letter in unreadable {
        record_dead_letter(&mut changes, dead_letter, now);
    }
    let messages = changes.messages.clone();
    shared.store.consume_wake_ups(role, changes).await?;
    shared.relay.publish(messages, Vec::new(), now).await;
    Ok(())
}

fn read(body: &[u8]) -> Result<Option<uuid::Uuid>, Malformed> {
    let (envelope, kind) = Envelope::read(body)?;
    if matches!(kind, Kind::GrantActivated | Kind::GrantEnded) {
        return Ok(envelope.own_id());
    }
    Err(Malformed {
        code: "schema.unexpected_type",
        detail: format!(
            "no role consumes {} from this exchange; schemas/asyncapi.yaml names the right one",
            kind.type_name()
        ),
    })
}
