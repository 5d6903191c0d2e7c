//! Entries: one event in its place in one log, the bytes that are hashed.

use tlog::Hash;

/// What stands before the event.
const HEAD: &[u8] = br#"{"event":"#;
/// What stands after it.
const LOG: &[u8] = br#","log":""#;

/// An entry, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Exact bytes of the event.
    pub event: &'a [u8],
    /// Origin of the log.
    pub log: &'a str,
    /// Leaf hash of the entry before it in its stream.
    pub prev: Hash,
    /// Place in its stream, from 1.
    pub seq: u64,
    /// Version of the entry's form: 1.
    pub v: u8,
}

impl<'a> Entry<'a> {
    /// Takes an entry apart; `None` when it is not written exactly as [`Entry::to_bytes`] writes it.
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
        // Capital digits, leading zeros and the like read the same and are not the same.
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
    fn an_entry_is_read_as_it_was_written_and_in_no_other_way() {
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
