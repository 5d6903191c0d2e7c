//! Log entries: an event with its position in a stream, in the exact bytes that are hashed.

use tlog::Hash;

/// Bytes before the event.
const HEAD: &[u8] = br#"{"event":"#;
/// Bytes after the event.
const LOG: &[u8] = br#","log":""#;

/// A parsed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Exact bytes of the event.
    pub event: &'a [u8],
    /// Origin of the log.
    pub log: &'a str,
    /// Leaf hash of the entry before it in its stream.
    pub prev: Hash,
    /// Position in its stream, from 1.
    pub seq: u64,
    /// Version of the entry format: 1.
    pub v: u8,
}

impl<'a> Entry<'a> {
    /// Parses an entry. Returns `None` unless the bytes are exactly what [`Entry::to_bytes`] writes.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let inner = bytes.strip_prefix(HEAD)?;
        let end = inner.windows(LOG.len()).rposition(|window| window == LOG)?;
        let (event, rest) = (&inner[..end], std::str::from_utf8(&inner[end + LOG.len()..]).ok()?);
        let (log, rest) = rest.split_once(r#"","prev":""#)?;
        let (prev, rest) = rest.split_once(r#"","seq":"#)?;
        let (seq, rest) = rest.split_once(r#","v":"#)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(prev, &mut hash).ok()?;
        if rest != "1}" {
            return None;
        }
        let entry = Self { event, log, prev: Hash(hash), seq: seq.parse().ok()?, v: 1 };
        // Upper-case hexadecimal digits and leading zeros parse to the same values but are different bytes.
        (entry.to_bytes() == bytes && !log.contains(['"', '\\'])).then_some(entry)
    }

    /// The bytes that are hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tail = format!(
            r#","log":"{}","prev":"{}","seq":{},"v":{}}}"#,
            self.log,
            hex::encode(self.prev.0),
            self.seq,
            self.v
        );
        [HEAD, self.event, tail.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_parsed_only_in_the_exact_form_in_which_it_is_written() {
        let entry =
            Entry { event: br#"{"x":",\"log\":\""}"#, log: "a.example/t/b", prev: Hash([171; 32]), seq: 7, v: 1 };
        let bytes = entry.to_bytes();
        assert_eq!(Entry::read(&bytes), Some(entry));
        let text = String::from_utf8(bytes).unwrap();
        for other in [
            text.replace("abab", "ABAB"),
            text.replace(":7,", ":07,"),
            text.replace(",\"v\":1", ", \"v\":1"),
            text.replace("\"v\":1", "\"v\":2"),
            text.replace("\"v\":1", "\"v\":0"),
        ] {
            assert_eq!(Entry::read(other.as_bytes()), None, "{other}");
        }
    }
}
