//! Commands for people and for operators. Each command has a file of its own.
//!
//! Deliberately absent: servers. The program adds the commands that start them.

use clap::Subcommand;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;

pub use audit::Audit;

mod access;
mod apply;
mod audit;
mod clicks;
mod dead_letter;
mod decide;
mod depths;
mod doctor;
mod dovecot_auth;
mod log;
mod mail;
mod migrate;
mod person;
mod remote;
mod request;
mod show;
mod token;
mod topology;
mod webhook;
mod witness;
mod work;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run roles: intake, manager-review, notification, approval, expiry, access, audit, mail; sequencer, signer (parts of audit).
    Work(work::Work),
    /// Bring the database to this version.
    Migrate(migrate::Migrate),
    /// Exchanges and queues.
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Bring tenants, people, roles and rules to what a directory file says.
    Apply(apply::Apply),
    /// Requests for access.
    #[command(subcommand)]
    Request(request::Request),
    /// A manager's yes or no.
    Review(decide::Review),
    /// An approver's yes or no.
    Decide(decide::Decide),
    /// Live grants, their ends and their closing reports.
    #[command(subcommand)]
    Access(access::Access),
    /// Countersign audit logs for whoever does not want to trust their keeper alone.
    Witness(witness::WitnessCommand),
    /// Tokens of the HTTP interface.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Identities of people at identity providers.
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Manage webhooks.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// For Dovecot: may this engineer read this mailbox now? Name and password come in on descriptor 3.
    #[command(hide = true)]
    DovecotAuth(dovecot_auth::DovecotAuth),
    /// Mails that came back.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Messages given up on.
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    /// Look whether everything is in place, and say what to do.
    Doctor,
}

impl Command {
    /// Whether it stays up and serves, and so logs as servers do.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Work(_) | Self::Witness(_))
    }

    /// Whether one worker role runs in a process of its own.
    pub fn is_single_worker(&self) -> bool {
        matches!(self, Self::Work(work) if work.is_single())
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The [`Failure`] that gives the exit code.
    pub async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Work(work) => Box::pin(work.run(settings)).await,
            Self::Migrate(migrate) => migrate.run(settings).await,
            Self::Topology(topology) => topology.run(settings, format).await,
            Self::Apply(apply) => apply.run(settings, format).await,
            Self::Request(request) => Box::pin(request.run(settings, format)).await,
            Self::Review(review) => Box::pin(review.run(settings, format)).await,
            Self::Decide(decide) => Box::pin(decide.run(settings, format)).await,
            Self::Access(access) => Box::pin(access.run(settings, format)).await,
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
