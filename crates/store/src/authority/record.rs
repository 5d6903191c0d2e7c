//! Records statements: judged by the chain under the lock of the authority, with the clock read after it, in one transaction
//! with the event, the receipts and the rows that follow from the statement.

use chrono::{DateTime, TimeDelta, Utc};
use consent::{Assertion, Chain, Fault, SignedStatement, Statement};
use contracts::envelope::Message;
use contracts::events::{self, Actor};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Authority, CLOCK, Origin, ProposalRow, Recorded, Tx, limits, load, lock, parse, projection};
use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::receipts::{self, By, Party, RecordedChange};

/// How long a proposal collects signatures.
const PROPOSAL_LIFETIME: TimeDelta = TimeDelta::days(14);

/// What followed from a signature.
#[derive(Clone, Debug)]
pub enum SignedChange {
    /// The statement is recorded.
    Recorded {
        /// The recorded statement.
        statement: Box<Recorded>,
        /// Messages to publish.
        messages: Vec<Message>,
    },
    /// More approvers must sign.
    NeedsMore {
        /// Approvers who signed.
        have: usize,
        /// Approvers who must sign.
        needed: usize,
    },
}

const ADD: &str = "insert into authorities (authority, version, statement, hash, signatures, recorded_at, in_force_from, event) \
                   values ($1, $2, $3, $4, $5, $6, $7, $8)";
const SUPERSEDE: &str = "update authority_changes set state = case when id = $2 then 'recorded' else 'superseded' end, \
                         closed_at = clock_timestamp() where authority = $1 and state = 'open'";
const PROPOSE: &str = "insert into authority_changes (id, authority, statement, origin, proposed_by, proposer, proposed_at, expires_at) \
                       values ($1, $2, $3, $4, $5, $6, $7, $8)";
const CHANGE: &str = "select authority from authority_changes where id = $1";
const OPEN: &str = "select id, statement, origin, proposer, proposed_at, expires_at, signatures from authority_changes \
                    where id = $1 and state = 'open' and expires_at > $2 for update";
const SIGN: &str = "update authority_changes set signatures = $2 where id = $1";
const WITHDRAW: &str =
    "update authority_changes set state = 'withdrawn', closed_at = clock_timestamp() where id = $1 and state = 'open'";
const EXPIRE: &str = "update authority_changes set state = 'expired', closed_at = clock_timestamp() \
                      where state = 'open' and expires_at <= clock_timestamp()";

/// Who records a statement.
pub(super) struct Recorder<'a> {
    pub display_name: &'a str,
    pub actor: Actor,
    /// Display names of people whom the statement adds.
    pub display_names: Vec<(Uuid, String)>,
    /// The proposal that is recorded.
    pub change: Option<Uuid>,
}

/// Records the next statement. The caller holds the lock of the authority and has read `now` after it.
pub(super) async fn record(
    tx: &mut Tx,
    before: Option<&Authority>,
    signed: &SignedStatement,
    by: Recorder<'_>,
    now: DateTime<Utc>,
) -> Result<(Recorded, Vec<Message>), Error> {
    let doing = "recording a statement";
    let statement = &signed.statement;
    let judge = before.map(|before| before.chain.in_force(now).clone());
    limits::check(statement, judge.as_ref())?;
    let (changes, in_force_from) = match before {
        None => {
            Chain::found(signed)?;
            (vec![format!("the authority of {} is founded", statement.tenant)], now)
        }
        Some(before) => {
            let recorded = before.chain.clone().record(signed, now)?;
            let sentences = recorded.changes.into_iter().map(|change| change.sentence);
            (sentences.collect(), recorded.in_force_from)
        }
    };
    let stated = DateTime::parse_from_rfc3339(&statement.effective_at).map_or(now, |time| time.to_utc());
    if before.is_none() && stated > now {
        return Err(Error::Authority(Fault::Invalid("the first statement takes effect at once")));
    }
    let tenant = projection::tenant(tx, &statement.tenant).await?;
    // An address that is removed is notified too.
    let old = receipts::recipients(tx, tenant).await?;
    let event = events::authority_changed(statement, &signed.signatures, in_force_from, &changes, &by.actor, now);
    sqlx::query(ADD)
        .bind(&statement.tenant)
        .bind(i64::try_from(statement.version).unwrap_or(i64::MAX))
        .bind(statement.document().to_string())
        .bind(statement.hash().to_vec())
        .bind(Json(&signed.signatures))
        .bind(now)
        .bind(in_force_from)
        .bind(event.id)
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    let closing = sqlx::query(SUPERSEDE).bind(&statement.tenant).bind(by.change).execute(&mut **tx);
    closing.await.map_err(Error::at(doing))?;
    if in_force_from <= now {
        projection::apply(tx, tenant, statement, &by.display_names).await?;
    }
    let recorded = Recorded { signed: signed.clone(), recorded_at: now, in_force_from, event: event.id };
    let messages = finish(tx, tenant, event, (&by, &changes), old, &recorded).await?;
    Ok((recorded, messages))
}

