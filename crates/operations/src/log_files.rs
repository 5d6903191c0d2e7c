//! The files of a log as C2SP tlog-tiles names them: hashes of the tree and entries, for monitors and witnesses. Only what a
//! signed checkpoint covers is served, so that every file can be verified.

use store::Store;
use tlog::TileId;

use runtime::outcome::Failure;

/// A file of a log.
pub struct LogFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether the tile is full, so that the file never changes.
    pub is_full: bool,
}

/// Reads the file with this path, such as `tile/0/000.p/7` or `tile/entries/000`; `None` when the log does not have it, no
/// signed checkpoint covers it, or its entries are in the archive.
///
/// # Errors
/// When the database does not answer.
pub async fn read(store: &Store, tenant: Option<&str>, path: &str) -> Result<Option<LogFile>, Failure> {
    let Ok((level, index, width)) = TileId::parse(path) else { return Ok(None) };
    let signed = store.latest_checkpoint(tenant).await?.map_or(0, |latest| latest.size);
    let leaves = u64::try_from(signed).unwrap_or_default();
    let id = TileId { level: level.unwrap_or(0), index, width };
    let hashes = leaves.checked_shr(u32::from(id.level) * 8).unwrap_or(0);
    let end = id.index.checked_mul(256).and_then(|first| first.checked_add(u64::from(width)));
    let Some((head, end)) = store.log_head(tenant).await?.zip(end.filter(|end| *end <= hashes)) else {
        return Ok(None);
    };
    let bytes = match level {
        Some(_) => store.log_tiles(head.id, &[id]).await?.remove(&(id.level, index)),
        None => {
            let from = end - u64::from(width);
            let number = |index: u64| i64::try_from(index).unwrap_or(i64::MAX);
            let rows = store.log_entries(&head, number(from), number(end)).await?;
            let entries: Option<Vec<Vec<u8>>> = rows.into_iter().map(|row| row.bytes).collect();
            let encode = |entries: Vec<Vec<u8>>| tlog::bundle::encode(entries.iter().map(Vec::as_slice));
            entries
                .filter(|entries| entries.len() == usize::from(width))
                .map(encode)
                .transpose()
                .map_err(|fault| Failure::Failed(fault.to_string()))?
        }
    };
    Ok(bytes.map(|bytes| LogFile { bytes, is_full: width == 256 }))
}
