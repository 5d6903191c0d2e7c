//! `lockbox apply`: updates the rows to match a directory file, and records the changes as events.
//!
//! What the file does not list stays unchanged. People and tenants are disabled (`enabled: false`), never deleted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contracts::directory::{Directory, PersonEntry, TenantEntry, WitnessEntry};
use contracts::envelope::Message;
use contracts::events::{self, Actor, Auth, PolicyChanged};
use domain::{ReservedChange, Rules, Witnesses};
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::receipts::{self, Party, RecordedChange};
use crate::sentences;

type Tx = Transaction<'static, Postgres>;

/// The result of an apply.
#[derive(Debug, Default)]
pub struct Applied {
    /// Changes by tenant (`None` is the vendor's side), one sentence each.
    pub changes: BTreeMap<Option<String>, Vec<String>>,
    /// What was proposed to founded tenants and not applied, by tenant, one sentence each.
    pub proposals: BTreeMap<String, Vec<String>>,
    /// Messages about the proposals.
    proposal_messages: Vec<Message>,
    /// Who else is notified of the changes of a side: the approvers and addresses before the change, and every old and new
    /// address of a person that changed. Only sides that existed before: the creation of a side is not notified.
    also_notified: BTreeMap<Option<String>, Vec<Party>>,
}

impl Applied {
    fn add_change(&mut self, tenant: Option<&str>, change: String) {
        self.changes.entry(tenant.map(str::to_owned)).or_default().push(change);
    }

    /// Adds somebody who is notified of a side's changes.
    fn add_recipient(&mut self, tenant: Option<&str>, party: Party) {
        self.also_notified.entry(tenant.map(str::to_owned)).and_modify(|also_notified| also_notified.push(party));
    }

    /// Number of changes.
    pub fn count(&self) -> usize {
        self.changes.values().map(Vec::len).sum()
    }
}

const FOUNDED: &str = "select id from tenants where name = $1 and is_founded(id)";
const LOCK: &str = "select pg_advisory_xact_lock(7001)";
const ADD_SERVICE: &str = "insert into services (name) values ($1) on conflict do nothing";
const DROP_PRODUCER: &str = "delete from producers where login = $1 and command <> all($2)";
const ADD_PRODUCER: &str = "insert into producers (login, command) values ($1, $2) on conflict do nothing";
const TENANT_ID: &str = "select id from tenants where name = $1";
const CLOCK: &str = "select clock_timestamp()";

impl Store {
    /// Applies a directory that has no faults, in one transaction.
    ///
    /// # Errors
    /// When the database refuses (a person who would change sides, an address in use) or does not answer.
    pub async fn apply(&self, directory: &Directory, by: &str) -> Result<(Applied, Vec<Message>), Error> {
        let doing = "applying the directory";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(LOCK).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let mut applied = Applied::default();
        for service in &directory.services {
            let done = sqlx::query(ADD_SERVICE).bind(service).execute(&mut *tx).await.map_err(Error::at(doing))?;
            if done.rows_affected() > 0 {
                applied.add_change(None, format!("service {service} added"));
            }
        }
        for producer in &directory.producers {
            let dropped = sqlx::query(DROP_PRODUCER)
                .bind(&producer.login)
                .bind(&producer.may)
                .execute(&mut *tx)
                .await
                .map_err(Error::at(doing))?;
            if dropped.rows_affected() > 0 {
                applied.add_change(None, format!("login {} may send fewer commands", producer.login));
            }
            for command in &producer.may {
                let added = sqlx::query(ADD_PRODUCER)
                    .bind(&producer.login)
                    .bind(command)
                    .execute(&mut *tx)
                    .await
                    .map_err(Error::at(doing))?;
                if added.rows_affected() > 0 {
                    applied.add_change(None, format!("login {} may send {command}", producer.login));
                }
            }
        }
        let managers = receipts::recipients(&mut tx, None).await?;
        if !managers.is_empty() {
            applied.also_notified.insert(None, managers);
        }
        for entry in &directory.vendor.people {
            let roles = entry.known_roles().map(|role| (role.as_str().to_owned(), None)).collect();
            person(&mut tx, &mut applied, entry, None, roles).await?;
        }
        let auth = Auth::of_channel("cli/database");
        let actor =
            Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), auth: Some(auth), ..Actor::lockbox() };
        for entry in &directory.tenants {
            let founded = sqlx::query_scalar(FOUNDED).bind(&entry.name).fetch_optional(&mut *tx).await;
            match founded.map_err(Error::at(doing))? {
                Some(id) => founded_tenant(&mut tx, &mut applied, (id, entry), (by, &actor)).await?,
                None => tenant(&mut tx, &mut applied, entry).await?,
            }
        }
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let mut messages = std::mem::take(&mut applied.proposal_messages);
        messages.extend(change_messages(&mut tx, &applied, (by, &actor), now).await?);
        insert_outbox(&mut tx, &messages).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok((applied, messages))
    }
}

