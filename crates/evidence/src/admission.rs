//! Checks one entry on its own: the format of the entry, the format of its event, and whether it is in the right log.
//!
//! The examination checks every entry. The sequencer checks an event before it assigns an index, so that nothing is
//! signed that a verifier would reject.
//!
//! Deliberately absent: checks that need earlier entries (the chain of a stream, duplicate events, lifecycle rules).

use tlog::Verifier;

use crate::{Entry, Event, canonical};

/// The maximum size of an event.
pub const EVENT_LIMIT_BYTES: usize = 65_000;
/// The maximum size of an entry. A bundle stores the length of an entry in two bytes.
pub const ENTRY_LIMIT_BYTES: usize = 65_535;

/// Parses an entry and its event.
///
/// # Errors
/// When the entry or its event is not in the documented format.
pub fn read(bytes: &[u8]) -> Result<(Entry<'_>, Event), &'static str> {
    if bytes.len() > ENTRY_LIMIT_BYTES {
        return Err("the entry has more than 65,535 bytes");
    }
    let entry = Entry::read(bytes).ok_or("the entry is not in the documented format")?;
    let event = canonical::read(entry.event)
        .and_then(Event::read)
        .ok_or("the event in the entry is not in the documented format")?;
    Ok((entry, event))
}

/// Lists why a well-formed entry does not belong in this log.
pub fn faults(origin: &str, entry: &Entry<'_>, event: &Event) -> Vec<String> {
    let mut found = Vec::new();
    if entry.log != origin {
        found.push(format!("the entry belongs to another log, {}", entry.log));
    }
    // The operator log holds events without a tenant.
    let tenant = event.document["tenant"].as_str();
    if origin.rsplit_once("/t/").map(|(_, name)| name) != tenant {
        found.push("the event belongs to another tenant's log".to_owned());
    }
    if event.kind == "log.key_changed" && key(event, "key").is_none() {
        found.push("the key change event has no valid key".to_owned());
    }
    let has_request = event.request.as_ref().is_some_and(|request| !request.is_empty());
    if domain::replay::is_step(&event.kind) && !(has_request && event.version.is_some()) {
        found.push(format!("{} is a lifecycle step but has no request id or no version", event.kind));
    }
    found
}

/// Parses the public key in this field of an event.
pub(crate) fn key(event: &Event, name: &str) -> Option<Verifier> {
    event.data()[name].as_str().and_then(|key| key.parse().ok())
}

/// Checks an entry before the sequencer adds it to a log.
///
/// # Errors
/// The reason why a verifier would reject it.
pub fn accept(origin: &str, bytes: &[u8]) -> Result<Event, String> {
    let (entry, event) = read(bytes)?;
    if entry.event.len() > EVENT_LIMIT_BYTES {
        return Err("the event has more than 65,000 bytes".to_owned());
    }
    match faults(origin, &entry, &event).into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::Hash;

    const ORIGIN: &str = "lockbox.fabrikam.example/t/contoso";
    const EVENT: &str = r#"{"data":{"actor":{"kind":"lockbox"}},"id":"0199a000-0000-7000-8000-000000000001","tenant":"contoso","time":"2026-11-24T10:00:00.000001Z","type":"lockbox.grant.used.v1"}"#;

    fn check(event: &str) -> Result<Event, String> {
        let entry = Entry { event: event.as_bytes(), log: ORIGIN, prev: Hash([0; 32]), seq: 1, v: 1 };
        accept(ORIGIN, &entry.to_bytes())
    }

    #[test]
    fn an_event_is_accepted_only_in_the_documented_format_and_in_its_own_log() {
        assert!(check(EVENT).is_ok());
        for (from, to, why) in [
            ("00.000001Z", "00.000000001Z", "not in the documented format"),
            ("\"data\":{", "\"data\": {", "not in the documented format"),
            ("{\"kind\":\"lockbox\"}", "{\"kind\":1.5}", "not in the documented format"),
            ("0199a000", "0199A000", "not in the documented format"),
            ("contoso", "adatum", "another tenant's log"),
            ("\"tenant\":\"contoso\",", "", "another tenant's log"),
            ("grant.used", "grant.activated", "is a lifecycle step"),
            ("grant.used", "log.key_changed", "no valid key"),
        ] {
            let fault = check(&EVENT.replace(from, to)).unwrap_err();
            assert!(fault.contains(why), "{to}: {fault}");
        }
        let large = EVENT.replace("{\"kind\":\"lockbox\"}", &format!("\"{}\"", "x".repeat(65_000)));
        assert!(check(&large).unwrap_err().contains("65,000"));
        assert!(accept("lockbox.fabrikam.example/operator", b"{}").is_err());
    }
}
