//! The keys that sign the logs: one secret a line in a file, oldest first. All of them sign; a new one is added behind the
//! old, and the old one taken away when everybody had time to follow.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tlog::{Kind, Signer};
use uuid::Uuid;

/// Name of the file in its folder.
const NAME: &str = "key";

/// Secrets of which each log's keys are made; the name in a key is the log's.
#[derive(Clone, PartialEq, Eq)]
pub struct Seeds(Vec<[u8; 32]>);

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secret keys", self.0.len())
    }
}

fn fresh() -> [u8; 32] {
    let mut seed = [0; 32];
    // 256 bits made of four random UUIDs, hashed: the operating system's generator stands behind them.
    let random: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    seed.copy_from_slice(&tlog::Hash::of(&random).0);
    seed
}

impl Seeds {
    /// The keys in this folder, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(folder.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let seed = |line: &str| {
            let mut seed = [0; 32];
            hex::decode_to_slice(line.trim(), &mut seed).map(|()| seed)
        };
        let seeds: Result<Vec<_>, _> = text.lines().filter(|line| !line.trim().is_empty()).map(seed).collect();
        seeds.map(Self).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a key is 64 hexadecimal digits a line"))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a new key behind the others.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(folder: &Path) -> io::Result<()> {
        let mut seeds = Self::read(folder)?;
        seeds.0.push(fresh());
        seeds.write(folder)
    }

    /// Takes the oldest key away.
    ///
    /// # Errors
    /// When the file cannot be written, or there would be none left.
    pub fn retire(folder: &Path) -> io::Result<()> {
        let mut seeds = Self::read(folder)?;
        if seeds.len() < 2 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the only key cannot be retired; add another first",
            ));
        }
        seeds.0.remove(0);
        seeds.write(folder)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let beside = folder.join("key.new");
        drop(std::fs::remove_file(&beside));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        for seed in &self.0 {
            writeln!(file, "{}", hex::encode(seed))?;
        }
        file.sync_all()?;
        std::fs::rename(beside, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    }

    /// The keys of one log, oldest first.
    pub fn signers(&self, origin: &str) -> Vec<Signer> {
        self.0.iter().filter_map(|seed| Signer::from_seed(origin, Kind::Log, seed).ok()).collect()
    }

    /// The keys of a witness of this name, oldest first.
    pub fn witnesses(&self, name: &str) -> Vec<Signer> {
        self.0.iter().filter_map(|seed| Signer::from_seed(name, Kind::Witness, seed).ok()).collect()
    }
}
