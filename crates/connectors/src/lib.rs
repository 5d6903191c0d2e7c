//! Connectors to target systems, one for each kind of target. Each can open, close, end sessions and read the state back.
//!
//! Deliberately absent: the lifecycle, Lockbox' own database and the broker. The role `access` stores every order before a
//! connector gets it, and the result after.

mod config;
mod files;
mod mailbox;
mod order;
mod postgres;
mod webhook;

pub use config::{Built, Config, FilesSettings, MailboxSettings, PostgresSettings, Target, build};
pub use files::Files;
pub use mailbox::{Entry, Mailbox};
pub use order::{AccessLevel, Connector, Fault, Found, Order};
pub use postgres::{Postgres, login};
pub use webhook::{Webhook, WebhookSettings};
