//! `lockbox dev`: starts a local development environment: servers, every role as a process of its own, and a mailbox. It runs
//! until Ctrl-C.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use runtime::configuration::{Flags, Settings};
use runtime::outcome::Failure;
use runtime::output::{line, print_message};

mod stack;

pub use stack::{Place, Stack, prepare};

/// Options of the development environment.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  lockbox dev --scale approval=4")]
pub struct Dev {
    #[command(flatten)]
    place: Place,
    /// Number of processes of a role, such as approval=4; repeat the option for more roles.
    #[arg(long, value_name = "ROLE=NUMBER", value_parser = scale)]
    scale: Vec<(workers::RoleName, usize)>,
    /// Directory file to apply [default: the fictitious companies of examples/directory.yaml].
    #[arg(short = 'f', long, value_name = "FILE")]
    directory: Option<PathBuf>,
}

fn scale(text: &str) -> Result<(workers::RoleName, usize), String> {
    let wrong = || "use a role and a number from 1 to 32, such as approval=4".to_owned();
    let (role, number) = text.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().ok().filter(|number| (1..=32).contains(number)).ok_or_else(wrong)?;
    Ok((workers::RoleName::parse(role).ok_or_else(wrong)?, number))
}

impl Dev {
    /// Runs until the process is asked to stop.
    ///
    /// # Errors
    /// When a server or a worker does not start.
    pub async fn run(self, settings: &Settings, flags: Flags) -> Result<(), Failure> {
        let mut stack = Stack::start(settings, &flags, &self.place, &self.scale, self.directory.as_deref()).await?;
        let environment = stack.write_environment()?;
        let portal = &stack.settings.mail.portal_url;
        line(&format!(
            "\nLockbox is ready. The portal: {portal}   the mailbox with every sent mail: {portal}/mailbox"
        ))?;
        line("Sign in as robin (requester), morgan (manager) or alex (approver of contoso).")?;
        line("\nOr use the command line in another terminal:")?;
        line(&format!("  . {}", environment.display()))?;
        line(
            "  lockbox request submit --as robin --tenant contoso --service-request SR-2026-000001 \
             --service exchange_online --resource finance@contoso.example --justification 'mail is stuck' --duration 15m",
        )?;
        line("  lockbox request approve ID --as morgan      # for the vendor")?;
        line("  lockbox request approve ID --as alex        # for the customer")?;
        line("  lockbox request watch ID --as robin;  lockbox audit search --as alex;  lockbox doctor")?;
        line("\nSent mails are printed here. Ctrl-C stops everything; the data stays.\n")?;
        let mut shown = 0;
        loop {
            tokio::select! {
                () = runtime::serve::stop_requested() => break,
                () = tokio::time::sleep(Duration::from_millis(300)) => {
                    let mails = stack.mailbox.mails();
                    for mail in &mails[shown..] {
                        line(&format!("mail to {}: {}", mail.to.join(", "), runtime::output::printable(&mail.subject)))?;
                    }
                    shown = mails.len();
                    stack.restart_ended_workers()?;
                }
            }
        }
        print_message("stopping");
        stack.stop().await;
        Ok(())
    }
}
