//! Times for people: in the local time zone, or in UTC with `--utc`. JSON and CSV always have UTC.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Local, TimeZone, Utc};

static IS_UTC: AtomicBool = AtomicBool::new(false);

/// Prints every time in UTC from now on.
pub fn use_utc() {
    IS_UTC.store(true, Ordering::Relaxed);
}

/// A time for people, such as `2026-11-28 16:05:12 +01:00`.
pub fn local(at: DateTime<Utc>) -> String {
    if IS_UTC.load(Ordering::Relaxed) { shown(at, &Utc) } else { shown(at, &Local) }
}

fn shown<Z: TimeZone<Offset: std::fmt::Display>>(at: DateTime<Utc>, zone: &Z) -> String {
    at.with_timezone(zone).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The text with each time of [`super::time`] in it in the zone for people.
pub fn localized(text: &str) -> String {
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let plain = word.trim_end_matches([',', ';', '.', ':']);
    let is_time = plain.len() == "2026-11-28T15:05:12.345Z".len() && plain.ends_with('Z');
    match plain.parse::<DateTime<Utc>>().ok().filter(|_| is_time) {
        Some(at) => format!("{}{}", local(at), &word[plain.len()..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    const AT: &str = "2026-11-28T15:05:12.345Z";

    #[test]
    fn a_time_is_shown_with_the_offset_of_its_zone() {
        let at = AT.parse().unwrap();
        assert_eq!(shown(at, &FixedOffset::east_opt(3600).unwrap()), "2026-11-28 16:05:12 +01:00");
        assert_eq!(shown(at, &Utc), "2026-11-28 15:05:12 +00:00");
    }

    #[test]
    fn only_times_in_a_text_are_changed() {
        let shown = local(AT.parse().unwrap());
        assert_eq!(
            localized(&format!("{AT} to {AT}, finance@contoso.example")),
            format!("{shown} to {shown}, finance@contoso.example")
        );
        assert_eq!(localized("SR-2026-11-28T15:05Z  two  spaces"), "SR-2026-11-28T15:05Z  two  spaces");
    }
}
