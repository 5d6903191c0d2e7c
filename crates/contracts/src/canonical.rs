//! The form of RFC 8785, in which every message is written.

use serde_json::Value;

/// Largest event, in bytes: with what the audit log puts around it, it stays under the 65,535 that C2SP allows an entry.
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
