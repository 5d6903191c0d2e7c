//! Writes and strictly reads POSIX ustar archives: one changed bit outside of the file contents makes an archive invalid.
//!
//! Deliberately absent: links, devices, extended headers and every other feature that a bundle does not use.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read, Write};

const BLOCK: usize = 512;

/// Writes files to an archive.
pub struct Writer<W: Write>(W);

impl<W: Write> Writer<W> {
    /// Creates an archive in this writer.
    pub fn new(into: W) -> Self {
        Self(into)
    }

    /// Writes a file of a known size.
    ///
    /// # Errors
    /// When writing fails, the name is longer than 100 bytes, the size is 8 GiB or more, or the reader has fewer bytes than `size`.
    pub fn file(&mut self, name: &str, size: u64, mut bytes: impl Read) -> io::Result<()> {
        self.0
            .write_all(&header(name, size).ok_or_else(|| {
                io::Error::other("a file name is longer than 100 bytes, or a file has 8 GiB or more")
            })?)?;
        if io::copy(&mut (&mut bytes).take(size), &mut self.0)? != size {
            return Err(io::Error::other("a file has fewer bytes than its header states"));
        }
        self.0.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.write_all(&[0; BLOCK * 2])?;
        self.0.flush()?;
        Ok(self.0)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "less than 512")]
fn padding(size: u64) -> usize {
    ((BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64) as usize
}

fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |place: usize, bytes: &[u8]| header[place..place + bytes.len()].copy_from_slice(bytes);
    if name.len() > 100 || size >= 1 << 33 {
        return None;
    }
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[148..156].copy_from_slice(sum.as_bytes());
    Some(header)
}

/// The sum of the header bytes, with the checksum field counted as spaces.
fn checksum(header: &[u8]) -> u32 {
    let bytes = header.iter().enumerate();
    bytes.map(|(place, byte)| if (148..156).contains(&place) { 32 } else { u32::from(*byte) }).sum()
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name of the file.
    pub name: String,
    /// Offset of its first byte in the archive.
    pub offset: u64,
    /// Number of bytes.
    pub size: u64,
}

/// The position and the reason at which reading stopped. Earlier members were read.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset in bytes.
    pub at: u64,
    /// What is wrong.
    pub reason: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the archive is damaged at byte {}: {}", self.at, self.reason)
    }
}

/// Lists the files of an archive in one pass.
pub fn list(mut archive: impl Read) -> (Vec<Member>, Option<Damage>) {
    let (mut members, mut names, mut offset) = (Vec::new(), HashSet::new(), 0);
    loop {
        let mut block = [0; BLOCK];
        if archive.read_exact(&mut block).is_err() {
            return (members, Some(Damage { at: offset, reason: "it ends before the end-of-archive blocks" }));
        }
        if block == [0; BLOCK] {
            let mut rest = Vec::new();
            let is_whole =
                archive.read_to_end(&mut rest).is_ok() && rest.len() >= BLOCK && rest.iter().all(|byte| *byte == 0);
            let damage = (!is_whole).then_some(Damage { at: offset, reason: "the end-of-archive blocks are invalid" });
            return (members, damage);
        }
        let Some((name, size, is_file)) = read_header(&block) else {
            return (members, Some(Damage { at: offset, reason: "the header of a file is invalid" }));
        };
        offset += BLOCK as u64;
        let filled = size + padding(size) as u64;
        let mut rest = (&mut archive).take(filled);
        let copied = io::copy(&mut (&mut rest).take(size), &mut io::sink());
        let mut tail = Vec::new();
        let padded = rest.read_to_end(&mut tail);
        if copied.ok() != Some(size) || padded.ok() != Some(padding(size)) {
            return (members, Some(Damage { at: offset, reason: "it ends inside a file" }));
        }
        if tail.iter().any(|byte| *byte != 0) {
            return (members, Some(Damage { at: offset + size, reason: "the padding after a file is not zero" }));
        }
        if is_file {
            if !names.insert(name.clone()) {
                return (members, Some(Damage { at: offset, reason: "it contains the same file twice" }));
            }
            members.push(Member { name, offset, size });
        }
        offset += filled;
    }
}

/// Parses name, size and whether the member is a file. Ignores dates and owners, which differ when another program repacks
/// the bundle.
fn read_header(block: &[u8; BLOCK]) -> Option<(String, u64, bool)> {
    let octal = |bytes: &[u8]| u64::from_str_radix(std::str::from_utf8(bytes).ok()?, 8).ok();
    let sum = format!("{:06o}\0 ", checksum(block));
    let is_file = match block[156] {
        b'0' => true,
        b'5' => false,
        _ => return None,
    };
    if block[148..156] != *sum.as_bytes() || &block[257..262] != b"ustar" || block[135] != 0 {
        return None;
    }
    let text = |range: std::ops::Range<usize>| {
        let bytes = &block[range];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).ok()
    };
    let (name, prefix) = (text(0..100)?, text(345..500)?);
    let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Some((name.trim_start_matches("./").to_owned(), octal(&block[124..135])?, is_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_outside_of_the_contents_makes_an_archive_invalid() {
        let mut writer = Writer::new(Vec::new());
        writer.file("a/b", 3, &b"xyz"[..]).unwrap();
        writer.file("c", 0, &b""[..]).unwrap();
        let whole = writer.finish().unwrap();
        let (members, damage) = list(whole.as_slice());
        let expected = Member { name: "a/b".into(), offset: 512, size: 3 };
        assert_eq!((members.first(), members.len(), damage), (Some(&expected), 2, None));
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let is_content = (512..515).contains(&(bit / 8));
            assert_eq!(list(changed.as_slice()).1.is_none(), is_content, "bit {bit}");
        }
        assert!(list(&whole[..whole.len() - 512]).1.is_some());
    }
}
