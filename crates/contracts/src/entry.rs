//! An entry of the audit log: the exact bytes that are hashed, built around the exact bytes of an event.
//! `docs/audit-format.md` describes the same format.

/// An event with the fields that the log adds.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The event's exact bytes.
    pub event: &'a [u8],
    /// Origin of the log.
    pub log: &'a str,
    /// Leaf hash of the previous entry of the stream; zeros in the first entry.
    pub prev: [u8; 32],
    /// Position in the stream, from 1.
    pub seq: i64,
    /// Version of the entry format: 1.
    pub v: i16,
}

impl Entry<'_> {
    /// The bytes that the leaf hash covers.
    pub fn bytes(&self) -> Vec<u8> {
        let head =
            format!(r#","log":"{}","prev":"{}","seq":{},"v":{}}}"#, self.log, hex::encode(self.prev), self.seq, self.v);
        [br#"{"event":"#, self.event, head.as_bytes()].concat()
    }
}

/// Whether an authority can be part of an origin unchanged: a host with an optional port, without characters that JSON escapes.
pub fn is_authority(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':');
    !text.is_empty() && text.len() <= 200 && text.chars().all(plain)
}

/// Origin of a tenant's log, or of the operator's log.
pub fn origin(authority: &str, tenant: Option<&str>) -> String {
    match tenant {
        Some(tenant) => format!("{authority}/t/{tenant}"),
        None => format!("{authority}/operator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::is_canonical;

    #[test]
    fn an_entry_with_a_canonical_event_is_canonical_and_contains_it_byte_for_byte() {
        let event = br#"{"data":{"to":"active"},"id":"1"}"#;
        let log = origin("lockbox.fabrikam.example", Some("contoso"));
        let entry = Entry { event, log: &log, prev: [7; 32], seq: 12, v: 1 }.bytes();
        assert!(is_canonical(&entry), "{}", String::from_utf8_lossy(&entry));
        assert!(entry.windows(event.len()).any(|part| part == event));
        let loose = Entry { event: br#"{ "b": 1, "a": 2 }"#, log: &log, prev: [0; 32], seq: 1, v: 1 };
        assert!(!is_canonical(&loose.bytes()));
    }
}
