//! `lockbox worker ROLE…`: run worker roles in this process.

use clap::Args;
use workers::RoleName;

use runtime::configuration::Settings;
use runtime::outcome::Failure;

/// Roles to run.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox worker intake approval\n  lockbox worker --all")]
pub struct Worker {
    /// Roles to run in this process.
    #[arg(required_unless_present = "all", value_name = "ROLE", value_parser = role)]
    roles: Vec<RoleName>,
    /// Run every role.
    #[arg(long, conflicts_with = "roles")]
    all: bool,
    /// Only record events in the audit role; run the roles sequencer and signer in other processes.
    #[arg(long)]
    append_only: bool,
}

fn role(name: &str) -> Result<RoleName, String> {
    RoleName::parse(name).ok_or_else(|| {
        let names: Vec<_> = RoleName::ALL.iter().chain(&RoleName::AUDIT_PARTS).map(|role| role.as_str()).collect();
        format!("unknown role; use one of {}", names.join(", "))
    })
}

impl Worker {
    /// Whether the command names exactly one role.
    pub fn is_single(&self) -> bool {
        self.roles.len() == 1
    }

    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let mut roles = if self.all { RoleName::ALL.to_vec() } else { self.roles };
        roles.sort_unstable();
        roles.dedup();
        let mut settings = settings.clone();
        settings.audit.append_only = self.append_only;
        runtime::serve::run(&settings, &roles).await
    }
}
