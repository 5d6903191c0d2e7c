//! `lockbox work <role>…`: what ops run and scale.

use clap::Args;
use workers::RoleName;

use runtime::configuration::Settings;
use runtime::outcome::Failure;

/// Which roles.
#[derive(Args, Debug)]
pub struct Work {
    /// Roles to run in this process.
    #[arg(required_unless_present = "all", value_parser = role)]
    roles: Vec<RoleName>,
    /// Run every role.
    #[arg(long, conflicts_with = "roles")]
    all: bool,
    /// The role audit only records events; the roles sequencer and signer, which it plays too otherwise, run elsewhere.
    #[arg(long)]
    append_only: bool,
}

fn role(name: &str) -> Result<RoleName, String> {
    RoleName::parse(name).ok_or_else(|| {
        let names: Vec<_> = RoleName::ALL.iter().chain(&RoleName::AUDIT_PARTS).map(|role| role.as_str()).collect();
        format!("no such role; one of {}", names.join(", "))
    })
}

impl Work {
    /// Whether one role alone is asked for.
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
