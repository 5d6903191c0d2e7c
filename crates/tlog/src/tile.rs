//! Tiles, which store 256 hashes of one level of a tree, and their paths (c2sp.org/tlog-tiles).

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;
use crate::hash::Hash;

/// Number of tree levels per tile.
pub(crate) const HEIGHT: u32 = 8;
/// Number of hashes in a full tile.
pub(crate) const WIDTH: usize = 256;

/// The level and index of a tile, and its number of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Level 0 contains the leaves. Each hash of the next level is the root of a full tile of this level.
    pub level: u8,
    /// Index from the left.
    pub index: u64,
    /// Number of hashes: 1 to 256.
    pub width: u16,
}

/// A source of tiles. A tile is its concatenated hashes.
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
    /// Reads exactly `width` hashes of the tile from a source.
    ///
    /// # Errors
    /// When the source has fewer hashes.
    pub fn read(&self, tiles: &impl TileSource) -> Result<Vec<Hash>, Error> {
        let bytes = tiles.tile(self.level, self.index).ok_or(Error::MissingTile(*self))?;
        let bytes = bytes.get(..usize::from(self.width) * 32).ok_or(Error::MissingTile(*self))?;
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    }

    /// The path of the tile, such as `tile/0/x001/x234/067.p/12`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }

    /// The path of the entries of a leaf tile, such as `tile/entries/003`.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", numbered(self.index, self.width))
    }

    /// Parses a path of [`TileId::path`] or [`TileId::entries_path`]. The level of entries is `None`.
    ///
    /// # Errors
    /// When the path has another form.
    pub fn parse(path: &str) -> Result<(Option<u8>, u64, u16), Error> {
        let fault = || Error::Format("a tile's path", "expected tile/LEVEL/INDEX with an optional .p/WIDTH");
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
        // Each tile has exactly one path. Other forms with the same values are rejected.
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

/// All leaf tiles of a tree of this size, in order. The files with entries have the same indices and widths.
pub fn leaf_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0..size.div_ceil(256)).map(move |index| TileId { level: 0, index, width: (size - index * 256).min(256) as u16 })
}

/// All tiles of a tree of this size, lowest level first.
pub fn all_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0_u8..8)
        .flat_map(move |level| leaf_tiles(size >> (HEIGHT * u32::from(level))).map(move |id| TileId { level, ..id }))
}

/// The partial tiles at the right edge, lowest level first. The root can be computed from them.
pub fn tiles_for_root(size: u64) -> Vec<TileId> {
    let levels = (0_u8..8).map(|level| (level, size >> (HEIGHT * u32::from(level))));
    let unfinished = levels.filter(|(_, hashes)| hashes % WIDTH as u64 > 0);
    unfinished
        .map(|(level, hashes)| TileId { level, index: hashes / WIDTH as u64, width: (hashes % WIDTH as u64) as u16 })
        .collect()
}
