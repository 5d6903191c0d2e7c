//! Adds to the trust folder. A tenant's authority is never replaced by another one.

use std::path::{Path, PathBuf};

use consent::{Pin, VENDOR};
use tlog::Verifier;

use super::{AUTHORITY, LOG_KEYS, read_keys, read_pin};

/// Why something is not added to the trust folder.
#[derive(Debug, thiserror::Error)]
pub enum AddFault {
    /// What should be added is not usable.
    #[error("{0}")]
    Input(String),
    /// The tenant has another authority in the folder.
    #[error(
        "the trust folder has another authority for {tenant}, with the fingerprint {fingerprint}; when the customer confirms the \
         new one, remove the folder {} first", .folder.display()
    )]
    OtherAuthority {
        /// Short name of the tenant.
        tenant: String,
        /// Fingerprint of the authority in the folder.
        fingerprint: String,
        /// Folder of the tenant.
        folder: PathBuf,
    },
    /// A file cannot be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

/// Writes a file so that a reader sees either the old or the new content.
fn write(path: &Path, text: &str) -> Result<(), AddFault> {
    let fault = |source| AddFault::Write { path: path.to_owned(), source };
    let next = path.with_extension("new");
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(fault)?;
    std::fs::write(&next, text).map_err(fault)?;
    std::fs::rename(&next, path).map_err(fault)
}

/// Adds the authority of a tenant (the text of an authority file, or a fingerprint) and keys of its log. Returns what is trusted
/// then. `vendor` takes an authority file and no keys.
///
/// # Errors
/// When the tenant has another authority in the folder, something is not usable, or a file cannot be written.
pub fn add(folder: &Path, tenant: &str, authority: Option<&str>, keys: &[Verifier]) -> Result<Pin, AddFault> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if tenant.is_empty() || tenant.starts_with('.') || !tenant.chars().all(is_name) {
        return Err(AddFault::Input(format!("{tenant:?} is not the short name of a tenant")));
    }
    let own = folder.join(tenant);
    let path = own.join(AUTHORITY);
    let known = if path.exists() { Some(read_pin(&path).map_err(AddFault::Input)?) } else { None };
    let added = authority.map(|text| Pin::parse(text).map_err(|fault| AddFault::Input(format!("authority: {fault}"))));
    let added = added.transpose()?;
    match &added {
        Some(Pin::File(file)) if file.tenant != tenant => {
            return Err(AddFault::Input(format!("authority: the file is the authority of {}", file.tenant)));
        }
        Some(Pin::Fingerprint(_)) if tenant == VENDOR => {
            return Err(AddFault::Input("authority: for the vendor, give its authority file".to_owned()));
        }
        Some(Pin::File(_) | Pin::Fingerprint(_)) | None => {}
    }
    if let (Some(known), Some(added)) = (&known, &added)
        && known.founding_hash() != added.founding_hash()
    {
        let fingerprint = known.text();
        return Err(AddFault::OtherAuthority { tenant: tenant.to_owned(), fingerprint, folder: own });
    }
    let Some(pin) = added.clone().or_else(|| known.clone()) else {
        return Err(AddFault::Input(format!("authority: {tenant} has none in the trust folder yet; give --authority")));
    };
    let path_of_keys = own.join(LOG_KEYS);
    let mut all = if path_of_keys.exists() { read_keys(&path_of_keys).map_err(AddFault::Input)? } else { Vec::new() };
    for key in keys {
        if key.name.rsplit_once("/t/").map(|(_, name)| name) != Some(tenant) || key.kind != tlog::Kind::Log {
            return Err(AddFault::Input(format!("key: {} is not the key of the log of {tenant}", key.name)));
        }
        if !all.contains(key) {
            all.push(key.clone());
        }
    }
    if all.is_empty() && tenant != VENDOR {
        return Err(AddFault::Input(format!("key: {tenant} has no log key in the trust folder yet; give --key")));
    }
    if tenant != VENDOR {
        write(&path_of_keys, &all.iter().map(|key| format!("{key}\n")).collect::<String>())?;
    }
    // A fingerprint adds nothing to a file that is already there.
    let is_known = matches!((&known, &added), (Some(Pin::File(_)), Some(Pin::Fingerprint(_))));
    if let Some(text) = authority.filter(|_| !is_known) {
        write(&path, &format!("{}\n", text.trim_end()))?;
    }
    Ok(pin)
}

