//! Passkeys of people, and registrations under way.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use serde_json::Value;
use uuid::Uuid;

use crate::changes_outbox;
use crate::error::Error;
use crate::pool::Store;

/// A passkey in its owner's list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PasskeyView {
    /// Id as browsers say it.
    pub credential: String,
    /// What its owner calls it.
    pub name: String,
    /// Public key, counter and flags.
    pub record: Value,
    /// Since when.
    pub added_at: DateTime<Utc>,
    /// Last decision that it signed.
    pub last_used_at: Option<DateTime<Utc>>,
}

const OF: &str =
    "select credential, name, record, added_at, last_used_at from passkeys where person = $1 order by added_at";
const BEGIN: &str = "insert into passkey_registrations (person, state) values ($1, $2) \
                     on conflict (person) do update set state = excluded.state, begun_at = clock_timestamp()";
// Taken away: a registration is finished once.
const TAKE: &str = "delete from passkey_registrations where person = $1 \
                    and begun_at > clock_timestamp() - interval '10 minutes' returning state";
const ADD: &str =
    "insert into passkeys (credential, person, name, record) values ($1, $2, $3, $4) on conflict do nothing";
const REMOVE: &str = "delete from passkeys where person = $1 and credential = $2";

impl Store {
    /// The passkeys of a person, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn passkeys(&self, person: Uuid) -> Result<Vec<PasskeyView>, Error> {
        sqlx::query_as(OF).bind(person).fetch_all(&self.pool).await.map_err(Error::at("reading passkeys"))
    }

    /// Keeps a registration until the browser answers, at most ten minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_passkey(&self, person: Uuid, state: &Value) -> Result<(), Error> {
        let beginning = sqlx::query(BEGIN).bind(person).bind(state).execute(&self.pool);
        beginning.await.map_err(Error::at("beginning a registration"))?;
        Ok(())
    }

    /// The registration of a person, once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_passkey_registration(&self, person: Uuid) -> Result<Option<Value>, Error> {
        let taking = sqlx::query_scalar(TAKE).bind(person).fetch_optional(&self.pool);
        taking.await.map_err(Error::at("finishing a registration"))
    }

    /// Adds a passkey together with the event that says so; `false` when somebody has it already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_passkey(
        &self,
        person: Uuid,
        name: &str,
        (credential, record): (&str, &Value),
        event: &Message,
    ) -> Result<bool, Error> {
        let doing = "adding a passkey";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let adding = sqlx::query(ADD).bind(credential).bind(person).bind(name).bind(record).execute(&mut *tx);
        if adding.await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        changes_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }

    /// Removes a passkey together with the event that says so; `false` when the person has none of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_passkey(&self, person: Uuid, credential: &str, event: &Message) -> Result<bool, Error> {
        let doing = "removing a passkey";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let removing = sqlx::query(REMOVE).bind(person).bind(credential).execute(&mut *tx);
        if removing.await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        changes_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }
}
