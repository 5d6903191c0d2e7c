//! Descriptions of what changed in the directory or in settings, for the terminal, the audit log and mails.

use serde_json::Value;

/// Columns of a tenant with their labels, in the order of the description.
pub(crate) const TENANT: [(&str, &str); 13] = [
    ("display_name", "display name"),
    ("enabled", "enabled"),
    ("notification_recipients", "notification recipients"),
    ("review_deadline_seconds", "review deadline"),
    ("decision_deadline_seconds", "decision deadline"),
    ("reminders_seconds", "reminders before the deadline"),
    ("access_default_seconds", "default duration"),
    ("access_ceiling_seconds", "longest duration"),
    ("required_approvals", "required approvals"),
    ("comment_required", "comment required"),
    ("passkey_required", "passkey required"),
    ("witnesses_required", "witnesses required"),
    ("public_log", "public log"),
];

/// Columns of a person.
pub(crate) const PERSON: [(&str, &str); 4] =
    [("display_name", "display name"), ("email", "e-mail"), ("enabled", "enabled"), ("roles", "roles")];

/// Columns about the witnesses of a tenant.
pub(crate) const WITNESSES: [(&str, &str); 2] =
    [("witnesses_required", "witnesses required"), ("witnesses", "witnesses")];

/// The differences between two rows, such as `required approvals from 1 to 2; comment required from no to yes`. Empty when
/// there are none.
pub(crate) fn differences(columns: &[(&str, &str)], before: &Value, after: &Value) -> String {
    let changed = columns.iter().filter(|(column, _)| before[*column] != after[*column]);
    let said = changed.map(|(column, name)| {
        format!("{name} from {} to {}", shown(column, &before[*column]), shown(column, &after[*column]))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// The same as one sentence for each changed column.
pub(crate) fn changed_columns(columns: &[(&str, &str)], before: &Value, after: &Value) -> Vec<String> {
    let each = columns.iter().map(|column| differences(std::slice::from_ref(column), before, after));
    each.filter(|change| !change.is_empty()).collect()
}

/// A description of a new person, such as `Robin Hale, robin@fabrikam.example, engineer`.
pub(crate) fn person(row: &Value) -> String {
    let parts = ["display_name", "email", "roles"].map(|column| match &row[column] {
        Value::Array(roles) if roles.is_empty() => "no role".to_owned(),
        value => shown(column, value),
    });
    let disabled = if row["enabled"] == false { ", disabled" } else { "" };
    format!("{}{disabled}", parts.join(", "))
}

/// A value in the notation of directory files.
fn shown(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(|value| shown(column, value)).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_i64().filter(|_| column.ends_with("_seconds")) {
            Some(seconds) => contracts::directory::format_seconds(seconds),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_described_with_labels_and_values_in_file_notation() {
        let before = json!({
            "enabled": true, "decision_deadline_seconds": 43_200, "reminders_seconds": [], "required_approvals": 1,
        });
        let after = json!({
            "enabled": false, "decision_deadline_seconds": 5400, "reminders_seconds": [3600, 600], "required_approvals": 1,
        });
        assert_eq!(
            differences(&TENANT, &before, &after),
            "enabled from yes to no; decision deadline from 12h to 90m; reminders before the deadline from none to 1h, 10m"
        );
        assert_eq!(differences(&TENANT, &after, &after), "");
        let robin = json!({
            "display_name": "Robin Hale", "email": "robin@fabrikam.example", "enabled": true, "roles": ["engineer"],
        });
        assert_eq!(person(&robin), "Robin Hale, robin@fabrikam.example, engineer");
    }
}
