//! Decides a check from the row of the token's own grant, the database's clock and the verified consent of the tenant.

use domain::scope;
use sha2::{Digest as _, Sha256};
use store::gate::{Grant, TokenStatus};
use tokio::time::Instant;
use workers::verified_grants::{Consent, GrantRow};

use super::app::App;
use super::check::Check;
use super::code::Code;
use super::decision::Decision;
use super::limits::DATABASE_LIMIT;

/// Decides a check and records it as access activity. What cannot be recorded is refused.
pub(super) async fn decide(app: &App, check: &Check) -> Decision {
    let started = std::time::Instant::now();
    let mut decision = authorize(app, check).await;
    if !app.activity.record_check(check, &decision) && decision.is_allowed() {
        decision = Decision::refused(Code::Full);
    }
    metrics::counter!("lockbox_gate_checks_total", "code" => decision.code.as_str()).increment(1);
    metrics::histogram!("lockbox_gate_check_seconds").record(started.elapsed().as_secs_f64());
    decision
}

async fn authorize(app: &App, check: &Check) -> Decision {
    if check.is_odd && (check.credential.is_some() || check.is_program) {
        return Decision::refused(Code::Odd);
    }
    // A client without a credential must sign in, whatever else is wrong with its request.
    let Some(credential) = &check.credential else { return Decision::refused(Code::NoCredential) };
    let deadline = Instant::now() + DATABASE_LIMIT;
    match app.lookups.grant(Sha256::digest(credential).into()).await {
        Ok(status) => verify_consent(app, evaluate(check, status), deadline).await,
        Err(code) => Decision::refused(code),
    }
}

/// The row of a grant, as it is compared with the log.
pub(super) fn row(grant: &Grant) -> GrantRow<'_> {
    GrantRow {
        request: grant.request,
        tenant: &grant.tenant,
        service: &grant.service,
        resource: &grant.resource,
        may_write: grant.may_write,
        person: grant.person,
        is_founded: grant.is_founded,
    }
}

/// Allows what the row allows only as far as the consent of the tenant goes.
async fn verify_consent(app: &App, decision: Decision, deadline: Instant) -> Decision {
    let (true, Some(now), Some(grant)) = (decision.is_allowed(), decision.now, &decision.grant) else {
        return decision;
    };
    let Ok(verified) = tokio::time::timeout_at(deadline, app.verified.verify(row(grant))).await else {
        return Decision { code: Code::Slow, ..decision };
    };
    match verified {
        Ok(consent) if consent.is_active(now) => {
            let grant = Grant { access_until: consent.until(grant.access_until), ..grant.clone() };
            Decision { is_verified: consent != Consent::NotVerified, grant: Some(grant), ..decision }
        }
        Ok(_) => Decision { code: Code::NotOpen, ..decision },
        Err(unverified) => Decision { code: Code::of(&unverified), detail: Some(unverified.to_string()), ..decision },
    }
}

/// Whether a user name is the engineer's. The comparison ignores case and a domain that Windows puts before the name
/// (`FABRIKAM\\robin`). The token is the secret; the name is only compared.
fn is_name_of(claimed: &str, engineer: &str) -> bool {
    let claimed = claimed.rsplit('\\').next().unwrap_or_default();
    claimed.to_lowercase() == engineer.to_lowercase()
}

fn evaluate(check: &Check, status: TokenStatus) -> Decision {
    let TokenStatus { now, grant } = status;
    let code = match &grant {
        None => Code::UnknownCredential,
        Some(grant) => evaluate_grant(check, grant),
    };
    Decision::on(code, now, grant)
}

fn evaluate_grant(check: &Check, grant: &Grant) -> Code {
    if check.claimed.as_ref().is_some_and(|claimed| !is_name_of(claimed, &grant.name)) {
        return Code::UnknownCredential;
    }
    if !grant.is_open {
        return Code::NotOpen;
    }
    if check.tenant != grant.tenant || check.service != grant.service {
        return Code::Elsewhere;
    }
    let covers = scope::covers(&grant.resource, &check.resource)
        && check.destination.as_ref().is_none_or(|to| scope::covers(&grant.resource, to));
    if !covers {
        let is_above = check.destination.is_none() && scope::is_above(&grant.resource, &check.resource);
        return if is_above { Code::Above } else { Code::NotCovered };
    }
    if check.destination.as_ref().is_some_and(|to| scope::overlap(&check.resource, to)) {
        return Code::OntoItself;
    }
    let writes = scope::writes(&check.method) || check.is_overridden;
    if writes && !grant.may_write { Code::ReadOnly } else { Code::Ok }
}

#[cfg(test)]
pub(super) mod tests;