/// The events of the changes, and the mails about them. A change by the operator is notified like one in the portal.
async fn change_messages(
    tx: &mut Tx,
    applied: &Applied,
    (by, actor): (&str, &Actor),
    now: DateTime<Utc>,
) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    for (tenant, changes) in &applied.changes {
        let also = applied.also_notified.get(tenant).cloned();
        if let (Some(name), Some(also)) = (tenant, &also) {
            let finding = sqlx::query_scalar(TENANT_ID).bind(name).fetch_one(&mut **tx).await;
            let id: Uuid = finding.map_err(Error::at("applying the directory"))?;
            messages.extend(
                crate::settings::change_messages(tx, id, (by, actor.clone()), changes, now, also.clone()).await?,
            );
            continue;
        }
        let events = events::directory_changed(changes, &PolicyChanged::default(), actor, tenant.as_deref(), now);
        let event = events.first().map(|event| event.id).unwrap_or_default();
        messages.extend(events);
        if let (None, Some(also)) = (tenant, also) {
            let template = "directory_changed";
            let change_made = RecordedChange { template, changes, by_name: by, actor, subject: None, event, at: now };
            messages.extend(receipts::mails(tx, None, &change_made, also).await?);
        }
    }
    Ok(messages)
}

const TENANT_BEFORE: &str = "select to_jsonb(t) from tenants t where name = $1";
const TENANT: &str = include_str!("apply/tenant.sql");

async fn tenant(tx: &mut Tx, applied: &mut Applied, entry: &TenantEntry) -> Result<(), Error> {
    let doing = "applying a tenant";
    let rules: Rules = entry.rules.resolve();
    let before: Option<Value> = sqlx::query_scalar(TENANT_BEFORE)
        .bind(&entry.name)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    if let Some(before) = &before {
        let listening = receipts::recipients(tx, Some(id_of(before)?)).await?;
        applied.also_notified.insert(Some(entry.name.clone()), listening);
    }
    let after: Value = sqlx::query_scalar(TENANT)
        .bind(Uuid::now_v7())
        .bind(&entry.name)
        .bind(&entry.display_name)
        .bind(entry.enabled)
        .bind(&entry.notification_recipients)
        .bind(rules.review_deadline_seconds)
        .bind(rules.decision_deadline_seconds)
        .bind(rules.access_default_seconds)
        .bind(rules.access_ceiling_seconds)
        .bind(rules.required_approvals)
        .bind(rules.comment_required)
        .bind(rules.passkey_required)
        .bind(&rules.reminders_seconds)
        .bind(entry.public_log)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    let id = id_of(&after)?;
    match before.map(|before| sentences::differences(&sentences::TENANT, &before, &after)) {
        None => applied.add_change(Some(&entry.name), format!("tenant {} added", entry.name)),
        Some(changes) if changes.is_empty() => {}
        Some(changes) => applied.add_change(Some(&entry.name), format!("tenant {} changed: {changes}", entry.name)),
    }
    witnesses(tx, applied, entry, id).await?;
    let approvers = crate::approvers::effective_rules(tx, id, entry.approver_rules()).await?.assignments();
    for person_entry in &entry.people {
        let mut roles: Vec<(String, Option<String>)> =
            person_entry.known_roles().map(|role| (role.as_str().to_owned(), None)).collect();
        for service in approvers.get(&person_entry.name).into_iter().flatten() {
            roles.push(("approver".to_owned(), service.clone()));
        }
        person(tx, applied, person_entry, Some((id, &entry.name)), roles).await?;
    }
    Ok(())
}

