//! Compares each target with the database every minute. An entitlement with Lockbox' mark that should not exist is removed and
//! reported. Access that should be open and is missing is opened again.

use std::time::Duration;

use connectors::{AccessLevel, Built, Connector, Found, Order};
use contracts::events::{Actor, OrphanRemoved, orphan_removed};
use domain::provisioning::ProvisioningFact;
use uuid::Uuid;

use super::call::{limited, order};
use super::targets::Provisionings;
use crate::error_chain::error_chain;
use crate::shared::Shared;

/// Pause between two comparisons.
const PERIOD: Duration = Duration::from_secs(60);

/// Compares until the stop. The first comparison follows right after the start.
pub(super) async fn run(shared: Shared, provisionings: Provisionings) {
    loop {
        for built in provisionings.all() {
            if let Err(error) = compare(&shared, built).await {
                tracing::warn!(
                    service = built.service,
                    error = error_chain(&error),
                    "cannot compare a target with the database"
                );
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// One comparison of one target.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn compare(shared: &Shared, built: &Built) -> Result<(), store::Error> {
    let expected = shared.store.open_provisionings(built.kind).await?;
    let marked = match limited("marked", built.connector.marked()).await {
        Ok(marked) => marked,
        Err(problem) => {
            tracing::warn!(
                service = built.service,
                problem,
                "cannot list the entitlements with Lockbox' mark in a target"
            );
            return Ok(());
        }
    };
    // Read after the target: every order from before that is in the database by now.
    let live = shared.store.live_provisionings(&marked).await?;
    for grant in marked.iter().filter(|grant| !live.contains(grant)) {
        remove_orphan(shared, built, *grant).await?;
    }
    for grant in expected.into_iter().filter(|grant| !marked.contains(grant)) {
        reopen_missing(shared, built, grant).await?;
    }
    Ok(())
}

/// Removes an entitlement whose provisioning is revoked, or that this database does not know.
async fn remove_orphan(shared: &Shared, built: &Built, grant: Uuid) -> Result<(), store::Error> {
    let known = match shared.store.show_request(grant).await {
        Ok(request) => request.content(),
        Err(store::Error::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let now = shared.store.clock().await?;
    // Targets find an entitlement by its grant. The rest of the order is only known for grants of this database.
    let order = known.as_ref().map_or_else(|| order_for_unknown(built, grant, now), |content| order(content, now));
    let connector: &dyn Connector = &*built.connector;
    if matches!(limited("probe", connector.probe(&order)).await, Ok(Found::Closed)) {
        // It has Lockbox' mark and gives no access. It is removed without a report.
        drop(limited("close", connector.close(&order)).await);
        return Ok(());
    }
    let removed = async {
        limited("close", connector.close(&order)).await?;
        let sessions = limited("cut", connector.terminate_sessions(&order)).await?;
        match limited("probe", connector.probe(&order)).await? {
            Found::Closed => Ok(sessions),
            Found::Open => Err("the target was read back as open".to_owned()),
        }
    };
    match removed.await {
        Ok(sessions) => {
            let note = if known.is_some() {
                "it gave access although the revocation was confirmed; now revoked and read back as closed"
            } else {
                "it gave access and has Lockbox' mark, but Lockbox knows no such grant; now revoked and read back as closed"
            };
            tracing::error!(%grant, service = built.service, sessions, "an orphaned entitlement was removed: {note}");
            metrics::counter!("lockbox_orphans_removed_total", "service" => built.service.clone()).increment(1);
            let found = OrphanRemoved {
                grant,
                request: known.as_ref().map(|content| content.request.0),
                connector: built.kind.to_owned(),
                sessions_cut: i64::try_from(sessions).unwrap_or(i64::MAX),
                note: note.to_owned(),
                actor: Actor::lockbox(),
            };
            let now = shared.store.clock().await?;
            let event = orphan_removed(&found, known.map(|content| content.tenant_name), now);
            shared.store.enqueue(std::slice::from_ref(&event)).await?;
            shared.relay.publish(vec![event], Vec::new(), now).await;
        }
        Err(problem) => {
            tracing::error!(%grant, service = built.service, problem, "ALARM: an orphaned entitlement could not be removed")
        }
    }
    Ok(())
}

fn order_for_unknown(built: &Built, grant: Uuid, until: chrono::DateTime<chrono::Utc>) -> Order {
    Order {
        grant,
        tenant: String::new(),
        service: built.service.clone(),
        resource: String::new(),
        access_level: AccessLevel::ReadOnly,
        engineer: String::new(),
        until,
    }
}

/// Opens access again that should be open and has no mark in the target, if the target itself says that it is closed.
async fn reopen_missing(shared: &Shared, built: &Built, grant: Uuid) -> Result<(), store::Error> {
    let Some(content) =
        shared.store.show_request(grant).await?.content().filter(|content| content.service == built.service)
    else {
        return Ok(());
    };
    let order = order(&content, shared.store.clock().await?);
    if matches!(limited("probe", built.connector.probe(&order)).await, Ok(Found::Closed)) {
        let events = shared.store.apply_provisioning_fact(grant, |at| ProvisioningFact::FoundMissing { at }).await?;
        let now = shared.store.clock().await?;
        shared.relay.publish(events, Vec::new(), now).await;
    }
    Ok(())
}
