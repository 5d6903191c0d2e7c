//! Commands for people and for operators. Each command has a file of its own.
//!
//! Deliberately absent: servers. The program adds the commands that start them.

use clap::Subcommand;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;

pub use audit::Audit;

mod apply;
mod audit;
mod commands;
mod dead_letter;
mod decision;
mod depths;
mod doctor;
mod dovecot_auth;
mod grant;
mod log;
mod mail;
mod migrate;
mod person;
mod person_name;
mod portal_client;
mod request;
mod show;
mod token;
mod topology;
mod webhook;
mod witness;
mod worker;

/// Commands of the command line.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run worker roles: intake, manager-review, notification, approval, expiry, access, audit, mail; sequencer and
    /// signer are parts of audit.
    Worker(worker::Worker),
    /// Apply database migrations.
    Migrate(migrate::Migrate),
    /// Create and check exchanges and queues.
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Apply a directory file: tenants, people, roles and rules.
    Apply(apply::Apply),
    /// Submit, read and decide access requests.
    #[command(subcommand)]
    Request(request::Request),
    /// Manage active access: list, revoke, access tokens and access reports.
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Run a witness that cosigns the checkpoints of audit logs.
    Witness(witness::WitnessCommand),
    /// Manage API tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Manage the identities of people at identity providers.
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Manage webhooks.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Authenticate a login for Dovecot (its checkpassword interface: name and password on descriptor 3).
    #[command(hide = true)]
    DovecotAuth(dovecot_auth::DovecotAuth),
    /// Process bounced mail.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Inspect and replay dead-letter messages.
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    /// Check the installation and suggest fixes.
    Doctor,
}

impl Command {
    /// Whether it stays up and serves, and so logs as servers do.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Worker(_) | Self::Witness(_))
    }

    /// Whether one worker role runs in a process of its own.
    pub fn is_single_worker(&self) -> bool {
        matches!(self, Self::Worker(worker) if worker.is_single())
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The [`Failure`] that gives the exit code.
    pub async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Worker(worker) => Box::pin(worker.run(settings)).await,
            Self::Migrate(migrate) => migrate.run(settings).await,
            Self::Topology(topology) => topology.run(settings, format).await,
            Self::Apply(apply) => apply.run(settings, format).await,
            Self::Request(request) => Box::pin(request.run(settings, format)).await,
            Self::Grant(grant) => Box::pin(grant.run(settings, format)).await,
            Self::Witness(witness) => Box::pin(witness.run()).await,
            Self::Token(token) => token.run(settings, format).await,
            Self::Person(person) => person.run(settings, format).await,
            Self::Webhook(webhook) => webhook.run(settings, format).await,
            Self::DovecotAuth(login) => login.run().await,
            Self::Mail(mail) => Box::pin(mail.run(settings)).await,
            Self::DeadLetter(dead_letter) => dead_letter.run(settings, format).await,
            Self::Doctor => doctor::run(settings, format).await,
        }
    }
}
