//! Passkeys of people, and registrations in progress.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::receipts::{self, By, RecordedChange};

/// A passkey in its owner's list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PasskeyView {
    /// Id as browsers return it.
    pub credential: String,
    /// The owner's name for it.
    pub name: String,
    /// Public key, counter and flags.
    pub record: Value,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// When it last signed a decision.
    pub last_used_at: Option<DateTime<Utc>>,
}

const OF: &str =
    "select credential, name, record, added_at, last_used_at from passkeys where person = $1 order by added_at";
const BEGIN: &str = "insert into passkey_registrations (person, state) values ($1, $2) \
                     on conflict (person) do update set state = excluded.state, begun_at = clock_timestamp()";
// Deleted, so that a registration can be finished once.
const TAKE: &str = "delete from passkey_registrations where person = $1 \
                    and begun_at > clock_timestamp() - interval '10 minutes' returning state";
const ADD: &str =
    "insert into passkeys (credential, person, name, record) values ($1, $2, $3, $4) on conflict do nothing";
const REMOVE: &str = "delete from passkeys where person = $1 and credential = $2 returning name";
const CLOCK: &str = "select clock_timestamp()";

impl Store {
    /// The passkeys of a person, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn passkeys(&self, person: Uuid) -> Result<Vec<PasskeyView>, Error> {
        sqlx::query_as(OF).bind(person).fetch_all(&self.pool).await.map_err(Error::at("reading passkeys"))
    }

    /// Stores a registration until the browser responds, for at most ten minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_passkey(&self, person: Uuid, state: &Value) -> Result<(), Error> {
        let beginning = sqlx::query(BEGIN).bind(person).bind(state).execute(&self.pool);
        beginning.await.map_err(Error::at("starting a registration"))?;
        Ok(())
    }

    /// Returns and deletes the registration of a person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redeem_passkey_registration(&self, person: Uuid) -> Result<Option<Value>, Error> {
        let taking = sqlx::query_scalar(TAKE).bind(person).fetch_optional(&self.pool);
        taking.await.map_err(Error::at("finishing a registration"))
    }

    /// Adds a passkey together with its event and its receipts. Returns the messages to publish;
    /// `None` when the passkey is already registered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_passkey(
        &self,
        by: By<'_>,
        name: &str,
        (credential, record): (&str, &Value),
        event: Message,
    ) -> Result<Option<Vec<Message>>, Error> {
        let doing = "adding a passkey";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let adding = sqlx::query(ADD).bind(credential).bind(by.person.id.0).bind(name).bind(record);
        if adding.execute(&mut *tx).await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(None);
        }
        let change = format!("passkey \u{201c}{name}\u{201d} added for the decisions of {}", by.person.display_name);
        commit_change(tx, by, ("passkey_added", change), event).await.map(Some)
    }

    /// Removes a passkey together with its event and its receipts; `None` when the person has no passkey with this
    /// id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_passkey(
        &self,
        by: By<'_>,
        credential: &str,
        event: Message,
    ) -> Result<Option<Vec<Message>>, Error> {
        let doing = "removing a passkey";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let removing = sqlx::query_scalar(REMOVE).bind(by.person.id.0).bind(credential).fetch_optional(&mut *tx);
        let removed: Option<String> = removing.await.map_err(Error::at(doing))?;
        let Some(name) = removed else { return Ok(None) };
        let change = format!("passkey \u{201c}{name}\u{201d} of {} removed", by.person.display_name);
        commit_change(tx, by, ("passkey_removed", change), event).await.map(Some)
    }
}

async fn commit_change(
    mut tx: Transaction<'static, Postgres>,
    by: By<'_>,
    (template, change): (&'static str, String),
    event: Message,
) -> Result<Vec<Message>, Error> {
    let doing = "storing a change of passkeys";
    let at: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
    let tenant = by.person.tenant().map(|tenant| tenant.0);
    let (actor, changes) = (by.actor(), [change]);
    let by_name = &by.person.display_name;
    let change_made =
        RecordedChange { template, changes: &changes, by_name, actor: &actor, subject: None, event: event.id, at };
    let mut messages = vec![event];
    messages.extend(receipts::mails(&mut tx, tenant, &change_made, Vec::new()).await?);
    insert_outbox(&mut tx, &messages).await?;
    tx.commit().await.map_err(Error::at(doing))?;
    Ok(messages)
}
