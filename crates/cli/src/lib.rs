//! Commands for people and for operators. Each command has a file of its own. Commands of people call the portal's HTTP API;
//! commands of operators use the database and the broker with a login of their own.
//!
//! Deliberately absent: servers. The program adds the commands that start them.

use clap::Subcommand;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;

pub use audit::Audit;

mod apply;
mod audit;
mod dead_letter;
mod doctor;
mod dovecot_auth;
mod grant;
mod key;
mod mail;
mod migrate;
mod monitor;
mod operator;
mod person;
mod portal_client;
mod publish;
mod refresh;
mod request;
mod show;
mod software_key;
mod tenant;
mod token;
mod topology;
mod trust;
mod webhook;
mod witness;
mod worker;

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Submit, read and decide access requests.
    Request(request::RequestCommand),
    /// Manage active access: list, revoke, access tokens and access reports.
    Grant(grant::GrantCommand),
    /// Create software keys that sign decisions.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Run worker roles.
    ///
    /// The roles are intake, manager-review, notification, approval, expiry, access, audit and mail. The audit role
    /// includes the roles sequencer and signer, which can also run alone.
    Worker(worker::Worker),
    /// Apply database migrations.
    Migrate(migrate::Migrate),
    /// Create and check exchanges and queues.
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Apply a directory file: tenants, people, roles and rules.
    Apply(apply::Apply),
    /// Run a witness that cosigns the checkpoints of audit logs.
    Witness(witness::WitnessCommand),
    /// Run a monitor that verifies a tenant's log as it grows, and raises alarms.
    Monitor(Box<monitor::MonitorCommand>),
    /// Invite the first approver of a tenant.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Manage API tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Manage the identities of people at identity providers.
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Manage what the gate and the role access of this host trust.
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Manage webhooks.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Authenticate a login for Dovecot (checkpassword interface: name and password on descriptor 3).
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
    /// Whether the command runs until it is stopped, and so logs as servers do.
    pub fn is_server(&self) -> bool {
        match self {
            Self::Worker(_) | Self::Witness(_) => true,
            Self::Monitor(monitor) => monitor.is_server(),
            _ => false,
        }
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
            Self::Request(request) => Box::pin(request.run(settings, format)).await,
            Self::Grant(grant) => Box::pin(grant.run(settings, format)).await,
            Self::Key(key) => key.run(format),
            Self::Worker(worker) => Box::pin(worker.run(settings)).await,
            Self::Migrate(migrate) => migrate.run(settings).await,
            Self::Topology(topology) => topology.run(settings, format).await,
            Self::Apply(apply) => apply.run(settings, format).await,
            Self::Witness(witness) => Box::pin(witness.run()).await,
            Self::Monitor(monitor) => Box::pin(monitor.run(format)).await,
            Self::Tenant(tenant) => tenant.run(settings, format).await,
            Self::Token(token) => token.run(settings, format).await,
            Self::Person(person) => person.run(settings, format).await,
            Self::Trust(trust) => trust.run(settings, format),
            Self::Webhook(webhook) => webhook.run(settings, format).await,
            Self::DovecotAuth(login) => login.run().await,
            Self::Mail(mail) => Box::pin(mail.run(settings)).await,
            Self::DeadLetter(dead_letter) => dead_letter.run(settings, format).await,
            Self::Doctor => doctor::run(settings, format).await,
        }
    }
}
