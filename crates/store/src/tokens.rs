//! Tokens of the HTTP API, and messages that were sent under an idempotency key. Only the hash of a token is stored.

use chrono::{DateTime, Utc};
use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, TokenChanged};
use contracts::{Kind, Traceparent};
use domain::Person;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::receipts::{self, RecordedChange, Subject};

/// A valid token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Id.
    pub id: Uuid,
    /// Purpose.
    pub name: String,
    /// Owner; `None` for a token of a program.
    pub person: Option<Person>,
    /// Scopes.
    pub scopes: Vec<String>,
}

/// A token in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TokenView {
    /// Id.
    pub id: Uuid,
    /// Purpose.
    pub name: String,
    /// Short name of its owner.
    pub person: Option<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Valid until.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Last call, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A token to add.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// SHA-256 of the token.
    pub hash: &'a [u8],
    /// Short name of its owner; `None` for a token of a program.
    pub person: Option<&'a str>,
    /// Purpose.
    pub name: &'a str,
    /// Scopes.
    pub scopes: &'a [String],
    /// Valid for this many days.
    pub days: i32,
}

/// Result of sending a message under an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is new and was stored.
    Fresh,
    /// The same was sent before, as this message.
    Before(Uuid),
    /// Something else was sent under this key before.
    Other,
}

const FIND: &str = "select id, name, person, scopes from api_tokens \
                    where token_hash = $1 and revoked_at is null and expires_at > clock_timestamp()";
// Updated at most once a minute, so that reading writes little.
const TOUCH: &str = "update api_tokens set last_used_at = clock_timestamp() where id = $1 \
                     and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')";
const LIST: &str = "select t.id, t.name, p.name as person, t.scopes, t.expires_at, t.revoked_at, t.last_used_at \
                    from api_tokens t left join people p on p.id = t.person order by t.created_at";
const ADD: &str = "insert into api_tokens (id, token_hash, person, name, scopes, expires_at) \
                   select $1, $2, p.id, $4, $5, clock_timestamp() + make_interval(days => $6) \
                   from (select 1) one left join people p on p.name = $3 where $3::text is null or p.id is not null";
const REVOKE: &str = "update api_tokens set revoked_at = clock_timestamp() where id = $1 and revoked_at is null \
                      returning name, person";
const INSERT_KEY: &str = "insert into idempotency_keys (token, key, body_hash, message) values ($1, $2, $3, $4) \
                    on conflict do nothing";
const FORGET: &str = "delete from idempotency_keys where sent_at < clock_timestamp() - make_interval(days => $1)";
const SENT_BEFORE: &str = "select body_hash, message from idempotency_keys where token = $1 and key = $2";

const CLOCK: &str = "select clock_timestamp()";
const TENANT: &str = "select name from tenants where id = $1";

