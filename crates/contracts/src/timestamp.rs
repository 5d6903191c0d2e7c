//! The one way in which a time gets into a message: UTC, at most six digits after the second, a year of four digits.
//! Postgres keeps no finer time, and the audit log accepts none.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

/// The earliest time of four digits that a verifier reads, 0001-01-01T00:00:00Z, in microseconds since 1970.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
/// The last one, 9999-12-31T23:59:59.999999Z.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// A time as it is written in messages. It is made from any time; what is finer than a microsecond is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        // Through the count of microseconds: a leap second would be written as second 60, which no verifier reads.
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
    fn whatever_the_time_it_is_written_with_four_digits_of_the_year_and_six_of_the_second_at_most() {
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
