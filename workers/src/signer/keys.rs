//! The keys that sign the logs: a file with one secret per line, oldest first. Every key signs. A rotation adds a new key,
//! and removes the old one after all verifiers have had time to learn the new key.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tlog::{Kind, Signer};
use uuid::Uuid;

/// Name of the file in its folder.
const NAME: &str = "key";

/// Secrets from which the keys of each log are derived. The name in a key is the log's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Seeds(Vec<[u8; 32]>);

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secret keys", self.0.len())
    }
}

fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // The hash of four random UUIDs, which come from the operating system's generator: 256 bits.
    let random: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    seed.copy_from_slice(&tlog::Hash::of(&random).0);
    seed
}

impl Seeds {
    /// The keys in this folder, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or has another format.
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
        seeds.map(Self).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the file must have one key of 64 hexadecimal digits per line")
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a new key after the others.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(folder: &Path) -> io::Result<()> {
        let mut seeds = Self::read(folder)?;
        seeds.0.push(random_seed());
        seeds.write(folder)
    }

    /// Removes the oldest key.
    ///
    /// # Errors
    /// When the file cannot be written, or when it is the only key.
    pub fn retire(folder: &Path) -> io::Result<()> {
        let mut seeds = Self::read(folder)?;
        if seeds.len() < 2 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "cannot retire the only key; add another key first",
            ));
        }
        seeds.0.remove(0);
        seeds.write(folder)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let unfinished = folder.join("key.new");
        drop(std::fs::remove_file(&unfinished));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        for seed in &self.0 {
            writeln!(file, "{}", hex::encode(seed))?;
        }
        file.sync_all()?;
        std::fs::rename(unfinished, folder.join(NAME))?;
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
