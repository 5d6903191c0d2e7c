//! JSON in the form of RFC 8785, for what events consist of: no numbers but whole ones.

use serde_json::Value;

/// The largest whole number that every JSON reader reads exactly.
const NUMBER_LIMIT: u64 = (1 << 53) - 1;

/// Reads JSON that is in RFC 8785 form; `None` when it is not.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    // Members are sorted by serde_json's map; writing again shows white space, other escapes and members given twice.
    (whole_numbers(&value) && serde_json::to_vec(&value).is_ok_and(|written| written == bytes)).then_some(value)
}

fn whole_numbers(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() <= NUMBER_LIMIT),
        Value::Array(items) => items.iter().all(whole_numbers),
        Value::Object(members) => members.values().all(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_the_one_way_to_write_a_document_is_read() {
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
