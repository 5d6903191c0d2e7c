//! Compares targets with the rows, both ways, every minute: what carries our mark and should not be open is removed and
//! reported; what should be open and is not is opened again.

use std::time::Duration;

use connectors::{AccessLevel, Built, Connector, Found, Order};
use contracts::events::{Actor, OrphanRemoved, orphan_removed};
use domain::provisioning::ProvisioningFact;
use uuid::Uuid;

use super::Provisionings;
use super::call::{limited, order};
use crate::engine::chain;
use crate::supervisor::Surroundings;

/// How often.
const PERIOD: Duration = Duration::from_secs(60);

/// Compares until the stop, the first time right after the start.
pub(super) async fn run(around: Surroundings, provisionings: Provisionings) {
    loop {
        for built in provisionings.all() {
            if let Err(error) = once(&around, built).await {
                tracing::warn!(service = built.service, error = chain(&error), "a target could not be compared");
            }
        }
        tokio::select! {
            () = around.stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// One comparison of one target.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn once(around: &Surroundings, built: &Built) -> Result<(), store::Error> {
    let should = around.store.open_provisionings(built.kind).await?;
    let marked = match limited("marked", built.connector.marked()).await {
        Ok(marked) => marked,
        Err(problem) => {
            tracing::warn!(service = built.service, problem, "a target did not say what carries our mark");
            return Ok(());
        }
    };
    // Read after the target: whatever was ordered open before is known by now.
    let live = around.store.live_provisionings(&marked).await?;
    for grant in marked.iter().filter(|grant| !live.contains(grant)) {
        remove(around, built, *grant).await?;
    }
    for grant in should.into_iter().filter(|grant| !marked.contains(grant)) {
        lost(around, built, grant).await?;
    }
    Ok(())
}

/// What carries our mark although its provisioning is closed, or although nothing here knows it.
async fn remove(around: &Surroundings, built: &Built, grant: Uuid) -> Result<(), store::Error> {
    let known = match around.store.show_request(grant).await {
        Ok(request) => request.content(),
        Err(store::Error::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let now = around.store.clock().await?;
    // Targets find what is ours by the grant; the rest of the order is only known for grants of this database.
    let order = known.as_ref().map_or_else(|| unknown(built, grant, now), |content| order(content, now));
    let connector: &dyn Connector = &*built.connector;
    if matches!(limited("probe", connector.probe(&order)).await, Ok(Found::Closed)) {
        // Marked and shut: something left behind that lets nobody in. It goes all the same, without a report.
        drop(limited("close", connector.close(&order)).await);
        return Ok(());
    }
    let removed = async {
        limited("close", connector.close(&order)).await?;
        let sessions = limited("cut", connector.terminate_sessions(&order)).await?;
        match limited("probe", connector.probe(&order)).await? {
            Found::Closed => Ok(sessions),
            Found::Open => Err("it was read back as open".to_owned()),
        }
    };
    match removed.await {
        Ok(sessions) => {
            let note = if known.is_some() {
                "found open although its end was confirmed; closed and read back"
            } else {
                "found open with our mark although no grant of this name is known; closed and read back"
            };
            tracing::error!(%grant, service = built.service, sessions, "an orphan was removed: {note}");
            metrics::counter!("lockbox_orphans_removed_total", "service" => built.service.clone()).increment(1);
            let found = OrphanRemoved {
                grant,
                request: known.as_ref().map(|content| content.request.0),
                connector: built.kind.to_owned(),
                sessions_cut: i64::try_from(sessions).unwrap_or(i64::MAX),
                note: note.to_owned(),
                actor: Actor::lockbox(),
            };
            let now = around.store.clock().await?;
            let event = orphan_removed(&found, known.map(|content| content.tenant_name), now);
            around.store.enqueue(std::slice::from_ref(&event)).await?;
            around.relay.hand_over(vec![event], Vec::new(), now).await;
        }
        Err(problem) => {
            tracing::error!(%grant, service = built.service, problem, "ALARM: an orphan could not be removed")
        }
    }
    Ok(())
}

fn unknown(built: &Built, grant: Uuid, until: chrono::DateTime<chrono::Utc>) -> Order {
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

/// What should be open and carries no mark: when the target itself says closed, it is opened again.
async fn lost(around: &Surroundings, built: &Built, grant: Uuid) -> Result<(), store::Error> {
    let Some(content) =
        around.store.show_request(grant).await?.content().filter(|content| content.service == built.service)
    else {
        return Ok(());
    };
    let order = order(&content, around.store.clock().await?);
    if matches!(limited("probe", built.connector.probe(&order)).await, Ok(Found::Closed)) {
        let said = around.store.note_provisioning(grant, |at| ProvisioningFact::FoundMissing { at }).await?;
        let now = around.store.clock().await?;
        around.relay.hand_over(said, Vec::new(), now).await;
    }
    Ok(())
}
