//! Sign-ins through an identity provider: sign-ins in progress, and the people behind identities.

use contracts::envelope::Message;
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;

/// A sign-in in progress.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SignIn {
    /// The provider.
    pub issuer: String,
    /// Must be in the identity token.
    pub nonce: String,
    /// Proves that the client that redeems the code is the one that requested it (PKCE, RFC 7636).
    pub verifier: String,
    /// The page to show afterwards.
    pub next: String,
}

/// A person of the directory, with the fields that sign-in needs.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Known {
    /// Id.
    pub id: Uuid,
    /// Short name.
    pub name: String,
    /// Address in the directory.
    pub email: String,
    /// Whether the person may sign in.
    pub enabled: bool,
    /// Short name of their tenant; `None` for the vendor's people.
    pub tenant: Option<String>,
}

/// An identity that is linked to a person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The subject at the provider.
    pub subject: String,
}

const TIDY: &str = "delete from sign_ins where begun_at < clock_timestamp() - interval '10 minutes'";
const BEGIN: &str = "insert into sign_ins (state_hash, issuer, nonce, verifier, next) values ($1, $2, $3, $4, $5)";
// Deleted, so that a state can be used once.
const TAKE: &str = "delete from sign_ins where state_hash = $1 and begun_at > clock_timestamp() - interval '10 minutes' \
                    returning issuer, nonce, verifier, next";
const BY_IDENTITY: &str = "select p.id, p.name, p.email, p.enabled, t.name as tenant from identities i \
                           join people p on p.id = i.person left join tenants t on t.id = p.tenant \
                           where i.issuer = $1 and i.subject = $2";
const BY_ADDRESS: &str = "select p.id, p.name, p.email, p.enabled, t.name as tenant from people p \
                          left join tenants t on t.id = p.tenant where lower(p.email) = lower($1)";
const BY_NAME: &str = "select p.id, p.name, p.email, p.enabled, t.name as tenant from people p \
                       left join tenants t on t.id = p.tenant where p.name = $1";
const OF_PERSON: &str = "select issuer, subject from identities where person = $1 order by issuer";
const LINK: &str = "insert into identities (issuer, subject, person) values ($1, $2, $3) on conflict do nothing";
const UNLINK: &str = "delete from identities where issuer = $1 and subject = $2 and person = $3";
const SIGN_OUT: &str = "delete from sessions where person = $1";

impl Store {
    /// Stores a sign-in until the provider redirects the person back, for at most ten minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_sign_in(&self, state_hash: &[u8], sign_in: &SignIn) -> Result<(), Error> {
        let doing = "starting a sign-in";
        sqlx::query(TIDY).execute(&self.pool).await.map_err(Error::at(doing))?;
        let keeping = sqlx::query(BEGIN).bind(state_hash).bind(&sign_in.issuer).bind(&sign_in.nonce);
        let keeping = keeping.bind(&sign_in.verifier).bind(&sign_in.next).execute(&self.pool);
        keeping.await.map_err(Error::at(doing))?;
        Ok(())
    }

    /// Returns and deletes the sign-in of a state.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redeem_sign_in(&self, state_hash: &[u8]) -> Result<Option<SignIn>, Error> {
        let taking = sqlx::query_as(TAKE).bind(state_hash).fetch_optional(&self.pool);
        taking.await.map_err(Error::at("finishing a sign-in"))
    }

    /// The person that an identity is linked to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn person_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<Known>, Error> {
        let looking = sqlx::query_as(BY_IDENTITY).bind(issuer).bind(subject).fetch_optional(&self.pool);
        looking.await.map_err(Error::at("reading an identity"))
    }

    /// The person with this e-mail address, regardless of case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn person_of_address(&self, address: &str) -> Result<Option<Known>, Error> {
        let looking = sqlx::query_as(BY_ADDRESS).bind(address).fetch_optional(&self.pool);
        looking.await.map_err(Error::at("reading the person of an address"))
    }

    /// The person with this short name, and their linked identities.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such person, or when the database does not answer.
    pub async fn identities_of(&self, name: &str) -> Result<(Known, Vec<Identity>), Error> {
        let doing = "reading identities";
        let known: Option<Known> =
            sqlx::query_as(BY_NAME).bind(name).fetch_optional(&self.pool).await.map_err(Error::at(doing))?;
        let known = known.ok_or_else(|| Error::NotFound(name.to_owned()))?;
        let identities = sqlx::query_as(OF_PERSON).bind(known.id).fetch_all(&self.pool).await;
        Ok((known, identities.map_err(Error::at(doing))?))
    }

    /// Links an identity to a person, with its event; `false` when the identity is already linked, or
    /// the person has another identity at this provider.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn link_identity(
        &self,
        issuer: &str,
        subject: &str,
        person: Uuid,
        event: &Message,
    ) -> Result<bool, Error> {
        let doing = "linking an identity";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let linking = sqlx::query(LINK).bind(issuer).bind(subject).bind(person).execute(&mut *tx);
        if linking.await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        insert_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }

    /// Unlinks an identity of a person, with its event, and signs the person out; `false` when it is not linked to
    /// them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unlink_identity(&self, identity: &Identity, person: Uuid, event: &Message) -> Result<bool, Error> {
        let doing = "unlinking an identity";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let unlinking = sqlx::query(UNLINK).bind(&identity.issuer).bind(&identity.subject).bind(person);
        if unlinking.execute(&mut *tx).await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(SIGN_OUT).bind(person).execute(&mut *tx).await.map_err(Error::at(doing))?;
        insert_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }
}