/// Records the event, and writes the receipts to the old and the new addresses.
async fn finish(
    tx: &mut Tx,
    tenant: Option<Uuid>,
    event: Message,
    (by, changes): (&Recorder<'_>, &[String]),
    mut also: Vec<Party>,
    recorded: &Recorded,
) -> Result<Vec<Message>, Error> {
    let statement = &recorded.signed.statement;
    also.extend(statement.approvers.iter().map(|approver| (approver.name.clone(), approver.email.clone())));
    also.extend(statement.notification_recipients.iter().map(|address| (String::new(), address.clone())));
    let mut sentences = changes.to_vec();
    if sentences.is_empty() {
        sentences.push("a pending change of the authority is withdrawn".to_owned());
    }
    if recorded.in_force_from > recorded.recorded_at {
        let from = recorded.in_force_from.format("%Y-%m-%d %H:%M UTC");
        sentences.push(format!("this takes effect at {from}; any approver can withdraw it until then"));
    }
    let change_made = RecordedChange {
        template: "settings_changed",
        changes: &sentences,
        by_name: by.display_name,
        actor: &by.actor,
        subject: None,
        event: event.id,
        at: recorded.recorded_at,
    };
    let mails = receipts::mails(tx, tenant, &change_made, also).await?;
    // Recorded here and not when the message arrives, so that the log has a statement before the decisions under it.
    if let Ok(indexed) = events::index(&event.body) {
        crate::audit::record(tx, &[(indexed, event.body.as_slice())]).await?;
    }
    let mut messages = vec![event];
    messages.extend(mails);
    insert_outbox(tx, &messages).await?;
    Ok(messages)
}

/// Stores a proposal that nobody has signed yet.
pub(super) async fn insert_proposal(
    tx: &mut Tx,
    statement: &Statement,
    (origin, person, proposer): (Origin, Option<Uuid>, &str),
    now: DateTime<Utc>,
) -> Result<(Uuid, DateTime<Utc>), Error> {
    let (id, expires_at) = (Uuid::now_v7(), now + PROPOSAL_LIFETIME);
    sqlx::query(PROPOSE)
        .bind(id)
        .bind(&statement.tenant)
        .bind(statement.document().to_string())
        .bind(origin.as_str())
        .bind(person)
        .bind(proposer)
        .bind(now)
        .bind(expires_at)
        .execute(&mut **tx)
        .await
        .map_err(Error::at("storing a proposal"))?;
    Ok((id, expires_at))
}

/// The authority under its lock, and the clock after it.
async fn locked(tx: &mut Tx, name: &str) -> Result<(Authority, DateTime<Utc>), Error> {
    lock(tx, name).await?;
    let now = sqlx::query_scalar(CLOCK).fetch_one(&mut **tx).await.map_err(Error::at("reading the clock"))?;
    let found = load(tx, name).await?.ok_or_else(|| Error::NotFound(name.to_owned()))?;
    Ok((found, now))
}

fn check_approver(judge: &Statement, person: Uuid) -> Result<(), Error> {
    match judge.approver(person) {
        Some(_) => Ok(()),
        None => Err(Error::Authority(Fault::Invalid("only an approver of the tenant's authority can do this"))),
    }
}

impl Store {
    /// Proposes the next statement of an authority. Nothing changes until enough approvers have signed it.
    ///
    /// # Errors
    /// [`Error::Authority`] when the statement is not acceptable or the person is no approver, or when the database does not
    /// answer.
    pub async fn propose_change(&self, by: By<'_>, statement: &Statement) -> Result<Uuid, Error> {
        let doing = "storing a proposal";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let (authority, now) = locked(&mut tx, &statement.tenant).await?;
        let judge = authority.chain.in_force(now);
        check_approver(judge, by.person.id.0)?;
        limits::check(statement, Some(judge))?;
        let tenant = projection::tenant(&mut tx, &statement.tenant).await?;
        projection::check_people(&mut tx, tenant, statement).await?;
        let unsigned = SignedStatement { statement: statement.clone(), signatures: Vec::new() };
        match authority.chain.clone().record(&unsigned, now) {
            Ok(_) | Err(Fault::TooFew { .. }) => {}
            Err(fault) => return Err(Error::Authority(fault)),
        }
        let by = (Origin::Approver, Some(by.person.id.0), by.person.display_name.as_str());
        let (id, _) = insert_proposal(&mut tx, statement, by, now).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(id)
    }

    /// Adds a signature to a proposal, verified on arrival, and records the statement as soon as enough approvers have signed.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no open proposal with this id, [`Error::Authority`] when the signature or the
    /// statement is not acceptable, or when the database does not answer.
    pub async fn sign_change(&self, by: By<'_>, id: Uuid, assertion: &Assertion) -> Result<SignedChange, Error> {
        let doing = "signing a proposal";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let missing = || Error::NotFound(id.to_string());
        let reading = sqlx::query_scalar(CHANGE).bind(id).fetch_optional(&mut *tx).await;
        let name: String = reading.map_err(Error::at(doing))?.ok_or_else(missing)?;
        let (authority, now) = locked(&mut tx, &name).await?;
        let reading = sqlx::query_as(OPEN).bind(id).bind(now).fetch_optional(&mut *tx).await;
        let row: ProposalRow = reading.map_err(Error::at(doing))?.ok_or_else(missing)?;
        let judge = authority.chain.in_force(now);
        let is_recovery = judge.recovery_key.as_ref().is_some_and(|key| key.id == assertion.key());
        let owner = judge.key(assertion.key()).map(|(owner, _)| owner.person);
        if owner != Some(by.person.id.0) && !is_recovery {
            let (key, person) = (assertion.key().to_owned(), by.person.id.to_string());
            return Err(Error::Authority(match owner {
                Some(_) => Fault::OthersKey { key, person },
                None => Fault::UnknownKey(key),
            }));
        }
        let still_known = |earlier: &Assertion| {
            earlier.key() != assertion.key()
                && (judge.key(earlier.key()).is_some()
                    || judge.recovery_key.as_ref().is_some_and(|key| key.id == earlier.key()))
        };
        let mut signatures: Vec<Assertion> = row.signatures.0.into_iter().filter(still_known).collect();
        signatures.push(assertion.clone());
        let signed = SignedStatement { statement: parse(&row.statement)?, signatures };
        let done = match authority.chain.clone().record(&signed, now) {
            Ok(_) => {
                let display_name = by.person.display_name.as_str();
                let recorder =
                    Recorder { display_name, actor: by.actor(), display_names: Vec::new(), change: Some(id) };
                let (statement, messages) = record(&mut tx, Some(&authority), &signed, recorder, now).await?;
                SignedChange::Recorded { statement: Box::new(statement), messages }
            }
            Err(Fault::TooFew { found, needed }) => {
                let signing = sqlx::query(SIGN).bind(id).bind(Json(&signed.signatures)).execute(&mut *tx);
                signing.await.map_err(Error::at(doing))?;
                SignedChange::NeedsMore { have: found, needed }
            }
            Err(fault) => return Err(Error::Authority(fault)),
        };
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(done)
    }

    /// Withdraws a proposal that is not recorded. Any approver may do this.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no open proposal with this id, [`Error::Authority`] when the person is no approver, or
    /// when the database does not answer.
    pub async fn withdraw_change(&self, by: By<'_>, id: Uuid) -> Result<(), Error> {
        let doing = "withdrawing a proposal";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let missing = || Error::NotFound(id.to_string());
        let reading = sqlx::query_scalar(CHANGE).bind(id).fetch_optional(&mut *tx).await;
        let name: String = reading.map_err(Error::at(doing))?.ok_or_else(missing)?;
        let (authority, now) = locked(&mut tx, &name).await?;
        check_approver(authority.chain.in_force(now), by.person.id.0)?;
        let done = sqlx::query(WITHDRAW).bind(id).execute(&mut *tx).await.map_err(Error::at(doing))?;
        if done.rows_affected() == 0 {
            return Err(missing());
        }
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Closes proposals that nobody signed in time. Returns their number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expire_changes(&self) -> Result<u64, Error> {
        let done = sqlx::query(EXPIRE).execute(&self.pool).await;
        Ok(done.map_err(Error::at("closing expired proposals"))?.rows_affected())
    }
}
