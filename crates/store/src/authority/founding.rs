//! Founding: the operator invites the first approver by a link, with a code that takes another channel. The invited person
//! signs the first statement.

use chrono::{DateTime, Utc};
use consent::{Fault, SignedStatement};
use contracts::envelope::Message;
use domain::{Person, PersonId, Side, TenantId};
use uuid::Uuid;

use super::record::{Recorder, record};
use super::{CLOCK, Recorded, Tx, load, lock, projection, random};
use crate::error::Error;
use crate::pool::Store;
use crate::receipts::By;

/// Wrong codes after which an invitation ends.
const ATTEMPTS: i32 = 5;

/// A new invitation. Only hashes of its secrets are stored.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Token of the link.
    pub link: String,
    /// Code, for another channel than the link.
    pub code: String,
    /// When it expires: after seven days.
    pub expires_at: DateTime<Utc>,
}

/// The invited person, after link and code were verified.
#[derive(Clone, Debug)]
pub struct Founder {
    /// Short name of the tenant; `vendor` for the authority of the vendor.
    pub authority: String,
    /// Id of the tenant; `None` for the vendor.
    pub tenant: Option<Uuid>,
    /// The invited person. The row exists when the authority is founded.
    pub person: Person,
}

/// Why an invitation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationRefused {
    /// There is no such invitation, or it expired, was used, or ended after five wrong codes.
    Unknown,
    /// The code is wrong.
    WrongCode {
        /// Attempts that are left.
        left: i32,
    },
}

const TENANT: &str = "select id from tenants where name = $1 and enabled";
const PERSON: &str = "select id from people where name = $1 and tenant is not distinct from $2";
const FOUNDED: &str = "select exists (select from authorities where authority = $1)";
// An earlier invitation ends.
const END: &str =
    "update founding_invitations set used_at = clock_timestamp() where authority = $1 and used_at is null";
const INVITE: &str = "insert into founding_invitations (id, authority, person, name, display_name, email, link_hash, code_hash, \
                      invited_by, expires_at) values ($1, $2, $3, $4, $5, $6, sha256($7), sha256($8), $9, \
                      clock_timestamp() + interval '7 days') returning expires_at";
const OPEN: &str = "select i.id, i.authority, i.person, i.name, i.display_name, i.email, t.id as tenant, \
                    i.code_hash = sha256($2) as is_right, i.failed_attempts from founding_invitations i \
                    left join tenants t on t.name = i.authority \
                    where i.link_hash = sha256($1) and i.used_at is null and i.expires_at > clock_timestamp() \
                    and i.failed_attempts < $3 for update of i";
const FAIL: &str = "update founding_invitations set failed_attempts = failed_attempts + 1 where id = $1";
const USE: &str = "update founding_invitations set used_at = clock_timestamp() where id = $1";
const ADD_PERSON: &str = "insert into people (id, name, display_name, email, tenant) values ($1, $2, $3, $4, $5) on conflict (id) do nothing";

#[derive(sqlx::FromRow)]
struct InvitationRow {
    id: Uuid,
    authority: String,
    person: Uuid,
    name: String,
    display_name: String,
    email: String,
    tenant: Option<Uuid>,
    is_right: bool,
    failed_attempts: i32,
}

impl InvitationRow {
    fn founder(self) -> Founder {
        let person = Person {
            id: PersonId(self.person),
            name: self.name,
            display_name: self.display_name,
            email: self.email,
            side: self.tenant.map_or(Side::Vendor, |tenant| Side::Customer(TenantId(tenant))),
            enabled: true,
            assignments: Vec::new(),
        };
        Founder { authority: self.authority, tenant: self.tenant, person }
    }
}

/// The invitation with this link and code, under a lock. A wrong code is counted.
async fn open(tx: &mut Tx, link: &str, code: &str) -> Result<Result<InvitationRow, InvitationRefused>, Error> {
    let doing = "reading an invitation";
    let code = code.trim().to_uppercase();
    let reading = sqlx::query_as(OPEN).bind(link.as_bytes()).bind(code.as_bytes()).bind(ATTEMPTS);
    let found: Option<InvitationRow> = reading.fetch_optional(&mut **tx).await.map_err(Error::at(doing))?;
    let Some(row) = found else { return Ok(Err(InvitationRefused::Unknown)) };
    if row.is_right {
        return Ok(Ok(row));
    }
    sqlx::query(FAIL).bind(row.id).execute(&mut **tx).await.map_err(Error::at(doing))?;
    Ok(Err(InvitationRefused::WrongCode { left: ATTEMPTS - row.failed_attempts - 1 }))
}