/// A founded tenant: the file only proposes. It applies to people who approve nothing.
async fn founded_tenant(
    tx: &mut Tx,
    applied: &mut Applied,
    (id, entry): (Uuid, &TenantEntry),
    by: (&str, &Actor),
) -> Result<(), Error> {
    if let Some(proposed) = crate::authority::propose_from_directory(tx, (id, entry), by).await? {
        applied.proposals.insert(entry.name.clone(), proposed.changes);
        applied.proposal_messages.extend(proposed.messages);
    }
    let approvers = entry.approver_rules().assignments();
    let listening = receipts::recipients(tx, Some(id)).await?;
    applied.also_notified.insert(Some(entry.name.clone()), listening);
    for person_entry in entry.people.iter().filter(|person| !approvers.contains_key(&person.name)) {
        let is_approver = sqlx::query_scalar(APPROVES).bind(&person_entry.name).fetch_one(&mut **tx).await;
        if is_approver.map_err(Error::at("applying a person"))? {
            continue;
        }
        let roles = person_entry.known_roles().map(|role| (role.as_str().to_owned(), None)).collect();
        person(tx, applied, person_entry, Some((id, &entry.name)), roles).await?;
    }
    Ok(())
}

fn id_of(row: &Value) -> Result<Uuid, Error> {
    let id = row["id"].as_str().unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(id.to_owned()))
}

const WITNESSES_BEFORE: &str = "select jsonb_build_object('witnesses_required', witnesses_required, 'witnesses', \
                                coalesce((select jsonb_agg(concat_ws(' ', url, key) order by name) from witnesses w \
                                where w.tenant = t.id), '[]')) from tenants t where id = $1";
const WITNESSES_HELD: &str = "select t.witnesses_required, coalesce(array_agg(concat_ws(' ', w.name, w.url, w.key) \
                              order by w.name) filter (where w.name is not null), '{}') \
                              from tenants t left join witnesses w on w.tenant = t.id where t.id = $1 group by t.id";
const WITNESSES_REQUIRED: &str = "update tenants set witnesses_required = $2 where id = $1";
const DROP_WITNESSES: &str = "delete from witnesses where tenant = $1";
const ADD_WITNESSES: &str =
    "insert into witnesses (tenant, name, url, key) select $1, * from unnest($2::text[], $3::text[], $4::text[])";

