//! The canonical JSON form of RFC 8785, in which every message is written.

use serde_json::Value;

/// Largest event in bytes. With the fields that the audit log adds, it stays under the limit of C2SP for an entry, 65,535 bytes.
pub const EVENT_LIMIT_BYTES: usize = 65_000;

/// JSON in the form of RFC 8785, so that the same content always has the same bytes.
pub fn canonical(value: &Value) -> Vec<u8> {
    // Fails only for numbers that are not finite, which no JSON value holds.
    serde_json_canonicalizer::to_vec(value).unwrap_or_default()
}

/// Whether bytes are one JSON value in the form of RFC 8785.
pub fn is_canonical(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|value: Value| canonical(&value) == bytes)
}
