//! Writes a bundle leaf by leaf. Memory use does not grow with the number of entries.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use ring::digest::{Context, SHA256};
use tlog::{Frontier, Hash, Note, ProofFile, Tiles, bundle, prove_inclusion};

use super::{AUTHORITY, CHECKPOINT, CONSENT, KEYS, MANIFEST, Manifest, PAGE, READMES, SUMS, TEXTS, VIEWS};
use crate::{Entry, Event, tar, views};

/// Temporary storage of a view until its size is known.
pub trait Spool: Read + Write + Seek {}
impl<T: Read + Write + Seek> Spool for T {}

/// Maximum number of proof files. Each activated grant gets one, up to this limit.
const PROOFS: usize = 1000;

/// Writes one bundle to an archive.
pub struct Bundler<W: Write, S: Spool> {
    tar: tar::Writer<W>,
    manifest: Manifest,
    note: Note,
    sums: String,
    frontier: Frontier,
    tiles: Tiles,
    entries: Vec<Vec<u8>>,
    views: [S; 3],
    /// Entries that get a proof: index, file and bytes.
    granted: Vec<(u64, String, Vec<u8>)>,
    /// Statements of the authority, by version.
    stated: BTreeMap<u64, (u64, Vec<u8>)>,
}

impl<W: Write, S: Spool> Bundler<W, S> {
    /// Starts the archive with the manifest, the checkpoint and the keys.
    ///
    /// # Errors
    /// When writing fails.
    pub fn begin(into: W, spools: [S; 3], manifest: Manifest, note: Note, keys: &[String]) -> io::Result<Self> {
        let mut bundler = Self {
            tar: tar::Writer::new(into),
            manifest,
            note,
            sums: String::new(),
            frontier: Frontier::default(),
            tiles: Tiles::new(),
            entries: Vec::new(),
            views: spools,
            granted: Vec::new(),
            stated: BTreeMap::new(),
        };
        bundler.file(MANIFEST, &bundler.manifest.to_bytes())?;
        bundler.file(CHECKPOINT, bundler.note.to_string().as_bytes())?;
        bundler.file(KEYS, (keys.join("\n") + "\n").as_bytes())?;
        bundler.views[1].write_all(views::CSV_HEAD.as_bytes())?;
        Ok(bundler)
    }

    /// Adds the verifier for people.
    ///
    /// # Errors
    /// When writing fails.
    pub fn page(&mut self) -> io::Result<()> {
        let (name, text) = PAGE;
        self.file(name, text.as_bytes())
    }

    /// Adds an earlier checkpoint of this size.
    ///
    /// # Errors
    /// When writing fails.
    pub fn earlier(&mut self, size: u64, note: &str) -> io::Result<()> {
        self.file(&format!("checkpoints/{size:020}"), note.as_bytes())
    }

    /// Adds the free text, one JSON document per line.
    ///
    /// # Errors
    /// When writing fails.
    pub fn texts(&mut self, lines: &str) -> io::Result<()> {
        self.file(TEXTS, lines.as_bytes())
    }

    /// Adds the next leaf of the tree, with its entry when the bundle covers it.
    ///
    /// # Errors
    /// When writing fails.
    pub fn leaf(&mut self, leaf: Hash, entry: Option<&[u8]>) -> io::Result<()> {
        let index = self.frontier.size();
        for (id, bytes) in self.frontier.push(leaf) {
            self.file(&id.path(), &bytes)?;
            self.tiles.insert((id.level, id.index), bytes);
        }
        if let Some(entry) = entry {
            self.view(index, entry)?;
            self.entries.push(entry.to_vec());
            if (index + 1).is_multiple_of(256) {
                self.entries_file(index / 256, 256)?;
            }
        }
        Ok(())
    }

    /// Adds the entry of a statement of the authority that the bundle does not cover.
    pub fn statement(&mut self, index: u64, entry: &[u8]) {
        let event = Entry::read(entry).and_then(|entry| serde_json::from_slice(entry.event).ok()).and_then(Event::read);
        if let Some(version) = event.as_ref().and_then(super::stated_version) {
            self.stated.entry(version).or_insert_with(|| (index, entry.to_vec()));
        }
    }

