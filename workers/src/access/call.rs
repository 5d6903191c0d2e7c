//! The calls for one provisioning, and what they showed.

use std::time::Duration;

use connectors::{AccessLevel, Connector, Fault, Found, Order};
use domain::Content;
use domain::provisioning::{Provisioning, ProvisioningFact, ProvisioningState};
use store::Store;
use store::provisionings::Claimed;

use super::Provisionings;

/// Time limit of one call: a target that hangs has failed.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// What a connector is told.
pub(super) fn order(content: &Content, until: chrono::DateTime<chrono::Utc>) -> Order {
    Order {
        grant: content.request.0,
        tenant: content.tenant_name.clone(),
        service: content.service.clone(),
        resource: content.resource.clone(),
        access_level: match content.access_level {
            domain::AccessLevel::ReadOnly => AccessLevel::ReadOnly,
            domain::AccessLevel::ReadWrite => AccessLevel::ReadWrite,
        },
        engineer: content.requester_name.clone(),
        until,
    }
}

/// One call with its time limit.
pub(super) async fn limited<T>(what: &str, call: impl Future<Output = Result<T, Fault>>) -> Result<T, String> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(answer) => answer.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("{what} was not answered within {} s", CALL_LIMIT.as_secs())),
    }
}

/// Opens or closes a claimed provisioning and says what was seen.
pub(super) async fn act(
    store: &Store,
    provisionings: &Provisionings,
    claimed: &Claimed,
) -> Result<Vec<ProvisioningFact>, store::Error> {
    let Some(connector) = provisionings.connector(&claimed.content.service, &claimed.connector) else {
        let problem = format!(
            "no connector of kind {} is configured for {}; the provisioning was to be opened and is to be closed through it",
            claimed.connector, claimed.content.service
        );
        return Ok(vec![failed(&claimed.provisioning, problem, store.clock().await?)]);
    };
    let order = order(&claimed.content, claimed.provisioning.until);
    match claimed.provisioning.state {
        ProvisioningState::Provisioning => open(store, &*connector, claimed, &order).await,
        ProvisioningState::Revoking => close(store, &*connector, &order).await,
        ProvisioningState::Active | ProvisioningState::Revoked => Ok(Vec::new()),
    }
}

fn failed(provisioning: &Provisioning, problem: String, at: chrono::DateTime<chrono::Utc>) -> ProvisioningFact {
    match provisioning.state {
        ProvisioningState::Provisioning | ProvisioningState::Active => ProvisioningFact::NotProvisioned { problem, at },
        ProvisioningState::Revoking | ProvisioningState::Revoked => ProvisioningFact::NotRevoked { problem, at },
    }
}

async fn open(
    store: &Store,
    connector: &dyn Connector,
    claimed: &Claimed,
    order: &Order,
) -> Result<Vec<ProvisioningFact>, store::Error> {
    let opened = async {
        if !claimed.engineer_enabled {
            return Err(format!("{} is disabled; nothing is opened", order.engineer));
        }
        limited("open", connector.open(order)).await?;
        match limited("probe", connector.probe(order)).await? {
            Found::Open => Ok(extra_rights(connector, order).await),
            Found::Closed => Err("the target said that it opened and was read back as closed".to_owned()),
        }
    };
    let opened = opened.await;
    let at = store.clock().await?;
    Ok(vec![match opened {
        Ok(extra_rights) => ProvisioningFact::Provisioned { extra_rights, at },
        Err(problem) => ProvisioningFact::NotProvisioned { problem, at },
    }])
}

/// What the engineer can do beyond the order. It is reported and does not keep the provisioning shut: everybody who has a login at
/// the target can do it.
async fn extra_rights(connector: &dyn Connector, order: &Order) -> Vec<String> {
    match limited("extra rights", connector.extra_rights(order)).await {
        Ok(rights) => {
            if !rights.is_empty() {
                let rights = rights.join("; ");
                tracing::warn!(request = %order.grant, service = order.service, rights, "the engineer can do more than the request says");
            }
            rights
        }
        Err(problem) => {
            tracing::warn!(request = %order.grant, service = order.service, problem, "extra rights could not be read");
            Vec::new()
        }
    }
}

/// Every step is tried although the one before failed: cutting helps also where closing hangs, and what counts in the
/// end is what is read back.
async fn close(store: &Store, connector: &dyn Connector, order: &Order) -> Result<Vec<ProvisioningFact>, store::Error> {
    let mut facts = Vec::new();
    let closed = limited("close", connector.close(order)).await;
    let cut = limited("cut", connector.terminate_sessions(order)).await;
    let at = store.clock().await?;
    if let Ok(sessions) = cut {
        facts.push(ProvisioningFact::SessionsCut { sessions: i64::try_from(sessions).unwrap_or(i64::MAX), at });
    }
    let read = limited("probe", connector.probe(order)).await;
    let at = store.clock().await?;
    let problem = match (closed, cut, read) {
        (Ok(()), Ok(_), Ok(Found::Closed)) => {
            facts.push(ProvisioningFact::Revoked { at });
            return Ok(facts);
        }
        (Err(problem), _, _) | (Ok(()), Err(problem), _) | (Ok(()), Ok(_), Err(problem)) => problem,
        (Ok(()), Ok(_), Ok(Found::Open)) => "the target said that it closed and was read back as open".to_owned(),
    };
    facts.push(ProvisioningFact::NotRevoked { problem, at });
    Ok(facts)
}
