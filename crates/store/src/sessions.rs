//! Sessions of the portal. Only the hash of the session token is stored.

use domain::Person;
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The person, as the directory currently stores them.
    pub person: Person,
    /// Token against cross-site request forgery, which every form must contain.
    pub form_token: String,
    /// Sign-in method.
    pub method: String,
    /// How long ago they signed in.
    pub age_seconds: f64,
}

/// A session to start.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// SHA-256 of the token.
    pub token_hash: &'a [u8],
    /// The person.
    pub person: Uuid,
    /// Token against cross-site request forgery, which every form must contain.
    pub form_token: &'a str,
    /// Sign-in method.
    pub method: &'a str,
    /// The identity provider, if they signed in through one.
    pub issuer: Option<&'a str>,
    /// The provider's identity token, to sign out there.
    pub id_token: Option<&'a str>,
    /// The session ends after this long at the latest.
    pub limit_seconds: f64,
    /// The session ends after this long without activity.
    pub idle_seconds: f64,
}

const BEGIN: &str = "insert into sessions (token_hash, person, form_token, method, expires_at, issuer, id_token) \
                     values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6, $7)";
// Updated at most twice a minute, so that reading pages writes little.
const TOUCH: &str = "update sessions set last_seen_at = clock_timestamp() \
                     where token_hash = $1 and last_seen_at < clock_timestamp() - interval '30 seconds'";
const FIND: &str = "select s.person, s.form_token, s.method, \
                    extract(epoch from clock_timestamp() - s.created_at)::float8 from sessions s join people p on p.id = s.person \
                    where s.token_hash = $1 and p.enabled and s.expires_at > clock_timestamp() \
                    and s.last_seen_at > clock_timestamp() - make_interval(secs => $2)";
const LIVES: &str = "select exists (select from sessions s join people p on p.id = s.person \
                     where s.token_hash = $1 and p.enabled and s.expires_at > clock_timestamp() \
                     and s.last_seen_at > clock_timestamp() - make_interval(secs => $2))";
const ISSUER: &str = "select issuer, id_token from sessions \
                      where token_hash = $1 and issuer is not null and id_token is not null";
const END: &str = "delete from sessions where token_hash = $1";
const END_ALL: &str = "delete from sessions where person = $1";
const TIDY: &str = "delete from sessions where expires_at < clock_timestamp() \
                    or last_seen_at < clock_timestamp() - make_interval(secs => $1)";

impl Store {
    /// Starts a session. Deletes expired ones.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_session(&self, new: NewSession<'_>) -> Result<(), Error> {
        let doing = "starting a session";
        sqlx::query(TIDY).bind(new.idle_seconds).execute(&self.pool).await.map_err(Error::at(doing))?;
        let beginning = sqlx::query(BEGIN).bind(new.token_hash).bind(new.person).bind(new.form_token).bind(new.method);
        let beginning = beginning.bind(new.limit_seconds).bind(new.issuer).bind(new.id_token);
        beginning.execute(&self.pool).await.map_err(Error::at(doing))?;
        Ok(())
    }

    /// The identity provider of a session, and its identity token.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_issuer(&self, token_hash: &[u8]) -> Result<Option<(String, String)>, Error> {
        let looking = sqlx::query_as(ISSUER).bind(token_hash).fetch_optional(&self.pool);
        looking.await.map_err(Error::at("reading the provider of a session"))
    }

    /// The session of a token, unless it is expired, idle too long, or its person was disabled. `touch` counts the call as
    /// activity; a page that updates by itself does not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session(&self, token_hash: &[u8], idle_seconds: f64, touch: bool) -> Result<Option<Session>, Error> {
        let doing = "reading a session";
        let found: Option<(Uuid, String, String, f64)> = sqlx::query_as(FIND)
            .bind(token_hash)
            .bind(idle_seconds)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at(doing))?;
        let Some((id, form_token, method, age_seconds)) = found else { return Ok(None) };
        if touch {
            sqlx::query(TOUCH).bind(token_hash).execute(&self.pool).await.map_err(Error::at(doing))?;
        }
        let person = self.person(id).await?;
        Ok(person.map(|person| Session { person, form_token, method, age_seconds }))
    }

    /// Whether a session is still valid. Does not count as activity.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_lives(&self, token_hash: &[u8], idle_seconds: f64) -> Result<bool, Error> {
        let looking = sqlx::query_scalar(LIVES).bind(token_hash).bind(idle_seconds).fetch_one(&self.pool);
        looking.await.map_err(Error::at("checking a session"))
    }

    /// Ends one session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_session(&self, token_hash: &[u8]) -> Result<(), Error> {
        sqlx::query(END).bind(token_hash).execute(&self.pool).await.map_err(Error::at("ending a session"))?;
        Ok(())
    }

    /// Ends every session of a person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_sessions(&self, person: Uuid) -> Result<(), Error> {
        sqlx::query(END_ALL).bind(person).execute(&self.pool).await.map_err(Error::at("ending sessions"))?;
        Ok(())
    }
}
