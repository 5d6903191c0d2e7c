//! Records operations on the installation in the audit log.

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{self, Actor, Operation, OperationPerformed};
use sqlx::{Postgres, Transaction};

use crate::error::Error;
use crate::pool::Store;

const CLOCK_AND_LOGIN: &str = "select clock_timestamp(), session_user::text";

/// Records an operation in the transaction that performs it. An operator's event states the database login.
pub(crate) async fn record_operation(
    tx: &mut Transaction<'static, Postgres>,
    operation: Operation,
    tenant: Option<String>,
    details: Vec<String>,
    mut actor: Actor,
) -> Result<(), Error> {
    let doing = "recording an operation";
    let (now, login): (DateTime<Utc>, String) =
        sqlx::query_as(CLOCK_AND_LOGIN).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    if let (true, Some(auth)) = (actor.kind == "operator", actor.auth.as_mut()) {
        auth.login = Some(login);
    }
    let about = About { tenant, ..About::default() };
    let event = message(Kind::OperationPerformed, now, about, &OperationPerformed { operation, details, actor });
    // Recorded directly and not through the broker, which the operation may not need.
    if let Ok(indexed) = events::index(&event.body) {
        crate::audit::record(tx, &[(indexed, event.body.as_slice())]).await?;
    }
    Ok(())
}

impl Store {
    /// Records an operation in the operator log.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn record_operation(
        &self,
        operation: Operation,
        details: Vec<String>,
        actor: Actor,
    ) -> Result<(), Error> {
        let doing = "recording an operation";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        record_operation(&mut tx, operation, None, details, actor).await?;
        tx.commit().await.map_err(Error::at(doing))
    }
}
