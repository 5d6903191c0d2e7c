//! The authority of a tenant: its statements in order, the one in force, and proposals that collect signatures. Only signed
//! statements change it; the crate `consent` judges them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use consent::{Assertion, Chain, Change, Fault, SignedStatement, Statement};
use sqlx::types::Json;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

mod directory;
mod founding;
mod limits;
pub mod nonces;
mod projection;
mod random;
mod record;

pub(crate) use directory::propose as propose_from_directory;
pub use founding::{Founder, Invitation, InvitationRefused};
pub use record::SignedChange;

pub(crate) type Tx = Transaction<'static, Postgres>;

/// A recorded statement.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The statement with its signatures.
    pub signed: SignedStatement,
    /// Time of the event that records it.
    pub recorded_at: DateTime<Utc>,
    /// When it is in force, unless another statement replaced it before.
    pub in_force_from: DateTime<Utc>,
    /// The event that records it.
    pub event: Uuid,
}

/// The authority of a tenant, or of the vendor.
#[derive(Clone, Debug)]
pub struct Authority {
    /// What follows from the statements.
    pub chain: Chain,
    /// Every statement, the first one first.
    pub statements: Vec<Recorded>,
}

/// Where a proposal comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An approver.
    Approver,
    /// The vendor's directory file.
    Directory,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approver => "approver",
            Self::Directory => "directory",
        }
    }
}

/// A proposed statement that collects signatures.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Id.
    pub id: Uuid,
    /// The statement.
    pub statement: Statement,
    /// Where it comes from.
    pub origin: Origin,
    /// Name of the person or operator who proposed it.
    pub proposer: String,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// Signatures so far.
    pub signatures: Vec<Assertion>,
    /// Differences from the statement in force.
    pub changes: Vec<Change>,
    /// Number of approvers who must sign.
    pub needed: usize,
}

const STATEMENTS: &str = "select statement, signatures, recorded_at, in_force_from, event from authorities \
                          where authority = $1 order by version";
const IN_FORCE: &str = "select distinct on (authority) authority, statement from authorities_in_force \
                        where authority = any($1) and in_force_from <= $2 order by authority, version desc";
const ALL_IN_FORCE: &str = "select distinct on (authority) authority, statement from authorities_in_force \
                            where in_force_from <= clock_timestamp() order by authority, version desc";
const FOUNDED: &str = "select is_founded($1)";
const NAME: &str = "select name from tenants where id = $1";
const OPEN: &str = "select id, statement, origin, proposer, proposed_at, expires_at, signatures from authority_changes \
                    where authority = $1 and state = 'open' and expires_at > clock_timestamp() order by proposed_at";
pub(crate) const CLOCK: &str = "select clock_timestamp()";
// Class of the advisory locks on authorities: shared by those who decide under a statement, exclusive for those who record one.
const LOCK: &str = "select pg_advisory_xact_lock(7002, hashtext($1))";
const LOCK_SHARED: &str =
    "select pg_advisory_xact_lock_shared(7002, hashtext(name)) from unnest($1::text[]) as n(name)";

#[derive(sqlx::FromRow)]
struct StatementRow {
    statement: String,
    signatures: Json<Vec<Assertion>>,
    recorded_at: DateTime<Utc>,
    in_force_from: DateTime<Utc>,
    event: Uuid,
}

#[derive(sqlx::FromRow)]
pub(crate) struct ProposalRow {
    pub id: Uuid,
    pub statement: String,
    pub origin: String,
    pub proposer: String,
    pub proposed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub signatures: Json<Vec<Assertion>>,
}

/// Reads a stored statement.
pub(crate) fn parse(text: &str) -> Result<Statement, Error> {
    serde_json::from_str(text).map_err(|_| Error::Authority(Fault::Unreadable("the stored statement")))
}

/// Locks an authority for recording: no statement is recorded and no decision is made under it until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, authority: &str) -> Result<(), Error> {
    let locking = sqlx::query(LOCK).bind(authority).execute(&mut **tx);
    locking.await.map(drop).map_err(Error::at("locking an authority"))
}

/// Locks authorities for decisions: no statement is recorded until the transaction ends.
pub(crate) async fn lock_shared(tx: &mut Tx, authorities: &[String]) -> Result<(), Error> {
    let locking = sqlx::query(LOCK_SHARED).bind(authorities).execute(&mut **tx);
    locking.await.map(drop).map_err(Error::at("locking authorities"))
}