/// Writes the event of a token and the receipts to its owner and to those who decide on the owner's side. A token of a
/// program acts for no person, so it has no receipts.
async fn write_change(
    tx: &mut Transaction<'static, Postgres>,
    owner: Option<Subject>,
    (template, what): (&'static str, String),
    (kind, note): (Kind, &str),
    by: &Actor,
) -> Result<Vec<Message>, Error> {
    let doing = "storing a change of tokens";
    let at: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    // A token that acts for a person of a tenant belongs to that tenant's log.
    let tenant = match owner.as_ref().and_then(|owner| owner.tenant) {
        Some(id) => Some(sqlx::query_scalar(TENANT).bind(id).fetch_one(&mut **tx).await.map_err(Error::at(doing))?),
        None => None,
    };
    let about = About { tenant, trace: Some(Traceparent::start()), ..About::default() };
    let mut messages = vec![message(kind, at, about, &TokenChanged { note: note.to_owned(), actor: by.clone() })];
    if let Some(owner) = &owner {
        let done = if template == "token_added" { "created; anyone who has it acts as that person" } else { "revoked" };
        let changes = [format!("API token {what} of {} {done}", owner.display_name)];
        let by_name = by.display_name.as_deref().or(by.name.as_deref()).unwrap_or("operator");
        let event = messages[0].id;
        let change_made =
            RecordedChange { template, changes: &changes, by_name, actor: by, subject: Some(owner), event, at };
        messages.extend(receipts::mails(tx, owner.tenant, &change_made, Vec::new()).await?);
    }
    insert_outbox(tx, &messages).await?;
    Ok(messages)
}

impl Store {
    /// The token with this hash, unless it is expired or revoked, or its owner was disabled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn token(&self, hash: &[u8]) -> Result<Option<Token>, Error> {
        let doing = "reading a token";
        let found: Option<(Uuid, String, Option<Uuid>, Vec<String>)> =
            sqlx::query_as(FIND).bind(hash).fetch_optional(&self.pool).await.map_err(Error::at(doing))?;
        let Some((id, name, owner, scopes)) = found else { return Ok(None) };
        sqlx::query(TOUCH).bind(id).execute(&self.pool).await.map_err(Error::at(doing))?;
        let Some(owner) = owner else { return Ok(Some(Token { id, name, person: None, scopes })) };
        let person = self.person(owner).await?.filter(|person| person.enabled);
        Ok(person.map(|person| Token { id, name, person: Some(person), scopes }))
    }

    /// Every token, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, Error> {
        sqlx::query_as(LIST).fetch_all(&self.pool).await.map_err(Error::at("listing tokens"))
    }

    /// Adds a token together with its event and, for a person's token, the receipts. Returns its id and the
    /// messages to publish.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such person, [`Error::TenantIsFounded`] when somebody else creates a token for a
    /// person of a founded tenant, or when the database does not answer.
    pub async fn add_token(&self, token: NewToken<'_>, by: &Actor, note: &str) -> Result<(Uuid, Vec<Message>), Error> {
        let doing = "adding a token";
        let id = Uuid::now_v7();
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let adding = sqlx::query(ADD).bind(id).bind(token.hash).bind(token.person).bind(token.name);
        let added = adding.bind(token.scopes).bind(token.days).execute(&mut *tx).await.map_err(Error::at(doing))?;
        if added.rows_affected() == 0 {
            return Err(Error::NotFound(token.person.unwrap_or_default().to_owned()));
        }
        let owner = match token.person {
            Some(name) => receipts::subject_named(&mut tx, name).await?,
            None => None,
        };
        if let Some(tenant) = owner.as_ref().and_then(|owner| owner.tenant)
            && !(by.kind == "person" && by.name.as_deref() == token.person)
        {
            // A token acts as its owner; only the owner creates one in a founded tenant.
            crate::authority::refuse_if_founded(&mut tx, tenant).await?;
        }
        let what =
            format!("\u{201c}{}\u{201d} for {}, valid for {} days", token.name, token.scopes.join(" "), token.days);
        let messages = write_change(&mut tx, owner, ("token_added", what), (Kind::TokenAdded, note), by).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok((id, messages))
    }

    /// Revokes a token together with its event and, for a person's token, the receipts. Returns the
    /// messages to publish; `None` when there is no such token to revoke.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke_token(&self, id: Uuid, by: &Actor) -> Result<Option<Vec<Message>>, Error> {
        let doing = "revoking a token";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let revoked = sqlx::query_as(REVOKE).bind(id).fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        let Some((name, owner)): Option<(String, Option<Uuid>)> = revoked else { return Ok(None) };
        let owner = match owner {
            Some(owner) => receipts::subject(&mut tx, owner).await?,
            None => None,
        };
        let what = format!("\u{201c}{name}\u{201d}");
        let note = id.to_string();
        let messages = write_change(&mut tx, owner, ("token_revoked", what), (Kind::TokenRevoked, &note), by).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(Some(messages))
    }

    /// Deletes idempotency keys that are older than this many days.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_old_idempotency_keys(&self, days: i32) -> Result<(), Error> {
        let forgetting = sqlx::query(FORGET).bind(days).execute(&self.pool);
        forgetting.await.map_err(Error::at("deleting old idempotency keys"))?;
        Ok(())
    }

    /// Stores a message under an idempotency key, once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enqueue_once(
        &self,
        token: Uuid,
        key: &str,
        body_hash: &[u8],
        message: &Message,
    ) -> Result<Sent, Error> {
        let doing = "storing a message under an idempotency key";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let keeping = sqlx::query(INSERT_KEY).bind(token).bind(key).bind(body_hash).bind(message.id).execute(&mut *tx);
        if keeping.await.map_err(Error::at(doing))?.rows_affected() == 1 {
            insert_outbox(&mut tx, std::slice::from_ref(message)).await?;
            tx.commit().await.map_err(Error::at(doing))?;
            return Ok(Sent::Fresh);
        }
        let (hash, before): (Vec<u8>, Uuid) =
            sqlx::query_as(SENT_BEFORE).bind(token).bind(key).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        Ok(if hash == body_hash { Sent::Before(before) } else { Sent::Other })
    }
}
