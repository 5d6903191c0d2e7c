//! The command line: what there is to call. Each command has a file of its own.

use clap::{CommandFactory, Parser, Subcommand};

use crate::configuration::Flags;
use crate::outcome::Failure;
use crate::output::Format;

pub(crate) use apply::read as read_directory;
pub(crate) use audit::listing as audit_listing;
pub(crate) use request::event_text;
pub(crate) use topology::{apply as apply_topology, open_link};

mod access;
mod apply;
mod audit;
mod clicks;
mod decide;
mod doctor;
mod migrate;
mod parked;
mod request;
mod topology;
mod work;

/// No access to customer content without two yeses, only for the time asked, every step on record.
#[derive(Debug, Parser)]
#[command(
    name = "lockbox",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 6 not reachable, 7 timed out waiting.\n\
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
    /// Run roles: intake, manager-review, notification, approval, expiry, audit, mail.
    Work(work::Work),
    /// Bring the database to this version.
    Migrate,
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
    /// Open access.
    #[command(subcommand)]
    Access(access::Access),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Serve the web portal.
    Portal(crate::portal::Portal),
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
        let is_server = matches!(self.command, Command::Work(_) | Command::Portal(_));
        if !is_server && self.flags.log.is_none() {
            "warn".clone_into(&mut quiet.log);
        }
        crate::logs::start(&quiet)?;
        let format = self.output;
        match self.command {
            Command::Work(work) => Box::pin(work.run(&settings)).await,
            Command::Portal(portal) => Box::pin(portal.run(&settings)).await,
            Command::Migrate => migrate::run(&settings).await,
            Command::Topology(topology) => topology.run(&settings, format).await,
            Command::Apply(apply) => apply.run(&settings).await,
            Command::Request(request) => Box::pin(request.run(&settings, format)).await,
            Command::Review(review) => Box::pin(review.run(&settings, format)).await,
            Command::Decide(decide) => Box::pin(decide.run(&settings, format)).await,
            Command::Access(access) => Box::pin(access.run(&settings, format)).await,
            Command::Audit(audit) => audit.run(&settings, format).await,
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
