//! One unit of work: **lock the rows, then read the clock, then decide, then write**, in one transaction.
//!
//! The order matters and was measured: a guarded `update … where clock_timestamp() < deadline` that waits for a lock is
//! not evaluated again after the wait when the lock holder changed nothing, and accepts an approval seconds too late.

use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::authority::{self, nonces};
use crate::break_glass;
use crate::directory;
use crate::error::Error;
use crate::pool::Store;
use crate::rows::{self, ApprovalRow, RequestRow};
use crate::snapshot::Snapshot;
use crate::timers::TimerWakeUp;
use crate::write_set::{WriteSet, tables};

/// How requests are locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// Wait for the current holder of the lock.
    #[default]
    Wait,
    /// Skip rows that are locked.
    Skip,
    /// Only read.
    Read,
}

/// What a batch needs to read.
#[derive(Debug, Default)]
pub struct ReadSet {
    /// The role that processes the batch; each role has its own inbox.
    pub consumer: &'static str,
    /// Keys of the messages in the batch.
    pub keys: Vec<Uuid>,
    /// Requests the messages are about.
    pub requests: Vec<Uuid>,
    /// Service requests whose open requests are needed: tenant's name and number.
    pub tickets: Vec<(String, String)>,
    /// People by short name.
    pub people: Vec<String>,
    /// Passkeys by their id.
    pub passkeys: Vec<String>,
    /// Tenants by short name; with them their approvers and the vendor's managers.
    pub tenants: Vec<String>,
    /// Whether the requester and the people who decided are needed too.
    pub parties: bool,
    /// Whether it is needed which requests have a provisioning that is not confirmed as revoked.
    pub provisionings: bool,
    /// Break-glass policies that submissions name: tenant's name and the policy's name.
    pub policies: Vec<(String, String)>,
    /// Whether the statements in force of the requests' tenants and of the vendor are needed, because somebody decides.
    pub signatures: bool,
    /// Nonces that signed decisions use.
    pub nonces: Vec<String>,
    /// How to lock.
    pub lock: Lock,
}

/// A transaction with what it has read.
pub struct UnitOfWork {
    pub(crate) tx: Transaction<'static, Postgres>,
    pub(crate) consumer: &'static str,
    /// What it has read.
    pub snapshot: Snapshot,
}

const INBOX: &str = "insert into inbox (consumer, key) select $1, key from unnest($2::uuid[]) as k(key) order by key \
                     on conflict do nothing returning key";
const TICKETS: &str = "select t.name, r.service_request, r.id from unnest($1::text[], $2::text[]) as w(tenant, number) \
                       join tenants t on t.name = w.tenant \
                       join requests r on r.tenant = t.id and r.service_request = w.number and r.finished_at is null";
const LOCK_WAIT: &str = "select id, content, digest, state, version, review_deadline, manager, decision_deadline, access_from, \
                         access_until, cause from requests where id = any($1) order by id for no key update";
const LOCK_SKIP: &str = "select id, content, digest, state, version, review_deadline, manager, decision_deadline, access_from, \
                         access_until, cause from requests where id = any($1) order by id for no key update skip locked";
const LOCK_READ: &str = "select id, content, digest, state, version, review_deadline, manager, decision_deadline, access_from, \
                         access_until, cause from requests where id = any($1)";
const APPROVALS: &str = "select request, stage, person, duration_seconds from decisions \
                         where request = any($1) and verdict = 'approve' order by decided_at";
const APPROVER_RULES: &str = "select request, stage, person from decisions where request = any($1)";
// The index requests_same_content has these expressions.
const ALSO_OPEN: &str = "select own.id, count(*) from requests own join requests r on r.tenant = own.tenant and r.service = own.service \
                         and lower(rtrim(r.resource, '/')) = lower(rtrim(own.resource, '/')) and r.id <> own.id \
                         and r.state = 'active' and clock_timestamp() < r.access_until \
                         where own.id = any($1) and own.state = 'ended' group by own.id";
const TIMERS: &str = "select request, kind, generation, due_at from timers where request = any($1)";
const PASSKEYS: &str = "select credential, person, record from passkeys where credential = any($1) for update";
const PROVISIONINGS: &str = "select request from provisionings where request = any($1) and state <> 'revoked'";
const CLOCK: &str = "select clock_timestamp()";

