//! Opens and closes the provisioning in target systems: one connector a kind of target, each with open, close, cut and probe.
//!
//! Deliberately absent: the lifecycle, Lockbox' own database and the broker. A connector is told what to do; that it
//! was told is stored before, and what came of it is stored after, by the role `access`.

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
