//! JSON in RFC 8785 form, as events use it: all numbers are integers.

use serde_json::Value;

/// The largest integer that every JSON parser reads exactly.
const NUMBER_LIMIT: u64 = (1 << 53) - 1;

/// Parses JSON in RFC 8785 form. Returns `None` when the input is in another form.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    // The map of serde_json sorts members. Serializing again reveals white space, other escapes and duplicate members.
    (has_integers_only(&value) && serde_json::to_vec(&value).is_ok_and(|written| written == bytes)).then_some(value)
}

fn has_integers_only(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() <= NUMBER_LIMIT),
        Value::Array(items) => items.iter().all(has_integers_only),
        Value::Object(members) => members.values().all(has_integers_only),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_rfc_8785_form_is_accepted() {
        assert!(read(r#"{"a":[1,-2,"ä\n\u001f"],"b":null}"#.as_bytes()).is_some());
        for other in [
            r#"{"b":1,"a":2}"#,
            r#"{"a": 1}"#,
            r#"{"a":1,"a":1}"#,
            "[1.0]",
            "[-0]",
            r#"["\u00e4"]"#,
            "[9007199254740992]",
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