/// The statements in force at a moment, by authority; absent for an authority that is not founded.
pub(crate) async fn in_force(
    tx: &mut Tx,
    authorities: &[String],
    at: DateTime<Utc>,
) -> Result<HashMap<String, Statement>, Error> {
    let reading = sqlx::query_as(IN_FORCE).bind(authorities).bind(at).fetch_all(&mut **tx);
    let rows: Vec<(String, String)> = reading.await.map_err(Error::at("reading the statements in force"))?;
    rows.into_iter().map(|(name, text)| Ok((name, parse(&text)?))).collect()
}

/// Refuses a change of a founded tenant that is not a signed statement.
pub(crate) async fn refuse_if_founded(tx: &mut Tx, tenant: Uuid) -> Result<(), Error> {
    let doing = "checking whether a tenant is founded";
    let founded: bool =
        sqlx::query_scalar(FOUNDED).bind(tenant).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    if founded {
        let name = sqlx::query_scalar(NAME).bind(tenant).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
        return Err(Error::TenantIsFounded(name));
    }
    Ok(())
}

/// The chain of recorded statements.
pub(crate) async fn load(tx: &mut Tx, authority: &str) -> Result<Option<Authority>, Error> {
    let reading = sqlx::query_as(STATEMENTS).bind(authority).fetch_all(&mut **tx).await;
    let rows: Vec<StatementRow> = reading.map_err(Error::at("reading an authority"))?;
    let mut found: Option<Authority> = None;
    for row in rows {
        let signed = SignedStatement { statement: parse(&row.statement)?, signatures: row.signatures.0 };
        let recorded =
            Recorded { signed, recorded_at: row.recorded_at, in_force_from: row.in_force_from, event: row.event };
        match &mut found {
            None => {
                let chain = Chain::found(&recorded.signed)?;
                found = Some(Authority { chain, statements: vec![recorded] });
            }
            Some(authority) => {
                authority.chain.record(&recorded.signed, recorded.recorded_at)?;
                authority.statements.push(recorded);
            }
        }
    }
    Ok(found)
}

/// The open proposals of an authority.
pub(crate) async fn proposals(
    tx: &mut Tx,
    authority: &str,
    chain: &Chain,
    now: DateTime<Utc>,
) -> Result<Vec<Proposal>, Error> {
    let reading = sqlx::query_as(OPEN).bind(authority).fetch_all(&mut **tx).await;
    let rows: Vec<ProposalRow> = reading.map_err(Error::at("reading proposals"))?;
    rows.into_iter().map(|row| proposal(row, chain, now)).collect()
}

pub(crate) fn proposal(row: ProposalRow, chain: &Chain, now: DateTime<Utc>) -> Result<Proposal, Error> {
    let statement = parse(&row.statement)?;
    let unsigned = SignedStatement { statement: statement.clone(), signatures: Vec::new() };
    let needed = match chain.clone().record(&unsigned, now) {
        Err(Fault::TooFew { needed, .. }) => needed,
        _ => 0,
    };
    Ok(Proposal {
        id: row.id,
        changes: consent::changes(chain.in_force(now), &statement),
        statement,
        origin: if row.origin == Origin::Directory.as_str() { Origin::Directory } else { Origin::Approver },
        proposer: row.proposer,
        proposed_at: row.proposed_at,
        expires_at: row.expires_at,
        signatures: row.signatures.0,
        needed,
    })
}

impl Store {
    /// The authority of a tenant by its short name, or of the vendor; `None` when it is not founded.
    ///
    /// # Errors
    /// When the database does not answer, or the stored statements do not form a chain.
    pub async fn authority(&self, name: &str) -> Result<Option<Authority>, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::at("reading an authority"))?;
        load(&mut tx, name).await
    }

    /// The statements in force, by authority.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statements_in_force(&self) -> Result<HashMap<String, Statement>, Error> {
        let reading = sqlx::query_as(ALL_IN_FORCE).fetch_all(&self.pool).await;
        let rows: Vec<(String, String)> = reading.map_err(Error::at("reading the statements in force"))?;
        rows.into_iter().map(|(name, text)| Ok((name, parse(&text)?))).collect()
    }

    /// The statement in force of one authority; `None` when it is not founded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statement_in_force(&self, name: &str) -> Result<Option<Statement>, Error> {
        let doing = "reading the statement in force";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        Ok(in_force(&mut tx, &[name.to_owned()], now).await?.remove(name))
    }

    /// The proposals that collect signatures, oldest first. Empty for an authority that is not founded.
    ///
    /// # Errors
    /// When the database does not answer, or the stored statements do not form a chain.
    pub async fn open_changes(&self, name: &str) -> Result<Vec<Proposal>, Error> {
        let doing = "reading proposals";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let Some(authority) = load(&mut tx, name).await? else { return Ok(Vec::new()) };
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        proposals(&mut tx, name, &authority.chain, now).await
    }
}
