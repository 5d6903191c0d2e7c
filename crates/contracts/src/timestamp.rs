//! The format of times in messages: UTC, at most six digits after the second, a year of four digits. Postgres stores no
//! finer time, and the audit log accepts none.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

/// The earliest time with a year of four digits, 0001-01-01T00:00:00Z, in microseconds since 1970.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
/// The latest one, 9999-12-31T23:59:59.999999Z.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// A time as messages contain it. Fractions of a microsecond are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        // Converted through microseconds: a leap second would be written as second 60, which verifiers do not read.
        let micros = at.timestamp_micros().clamp(FIRST_MICROS, LAST_MICROS);
        Self(DateTime::from_timestamp_micros(micros).unwrap_or_default())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

impl Deref for Timestamp {
    type Target = DateTime<Utc>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        DateTime::deserialize(reader).map(|at: DateTime<Utc>| at.into())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};

    use super::*;

    #[test]
    fn every_time_is_written_with_a_four_digit_year_and_at_most_six_digits_after_the_second() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 28).unwrap();
        let leap = day.and_hms_nano_opt(23, 59, 59, 1_999_999_999).unwrap().and_utc();
        for (at, written) in [
            (DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1_999), "1970-01-01T00:00:00.000001Z"),
            (DateTime::UNIX_EPOCH - TimeDelta::nanoseconds(1), "1969-12-31T23:59:59.999999Z"),
            (DateTime::UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (leap, "2026-11-29T00:00:00.999999Z"),
            (DateTime::<Utc>::MAX_UTC, "9999-12-31T23:59:59.999999Z"),
            (DateTime::<Utc>::MIN_UTC, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(serde_json::to_value(Timestamp::from(at)).unwrap(), written);
        }
    }
}
