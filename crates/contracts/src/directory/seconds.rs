//! Durations as people write them in a directory file: `45s`, `30m`, `12h`, `2d`.

/// Reads a duration as whole seconds.
///
/// # Errors
/// A sentence that explains the format.
pub fn parse_seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a duration; write 45s, 30m, 12h or 2d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - 1].trim().parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|seconds| *seconds >= 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(parse_seconds("12h"), Ok(43_200));
        assert_eq!(parse_seconds("90 s"), Ok(90));
        for wrong in ["", "h", "-5m", "12", "1 fortnight", "9999999999999999d", "5µ"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
