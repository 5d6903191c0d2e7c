//! Yes or no, from the row and the database's clock.

use chrono::{DateTime, Utc};
use domain::scope;
use sha2::{Digest as _, Sha256};
use store::gate::{Asked, Holder, OpenGrant, Standing};

use super::App;
use super::ask::Ask;

/// Why; stable, for the record alone: the client is told no more than no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Code {
    Ok,
    NoCredential,
    UnknownCredential,
    NotOpen,
    NotCovered,
    ReadOnly,
    Odd,
    Slow,
    Unreachable,
    Full,
    More,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoCredential => "no_credential",
            Self::UnknownCredential => "unknown_credential",
            Self::NotOpen => "not_open",
            Self::NotCovered => "not_covered",
            Self::ReadOnly => "read_only",
            Self::Odd => "odd",
            Self::Slow => "slow",
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::More => "more",
        }
    }
}

/// An answer with what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub code: Code,
    /// The database's clock, when it was read.
    pub now: Option<DateTime<Utc>>,
    /// Whose handle was shown.
    pub holder: Option<Holder>,
    /// Open grants that cover what is asked; the first is the one it is used under.
    pub grants: Vec<OpenGrant>,
}

impl Decision {
    fn no(code: Code) -> Self {
        Self { code, now: None, holder: None, grants: Vec::new() }
    }

    pub fn is_yes(&self) -> bool {
        self.code == Code::Ok
    }

    /// When the last of the grants is over.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.grants.iter().map(|grant| grant.access_until).max()
    }

    /// Whether any of the grants lets change.
    pub fn may_write(&self) -> bool {
        self.grants.iter().any(|grant| grant.may_write)
    }
}

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
    // The database knows no zero character, and would refuse all that is asked together with one.
    if ask.is_odd || ask.tenant.contains('\0') || ask.service.contains('\0') {
        return Decision::no(Code::Odd);
    }
    let Some(credential) = &ask.credential else { return Decision::no(Code::NoCredential) };
    let asked = Asked {
        handle_hash: Sha256::digest(credential).into(),
        tenant: ask.tenant.clone(),
        service: ask.service.clone(),
    };
    match app.questions.ask(asked).await {
        Ok(standing) => judge(ask, standing),
        Err(code) => Decision::no(code),
    }
}

fn judge(ask: &Ask, standing: Standing) -> Decision {
    let Standing { now, holder, open } = standing;
    let answer = |code, holder, grants| Decision { code, now: Some(now), holder, grants };
    let Some(holder) = holder else { return answer(Code::UnknownCredential, None, Vec::new()) };
    if ask.claimed.as_ref().is_some_and(|claimed| *claimed != holder.name) {
        return answer(Code::UnknownCredential, Some(holder), Vec::new());
    }
    if !holder.is_open {
        return answer(Code::NotOpen, Some(holder), Vec::new());
    }
    let covers = |grant: &OpenGrant| {
        scope::covers(&grant.resource, &ask.resource)
            && ask.destination.as_ref().is_none_or(|to| scope::covers(&grant.resource, to))
    };
    let mut grants: Vec<OpenGrant> = open.into_iter().filter(covers).collect();
    if grants.is_empty() {
        return answer(Code::NotCovered, Some(holder), grants);
    }
    if scope::writes(&ask.method) || ask.is_overridden {
        grants.retain(|grant| grant.may_write);
    }
    let code = if grants.is_empty() { Code::ReadOnly } else { Code::Ok };
    answer(code, Some(holder), grants)
}
