//! `lockbox dev`: real servers, every role as a process of its own, and a mailbox; stays until Ctrl-C.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use runtime::configuration::{Flags, Settings};
use runtime::outcome::Failure;
use runtime::output::{line, tell};

mod stack;

pub use stack::{Place, Stack, prepare};

/// How to start.
#[derive(Args, Clone, Debug)]
pub struct Dev {
    #[command(flatten)]
    place: Place,
    /// More processes of a role, such as approval=4.
    #[arg(long, value_name = "ROLE=NUMBER", value_parser = scale)]
    scale: Vec<(workers::RoleName, usize)>,
    /// Directory to begin with [default: the invented companies of examples/directory.yaml].
    #[arg(short = 'f', long, value_name = "FILE")]
    directory: Option<PathBuf>,
}

fn scale(text: &str) -> Result<(workers::RoleName, usize), String> {
    let wrong = || "write a role and a number, such as approval=4".to_owned();
    let (role, number) = text.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().ok().filter(|number| (1..=32).contains(number)).ok_or_else(wrong)?;
    Ok((workers::RoleName::parse(role).ok_or_else(wrong)?, number))
}

impl Dev {
    /// Runs until asked to stop.
    ///
    /// # Errors
    /// When no servers can be had or a worker does not start.
    pub async fn run(self, settings: &Settings, flags: Flags) -> Result<(), Failure> {
        let mut stack = Stack::start(settings, &flags, &self.place, &self.scale, self.directory.as_deref()).await?;
        let environment = stack.write_environment()?;
        let portal = &stack.settings.mail.portal_url;
        line(&format!("\nLockbox works. The portal: {portal}   every mail sent: {portal}/mailbox"))?;
        line("Sign in as robin (engineer), morgan (manager) or alex (approver of contoso).")?;
        line("\nOr in another terminal:")?;
        line(&format!("  . {}", environment.display()))?;
        line(
            "  lockbox request submit --as robin --tenant contoso --service-request SR-2026-000001 \
             --service exchange_online --resource finance@contoso.example --justification 'mail is stuck' --duration 15m",
        )?;
        line("  lockbox request approve ID --as morgan      # the vendor's manager")?;
        line("  lockbox request approve ID --as alex        # the customer's approver")?;
        line("  lockbox request watch ID;  lockbox audit search --tenant contoso;  lockbox doctor")?;
        line("\nMails sent are shown here. Ctrl-C stops everything; the data stays.\n")?;
        let mut shown = 0;
        loop {
            tokio::select! {
                () = runtime::serve::asked_to_stop() => break,
                () = tokio::time::sleep(Duration::from_millis(300)) => {
                    let mails = stack.mailbox.mails();
                    for mail in &mails[shown..] {
                        line(&format!("mail to {}: {}", mail.to.join(", "), runtime::output::printable(&mail.subject)))?;
                    }
                    shown = mails.len();
                    stack.mind()?;
                }
            }
        }
        tell("stopping");
        stack.stop().await;
        Ok(())
    }
}
