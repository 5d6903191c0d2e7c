//! Proposals of the vendor's directory file for founded tenants. They never apply by themselves: approvers sign them, or they
//! expire.

use chrono::{DateTime, Utc};
use consent::{Approver, Statement, Witness, time_text};
use contracts::directory::TenantEntry;
use contracts::envelope::Message;
use contracts::events::{self, Actor};
use uuid::Uuid;

use super::record::insert_proposal;
use super::{CLOCK, Origin, Tx, load, lock, proposals};
use crate::error::Error;
use crate::receipts::{self, RecordedChange};

const PERSON: &str = "select id from people where name = $1 and tenant = $2";
const URLS: &str = "update witnesses w set url = u.url from unnest($2::text[], $3::text[], $4::text[]) as u(name, key, url) \
                    where w.tenant = $1 and w.name = u.name and w.key = u.key and w.url <> u.url";
const OPEN: &str = "update authority_changes set state = 'superseded', closed_at = clock_timestamp() \
                    where authority = $1 and state = 'open' and origin = 'directory'";

/// A stored proposal: the sentences of its changes, and the messages about it.
pub(crate) struct Proposed {
    pub changes: Vec<String>,
    pub messages: Vec<Message>,
}

/// Proposes what the directory file says about a founded tenant, when it differs from the statement in force and is not proposed
/// yet. `None` when there is nothing to propose. Addresses of witnesses are applied, because they protect nothing.
pub(crate) async fn propose(
    tx: &mut Tx,
    (tenant, entry): (Uuid, &TenantEntry),
    (by, actor): (&str, &Actor),
) -> Result<Option<Proposed>, Error> {
    let doing = "proposing a change of an authority";
    lock(tx, &entry.name).await?;
    let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    let Some(authority) = load(tx, &entry.name).await? else { return Ok(None) };
    addresses(tx, tenant, entry).await?;
    let (judge, latest) = (authority.chain.in_force(now), authority.chain.latest());
    let mut statement = stated(tx, (tenant, entry), judge).await?;
    let sentences = |statement: &Statement| -> Vec<String> {
        consent::changes(judge, statement).into_iter().map(|change| change.sentence).collect()
    };
    let changes = sentences(&statement);
    if changes.is_empty() {
        return Ok(None);
    }
    let open = proposals(tx, &entry.name, &authority.chain, now).await?;
    let mut earlier = open.iter().filter(|proposal| proposal.origin == Origin::Directory);
    if earlier.any(|proposal| sentences(&proposal.statement) == changes) {
        return Ok(None);
    }
    sqlx::query(OPEN).bind(&entry.name).execute(&mut **tx).await.map_err(Error::at(doing))?;
    statement.version = latest.version + 1;
    statement.previous = Some(hash_text(latest));
    statement.effective_at = time_text(now);
    let (id, expires_at) = insert_proposal(tx, &statement, (Origin::Directory, None, by), now).await?;
    let event = events::authority_proposed(id, &statement, expires_at, &changes, actor, now);
    let shown: Vec<String> = changes.iter().map(|change| format!("proposed, not applied: {change}")).collect();
    let change_made = RecordedChange {
        template: "directory_changed",
        changes: &shown,
        by_name: by,
        actor,
        subject: None,
        event: event.id,
        at: now,
    };
    let mails = receipts::mails(tx, Some(tenant), &change_made, Vec::new()).await?;
    let mut messages = vec![event];
    messages.extend(mails);
    Ok(Some(Proposed { changes: shown, messages }))
}

fn hash_text(statement: &Statement) -> String {
    statement.hash().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statement in force with what the file says in place of its rules and approvers.
async fn stated(tx: &mut Tx, (tenant, entry): (Uuid, &TenantEntry), judge: &Statement) -> Result<Statement, Error> {
    let mut statement = judge.clone();
    let rules = entry.rules.resolve();
    statement.rules.decision_deadline_seconds = rules.decision_deadline_seconds;
    statement.rules.access_ceiling_seconds = rules.access_ceiling_seconds;
    statement.rules.required_approvals = usize::try_from(rules.required_approvals).unwrap_or(1);
    statement.rules.comment_required = rules.comment_required;
    if !entry.witnesses.is_empty() {
        let witness = |witness: &contracts::directory::WitnessEntry| Witness {
            name: witness.name().to_owned(),
            key: witness.key.clone(),
        };
        statement.rules.witnesses = entry.witnesses.iter().map(witness).collect();
        let required = entry.rules.witnesses_required.unwrap_or_default();
        statement.rules.witnesses_required = usize::try_from(required).unwrap_or_default();
    }
    statement.notification_recipients.clone_from(&entry.notification_recipients);
    let mut approvers = Vec::new();
    for (name, services) in entry.approver_rules().assignments() {
        let Some(person) = entry.people.iter().find(|person| person.name == name) else { continue };
        let reading = sqlx::query_scalar(PERSON).bind(&name).bind(tenant).fetch_optional(&mut **tx).await;
        let id: Option<Uuid> = reading.map_err(Error::at("proposing a change of an authority"))?;
        let earlier = id.and_then(|id| judge.approver(id));
        if !person.enabled {
            continue;
        }
        approvers.push(Approver {
            person: id.unwrap_or_else(Uuid::now_v7),
            name: earlier.map_or(name, |earlier| earlier.name.clone()),
            email: person.email.clone(),
            services: if services.contains(&None) { Vec::new() } else { services.into_iter().flatten().collect() },
            keys: earlier.map(|earlier| earlier.keys.clone()).unwrap_or_default(),
        });
    }
    // A file without approvers says nothing about them.
    if !approvers.is_empty() {
        statement.approvers = approvers;
    }
    Ok(statement)
}

async fn addresses(tx: &mut Tx, tenant: Uuid, entry: &TenantEntry) -> Result<(), Error> {
    let witnesses = || entry.witnesses.iter();
    let writing = sqlx::query(URLS)
        .bind(tenant)
        .bind(witnesses().map(contracts::directory::WitnessEntry::name).collect::<Vec<_>>())
        .bind(witnesses().map(|witness| witness.key.as_str()).collect::<Vec<_>>())
        .bind(witnesses().map(|witness| witness.url.trim_end_matches('/')).collect::<Vec<_>>());
    writing.execute(&mut **tx).await.map(drop).map_err(Error::at("writing the addresses of witnesses"))
}
