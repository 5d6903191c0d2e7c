//! `lockbox key`: software keys of approvers.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use runtime::outcome::Failure;
use runtime::output::{Format, fields, json as print_json, print_message};
use serde_json::json;

use crate::software_key::SoftwareKey;

/// Key commands.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a software key (Ed25519) that signs decisions on this machine.
    Create(Create),
}

/// A key to create.
#[derive(Args, Debug)]
#[command(
    after_help = "The tenant's authority must allow software keys. Add the public key on the page \"Authority\" of the portal.\n\nExample:\n  lockbox key create alex.pem"
)]
pub struct Create {
    /// New file for the private key. Only you can read it.
    file: PathBuf,
}

impl KeyCommand {
    pub(super) fn run(self, format: Format) -> Result<(), Failure> {
        let Self::Create(Create { file }) = self;
        let key = SoftwareKey::create(&file)?.key;
        if format != Format::Table {
            return print_json(&json!(key));
        }
        print_message(&format!("The private key is in {}. Do not share it.", file.display()));
        fields(&[("Key", key.id), ("Public key", key.public_key)])
    }
}