impl Store {
    /// Invites a person to found the authority of a tenant, or of the vendor (`vendor`). An earlier invitation ends.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such tenant, [`Error::TenantIsFounded`] when the authority exists, or when the
    /// database does not answer.
    pub async fn invite_founder(
        &self,
        authority: &str,
        (name, display_name, email): (&str, &str, &str),
        by: &str,
    ) -> Result<Invitation, Error> {
        let doing = "inviting a founder";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let reading = sqlx::query_scalar(TENANT).bind(authority).fetch_optional(&mut *tx).await;
        let tenant: Option<Uuid> = reading.map_err(Error::at(doing))?;
        if tenant.is_none() && authority != consent::VENDOR {
            return Err(Error::NotFound(authority.to_owned()));
        }
        let reading = sqlx::query_scalar(FOUNDED).bind(authority).fetch_one(&mut *tx).await;
        let is_founded: bool = reading.map_err(Error::at(doing))?;
        if is_founded {
            return Err(Error::TenantIsFounded(authority.to_owned()));
        }
        let reading = sqlx::query_scalar(PERSON).bind(name).bind(tenant).fetch_optional(&mut *tx).await;
        let known: Option<Uuid> = reading.map_err(Error::at(doing))?;
        sqlx::query(END).bind(authority).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let (link, code) = (random::text(), random::code());
        let expires_at = sqlx::query_scalar(INVITE)
            .bind(Uuid::now_v7())
            .bind(authority)
            .bind(known.unwrap_or_else(Uuid::now_v7))
            .bind(name)
            .bind(display_name)
            .bind(email)
            .bind(link.as_bytes())
            .bind(code.as_bytes())
            .bind(by)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(Invitation { link, code, expires_at })
    }

    /// Verifies link and code of an invitation. It can be verified again until the authority is founded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redeem_invitation(&self, link: &str, code: &str) -> Result<Result<Founder, InvitationRefused>, Error> {
        let doing = "verifying an invitation";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let found = open(&mut tx, link, code).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(found.map(InvitationRow::founder))
    }

    /// Records the first statement of an authority, which the invited person signed, and uses the invitation up. The person's
    /// row is created when it does not exist. Returns the statement and the messages to publish.
    ///
    /// # Errors
    /// [`Error::Authority`] when the statement or a signature is not acceptable, or when the database does not answer.
    pub async fn record_founding(
        &self,
        (link, code): (&str, &str),
        signed: &SignedStatement,
        channel: &str,
    ) -> Result<Result<(Recorded, Vec<Message>), InvitationRefused>, Error> {
        let doing = "founding an authority";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let row = match open(&mut tx, link, code).await? {
            Ok(row) => row,
            Err(refused) => {
                tx.commit().await.map_err(Error::at(doing))?;
                return Ok(Err(refused));
            }
        };
        let invitation = row.id;
        let founder = row.founder();
        let statement = &signed.statement;
        if statement.tenant != founder.authority {
            return Err(Error::Authority(Fault::Tenant(statement.tenant.clone())));
        }
        if statement.approver(founder.person.id.0).is_none() {
            return Err(Error::Authority(Fault::Invalid("the invited person is one of its approvers")));
        }
        lock(&mut tx, &founder.authority).await?;
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        if load(&mut tx, &founder.authority).await?.is_some() {
            return Err(Error::TenantIsFounded(founder.authority));
        }
        projection::check_people(&mut tx, founder.tenant, statement).await?;
        let person = &founder.person;
        let adding = sqlx::query(ADD_PERSON)
            .bind(person.id.0)
            .bind(&person.name)
            .bind(&person.display_name)
            .bind(&person.email)
            .bind(founder.tenant);
        adding.execute(&mut *tx).await.map_err(Error::at(doing))?;
        let by = Recorder {
            display_name: &person.display_name,
            actor: By { person, channel }.actor(),
            display_names: vec![(person.id.0, person.display_name.clone())],
            change: None,
        };
        let done = record(&mut tx, None, signed, by, now).await?;
        sqlx::query(USE).bind(invitation).execute(&mut *tx).await.map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(Ok(done))
    }
}
