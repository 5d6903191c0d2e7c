//! Limits of the audit log for the values of an event: whole numbers that every reader reads exactly, and a size that fits
//! an entry. Some values come from other programs (a count of a connector, a reply of a mail server), so they are adjusted
//! here.

use serde_json::Value;

use crate::canonical::{EVENT_LIMIT_BYTES, canonical};

/// The largest whole number that every JSON reader reads exactly.
const NUMBER_LIMIT: i64 = (1 << 53) - 1;
/// Limits for the strings of an event that is too large, in characters. The first limit that makes it fit is used.
const CUTS: [usize; 3] = [4096, 1024, 256];

/// Replaces every number that is not whole, or too large, with the nearest one that the log accepts.
pub(crate) fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            // A float that is too large for an integer becomes the largest integer.
            #[allow(clippy::cast_possible_truncation, reason = "a cast of a float saturates, and the limit follows")]
            let nearest = number.as_i64().or_else(|| number.as_f64().map(|float| float.round() as i64));
            let nearest = nearest.unwrap_or_default().clamp(-NUMBER_LIMIT, NUMBER_LIMIT);
            *value = nearest.into();
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The canonical bytes of an event. If it is too large for the log, its strings are shortened, each with a mark at its end.
pub(crate) fn event_bytes(mut document: Value) -> Vec<u8> {
    let mut bytes = canonical(&document);
    for limit in CUTS {
        if bytes.len() <= EVENT_LIMIT_BYTES {
            break;
        }
        cut(&mut document["data"], limit);
        bytes = canonical(&document);
    }
    bytes
}

/// The beginning of a text from outside, for use in a refusal, so that a refused command cannot fill the log.
pub(crate) fn brief(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn cut(value: &mut Value, limit: usize) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(limit) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut(item, limit)),
        Value::Object(members) => members.values_mut().for_each(|member| cut(member, limit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_number_becomes_one_that_all_readers_read_exactly() {
        let mut value = json!([1, -7, 1.5, 30.0, u64::MAX, i64::MIN, 1e300, {"deep": [f64::MIN_POSITIVE]}]);
        make_whole(&mut value);
        assert_eq!(value, json!([1, -7, 2, 30, NUMBER_LIMIT, -NUMBER_LIMIT, NUMBER_LIMIT, {"deep": [0]}]));
    }

    #[test]
    fn an_event_that_is_too_large_gets_shorter_strings_and_one_that_fits_is_unchanged() {
        let small = json!({"data": {"error": "x".repeat(50_000)}});
        assert_eq!(event_bytes(small.clone()), canonical(&small));
        let large = event_bytes(json!({"data": {"error": "ä\u{1}".repeat(40_000), "request": "short"}}));
        assert!(large.len() <= EVENT_LIMIT_BYTES, "{}", large.len());
        let read: Value = serde_json::from_slice(&large).unwrap();
        assert!(read["data"]["error"].as_str().unwrap().ends_with('…'));
        assert_eq!(read["data"]["request"], "short");
    }
}
