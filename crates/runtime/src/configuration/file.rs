//! The settings file: single settings under their long names, and the sections `targets` and `sign-in`.

use std::collections::BTreeMap;
use std::path::Path;

const KNOWN: [&str; 21] = [
    "database-url",
    "database-url-file",
    "amqp-url",
    "amqp-url-file",
    "prefix",
    "smtp-url",
    "smtp-url-file",
    "mail-from",
    "mail-cap",
    "portal-url",
    "token",
    "token-file",
    "webhook-inside",
    "audit-folder",
    "audit-authority",
    "trust-folder",
    "require-consent",
    "admin-listen",
    "database-connections",
    "log",
    "log-format",
];

/// A section of the file.
fn section<T: serde::de::DeserializeOwned + Default>(
    name: &str,
    value: serde_json::Value,
    faults: &mut Vec<String>,
) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| {
        faults.push(format!("config: {name}: {error}"));
        T::default()
    })
}

/// Content of a settings file.
#[derive(Default)]
pub(super) struct Written {
    pub values: BTreeMap<String, String>,
    pub targets: connectors::Config,
    pub sign_in: Vec<crate::sign_in::Entry>,
}

pub(super) fn read(path: &Path, faults: &mut Vec<String>) -> Written {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(format!("config: {} cannot be read: {error}", path.display()));
            return Written::default();
        }
    };
    let values: BTreeMap<String, serde_json::Value> = match serde_saphyr::from_str(&text) {
        Ok(values) => values,
        Err(error) => {
            faults.push(format!("config: {}: {error}", path.display()));
            return Written::default();
        }
    };
    let mut written = Written::default();
    for (name, value) in values {
        if name == "targets" {
            written.targets = section(&name, value, faults);
        } else if name == "sign-in" {
            written.sign_in = section(&name, value, faults);
        } else if KNOWN.contains(&name.as_str()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            written.values.insert(name, text);
        } else {
            faults.push(format!("config: {name} is not a setting; use one of {}, targets, sign-in", KNOWN.join(", ")));
        }
    }
    written
}
