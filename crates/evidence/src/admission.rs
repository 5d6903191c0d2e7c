//! What an entry must be to stand in a log, looked at by itself: its form, its event's form, and that it is in the right
//! log. An examination asks this of every entry, and the sequencer before it gives an event its place: what a verifier
//! would not accept is never signed.
//!
//! Deliberately absent: what needs the entries before it (the chain of its stream, an event recorded twice, the rules).

use tlog::Verifier;

use crate::{Entry, Event, canonical};

/// Most bytes of an event.
pub const EVENT_LIMIT_BYTES: usize = 65_000;
/// Most bytes of an entry: a bundle writes its length in two bytes.
pub const ENTRY_LIMIT_BYTES: usize = 65_535;

/// Reads an entry and its event.
///
/// # Errors
/// What is wrong with its form.
pub fn read(bytes: &[u8]) -> Result<(Entry<'_>, Event), &'static str> {
    if bytes.len() > ENTRY_LIMIT_BYTES {
        return Err("the entry has more than 65,535 bytes");
    }
    let entry = Entry::read(bytes).ok_or("the entry is not in its format")?;
    let event =
        canonical::read(entry.event).and_then(Event::read).ok_or("the event in the entry is not in its format")?;
    Ok((entry, event))
}

/// What is wrong with an entry that is in its form, in this log.
pub fn faults(origin: &str, entry: &Entry<'_>, event: &Event) -> Vec<String> {
    let mut found = Vec::new();
    if entry.log != origin {
        found.push(format!("the entry belongs to another log, {}", entry.log));
    }
    // One of this log's tenant, or of none in the operator's.
    let tenant = event.document["tenant"].as_str();
    if origin.rsplit_once("/t/").map(|(_, name)| name) != tenant {
        found.push("the event belongs to another tenant's log".to_owned());
    }
    if event.kind == "log.key_changed" && key(event, "key").is_none() {
        found.push("a change of the log's key names no key".to_owned());
    }
    let is_about_one = event.request.as_ref().is_some_and(|request| !request.is_empty());
    if domain::replay::is_step(&event.kind) && !(is_about_one && event.version.is_some()) {
        found.push(format!("{} is a step, and does not say of which request or which one", event.kind));
    }
    found
}

/// A public key that an event names.
pub(crate) fn key(event: &Event, name: &str) -> Option<Verifier> {
    event.data()[name].as_str().and_then(|key| key.parse().ok())
}

/// Accepts an entry that is about to be placed in a log.
///
/// # Errors
/// Why a verifier would not accept it.
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

    fn judged(event: &str) -> Result<Event, String> {
        let entry = Entry { event: event.as_bytes(), log: ORIGIN, prev: Hash([0; 32]), seq: 1, v: 1 };
        accept(ORIGIN, &entry.to_bytes())
    }

    #[test]
    fn an_event_is_accepted_only_in_its_form_and_in_its_own_log() {
        assert!(judged(EVENT).is_ok());
        for (from, to, why) in [
            ("00.000001Z", "00.000000001Z", "not in its format"),
            ("\"data\":{", "\"data\": {", "not in its format"),
            ("{\"kind\":\"lockbox\"}", "{\"kind\":1.5}", "not in its format"),
            ("0199a000", "0199A000", "not in its format"),
            ("contoso", "adatum", "another tenant's log"),
            ("\"tenant\":\"contoso\",", "", "another tenant's log"),
            ("grant.used", "grant.activated", "is a step"),
            ("grant.used", "log.key_changed", "names no key"),
        ] {
            let fault = judged(&EVENT.replace(from, to)).unwrap_err();
            assert!(fault.contains(why), "{to}: {fault}");
        }
        let large = EVENT.replace("{\"kind\":\"lockbox\"}", &format!("\"{}\"", "x".repeat(65_000)));
        assert!(judged(&large).unwrap_err().contains("65,000"));
        assert!(accept("lockbox.fabrikam.example/operator", b"{}").is_err());
    }
}
