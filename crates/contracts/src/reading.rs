//! How values from outside are read: tolerant where JSON, editors and browsers differ, strict in their meaning.

use domain::{FreeText, text};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Number, Value};

/// The byte order mark that some programs write before UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The bytes after a byte order mark.
///
/// # Errors
/// A sentence when the mark says that the text is not UTF-8.
pub fn unmarked(bytes: &[u8]) -> Result<&[u8], &'static str> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err("the text is UTF-16; send or save it as UTF-8");
    }
    Ok(bytes.strip_prefix(BOM).unwrap_or(bytes))
}

/// The text of a file after a byte order mark.
///
/// # Errors
/// A sentence when the text is not UTF-8.
pub fn text_of(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(unmarked(bytes)?).map_err(|fault| format!("the text is not UTF-8: {fault}"))
}

/// A whole number, also written as `30.0` or `3e1`: for JSON Schema all three are the same integer.
///
/// # Errors
/// When it is not a whole number, or too large.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::<Number>::deserialize(deserializer)?.map(|number| integer(&number)).transpose().map_err(Error::custom)
}

fn integer(number: &Number) -> Result<i64, String> {
    /// Above this value, adjacent floats are more than one apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(integer) = number.as_i64() {
        return Ok(integer);
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() <= EXACT => Ok(float as i64),
        _ => Err(format!("invalid type: {number} is not a whole number")),
    }
}

/// An optional text; a text of white space only counts as absent.
///
/// # Errors
/// When it is not a text.
pub fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FreeText>, D::Error> {
    Ok(Option::<FreeText>::deserialize(deserializer)?.filter(|text| !text.as_str().is_empty()))
}

/// A name, number or address of one line.
///
/// # Errors
/// When it is not a text.
pub fn line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|said| text::one_line(&said))
}

/// Where the JSON contains the character U+0000. Postgres cannot store it, so no text may contain it.
pub fn zero_character(json: &[u8]) -> Option<String> {
    // The character is rare, so most messages need only this scan.
    let escape = b"\\u0000";
    json.windows(escape.len()).any(|window| window == escape).then_some(())?;
    place(&serde_json::from_slice(json).ok()?)
}

fn place(value: &Value) -> Option<String> {
    let below = |name: String, value: &Value| {
        place(value).map(|rest| if rest.is_empty() { name.clone() } else { format!("{name}.{rest}") })
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| below(index.to_string(), item)),
        Value::Object(fields) => fields.iter().find_map(|(name, item)| {
            if name.contains('\0') { Some(name.replace('\0', "\u{FFFD}")) } else { below(name.clone(), item) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_are_read_in_every_notation() {
        let read = |text: &str| whole(&mut serde_json::Deserializer::from_str(text));
        for text in ["2700", "2700.0", "2.7e3", "27E2"] {
            assert_eq!(read(text).unwrap(), Some(2700), "{text}");
        }
        assert_eq!(read("null").unwrap(), None);
        assert_eq!(read("-0.0").unwrap(), Some(0));
        for text in ["2700.5", "1e300", "\"2700\"", "9007199254740994.0", "[1]", "18446744073709551615"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_zero_character_is_found_with_its_path() {
        let find = |value: Value| zero_character(&serde_json::to_vec(&value).unwrap());
        assert_eq!(find(json!({"a": {"b": ["x", "y\u{0}"]}})).as_deref(), Some("a.b.1"));
        assert_eq!(find(json!({"a\u{0}": 1})).as_deref(), Some("a\u{FFFD}"));
        assert_eq!(find(json!({"a": "\\u0000 is only quoted"})), None);
    }

    #[test]
    fn byte_order_marks_are_read_or_reported() {
        assert_eq!(text_of(b"\xEF\xBB\xBF{}").unwrap(), "{}");
        assert_eq!(text_of(b"{}").unwrap(), "{}");
        assert!(text_of(b"\xFF\xFE{\0").unwrap_err().contains("UTF-16"));
        assert!(text_of(b"\xC3").unwrap_err().contains("not UTF-8"));
    }
}
