//! Role `access`: opens and closes provisionings in target systems. It takes `grant.activated` and `grant.ended` as hints, looks
//! at the table every second all the same, and says `grant.provisioned`, `grant.revoked`, `grant.provisioning_failed` or
//! `grant.orphan_removed`.
//!
//! The order to open or close stands in the row before any call; a call is outside any transaction, and what it showed is
//! kept after. No check of any policy stands before closing. A provisioning is closed when the target was read back as closed.

use std::collections::HashMap;
use std::sync::Arc;

use connectors::{Built, Connector};
use contracts::{Envelope, Kind, Malformed};
use store::WriteSet;
use tokio::sync::Notify;

use crate::batches::Batches;
use crate::engine::{dead_letter_into, dead_letter_message};
use crate::role::{RoleName, Source};
use crate::supervisor::{Outage, SessionError, Surroundings, keep};

mod call;
mod keeper;
mod reconcile;

/// Most hints taken at once.
const BATCH_LIMIT: usize = 256;

/// The connectors of this deployment, by service.
#[derive(Clone, Default)]
pub struct Provisionings {
    by_service: Arc<HashMap<String, Built>>,
}

impl Provisionings {
    /// Doors behind these connectors; every other service has the gate alone.
    pub fn behind(connectors: Vec<Built>) -> Self {
        let by_service = connectors.into_iter().map(|built| (built.service.clone(), built)).collect();
        Self { by_service: Arc::new(by_service) }
    }

    /// Kind of the connector that a service is behind.
    fn kind(&self, service: &str) -> &'static str {
        self.by_service.get(service).map_or(store::provisionings::GATE, |built| built.kind)
    }

    /// The connector of a service, if it is still of this kind.
    fn connector(&self, service: &str, kind: &str) -> Option<Arc<dyn Connector>> {
        self.by_service.get(service).filter(|built| built.kind == kind).map(|built| built.connector.clone())
    }

    fn all(&self) -> impl Iterator<Item = &Built> {
        self.by_service.values()
    }
}

/// Runs the role until the stop.
pub async fn run(around: Surroundings, provisionings: Provisionings) {
    for built in provisionings.all() {
        // From 0 on, so that the first orphan is an increase.
        metrics::counter!("lockbox_orphans_removed_total", "service" => built.service.clone()).increment(0);
    }
    let wake = Arc::new(Notify::new());
    around.tasks.spawn(keeper::run(around.clone(), provisionings.clone(), wake.clone()));
    around.tasks.spawn(reconcile::run(around.clone(), provisionings));
    keep(&around, RoleName::Access.as_str(), || wake_ups(&around, &wake)).await;
}

/// Takes hints: each wakes the keeper, which asks the table.
async fn wake_ups(around: &Surroundings, wake: &Notify) -> Result<(), SessionError> {
    let role = RoleName::Access.as_str();
    let mut batches = Batches::open(around, role, BATCH_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let mut outage = Outage::new(around, role);
        while let Err(error) = take(around, wake, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.over(());
        metrics::counter!("lockbox_messages_total", "role" => role)
            .increment(u64::try_from(batch.deliveries.len()).unwrap_or_default());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

async fn take(around: &Surroundings, wake: &Notify, deliveries: &[broker::Delivery]) -> Result<(), store::Error> {
    let role = RoleName::Access.as_str();
    let mut changes = WriteSet::default();
    let mut odd = Vec::new();
    for delivery in deliveries {
        let source = Source::of(delivery, &around.login);
        match read(delivery.body()) {
            Ok(id) if source.is_own => changes.taken.extend(id),
            // Who sent it gets no more than a look at the table.
            Ok(_) => {}
            Err(fault) => odd.push(dead_letter_message(delivery, role, source, &fault)),
        }
    }
    wake.notify_one();
    let now = around.store.clock().await?;
    for dead_letter in odd {
        dead_letter_into(&mut changes, dead_letter, now);
    }
    let messages = changes.messages.clone();
    around.store.take_wake_ups(role, changes).await?;
    around.relay.hand_over(messages, Vec::new(), now).await;
    Ok(())
}

fn read(body: &[u8]) -> Result<Option<uuid::Uuid>, Malformed> {
    let (envelope, kind) = Envelope::read(body)?;
    if matches!(kind, Kind::GrantActivated | Kind::GrantEnded) {
        return Ok(envelope.own_id());
    }
    Err(Malformed {
        code: "schema.unexpected_type",
        detail: format!("{} is not taken here; see schemas/asyncapi.yaml for its exchange", kind.type_name()),
    })
}
