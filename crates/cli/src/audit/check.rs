//! `lockbox audit check`: whether every step of every request is in the audit log.

use store::Store;
use store::log::quarantine::Quarantined;
use uuid::Uuid;

use runtime::outcome::Failure;
use runtime::output::{line, local};

/// Largest number of requests and of events that are named.
const NAMED_LIMIT: i64 = 20;

pub(super) async fn run(store: &Store) -> Result<(), Failure> {
    let (steps, recorded) = store.steps().await?;
    let gaps = store.audit_gaps(NAMED_LIMIT).await?;
    let quarantined = store.quarantined(NAMED_LIMIT).await?;
    if gaps.is_empty() && quarantined.is_empty() {
        return line(&format!("{recorded} of {steps} steps are in the audit log; none is missing"));
    }
    let all = store.quarantined_count().await?;
    Err(Failure::Failed(findings((recorded, steps), &gaps, &quarantined, all)))
}

/// What is missing, and the next step.
fn findings((recorded, steps): (i64, i64), gaps: &[Uuid], quarantined: &[Quarantined], all: i64) -> String {
    let mut text = format!("{recorded} of {steps} steps are in the audit log");
    if !gaps.is_empty() {
        let ids: Vec<_> = gaps.iter().map(Uuid::to_string).collect();
        text += &format!(
            "; steps of these requests are missing: {}. Check that the audit role runs; `lockbox topology depths` shows \
             its backlog",
            ids.join(", ")
        );
    }
    if !quarantined.is_empty() {
        text += &format!("; {all} events are quarantined, because no verifier would accept them:");
    }
    for one in quarantined {
        let log = one.tenant.as_deref().unwrap_or("the operator's log");
        let request = one.request.map(|request| format!(", request {request}")).unwrap_or_default();
        text += &format!("\n  {} {} {} in {log}{request}: {}", local(one.at), one.type_name, one.event, one.reason);
    }
    text
}
