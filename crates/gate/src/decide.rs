//! Yes or no, from the row of the token's own grant and the database's clock.

use domain::scope;
use sha2::{Digest as _, Sha256};
use store::gate::{Grant, PolicyStatus};

use super::app::App;
use super::ask::Ask;
use super::code::Code;
use super::decision::Decision;

/// Decides, and records what was decided. What cannot be recorded is not allowed.
pub(super) async fn decide(app: &App, ask: &Ask) -> Decision {
    let started = std::time::Instant::now();
    let mut decision = look(app, ask).await;
    if !app.uses.note(ask, &decision) && decision.is_yes() {
        decision = Decision::no(Code::Full);
    }
    metrics::counter!("lockbox_gate_checks_total", "code" => decision.code.as_str()).increment(1);
    metrics::histogram!("lockbox_gate_check_seconds").record(started.elapsed().as_secs_f64());
    decision
}

async fn look(app: &App, ask: &Ask) -> Decision {
    if ask.is_odd && (ask.credential.is_some() || ask.is_program) {
        return Decision::no(Code::Odd);
    }
    // A proxy's client that shows nothing is asked to sign in, whatever else is wrong with what it wants.
    let Some(credential) = &ask.credential else { return Decision::no(Code::NoCredential) };
    match app.questions.ask(Sha256::digest(credential).into()).await {
        Ok(policy_status) => judge(ask, policy_status),
        Err(code) => Decision::no(code),
    }
}

/// Whether a client that names this person means the engineer: names are compared without regard to case, and Windows
/// puts a domain before them (`FABRIKAM\\robin`). The token is the secret; the name is only compared.
fn names(claimed: &str, engineer: &str) -> bool {
    let claimed = claimed.rsplit('\\').next().unwrap_or_default();
    claimed.to_lowercase() == engineer.to_lowercase()
}

fn judge(ask: &Ask, policy_status: PolicyStatus) -> Decision {
    let PolicyStatus { now, grant } = policy_status;
    let code = match &grant {
        None => Code::UnknownCredential,
        Some(grant) => judge_grant(ask, grant),
    };
    Decision { code, now: Some(now), grant }
}

fn judge_grant(ask: &Ask, grant: &Grant) -> Code {
    if ask.claimed.as_ref().is_some_and(|claimed| !names(claimed, &grant.name)) {
        return Code::UnknownCredential;
    }
    if !grant.is_open {
        return Code::NotOpen;
    }
    if ask.tenant != grant.tenant || ask.service != grant.service {
        return Code::Elsewhere;
    }
    let covers = scope::covers(&grant.resource, &ask.resource)
        && ask.destination.as_ref().is_none_or(|to| scope::covers(&grant.resource, to));
    if !covers {
        let is_above = ask.destination.is_none() && scope::is_above(&grant.resource, &ask.resource);
        return if is_above { Code::Above } else { Code::NotCovered };
    }
    if ask.destination.as_ref().is_some_and(|to| scope::overlap(&ask.resource, to)) {
        return Code::OntoItself;
    }
    let writes = scope::writes(&ask.method) || ask.is_overridden;
    if writes && !grant.may_write { Code::ReadOnly } else { Code::Ok }
}

#[cfg(test)]
pub(super) mod tests;
