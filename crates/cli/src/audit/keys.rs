//! `lockbox audit keys`: the keys that sign the audit log.

use clap::Subcommand;
use workers::signer::Seeds;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;

/// Key commands.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Keys {
    /// Add a key. It signs beside the other keys, and the signer records it in every log.
    Add,
    /// Retire the oldest key. Do this after every verifier trusts the new key.
    Retire,
}

impl Keys {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let folder = &settings.audit.folder;
        match self {
            Self::Add => Seeds::add(folder)?,
            Self::Retire => Seeds::retire(folder)?,
        }
        let count = Seeds::read(folder)?.len();
        line(&format!("{count} keys are in {}. The signer uses them at once.", folder.display()))
    }
}
