//! Sign-ins through an identity provider: those under way, and who a subject is.

use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// A sign-in under way.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SignIn {
    /// Must stand in the identity token.
    pub nonce: String,
    /// Proves that who redeems the code is who asked for it (PKCE, RFC 7636).
    pub verifier: String,
    /// The page that follows.
    pub next: String,
}

const TIDY: &str = "delete from sign_ins where begun_at < clock_timestamp() - interval '10 minutes'";
const BEGIN: &str = "insert into sign_ins (state_hash, nonce, verifier, next) values ($1, $2, $3, $4)";
// Taken away: a state works once.
const TAKE: &str = "delete from sign_ins where state_hash = $1 and begun_at > clock_timestamp() - interval '10 minutes' \
                    returning nonce, verifier, next";
const KNOWN: &str = "select i.person from identities i where i.issuer = $1 and i.subject = $2";
const LINK: &str = "insert into identities (issuer, subject, person) \
                    select $1, $2, id from people where lower(email) = lower($3) and enabled \
                    on conflict do nothing returning person";

impl Store {
    /// Keeps a sign-in until the person comes back, at most ten minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_sign_in(&self, state_hash: &[u8], sign_in: &SignIn) -> Result<(), Error> {
        let doing = "beginning a sign-in";
        sqlx::query(TIDY).execute(&self.pool).await.map_err(Error::at(doing))?;
        let keeping = sqlx::query(BEGIN).bind(state_hash).bind(&sign_in.nonce).bind(&sign_in.verifier);
        keeping.bind(&sign_in.next).execute(&self.pool).await.map_err(Error::at(doing))?;
        Ok(())
    }

    /// The sign-in of a state, once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_sign_in(&self, state_hash: &[u8]) -> Result<Option<SignIn>, Error> {
        let taking = sqlx::query_as(TAKE).bind(state_hash).fetch_optional(&self.pool);
        taking.await.map_err(Error::at("finishing a sign-in"))
    }

    /// Who a subject is. One that is not known yet is linked to the person with that verified address, if there is one
    /// and nobody else was linked to them before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn identify(&self, issuer: &str, subject: &str, verified: Option<&str>) -> Result<Option<Uuid>, Error> {
        let doing = "looking for an identity";
        let known = sqlx::query_scalar(KNOWN).bind(issuer).bind(subject).fetch_optional(&self.pool);
        if let Some(person) = known.await.map_err(Error::at(doing))? {
            return Ok(Some(person));
        }
        let Some(address) = verified else { return Ok(None) };
        let linking = sqlx::query_scalar(LINK).bind(issuer).bind(subject).bind(address).fetch_optional(&self.pool);
        linking.await.map_err(Error::at(doing))
    }
}
