//! Which months of the audit log may be archived.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

/// The first day of the earliest month that cannot be archived: the month before the current one, in UTC. Events of these
/// two months may still be about open requests, or on their way to other systems.
pub fn first_month_to_keep(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    // Every month has a first day, and the calendar of chrono begins long before the first event.
    let first = today.with_day(1).unwrap_or(today);
    first.checked_sub_months(Months::new(1)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_month_and_the_previous_one_are_kept() {
        for (now, kept) in [
            ("2026-11-28T15:00:00Z", "2026-10-01"),
            ("2026-03-31T23:59:59Z", "2026-02-01"),
            ("2026-01-01T00:00:00Z", "2025-12-01"),
        ] {
            assert_eq!(first_month_to_keep(now.parse().unwrap()).to_string(), kept, "{now}");
        }
    }
}
