//! The file with the key of a monitor that cosigns: 64 hexadecimal digits, readable only by its owner.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tlog::{Hash, Kind, Signer};
use uuid::Uuid;

use runtime::outcome::Failure;

/// Reads the key, and creates it when there is no file.
///
/// # Errors
/// When the file cannot be used, or the name is not that of a witness.
pub(super) fn read_or_create(file: &Path, name: &str) -> Result<Signer, Failure> {
    let failed = |why: String| Failure::Usage(format!("--witness-key: {}: {why}", file.display()));
    let mut seed = [0; 32];
    match std::fs::read_to_string(file) {
        Ok(text) => hex::decode_to_slice(text.trim(), &mut seed)
            .map_err(|_| failed("the file must have 64 hexadecimal digits".to_owned()))?,
        Err(fault) if fault.kind() == ErrorKind::NotFound => {
            // The hash of four random UUIDs, which come from the operating system's generator: 256 bits.
            let random: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
            seed = Hash::of(&random).0;
            let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let mut created = created.map_err(|fault| failed(fault.to_string()))?;
            let written = created.write_all(format!("{}\n", hex::encode(seed)).as_bytes());
            written.and_then(|()| created.sync_all()).map_err(|fault| failed(fault.to_string()))?;
        }
        Err(fault) => return Err(failed(fault.to_string())),
    }
    let unusable = |_| Failure::Usage("--witness-name: it must not contain spaces or a plus sign".to_owned());
    Signer::from_seed(name, Kind::Witness, &seed).map_err(unusable)
}
