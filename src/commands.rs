//! The command line: what there is to call. Each command has a file of its own in its crate.

use clap::{CommandFactory, Parser, Subcommand};
use runtime::configuration::Flags;
use runtime::outcome::Failure;
use runtime::output::Format;

/// No access to customer content without two yeses, only for the time asked, every step on record.
#[derive(Debug, Parser)]
#[command(
    name = "lockbox",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 6 not reachable, 7 timed out waiting;\n\
                  of `audit verify`: 10 signature, 11 changed, 12 missing, 13 split view, 14 stale, 15 database mismatch, 16 rule.\n\
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
    #[command(flatten)]
    Tools(cli::Command),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Serve the web portal.
    Portal(portal::Portal),
    /// Serve the gate that proxies and programs ask before they serve content.
    Gate(gate::Gate),
    /// Start servers and every role for development, and stay.
    #[cfg(feature = "development")]
    Dev(devkit::dev::Dev),
    /// Watch requests go all the way on real servers, and end.
    #[cfg(feature = "development")]
    Demo(devkit::demo::Demo),
    /// Measure, on private servers of its own; best with an optimized build (`make bench`).
    #[cfg(feature = "development")]
    Bench(bench::Bench),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Audit {
    #[command(flatten)]
    Tools(cli::Audit),
    /// Send entries on to a syslog or OCSF collector as they come, each at least once and in order.
    Forward(forward::Forward),
}

impl Cli {
    /// Threads the command needs: a worker with one role is small.
    pub fn threads(&self) -> usize {
        match &self.command {
            Command::Tools(tool) if tool.is_single_worker() => 1,
            _ => 2,
        }
    }

    fn is_server(&self) -> bool {
        match &self.command {
            Command::Portal(_) | Command::Gate(_) => true,
            Command::Tools(tool) => tool.is_server(),
            Command::Audit(Audit::Forward(forward)) => forward.stays(),
            _ => false,
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
        if !self.is_server() && self.flags.log.is_none() {
            "warn".clone_into(&mut quiet.log);
        }
        runtime::logs::start(&quiet)?;
        let format = self.output;
        match self.command {
            Command::Tools(tool) => Box::pin(tool.run(&settings, format)).await,
            Command::Audit(Audit::Tools(tool)) => Box::pin(tool.run(&settings, format)).await,
            Command::Audit(Audit::Forward(forward)) => Box::pin(forward.run(&settings)).await,
            Command::Portal(portal) => Box::pin(portal.run(&settings)).await,
            Command::Gate(gate) => Box::pin(gate.run(&settings)).await,
            #[cfg(feature = "development")]
            Command::Dev(dev) => Box::pin(dev.run(&settings, self.flags)).await,
            #[cfg(feature = "development")]
            Command::Demo(demo) => Box::pin(demo.run(&settings, self.flags)).await,
            #[cfg(feature = "development")]
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
