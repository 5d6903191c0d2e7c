//! Conversion of `provisionings` rows to domain values, and bulk writes.

use chrono::{DateTime, Utc};
use domain::Content;
use domain::provisioning::{Provisioning, ProvisioningState};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;

#[derive(sqlx::FromRow)]
pub(super) struct ProvisioningRow {
    pub request: Uuid,
    pub state: String,
    pub connector: Option<String>,
    pub until_at: DateTime<Utc>,
    pub next_try_at: Option<DateTime<Utc>>,
    pub claim: Option<Uuid>,
    pub opener: Option<Uuid>,
    pub provisioning_until: Option<DateTime<Utc>>,
    pub failures: i32,
    pub first_failed_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub alarmed: bool,
    pub provisioned_at: Option<DateTime<Utc>>,
    pub revocation_ordered_at: Option<DateTime<Utc>>,
    pub refused_from: Option<DateTime<Utc>>,
    pub cut_at: Option<DateTime<Utc>>,
    pub sessions_cut: i64,
    pub revoked_at: Option<DateTime<Utc>>,
    pub content: Vec<u8>,
    pub engineer_enabled: bool,
    /// Whether the log has the proof of both approvals that the tenant requires.
    pub is_proved: bool,
}

impl ProvisioningRow {
    fn corrupt(&self, problem: &str) -> Error {
        Error::Corrupt { request: self.request, problem: problem.to_owned() }
    }

    pub fn content(&self) -> Result<Content, Error> {
        Content::from_bytes(&self.content).ok_or_else(|| self.corrupt("the content is not readable"))
    }

    pub fn provisioning(&self) -> Result<Provisioning, Error> {
        Ok(Provisioning {
            state: ProvisioningState::parse(&self.state)
                .ok_or_else(|| self.corrupt("its provisioning is in no known state"))?,
            until: self.until_at,
            next_try_at: self.next_try_at,
            failures: self.failures,
            first_failed_at: self.first_failed_at,
            last_error: self.last_error.clone(),
            alarmed: self.alarmed,
            provisioned_at: self.provisioned_at,
            revocation_ordered_at: self.revocation_ordered_at,
            refused_from: self.refused_from,
            cut_at: self.cut_at,
            sessions_cut: self.sessions_cut,
            revoked_at: self.revoked_at,
        })
    }

    /// Copies the values of a provisioning to this row.
    pub fn update(&mut self, provisioning: &Provisioning, connector: String) {
        provisioning.state.as_str().clone_into(&mut self.state);
        self.connector = Some(connector);
        self.next_try_at = provisioning.next_try_at;
        self.failures = provisioning.failures;
        self.first_failed_at = provisioning.first_failed_at;
        self.last_error = provisioning.last_error.as_deref().map(printable);
        self.alarmed = provisioning.alarmed;
        self.provisioned_at = provisioning.provisioned_at;
        self.revocation_ordered_at = provisioning.revocation_ordered_at;
        self.refused_from = provisioning.refused_from;
        self.cut_at = provisioning.cut_at;
        self.sessions_cut = provisioning.sessions_cut;
        self.revoked_at = provisioning.revoked_at;
    }
}

/// Errors of targets are shortened, and stored without the NUL character that Postgres refuses.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\0' { '\u{FFFD}' } else { c }).take(500).collect()
}

const WRITE: &str = include_str!("row/write.sql");

/// Writes rows that are locked.
pub(super) async fn write(tx: &mut Transaction<'static, Postgres>, rows: &[ProvisioningRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(WRITE)
        .bind(rows.iter().map(|row| row.request).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.connector.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.next_try_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.claim).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.opener).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.provisioning_until).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.failures).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.first_failed_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.last_error.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.alarmed).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.provisioned_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revocation_ordered_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.refused_from).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.cut_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.sessions_cut).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revoked_at).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("writing provisionings"))?;
    Ok(())
}