    fn view(&mut self, index: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(entry) = Entry::read(bytes) else { return Ok(()) };
        let Some(event) = serde_json::from_slice(entry.event).ok().and_then(Event::read) else { return Ok(()) };
        self.views[0].write_all(&views::jsonl(entry.event))?;
        self.views[1].write_all(views::csv(index, &event).as_bytes())?;
        writeln!(self.views[2], "{}", views::ocsf(&self.manifest.origin, index, entry.event, &event))?;
        if event.kind == "grant.activated" && self.granted.len() < PROOFS {
            self.granted.push((index, format!("proofs/{}", event.id), bytes.to_vec()));
        }
        if super::stated_version(&event).is_some() {
            self.statement(index, bytes);
        }
        Ok(())
    }

    fn entries_file(&mut self, index: u64, width: u16) -> io::Result<()> {
        let entries = std::mem::take(&mut self.entries);
        let bytes = bundle::encode(entries.iter().map(Vec::as_slice)).map_err(io::Error::other)?;
        self.file(&tlog::TileId { level: 0, index, width }.entries_path(), &bytes)
    }

    /// Writes the remaining files and ends the archive.
    ///
    /// # Errors
    /// When writing fails, or the number of leaves differs from the size of the checkpoint.
    pub fn finish(mut self) -> io::Result<W> {
        if self.frontier.size() != self.manifest.size {
            return Err(io::Error::other("the number of leaves differs from the size of the checkpoint"));
        }
        for (id, bytes) in self.frontier.partial() {
            self.file(&id.path(), &bytes)?;
            self.tiles.insert((id.level, id.index), bytes);
        }
        if let Ok(width @ 1..) = u16::try_from(self.entries.len()) {
            self.entries_file(self.manifest.size / 256, width)?;
        }
        let consent = CONSENT[usize::from(self.stated.is_empty())];
        for (name, text) in READMES {
            self.file(name, text.replace("{consent}", consent).as_bytes())?;
        }
        let stated = std::mem::take(&mut self.stated).into_iter();
        let stated = stated.map(|(version, (index, entry))| (index, format!("{AUTHORITY}{version}"), entry));
        for (index, name, entry) in std::mem::take(&mut self.granted).into_iter().chain(stated) {
            let path = prove_inclusion(&self.tiles, index, self.manifest.size).map_err(io::Error::other)?;
            let proof = ProofFile { extra: Some(entry), index, path, note: self.note.clone() };
            self.file(&format!("{name}.tlog-proof"), proof.to_string().as_bytes())?;
        }
        for (place, name) in VIEWS.into_iter().enumerate() {
            self.spooled(place, name)?;
        }
        let sums = std::mem::take(&mut self.sums);
        self.tar.file(SUMS, sums.len() as u64, sums.as_bytes())?;
        self.tar.finish()
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.sum(name, ring::digest::digest(&SHA256, bytes).as_ref());
        self.tar.file(name, bytes.len() as u64, bytes)
    }

    fn spooled(&mut self, place: usize, name: &str) -> io::Result<()> {
        let size = self.views[place].seek(SeekFrom::End(0))?;
        self.views[place].rewind()?;
        let digest = digest(&mut self.views[place])?;
        self.sum(name, &digest);
        self.views[place].rewind()?;
        self.tar.file(name, size, &mut self.views[place])
    }

    fn sum(&mut self, name: &str, digest: &[u8]) {
        self.sums += &format!("{}  {name}\n", hex::encode(digest));
    }
}

/// Computes the SHA-256 of everything in a reader.
pub(super) fn digest(mut from: impl Read) -> io::Result<Vec<u8>> {
    let (mut context, mut part) = (Context::new(&SHA256), vec![0; 1 << 16]);
    loop {
        match from.read(&mut part)? {
            0 => return Ok(context.finish().as_ref().to_vec()),
            count => context.update(&part[..count]),
        }
    }
}