impl Store {
    /// One request as a domain value, read only.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn request(&self, id: Uuid) -> Result<Option<domain::Request>, Error> {
        let read_set = ReadSet { requests: vec![id], lock: Lock::Read, ..ReadSet::default() };
        Ok(self.open_unit_of_work(read_set).await?.snapshot.requests.remove(&id))
    }

    /// Opens a unit of work and loads its read set.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn open_unit_of_work(&self, read_set: ReadSet) -> Result<UnitOfWork, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::at("beginning a transaction"))?;
        let mut snapshot = Snapshot::default();
        let mut ids = read_set.requests;
        if !read_set.keys.is_empty() {
            let fresh: Vec<Uuid> = sqlx::query_scalar(INBOX)
                .bind(read_set.consumer)
                .bind(&read_set.keys)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::at("writing the inbox"))?;
            snapshot.fresh = fresh.into_iter().collect();
        }
        if !read_set.tickets.is_empty() {
            let (tenants, numbers): (Vec<_>, Vec<_>) = read_set.tickets.into_iter().unzip();
            let open: Vec<(String, String, Uuid)> = sqlx::query_as(TICKETS)
                .bind(tenants)
                .bind(numbers)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::at("reading the open requests of a service request"))?;
            for (tenant, number, id) in open {
                ids.push(id);
                snapshot.tickets.entry((tenant, number)).or_default().push(id);
            }
        }
        if !ids.is_empty() {
            ids.sort_unstable();
            ids.dedup();
            load_requests(&mut tx, &mut snapshot, &ids, read_set.lock, read_set.parties).await?;
            if read_set.provisionings {
                let reading = sqlx::query_scalar(PROVISIONINGS).bind(&ids).fetch_all(&mut *tx);
                let unconfirmed: Vec<Uuid> = reading.await.map_err(Error::at("reading provisionings"))?;
                snapshot.unconfirmed = unconfirmed.into_iter().collect();
            }
        }
        break_glass::load(&mut tx, &mut snapshot, read_set.policies).await?;
        if !read_set.passkeys.is_empty() {
            let found: Vec<(String, Uuid, serde_json::Value)> = sqlx::query_as(PASSKEYS)
                .bind(&read_set.passkeys)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::at("reading passkeys"))?;
            snapshot.passkeys = found
                .into_iter()
                .map(|(credential, person, record)| (credential, (domain::PersonId(person), record)))
                .collect();
        }
        let authorities = authorities(&snapshot, &read_set.tenants, read_set.signatures);
        if !authorities.is_empty() {
            // No statement is recorded between the clock and the end of this transaction.
            authority::lock_shared(&mut tx, &authorities).await?;
        }
        if !read_set.nonces.is_empty() {
            snapshot.nonces = nonces::load(&mut tx, &read_set.nonces).await?;
        }
        // After the locks: a decision that waited for a lock is judged by the time after the wait.
        snapshot.now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at("reading the clock"))?;
        if !authorities.is_empty() {
            snapshot.authorities = authority::in_force(&mut tx, &authorities, snapshot.now).await?;
        }
        let mut party_ids: Vec<Uuid> = Vec::new();
        if read_set.parties {
            party_ids.extend(snapshot.requests.values().map(|request| request.content.requester.0));
            party_ids.extend(snapshot.approver_rules.iter().map(|(_, _, person)| person.0));
        }
        directory::load(&mut tx, &mut snapshot, &read_set.people, &party_ids, &read_set.tenants).await?;
        apply_signed_rules(&mut snapshot);
        Ok(UnitOfWork { tx, consumer: read_set.consumer, snapshot })
    }
}

impl UnitOfWork {
    /// Writes and commits. Returns the timers that were armed, so that wake-ups can be published.
    ///
    /// # Errors
    /// When the database refuses or does not answer; then nothing was written.
    pub async fn commit(mut self, write_set: &WriteSet) -> Result<Vec<TimerWakeUp>, Error> {
        tables::insert_decisions(&mut self.tx, &write_set.transitioned).await?;
        tables::insert_requests(&mut self.tx, &write_set.transitioned).await?;
        tables::update_requests(&mut self.tx, &write_set.transitioned).await?;
        let wake_ups = tables::update_timers(&mut self.tx, &write_set.transitioned).await?;
        tables::update_passkeys(&mut self.tx, &write_set.passkeys).await?;
        nonces::remove(&mut self.tx, &write_set.nonces).await?;
        tables::insert_outbox(&mut self.tx, &write_set.messages).await?;
        tables::insert_dead_letters(&mut self.tx, &write_set.dead_letter).await?;
        tables::delete_inbox(&mut self.tx, self.consumer, &write_set.without_effect).await?;
        tables::delete_outbox(&mut self.tx, "mail", &write_set.reported).await?;
        tables::delete_outbox(&mut self.tx, self.consumer, &write_set.consumed).await?;
        self.tx.commit().await.map_err(Error::at("committing"))?;
        Ok(wake_ups)
    }

