//! `lockbox trust`: what the gate and the role `access` of this host trust about tenants.

use clap::{Args, Subcommand};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line};
use serde_json::json;
use tlog::Verifier;
use workers::trust::{AddFault, Trust, add};

/// Trust commands.
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Add the authority of a tenant and the keys of its log to the trust folder.
    ///
    /// From then on, the gate and the role access open access of this tenant only after they have verified its consent. Get the
    /// authority file or the fingerprint from the customer, not from the database.
    Add(Add),
    /// List the trust folder.
    List(List),
}

/// What to trust.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox trust add contoso --authority contoso-authority.json --key lockbox.fabrikam.example/t/contoso+1a2b3c4d+AQ…\n  lockbox trust add vendor --authority vendor-authority.json"
)]
pub struct Add {
    /// Short name of the tenant; `vendor` for the authority of the vendor.
    tenant: String,
    /// Authority file, or a fingerprint of 64 hexadecimal digits. Required for the first time.
    #[arg(long, value_name = "FILE|FINGERPRINT")]
    authority: Option<String>,
    /// Public key of the tenant's log; repeat the option for more keys.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

/// The listing.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox trust list -o json")]
pub struct List {
    #[command(flatten)]
    columns: Columns,
}

impl TrustCommand {
    pub(super) fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(settings),
            Self::List(list) => list.run(settings, format),
        }
    }
}

impl Add {
    fn run(self, settings: &Settings) -> Result<(), Failure> {
        let usage = |error: String| Failure::Usage(error);
        let keys: Result<Vec<Verifier>, Failure> =
            self.key.iter().map(|key| key.parse().map_err(|error| usage(format!("key: {error}")))).collect();
        let is_fingerprint =
            |text: &str| text.chars().filter(|c| !c.is_whitespace()).all(|c| c.is_ascii_hexdigit()) && text.len() >= 64;
        let authority = match self.authority {
            Some(text) if is_fingerprint(&text) => Some(text),
            Some(path) => {
                let read = std::fs::read_to_string(&path);
                Some(read.map_err(|error| usage(format!("authority: {path} cannot be read: {error}")))?)
            }
            None => None,
        };
        let added = add(&settings.trust.folder, &self.tenant, authority.as_deref(), &keys?);
        let pin = added.map_err(|fault| match fault {
            AddFault::Input(_) => usage(fault.to_string()),
            AddFault::OtherAuthority { .. } | AddFault::Write { .. } => Failure::Failed(fault.to_string()),
        })?;
        line(&format!("The authority of {} is trusted. Compare its fingerprint with the customer's:", self.tenant))?;
        line(&pin.text())
    }
}

impl List {
    fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let trust = Trust::read(&settings.trust);
        if let Some(fault) = trust.fault {
            return Err(Failure::Failed(fault));
        }
        let mut rows = Vec::new();
        let mut documents = Vec::new();
        for (tenant, read) in &trust.tenants {
            let (fingerprint, keys, problem) = match read {
                Ok(trusted) => {
                    let keys: Vec<String> = trusted.keys.iter().map(ToString::to_string).collect();
                    (Some(trusted.authority.text()), keys, None)
                }
                Err(fault) => (None, Vec::new(), Some(fault.clone())),
            };
            rows.push(vec![
                tenant.clone(),
                fingerprint.clone().unwrap_or_default(),
                keys.join("\n"),
                problem.clone().unwrap_or_else(|| "ok".to_owned()),
            ]);
            documents.push(json!({"tenant": tenant, "fingerprint": fingerprint, "keys": keys, "problem": problem}));
        }
        let listing = Listing::new(vec!["tenant", "fingerprint", "keys", "status"], rows, documents.into());
        self.columns.print(&listing, format)
    }
}