#[cfg(test)]
mod tests {
    use consent::testing::{Device, founding};
    use consent::{AuthorityFile, RecordedStatement, Statement, fingerprint};
    use tlog::{Kind, Signer};

    use super::super::{Trust, TrustSettings};
    use super::*;

    fn file(statement: &Statement) -> String {
        let recorded_at = statement.effective_at.clone();
        let recorded = RecordedStatement { statement: statement.clone(), signatures: Vec::new(), recorded_at };
        let file = AuthorityFile { v: 1, tenant: statement.tenant.clone(), statements: vec![recorded] };
        serde_json::to_string(&file).unwrap()
    }

    fn key(tenant: &str) -> Verifier {
        let name = format!("lockbox.fabrikam.example/t/{tenant}");
        Signer::from_seed(&name, Kind::Log, &[1; 32]).unwrap().verifier().clone()
    }

    #[test]
    fn what_is_added_is_trusted_and_another_authority_does_not_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let read = |is_required| Trust::read(&TrustSettings { folder: folder.path().to_owned(), is_required });
        let (statement, other) = (founding(&[&Device::new()]), founding(&[&Device::new()]));
        let add =
            |tenant: &str, authority: Option<&str>, keys: &[Verifier]| add(folder.path(), tenant, authority, keys);
        assert!(add("contoso", Some(&fingerprint(&statement)), &[]).is_err(), "without a key");
        assert!(add("contoso", None, &[key("contoso")]).is_err(), "without an authority");
        assert!(add("contoso", Some(&file(&statement)), &[key("adatum")]).is_err(), "the key of another log");
        assert!(add("adatum", Some(&file(&statement)), &[key("adatum")]).is_err(), "the file of another tenant");
        assert!(add("../x", Some(&fingerprint(&statement)), &[key("contoso")]).is_err());
        assert_eq!(read(false), Trust::default());
        add("contoso", Some(&fingerprint(&statement)), &[key("contoso")]).unwrap();
        let trusted = read(true).tenants["contoso"].clone().unwrap();
        assert_eq!((trusted.keys, trusted.authority.founding_hash()), (vec![key("contoso")], statement.hash()));
        add("contoso", Some(&file(&statement)), &[]).unwrap();
        assert!(matches!(read(false).tenants["contoso"].clone().unwrap().authority, Pin::File(_)));
        add("contoso", Some(&fingerprint(&statement)), &[key("contoso")]).unwrap();
        assert!(matches!(read(false).tenants["contoso"].clone().unwrap().authority, Pin::File(_)), "the file stays");
        let refused = add("contoso", Some(&file(&other)), &[]).unwrap_err();
        assert!(refused.to_string().contains(&fingerprint(&statement)), "{refused}");
        assert_eq!(read(false).tenants["contoso"].clone().unwrap().authority.founding_hash(), statement.hash());
    }

    #[test]
    fn files_that_cannot_be_used_are_faults_of_their_tenant_and_never_less_protection() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Trust::read(&TrustSettings { folder: folder.path().to_owned(), is_required: false });
        let statement = founding(&[&Device::new()]);
        add(folder.path(), "contoso", Some(&file(&statement)), &[key("contoso")]).unwrap();
        for (name, text) in [(LOG_KEYS, ""), (LOG_KEYS, "nonsense"), (AUTHORITY, "{}"), (AUTHORITY, "abcd")] {
            let path = folder.path().join("contoso").join(name);
            let before = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text).unwrap();
            assert!(read().tenants["contoso"].is_err(), "{name} {text:?}");
            std::fs::remove_file(&path).unwrap();
            assert!(read().tenants["contoso"].is_err(), "no {name}");
            std::fs::write(&path, before).unwrap();
        }
        assert!(read().tenants["contoso"].is_ok());
        let mut vendor = statement;
        vendor.tenant = VENDOR.into();
        assert!(add(folder.path(), VENDOR, Some(&fingerprint(&vendor)), &[]).is_err());
        add(folder.path(), VENDOR, Some(&file(&vendor)), &[]).unwrap();
        assert!(read().tenants["contoso"].clone().unwrap().vendor.is_some());
        std::fs::write(folder.path().join(VENDOR).join(AUTHORITY), "{}").unwrap();
        assert!(read().tenants["contoso"].is_err(), "the vendor's file is unreadable");
    }
}
