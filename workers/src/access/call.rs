//! The calls to a target for one provisioning, and their results as facts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{AccessLevel, Connector, Fault, Found, Order};
use domain::Content;
use domain::provisioning::{Provisioning, ProvisioningFact, ProvisioningState};
use store::Store;
use store::provisionings::Claimed;

use super::targets::Provisionings;
use crate::error_chain::error_chain;
use crate::verified_grants::{GrantRow, Unverified, VerifiedGrants};

/// Time limit of one call: a target that hangs has failed.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// How long the signed log may take to prove a new grant before that is a failure.
const LOG_PATIENCE: TimeDelta = TimeDelta::seconds(10);
/// How long consent may be unverified before an alarm is logged.
const ALARM_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The order for a connector.
pub(super) fn order(content: &Content, until: DateTime<Utc>) -> Order {
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

/// Limits the time of one call.
pub(super) async fn limited<T>(what: &str, call: impl Future<Output = Result<T, Fault>>) -> Result<T, String> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(answer) => answer.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("the target did not answer the call {what:?} within {} s", CALL_LIMIT.as_secs())),
    }
}

/// Checks that the tenant consented to a grant, as far as this process can verify it. Revoking never asks.
async fn consented(store: &Store, verified: &VerifiedGrants, content: &Content) -> Result<(), Unverified> {
    let is_founded = store.is_founded(&content.tenant_name).await;
    let row = GrantRow {
        request: content.request.0,
        tenant: &content.tenant_name,
        service: &content.service,
        resource: &content.resource,
        may_write: content.access_level == domain::AccessLevel::ReadWrite,
        person: content.requester.0,
        is_founded: is_founded.map_err(|error| Unverified::Database(error_chain(&error)))?,
    };
    let consent = verified.verify(row).await?;
    let now = store.clock().await.map_err(|error| Unverified::Database(error_chain(&error)))?;
    if consent.is_active(now) { Ok(()) } else { Err(Unverified::Row("time of access")) }
}

/// The result for a grant whose consent is not verified. The log catches up within a few seconds; only then it is a failure.
fn refused(claimed: &Claimed, unverified: &Unverified, at: DateTime<Utc>) -> ProvisioningFact {
    let (request, code) = (claimed.content.request, unverified.code());
    let problem = format!("{code}: {unverified}");
    let waited = claimed.provisioning.first_failed_at.map_or(TimeDelta::zero(), |since| at - since);
    if unverified.is_pending() && waited < LOG_PATIENCE {
        return ProvisioningFact::Deferred { problem, at };
    }
    if waited >= ALARM_AFTER {
        tracing::error!(%request, code, problem, "ALARM: access is active and its consent cannot be verified; it is not provisioned");
    }
    ProvisioningFact::NotProvisioned { problem, at }
}

/// Opens or revokes a claimed provisioning and returns the results.
pub(super) async fn act(
    store: &Store,
    provisionings: &Provisionings,
    verified: &VerifiedGrants,
    claimed: &Claimed,
) -> Result<Vec<ProvisioningFact>, store::Error> {
    let Some(connector) = provisionings.connector(&claimed.content.service, &claimed.connector) else {
        let problem = format!(
            "no connector of kind {} is configured for {}, and this provisioning needs it; add it to the settings again",
            claimed.connector, claimed.content.service
        );
        return Ok(vec![failed(&claimed.provisioning, problem, store.clock().await?)]);
    };
    if claimed.provisioning.state == ProvisioningState::Provisioning
        && let Err(unverified) = consented(store, verified, &claimed.content).await
    {
        return Ok(vec![refused(claimed, &unverified, store.clock().await?)]);
    }
    let order = order(&claimed.content, claimed.provisioning.until);
    match claimed.provisioning.state {
        ProvisioningState::Provisioning => open(store, &*connector, claimed, &order).await,
        ProvisioningState::Revoking => close(store, &*connector, &order).await,
        ProvisioningState::Active | ProvisioningState::Revoked => Ok(Vec::new()),
    }
}

fn failed(provisioning: &Provisioning, problem: String, at: DateTime<Utc>) -> ProvisioningFact {
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
            return Err(format!("the account of {} is disabled, so no access was opened", order.engineer));
        }
        limited("open", connector.open(order)).await?;
        match limited("probe", connector.probe(order)).await? {
            Found::Open => Ok(extra_rights(connector, order).await),
            Found::Closed => Err("the target reported that access is open, but was read back as closed".to_owned()),
        }
    };
    let opened = opened.await;
    let at = store.clock().await?;
    Ok(vec![match opened {
        Ok(extra_rights) => ProvisioningFact::Provisioned { extra_rights, at },
        Err(problem) => ProvisioningFact::NotProvisioned { problem, at },
    }])
}

/// The engineer's rights beyond the order. They are reported and do not prevent the provisioning, because every login at
/// the target has them.
async fn extra_rights(connector: &dyn Connector, order: &Order) -> Vec<String> {
    match limited("extra rights", connector.extra_rights(order)).await {
        Ok(rights) => {
            if !rights.is_empty() {
                let rights = rights.join("; ");
                tracing::warn!(request = %order.grant, service = order.service, rights, "the engineer has more rights in the target than the request covers");
            }
            rights
        }
        Err(problem) => {
            tracing::warn!(request = %order.grant, service = order.service, problem, "cannot read the engineer's rights beyond the request");
            Vec::new()
        }
    }
}

/// Runs every step even after the one before failed. Ending sessions helps also when closing hangs, and only the read-back
/// counts as proof.
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
        (Ok(()), Ok(_), Ok(Found::Open)) => {
            "the target reported that access is closed, but was read back as open".to_owned()
        }
    };
    facts.push(ProvisioningFact::NotRevoked { problem, at });
    Ok(facts)
}