    /// Releases the locks without writing.
    pub async fn abandon(self) {
        drop(self.tx.rollback().await);
    }
}

/// The authorities that judge the decisions and submissions of a batch.
fn authorities(snapshot: &Snapshot, tenants: &[String], signatures: bool) -> Vec<String> {
    let mut names: Vec<String> = tenants.to_vec();
    if signatures {
        names.extend(snapshot.requests.values().map(|request| request.content.tenant_name.clone()));
        names.push(consent::VENDOR.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Puts the rules of the statements in force in place of those in the rows, which can be a moment behind.
fn apply_signed_rules(snapshot: &mut Snapshot) {
    for (name, tenant) in &mut snapshot.tenants {
        let Some(statement) = snapshot.authorities.get(name) else { continue };
        let (signed, rules) = (&statement.rules, &mut tenant.rules);
        rules.decision_deadline_seconds = signed.decision_deadline_seconds;
        rules.access_ceiling_seconds = signed.access_ceiling_seconds;
        rules.access_default_seconds = rules.access_default_seconds.min(signed.access_ceiling_seconds);
        rules.required_approvals = i32::try_from(signed.required_approvals).unwrap_or(i32::MAX);
        rules.comment_required = signed.comment_required;
        rules.reminders_seconds.retain(|seconds| *seconds < signed.decision_deadline_seconds);
    }
    // In a founded tenant, a policy counts only while the statement in force has it.
    for (tenant, policy_usage) in &mut snapshot.policies {
        let Some(statement) = snapshot.authorities.get(tenant) else { continue };
        policy_usage.ended |= !statement.break_glass.iter().any(|rule| rule.policy == policy_usage.policy.id);
    }
}

async fn load_requests(
    tx: &mut Transaction<'static, Postgres>,
    snapshot: &mut Snapshot,
    ids: &[Uuid],
    lock: Lock,
    approver_rules: bool,
) -> Result<(), Error> {
    let statement = match lock {
        Lock::Wait => LOCK_WAIT,
        Lock::Skip => LOCK_SKIP,
        Lock::Read => LOCK_READ,
    };
    let found: Vec<RequestRow> =
        sqlx::query_as(statement).bind(ids).fetch_all(&mut **tx).await.map_err(Error::at("locking requests"))?;
    let approvals: Vec<ApprovalRow> =
        sqlx::query_as(APPROVALS).bind(ids).fetch_all(&mut **tx).await.map_err(Error::at("reading approvals"))?;
    let mut approvals = rows::approvals(approvals);
    for row in found {
        let id = row.id;
        let so_far = approvals.remove(&id).unwrap_or_default();
        snapshot.requests.insert(id, row.into_request(so_far)?);
    }
    if approver_rules {
        let found: Vec<(Uuid, String, Uuid)> = sqlx::query_as(APPROVER_RULES)
            .bind(ids)
            .fetch_all(&mut **tx)
            .await
            .map_err(Error::at("reading who decided"))?;
        snapshot.approver_rules =
            found.into_iter().map(|(request, stage, person)| (request, stage, domain::PersonId(person))).collect();
        let looking = sqlx::query_as(ALSO_OPEN).bind(ids).fetch_all(&mut **tx);
        let also_open: Vec<(Uuid, i64)> =
            looking.await.map_err(Error::at("searching for access to the same content"))?;
        snapshot.also_open = also_open.into_iter().collect();
    }
    let timers: Vec<(Uuid, String, i32, chrono::DateTime<chrono::Utc>)> =
        sqlx::query_as(TIMERS).bind(ids).fetch_all(&mut **tx).await.map_err(Error::at("reading timers"))?;
    snapshot.timers =
        timers.into_iter().map(|(request, kind, generation, due)| ((request, kind), (generation, due))).collect();
    Ok(())
}
