//! The page of an authority: the statement in force, a pending one, the history, proposals, and the forms of changes.

use askama::Template;
use chrono::{DateTime, Utc};
use consent::{Chain, KeyKind, Statement, fingerprint};
use contracts::directory::format_seconds;
use store::authority::{Authority, Origin};
use uuid::Uuid;

use super::change_page::{Sentence, sentences, signers};
use super::own::{known, own_authority};
use crate::app::App;
use crate::format::{DisplayTime, duration};
use crate::refused::Problem;
use crate::response::{PageError, PageResult, render, sentence};
use crate::session::Viewer;

struct KeyRow {
    id: String,
    kind: &'static str,
}

struct Checkbox {
    value: String,
    label: String,
    on: bool,
}

struct ApproverRow {
    person: Uuid,
    name: String,
    email: String,
    keys: Vec<KeyRow>,
    services: Vec<Checkbox>,
    is_viewer: bool,
}

/// A recorded statement.
struct Version {
    version: u64,
    recorded_at: DisplayTime,
    in_force_from: DisplayTime,
    hash: String,
    sentences: Vec<Sentence>,
}

/// A proposal that collects signatures.
struct ProposalRow {
    id: Uuid,
    proposer: String,
    is_from_directory: bool,
    expires_at: DisplayTime,
    sentences: Vec<Sentence>,
    have: usize,
    needed: usize,
}

