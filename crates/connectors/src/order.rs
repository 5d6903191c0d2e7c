//! The orders to connectors and their results.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The access level of the engineer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLevel {
    /// Read only.
    #[default]
    ReadOnly,
    /// Read and write.
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

/// An order for one provisioning: who gets access to what, with which access level, until when. Repeating an order is
/// harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The grant, which is the request's id. Names in the target are derived from it, so that an entitlement with Lockbox' mark can
    /// be found again.
    pub grant: Uuid,
    /// Short name of the tenant.
    pub tenant: String,
    /// Service, such as `exchange_online`.
    pub service: String,
    /// Mailbox address, site or folder URL: exactly what access covers.
    pub resource: String,
    /// The access level of the engineer.
    pub access_level: AccessLevel,
    /// Short name of the engineer.
    pub engineer: String,
    /// When access expires. Targets that can expire access by themselves get this time, in case Lockbox fails.
    pub until: DateTime<Utc>,
}

/// The state that was read back from a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The engineer has access.
    Open,
    /// The engineer has no access and no session.
    Closed,
}

/// Why a target did not execute an order. Revoking is retried in both cases.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It can succeed later.
    #[error("{0}")]
    Transient(String),
    /// It fails until an operator changes something.
    #[error("{0}")]
    Permanent(String),
}

/// One kind of target. Every call can be repeated, and a call can have succeeded although its response was lost.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Gives the engineer access until the order's end at most.
    ///
    /// # Errors
    /// [`Fault`]; access can be open nevertheless.
    async fn open(&self, order: &Order) -> Result<(), Fault>;

    /// Removes the engineer's access. Closing closed access succeeds.
    ///
    /// # Errors
    /// [`Fault`]; access can still be open.
    async fn close(&self, order: &Order) -> Result<(), Fault>;

    /// Ends the engineer's sessions and returns their number.
    ///
    /// # Errors
    /// [`Fault`]; sessions can continue.
    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault>;

    /// Reads the state back from the target.
    ///
    /// # Errors
    /// [`Fault`] when the state is unknown; unknown does not mean closed.
    async fn probe(&self, order: &Order) -> Result<Found, Fault>;

    /// The engineer's rights beyond the order, as phrases that follow "the engineer can": rights that the target gives to every
    /// login and that this connector cannot remove.
    ///
    /// # Errors
    /// [`Fault`] when the target does not respond.
    async fn extra_rights(&self, _order: &Order) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    /// Grants with an entitlement in the target that has Lockbox' mark, whether or not it should exist.
    ///
    /// # Errors
    /// [`Fault`] when the target does not respond.
    async fn marked(&self) -> Result<Vec<Uuid>, Fault>;
}
