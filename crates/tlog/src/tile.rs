//! Tiles: 256 hashes of one level, the unit in which a tree is stored, and their paths (c2sp.org/tlog-tiles).

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;
use crate::hash::Hash;

/// Levels of the tree in one tile.
pub(crate) const HEIGHT: u32 = 8;
/// Hashes in a full tile.
pub(crate) const WIDTH: usize = 256;

/// The place of a tile, and how many of its hashes a tree of some size has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 has the leaves; each hash on the next level stands for a full tile on this one.
    pub level: u8,
    /// Counted from the left.
    pub index: u64,
    /// 1 to 256.
    pub width: u16,
}

/// Where tiles come from: hashes one after another, at least as many as are asked for.
pub trait TileSource {
    /// The hashes of the tile at this level and index.
    fn tile(&self, level: u8, index: u64) -> Option<&[u8]>;
}

/// Tiles in memory, by level and index.
pub type Tiles = BTreeMap<(u8, u64), Vec<u8>>;

impl TileSource for Tiles {
    fn tile(&self, level: u8, index: u64) -> Option<&[u8]> {
        self.get(&(level, index)).map(Vec::as_slice)
    }
}

impl TileId {
    /// The tile's hashes from a source, exactly `width` of them.
    ///
    /// # Errors
    /// When the source has fewer.
    pub fn read(&self, tiles: &impl TileSource) -> Result<Vec<Hash>, Error> {
        let bytes = tiles.tile(self.level, self.index).ok_or(Error::MissingTile(*self))?;
        let bytes = bytes.get(..usize::from(self.width) * 32).ok_or(Error::MissingTile(*self))?;
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    }

    /// The path below the log's address, such as `tile/0/x001/x234/067.p/12`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }

    /// The path of the entries beside a tile of leaves, such as `tile/entries/003`.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", numbered(self.index, self.width))
    }

    /// Reads a path that [`TileId::path`] or [`TileId::entries_path`] wrote; entries have `None` as their level.
    ///
    /// # Errors
    /// When it is written in any other way.
    pub fn parse(path: &str) -> Result<(Option<u8>, u64, u16), Error> {
        let fault = || Error::Format("a tile's path", "tile/LEVEL/INDEX with an optional .p/WIDTH is expected");
        let rest = path.strip_prefix("tile/").ok_or_else(fault)?;
        let (level, rest) = rest.split_once('/').ok_or_else(fault)?;
        let level = if level == "entries" { None } else { Some(level.parse::<u8>().map_err(|_| fault())?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().map_err(|_| fault())?),
            None => (rest, 256),
        };
        let mut index: u64 = 0;
        for part in number.split('/') {
            let digits: u64 = part.trim_start_matches('x').parse().map_err(|_| fault())?;
            index = index.checked_mul(1000).and_then(|index| index.checked_add(digits)).ok_or_else(fault)?;
        }
        let id = Self { level: level.unwrap_or(0), index, width };
        let written = if level.is_some() { id.path() } else { id.entries_path() };
        // One way to write each: what reads the same but is written differently is refused.
        if written == path && (1..=256).contains(&width) { Ok((level, index, width)) } else { Err(fault()) }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

fn numbered(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < 256 { format!("{path}.p/{width}") } else { path }
}

/// Every tile of leaves that a tree of this size has, in order: the places of the entries' bundles.
pub fn leaf_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0..size.div_ceil(256)).map(move |index| TileId { level: 0, index, width: (size - index * 256).min(256) as u16 })
}

/// Every tile that a tree of this size has, lowest level first.
pub fn all_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0_u8..8)
        .flat_map(move |level| leaf_tiles(size >> (HEIGHT * u32::from(level))).map(move |id| TileId { level, ..id }))
}

/// The unfinished tiles at the right edge, lowest first: what the root follows from.
pub fn tiles_for_root(size: u64) -> Vec<TileId> {
    let levels = (0_u8..8).map(|level| (level, size >> (HEIGHT * u32::from(level))));
    let unfinished = levels.filter(|(_, hashes)| hashes % WIDTH as u64 > 0);
    unfinished
        .map(|(level, hashes)| TileId { level, index: hashes / WIDTH as u64, width: (hashes % WIDTH as u64) as u16 })
        .collect()
}
