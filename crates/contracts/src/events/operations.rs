//! Operations on the installation.

use serde::{Deserialize, Serialize};

use super::Actor;

/// An operation, named after its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Database migrations were applied, or rights were granted to the groups of logins.
    Migrate,
    /// Missing exchanges and queues were created.
    TopologyApply,
    /// A month of events was archived.
    AuditArchive,
    /// The signer's state was restored from the checkpoints in the database.
    AuditResetSigner,
    /// Events are sent to a webhook again.
    WebhookRedeliver,
}

/// Data of `operation.performed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationPerformed {
    /// The operation.
    pub operation: Operation,
    /// What it did, one sentence each.
    pub details: Vec<String>,
    /// The operator, or the person at the portal.
    pub actor: Actor,
}
