//! The commands of the program. Each command has a file of its own in its crate.

use clap::{CommandFactory, Parser, Subcommand};
use runtime::configuration::Flags;
use runtime::outcome::Failure;
use runtime::output::Format;

use super::help::Help;

/// Control a vendor's access to customer content: both sides approve, access ends on time, and every step is in the audit log.
#[derive(Debug, Parser)]
#[command(
    name = "lockbox",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 6 server not reachable, 7 no outcome in time.\n\
                  Exit codes of `audit verify`: 10 signature, 11 changed, 12 missing, 13 split view, 14 stale, 15 database \
                  mismatch, 16 rule, 17 consent, 18 consent not verified.\n\
                  To begin: `lockbox demo`, or `lockbox dev` for a development environment. Settings: `lockbox help settings`."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
    /// Format of the result.
    #[arg(short, long, value_enum, global = true, default_value_t, help_heading = "Output")]
    output: Format,
    /// Same as `--output json`.
    #[arg(long, global = true, conflicts_with = "output", help_heading = "Output")]
    json: bool,
    /// Show times in UTC instead of the local time zone.
    #[arg(long, global = true, help_heading = "Output")]
    utc: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Tools(cli::Command),
    /// Search, check, export and verify the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Run the web portal.
    Portal(portal::Portal),
    /// Run the gate, which proxies and programs call before they serve content.
    Gate(gate::Gate),
    /// Start a local development environment.
    #[cfg(feature = "development")]
    Dev(devkit::dev::Dev),
    /// Run a complete demonstration on local servers.
    #[cfg(feature = "development")]
    Demo(devkit::demo::Demo),
    /// Measure performance on local servers; best with an optimized build (`make bench`).
    #[cfg(feature = "development")]
    Bench(bench::Bench),
    /// Print shell completions.
    #[command(after_help = "Example:\n  lockbox completions bash > /etc/bash_completion.d/lockbox")]
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Print help for a command, or the settings of every command.
    Help(Help),
}

#[derive(Debug, Subcommand)]
enum Audit {
    #[command(flatten)]
    Tools(cli::Audit),
    /// Forward entries to a syslog or OCSF collector, each at least once and in order.
    Forward(forward::Forward),
}

impl Cli {
    /// Threads that the command needs: a worker with one role needs only one.
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
        match &self.command {
            Command::Completions { shell } => {
                clap_complete::generate(*shell, &mut Self::command(), "lockbox", &mut std::io::stdout());
                return Ok(());
            }
            Command::Help(help) => return help.run(Self::command()),
            _ => {}
        }
        if self.utc {
            runtime::output::use_utc();
        }
        let settings = self.flags.resolve()?;
        let mut quiet = settings.clone();
        if !self.is_server() && self.flags.log.is_none() {
            "warn".clone_into(&mut quiet.log);
        }
        runtime::logs::start(&quiet)?;
        let format = if self.json { Format::Json } else { self.output };
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
            Command::Completions { .. } | Command::Help(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_commands_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_short_form_of_json_is_an_output_format() {
        let cli = Cli::try_parse_from(["lockbox", "doctor", "--json"]).unwrap();
        assert!(cli.json);
        assert!(Cli::try_parse_from(["lockbox", "doctor", "--json", "-o", "csv"]).is_err());
    }

    #[test]
    fn the_reference_of_commands_and_settings_is_current() {
        crate::help::tests::check_reference(&Cli::command());
    }
}