/// Applies the witnesses of a tenant's log, and how many must sign before access opens.
async fn witnesses(tx: &mut Tx, applied: &mut Applied, entry: &TenantEntry, id: Uuid) -> Result<(), Error> {
    let doing = "applying the witnesses of a tenant";
    let before: Value =
        sqlx::query_scalar(WITNESSES_BEFORE).bind(id).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    check_protection(tx, entry, id).await?;
    let setting = sqlx::query(WITNESSES_REQUIRED).bind(id).bind(entry.rules.witnesses_required);
    setting.execute(&mut **tx).await.map_err(Error::at(doing))?;
    sqlx::query(DROP_WITNESSES).bind(id).execute(&mut **tx).await.map_err(Error::at(doing))?;
    sqlx::query(ADD_WITNESSES)
        .bind(id)
        .bind(entry.witnesses.iter().map(WitnessEntry::name).collect::<Vec<_>>())
        .bind(entry.witnesses.iter().map(|witness| witness.url.trim_end_matches('/')).collect::<Vec<_>>())
        .bind(entry.witnesses.iter().map(|witness| witness.key.as_str()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    let after: Value =
        sqlx::query_scalar(WITNESSES_BEFORE).bind(id).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    let changes = sentences::differences(&sentences::WITNESSES, &before, &after);
    if !changes.is_empty() {
        applied.add_change(Some(&entry.name), format!("tenant {} changed: {changes}", entry.name));
    }
    Ok(())
}

/// Refuses changes of the witnesses that are reserved for the tenant's own approvers.
async fn check_protection(tx: &mut Tx, entry: &TenantEntry, id: Uuid) -> Result<(), Error> {
    let reading = sqlx::query_as(WITNESSES_HELD).bind(id).fetch_one(&mut **tx);
    let (required, listed): (Option<i32>, Vec<String>) =
        reading.await.map_err(Error::at("reading the witnesses of a tenant"))?;
    let before = Witnesses { required, listed };
    let line =
        |witness: &WitnessEntry| format!("{} {} {}", witness.name(), witness.url.trim_end_matches('/'), witness.key);
    let after =
        Witnesses { required: entry.rules.witnesses_required, listed: entry.witnesses.iter().map(line).collect() };
    let name = &entry.name;
    let number = |required: Option<i32>| required.map_or_else(|| "none".to_owned(), |number| number.to_string());
    before.check_operator_change(&after).map_err(|change| {
        Error::ReservedForTenant(match change {
            ReservedChange::FewerRequired => format!(
                "tenant {name}: witnesses_required is {} and only {name}'s own approvers can lower it, under Settings in \
                 the portal; the file says {}",
                number(before.required),
                number(after.required)
            ),
            ReservedChange::OtherWitnesses => format!(
                "tenant {name}: access requires its witnesses, so they can change only after {name}'s own approvers \
                 have set the number to 0, under Settings in the portal"
            ),
        })
    })
}

const APPROVES: &str = "select exists (select from assignments a join people p on p.id = a.person \
                        where p.name = $1 and a.role = 'approver')";
const PERSON_BEFORE: &str = "select to_jsonb(p) || jsonb_build_object('roles', (select coalesce(jsonb_agg( \
                             case when service is null then role else role || ' for ' || service end \
                             order by role, service), '[]') from assignments where person = p.id)) \
                             from people p where name = $1";
const PERSON_ADDRESS: &str = "select display_name, email from people where name = $1";
const PERSON: &str = "insert into people (id, name, display_name, email, tenant, enabled) values ($1, $2, $3, $4, $5, $6) \
                      on conflict (name) do update set display_name = excluded.display_name, email = excluded.email, \
                      tenant = excluded.tenant, enabled = excluded.enabled returning id";
const DROP_ROLES: &str = "delete from assignments where person = $1";
const ADD_ROLES: &str = "insert into assignments (person, role, service) \
                         select $1, * from unnest($2::text[], $3::text[]) on conflict do nothing";

async fn person(
    tx: &mut Tx,
    applied: &mut Applied,
    entry: &PersonEntry,
    tenant: Option<(Uuid, &str)>,
    roles: Vec<(String, Option<String>)>,
) -> Result<(), Error> {
    let doing = "applying a person";
    let before: Option<Value> = sqlx::query_scalar(PERSON_BEFORE)
        .bind(&entry.name)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    let address = sqlx::query_as(PERSON_ADDRESS).bind(&entry.name).fetch_optional(&mut **tx).await;
    let address: Option<Party> = address.map_err(Error::at(doing))?;
    let id: Uuid = sqlx::query_scalar(PERSON)
        .bind(Uuid::now_v7())
        .bind(&entry.name)
        .bind(&entry.display_name)
        .bind(&entry.email)
        .bind(tenant.map(|(id, _)| id))
        .bind(entry.enabled)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    sqlx::query(DROP_ROLES).bind(id).execute(&mut **tx).await.map_err(Error::at(doing))?;
    let (roles, services): (Vec<String>, Vec<Option<String>>) = roles.into_iter().unzip();
    sqlx::query(ADD_ROLES).bind(id).bind(roles).bind(services).execute(&mut **tx).await.map_err(Error::at(doing))?;
    let after: Value =
        sqlx::query_scalar(PERSON_BEFORE).bind(&entry.name).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    let side = tenant.map(|(_, name)| name);
    let changes = before.map(|before| sentences::differences(&sentences::PERSON, &before, &after));
    if changes.as_ref().is_none_or(|changes| !changes.is_empty()) {
        // The person is notified at the old address and at the new one.
        address.into_iter().for_each(|old| applied.add_recipient(side, old));
        applied.add_recipient(side, (entry.display_name.clone(), entry.email.clone()));
    }
    match changes {
        None => applied.add_change(side, format!("person {} added: {}", entry.name, sentences::person(&after))),
        Some(changes) if changes.is_empty() => {}
        Some(changes) => applied.add_change(side, format!("person {} changed: {changes}", entry.name)),
    }
    Ok(())
}
