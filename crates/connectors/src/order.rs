//! What every connector is told and what it answers.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How much the engineer may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLevel {
    /// Look, and change nothing.
    #[default]
    ReadOnly,
    /// Look and change.
    ReadWrite,
}

impl AccessLevel {
    /// Name in messages and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::ReadWrite => "read_write",
        }
    }
}

/// One provisioning: who gets to what, how and until when. The same order names the same provisioning every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The grant, which is the request's id: names in the target are derived from it, so that repeating is harmless
    /// and what carries our mark can be found again.
    pub grant: Uuid,
    /// Short name of the tenant.
    pub tenant: String,
    /// Service, such as `exchange_online`.
    pub service: String,
    /// Mailbox address, site or folder URL: exactly what access covers.
    pub resource: String,
    /// How much the engineer may do.
    pub access_level: AccessLevel,
    /// Short name of the engineer.
    pub engineer: String,
    /// Access is over at this moment. Targets that can end by themselves are told, as a dead-man switch.
    pub until: DateTime<Utc>,
}

/// What reading a target back has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The engineer gets in.
    Open,
    /// The engineer does not get in, and no session is left.
    Closed,
}

/// Why a target did not do what it was told. Whoever closes tries again in either case.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It may work later.
    #[error("{0}")]
    Transient(String),
    /// It will not work before somebody changes something.
    #[error("{0}")]
    Permanent(String),
}

/// One kind of target. Every call may be repeated, and every call may have worked although its answer got lost.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Lets the engineer in, until the order's end at most.
    ///
    /// # Errors
    /// [`Fault`]; the provisioning may stand open all the same.
    async fn open(&self, order: &Order) -> Result<(), Fault>;

    /// Lets the engineer in no more. Closing what is closed is fine.
    ///
    /// # Errors
    /// [`Fault`]; the provisioning may stand open.
    async fn close(&self, order: &Order) -> Result<(), Fault>;

    /// Cuts the sessions that are still running and answers with their number.
    ///
    /// # Errors
    /// [`Fault`]; sessions may go on.
    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault>;

    /// Reads the target back.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be known; unknown is not closed.
    async fn probe(&self, order: &Order) -> Result<Found, Fault>;

    /// What an engineer who was let in can do beyond the order, a phrase each that follows "the engineer can": rights that
    /// the target gives to everybody, and that this connector cannot take away.
    ///
    /// # Errors
    /// [`Fault`] when the target cannot be asked.
    async fn extra_rights(&self, _order: &Order) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    /// Grants that have something in the target carrying our mark, whether or not they should.
    ///
    /// # Errors
    /// [`Fault`] when the target cannot be asked.
    async fn marked(&self) -> Result<Vec<Uuid>, Fault>;
}
