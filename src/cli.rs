//! The command line: what there is to call. Each command has a file of its own.

use clap::{CommandFactory, Parser, Subcommand};

use crate::configuration::Flags;
use crate::outcome::Failure;
use crate::output::Format;

pub(crate) use access::access_json;
pub(crate) use apply::read as read_directory;
pub(crate) use audit::export::{bundle as export_bundle, prove as prove_event};
pub(crate) use audit::listing as audit_listing;
pub(crate) use audit::verify::bundle as examine_bundle;
pub(crate) use show::{document as request_document, event_text, request_json};
pub(crate) use topology::{apply as apply_topology, open_link};

mod access;
mod apply;
pub(crate) mod audit;
mod clicks;
mod decide;
mod depths;
mod doctor;
mod imap_login;
mod log;
mod mail;
mod migrate;
mod parked;
mod person;
mod remote;
mod request;
mod show;
mod token;
mod topology;
mod webhook;
mod witness;
mod work;

/// No access to customer content without two yeses, only for the time asked, every step on record.
#[derive(Debug, Parser)]
#[command(
    name = "lockbox",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 6 not reachable, 7 timed out waiting;\n\
                  of `audit verify`: 10 signature, 11 changed, 12 missing, 13 two histories, 14 stale, 15 tables differ, 16 rule.\n\
                  Begin with `lockbox demo`, or `lockbox dev` to stay."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
    /// How results are printed.
    #[arg(short, long, value_enum, global = true, default_value_t)]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Live accesses, their ends and their closing reports.
    #[command(subcommand)]
    Access(access::Access),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Countersign audit logs for whoever does not want to trust their keeper alone.
    Witness(witness::WitnessCommand),
    /// Serve the web portal.
    Portal(crate::portal::Portal),
    /// Serve the gate that proxies and programs ask before they serve content.
    Gate(crate::gate::Gate),
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
    ImapLogin(imap_login::ImapLogin),
    /// Mails that came back.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Messages given up on.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// Look whether everything is in place, and say what to do.
    Doctor,
    /// Start servers and every role for development, and stay.
    Dev(crate::dev::Dev),
    /// Watch requests go all the way on real servers, and end.
    Demo(crate::demo::Demo),
    /// Measure, on private servers of its own; best with an optimized build (`make bench`).
    Bench(crate::bench::Bench),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Threads the command needs: a worker with one role is small.
    pub fn threads(&self) -> usize {
        match &self.command {
            Command::Work(work) if work.is_single() => 1,
            _ => 2,
        }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The [`Failure`] that gives the exit code.
    pub async fn run(self) -> Result<(), Failure> {
        if let Command::Completions { shell } = self.command {
            clap_complete::generate(shell, &mut Self::command(), "lockbox", &mut std::io::stdout());
            return Ok(());
        }
        let settings = self.flags.resolve()?;
        let mut quiet = settings.clone();
        let is_server = match &self.command {
            Command::Work(_) | Command::Portal(_) | Command::Gate(_) | Command::Witness(_) => true,
            Command::Audit(audit) => audit.is_server(),
            _ => false,
        };
        if !is_server && self.flags.log.is_none() {
            "warn".clone_into(&mut quiet.log);
        }
        crate::logs::start(&quiet)?;
        let format = self.output;
        match self.command {
            Command::Work(work) => Box::pin(work.run(&settings)).await,
            Command::Portal(portal) => Box::pin(portal.run(&settings)).await,
            Command::Gate(gate) => Box::pin(gate.run(&settings)).await,
            Command::Migrate(migrate) => migrate.run(&settings).await,
            Command::Topology(topology) => topology.run(&settings, format).await,
            Command::Apply(apply) => apply.run(&settings, format).await,
            Command::Request(request) => Box::pin(request.run(&settings, format)).await,
            Command::Review(review) => Box::pin(review.run(&settings, format)).await,
            Command::Decide(decide) => Box::pin(decide.run(&settings, format)).await,
            Command::Access(access) => Box::pin(access.run(&settings, format)).await,
            Command::Audit(audit) => audit.run(&settings, format).await,
            Command::Witness(witness) => Box::pin(witness.run()).await,
            Command::Token(token) => token.run(&settings, format).await,
            Command::Person(person) => person.run(&settings, format).await,
            Command::Webhook(webhook) => webhook.run(&settings, format).await,
            Command::ImapLogin(login) => login.run().await,
            Command::Mail(mail) => Box::pin(mail.run(&settings)).await,
            Command::Parked(parked) => parked.run(&settings, format).await,
            Command::Doctor => doctor::run(&settings, format).await,
            Command::Dev(dev) => Box::pin(dev.run(&settings, self.flags)).await,
            Command::Demo(demo) => Box::pin(demo.run(&settings, self.flags)).await,
            Command::Bench(bench) => Box::pin(bench.run(&settings)).await,
            Command::Completions { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
