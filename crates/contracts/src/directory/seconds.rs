//! Durations as people write them in the directory file, in forms and on the command line: `45s`, `30m`, `12h`, `2d`, `1h 30m`.

/// Parses a duration into whole seconds.
///
/// # Errors
/// A sentence that says how to write a duration.
pub fn parse_seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a duration; write 45s, 30m, 12h, 2d or 1h 30m");
    // humantime reads `M` as months, where people mean minutes.
    if text.contains(char::is_uppercase) {
        return Err(wrong());
    }
    let duration = humantime::parse_duration(text.trim()).map_err(|_| wrong())?;
    if duration.subsec_nanos() > 0 {
        return Err(wrong());
    }
    i64::try_from(duration.as_secs()).map_err(|_| wrong())
}

/// Formats seconds as one number in the largest unit that divides them, without a space: lists of durations are separated by
/// spaces, which is why this is not humantime's format (`1day 12h`).
pub fn format_seconds(seconds: i64) -> String {
    let unit = [(86_400, 'd'), (3600, 'h'), (60, 'm')].into_iter().find(|(size, _)| seconds > 0 && seconds % size == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(size, name)| format!("{}{name}", seconds / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_as_people_write_them() {
        for (text, seconds) in [
            ("45s", 45),
            ("30m", 1800),
            ("30 min", 1800),
            ("12h", 43_200),
            ("2d", 172_800),
            ("90 s", 90),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("0s", 0),
        ] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn a_wrong_duration_is_refused_with_examples() {
        for wrong in ["", "h", "-5m", "12", "1 fortnight", "9999999999999999d", "5µ", "30M", "1.5s", "500ms"] {
            assert_eq!(
                parse_seconds(wrong),
                Err(format!("{wrong:?} is not a duration; write 45s, 30m, 12h, 2d or 1h 30m"))
            );
        }
    }

    #[test]
    fn a_formatted_duration_is_parsed_to_the_same_seconds() {
        for (seconds, text) in
            [(0, "0s"), (45, "45s"), (5400, "90m"), (43_200, "12h"), (172_800, "2d"), (90_061, "90061s")]
        {
            assert_eq!(format_seconds(seconds), text);
            assert_eq!(parse_seconds(text), Ok(seconds));
        }
    }
}
