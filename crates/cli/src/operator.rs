//! Name of the operator who runs a command with the database's login.

use clap::Args;
use contracts::events::{Actor, Auth};

/// Who runs the command.
#[derive(Args, Clone, Debug)]
pub struct Operator {
    /// Name of the operator, for the audit log.
    #[arg(
        id = "operator",
        long = "operator",
        env = "LOCKBOX_OPERATOR",
        value_name = "NAME",
        default_value = "operator"
    )]
    pub name: String,
}

impl Operator {
    /// The actor of events. Every user of the database's login can give any name, and the event states that login.
    pub fn actor(&self) -> Actor {
        let auth = Some(Auth::of_channel("cli/database"));
        Actor { kind: "operator".to_owned(), name: Some(self.name.clone()), ..Actor::lockbox() }.known_by(auth)
    }
}
