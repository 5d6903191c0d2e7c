//! The trust folder: what this process trusts about tenants, in local files that the database cannot change.
//!
//! Each folder in it is named after a tenant and holds `log-keys` (public keys of its log, one per line) and `authority.json` (its
//! authority file, or only the fingerprint). `vendor/authority.json` is the authority file of the vendor; it is optional.

mod add;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use consent::{AuthorityFile, Pin, VENDOR};
use evidence::grant::Trust as TrustedTenant;
use tlog::Verifier;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use add::{AddFault, add};

/// File with the keys of a log.
pub const LOG_KEYS: &str = "log-keys";
/// File with an authority.
pub const AUTHORITY: &str = "authority.json";
/// How often the folder is read again.
const READ_PERIOD: Duration = Duration::from_secs(2);

/// Where the trust folder is, and what it is needed for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// The folder. One that does not exist is empty.
    pub folder: PathBuf,
    /// Whether a grant opens only with verified consent, also for tenants without an authority.
    pub is_required: bool,
}

/// The content of the trust folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// By short name of the tenant; a tenant whose files cannot be used has the reason.
    pub tenants: BTreeMap<String, Result<TrustedTenant, String>>,
    /// Whether a grant opens only with verified consent.
    pub is_required: bool,
    /// Why the folder cannot be read; then no grant opens.
    pub fault: Option<String>,
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_keys(path: &Path) -> Result<Vec<Verifier>, String> {
    let text = read_text(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<Verifier>, _> = lines.map(str::parse).collect();
    match keys {
        Ok(keys) if !keys.is_empty() => Ok(keys),
        Ok(_) => Err(format!("{}: it contains no key", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Reads an authority file or a fingerprint.
///
/// # Errors
/// When the file cannot be read or is neither.
pub fn read_pin(path: &Path) -> Result<Pin, String> {
    Pin::parse(&read_text(path)?).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn read_vendor(folder: &Path) -> Result<Option<AuthorityFile>, String> {
    let path = folder.join(VENDOR).join(AUTHORITY);
    match path.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) | Err(_) => match read_pin(&path)? {
            Pin::File(file) if file.tenant == VENDOR => Ok(Some(file)),
            Pin::File(_) | Pin::Fingerprint(_) => {
                Err(format!("{}: it must be the authority file of the vendor, not a fingerprint", path.display()))
            }
        },
    }
}

fn read_tenant(
    folder: &Path,
    tenant: &str,
    vendor: &Result<Option<AuthorityFile>, String>,
) -> Result<TrustedTenant, String> {
    let authority = read_pin(&folder.join(tenant).join(AUTHORITY))?;
    if let Pin::File(file) = &authority
        && file.tenant != tenant
    {
        return Err(format!("{tenant}/{AUTHORITY}: it is the authority file of {}", file.tenant));
    }
    let keys = read_keys(&folder.join(tenant).join(LOG_KEYS))?;
    Ok(TrustedTenant { tenant: tenant.to_owned(), keys, authority, vendor: vendor.clone()? })
}

impl Trust {
    /// Reads the folder. Faults are part of the result, so that they close access and never open it.
    pub fn read(settings: &TrustSettings) -> Self {
        let mut trust = Self { is_required: settings.is_required, ..Self::default() };
        let entries = match std::fs::read_dir(&settings.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return trust,
            Err(error) => {
                trust.fault = Some(format!("{}: {error}", settings.folder.display()));
                return trust;
            }
        };
        let vendor = read_vendor(&settings.folder);
        for entry in entries {
            let name = match entry {
                Ok(entry) if entry.path().is_dir() => entry.file_name(),
                Ok(_) => continue,
                Err(error) => {
                    trust.fault = Some(format!("{}: {error}", settings.folder.display()));
                    return trust;
                }
            };
            let Some(tenant) = name.to_str().filter(|name| *name != VENDOR && !name.starts_with('.')) else { continue };
            trust.tenants.insert(tenant.to_owned(), read_tenant(&settings.folder, tenant, &vendor));
        }
        trust
    }
}

/// The current content of the trust folder. It is read again every two seconds.
#[derive(Clone, Debug)]
pub struct TrustFolder(watch::Receiver<Arc<Trust>>);

impl TrustFolder {
    /// Reads the folder, and returns it with the task that reads it again until the stop.
    pub fn open(settings: TrustSettings, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = watch::channel(Arc::new(Trust::read(&settings)));
        let reading = async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(READ_PERIOD) => {}
                }
                let settings = settings.clone();
                let Ok(read) = tokio::task::spawn_blocking(move || Trust::read(&settings)).await else { continue };
                sender.send_if_modified(|current| {
                    let has_changed = **current != read;
                    if has_changed {
                        *current = Arc::new(read);
                    }
                    has_changed
                });
            }
        };
        (Self(receiver), reading)
    }

    /// The current content.
    pub fn current(&self) -> Arc<Trust> {
        self.0.borrow().clone()
    }
}
