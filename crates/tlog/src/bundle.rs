//! Entry bundles: the entries of one leaf tile, each after its length in two bytes (c2sp.org/tlog-tiles).

use crate::Error;

/// Maximum size of an entry in bytes.
pub const ENTRY_LIMIT: usize = 65_535;

/// Encodes entries.
///
/// # Errors
/// When an entry is longer than [`ENTRY_LIMIT`].
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length =
            u16::try_from(entry.len()).map_err(|_| Error::Format("an entry", "it is longer than 65,535 bytes"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Decodes all entries.
///
/// # Errors
/// When the bytes end inside an entry.
pub fn decode(bytes: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let (mut rest, mut entries) = (bytes, Vec::new());
    while !rest.is_empty() {
        let cut = || Error::Format("a bundle of entries", "it ends inside an entry");
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or_else(cut)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}