/// What a founded authority shows.
struct Founded {
    fingerprint: String,
    version: u64,
    /// Labels and texts of the rules in force.
    rules: Vec<(&'static str, String)>,
    approvers: Vec<ApproverRow>,
    pending: Option<(Vec<Sentence>, DisplayTime)>,
    proposals: Vec<ProposalRow>,
    history: Vec<Version>,
    /// Registered passkeys of the viewer that are not in the statement.
    spare_keys: Vec<String>,
    /// Names of people of the tenant who are not approvers.
    others: Vec<String>,
    services: Vec<Checkbox>,
    statement: Statement,
    change_delay: String,
    witnesses: String,
}

#[derive(Template)]
#[template(path = "authority.html")]
struct AuthorityPage {
    viewer: Viewer,
    name: String,
    founded: Option<Founded>,
    problem: Option<Problem>,
}

pub(super) async fn page(app: &App, viewer: Viewer, problem: Option<Problem>) -> PageResult {
    let (name, authority) = own_authority(app, &viewer).await?;
    let founded = match &authority {
        Some(authority) => Some(founded(app, &viewer, &name, authority).await?),
        None => None,
    };
    render(&AuthorityPage { viewer, name, founded, problem })
}

async fn founded(app: &App, viewer: &Viewer, name: &str, authority: &Authority) -> Result<Founded, PageError> {
    let now = app.store.clock().await?;
    let known = known(app, viewer).await?;
    let in_force = authority.chain.in_force(now).clone();
    let pending = authority.chain.pending(now);
    let own = viewer.person.id.0;
    let proposals = app.store.open_changes(name).await?;
    let proposals = proposals.into_iter().map(|proposal| ProposalRow {
        id: proposal.id,
        have: signers(&proposal, &in_force).len(),
        is_from_directory: proposal.origin == Origin::Directory,
        expires_at: proposal.expires_at.into(),
        sentences: sentences(&proposal.changes),
        needed: proposal.needed,
        proposer: proposal.proposer,
    });
    let is_approver = |person: Uuid| in_force.approver(person).is_some();
    let spare = known.passkeys.iter().filter(|(owner, key)| *owner == own && in_force.key(&key.id).is_none());
    let spare_keys = spare.map(|(_, key)| key.id.clone()).collect();
    let others = known.people.iter().filter(|person| !is_approver(person.id.0)).map(|person| person.name.clone());
    Ok(Founded {
        fingerprint: fingerprint(authority.chain.founding()),
        version: in_force.version,
        rules: rules(&in_force),
        approvers: approvers(&in_force, own, &known.services),
        pending: pending.map(|(next, from)| (sentences(&consent::changes(&in_force, next)), from.into())),
        proposals: proposals.collect(),
        history: history(authority)?,
        spare_keys: if is_approver(own) { spare_keys } else { Vec::new() },
        others: others.collect(),
        services: checkboxes(&known.services, &[]),
        change_delay: format_seconds(in_force.change_delay_seconds),
        witnesses: in_force.rules.witnesses.iter().map(|witness| witness.key.clone()).collect::<Vec<_>>().join("\n"),
        statement: in_force,
    })
}

fn checkboxes(services: &[String], on: &[String]) -> Vec<Checkbox> {
    let checkbox = |service: &String| Checkbox {
        value: service.clone(),
        label: domain::titles::service(service),
        on: on.contains(service),
    };
    services.iter().map(checkbox).collect()
}

fn approvers(statement: &Statement, own: Uuid, services: &[String]) -> Vec<ApproverRow> {
    let key = |key: &consent::Key| KeyRow {
        id: key.id.clone(),
        kind: match key.kind {
            KeyKind::Passkey => "passkey",
            KeyKind::Software => "software key",
        },
    };
    let approver = |approver: &consent::Approver| ApproverRow {
        person: approver.person,
        name: approver.name.clone(),
        email: approver.email.clone(),
        keys: approver.keys.iter().map(key).collect(),
        services: checkboxes(services, &approver.services),
        is_viewer: approver.person == own,
    };
    statement.approvers.iter().map(approver).collect()
}

/// The rules of a statement, as labels and texts.
fn rules(statement: &Statement) -> Vec<(&'static str, String)> {
    let rules = &statement.rules;
    let required = |is_required| if is_required { "required" } else { "not required" }.to_owned();
    let list = |texts: Vec<&str>| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    vec![
        ("Decision deadline", duration(rules.decision_deadline_seconds)),
        ("Maximum duration", duration(rules.access_ceiling_seconds)),
        ("Required approvals", rules.required_approvals.to_string()),
        ("Comment for each decision", required(rules.comment_required)),
        ("Software keys", if rules.software_keys { "allowed" } else { "not allowed" }.to_owned()),
        ("Signatures for a change", statement.change_signatures.to_string()),
        ("Delay of changes that weaken protection", duration(statement.change_delay_seconds)),
        ("Recovery code", if statement.recovery_key.is_some() { "yes" } else { "no" }.to_owned()),
        (
            "Witnesses",
            format!(
                "{}; {} required",
                list(rules.witnesses.iter().map(|witness| witness.name.as_str()).collect()),
                rules.witnesses_required
            ),
        ),
        (
            "Identity provider",
            statement.identity_provider.as_ref().map_or("that of the portal", |provider| &provider.issuer).to_owned(),
        ),
        ("Notification recipients", list(statement.notification_recipients.iter().map(String::as_str).collect())),
        ("Break-glass policies", list(statement.break_glass.iter().map(|policy| policy.name.as_str()).collect())),
        ("Portal", statement.portal.origin.clone()),
    ]
}

/// Every recorded statement with what it changed, the newest first.
fn history(authority: &Authority) -> Result<Vec<Version>, PageError> {
    let mut history: Vec<Version> = Vec::new();
    let mut chain: Option<Chain> = None;
    let fault = |fault: consent::Fault| PageError::Unavailable(fault.to_string());
    for recorded in &authority.statements {
        let sentences = match &mut chain {
            Some(chain) => {
                let followed = chain.record(&recorded.signed, recorded.recorded_at).map_err(fault)?;
                sentences(&followed.changes)
            }
            None => {
                chain = Some(Chain::found(&recorded.signed).map_err(fault)?);
                vec![Sentence { text: sentence("the tenant is founded"), effect: "" }]
            }
        };
        history.push(version(&recorded.signed.statement, (recorded.recorded_at, recorded.in_force_from), sentences));
    }
    history.reverse();
    Ok(history)
}

fn version(statement: &Statement, times: (DateTime<Utc>, DateTime<Utc>), sentences: Vec<Sentence>) -> Version {
    Version {
        version: statement.version,
        recorded_at: times.0.into(),
        in_force_from: times.1.into(),
        hash: fingerprint(statement),
        sentences,
    }
}
