//! Times: microseconds of UTC inside and in databases, RFC 3339 with `Z` on the wire.

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// A point in time, to the microsecond. Prints `2026-03-02T10:00:00Z`; the fraction only where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

/// Why a text or a number is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("is not a time with a zone, like 2026-02-01T10:00:00Z")]
    Malformed,
    #[error("is not an ISO 8601 duration, like PT15M")]
    MalformedDuration,
    #[error("is outside the years -9999 to 9999")]
    OutOfRange,
}

impl Timestamp {
    /// From microseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// Years beyond 9999.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        jiff::Timestamp::from_microsecond(micros).map(Self).map_err(|_| TimeError::OutOfRange)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// # Errors
    /// Years beyond 9999.
    pub fn checked_add_micros(self, micros: i64) -> Result<Self, TimeError> {
        self.as_micros().checked_add(micros).ok_or(TimeError::OutOfRange).and_then(Self::from_micros)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Takes any offset, any fraction (cut to microseconds), and precision down to minutes; a zone is required (sheet 01 §8.1).
    fn from_str(text: &str) -> Result<Self, TimeError> {
        // The zone names in brackets and other generosities of the parser are not ISO 8601 on this wire.
        let plain = |byte: u8| {
            byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b':' | b'.' | b',' | b'T' | b't' | b'Z' | b'z')
        };
        if text.len() < 17 || !text.bytes().all(plain) {
            return Err(TimeError::Malformed);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| TimeError::Malformed)?;
        Self::from_micros(parsed.as_nanosecond().div_euclid(1000).try_into().map_err(|_| TimeError::OutOfRange)?)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time like 2026-02-01T10:00:00Z")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Microseconds of an ISO 8601 duration (`PT15M`, `PT1H30M`, `P1D`); a day counts 24 hours. For `interaction_expiry.duration`.
///
/// # Errors
/// Not a duration; months or years, whose length nobody can tell; longer than 64 bits of microseconds.
pub fn parse_duration(text: &str) -> Result<i64, TimeError> {
    // The parser also reads "15 minutes", which is no ISO 8601.
    if !text.trim_start_matches(['+', '-']).starts_with('P') {
        return Err(TimeError::MalformedDuration);
    }
    let span: Span = text.parse().map_err(|_| TimeError::MalformedDuration)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| TimeError::MalformedDuration)?;
    i64::try_from(duration.as_micros()).map_err(|_| TimeError::OutOfRange)
}

/// Whether a text is a calendar day `YYYY-MM-DD` (sheet 01 §8.1).
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_utc_and_reads_what_others_print() {
        for (text, printed) in [
            ("2026-02-01T10:00:00Z", "2026-02-01T10:00:00Z"),
            ("2026-02-01T10:00Z", "2026-02-01T10:00:00Z"),
            ("2026-02-01T12:00:00+02:00", "2026-02-01T10:00:00Z"),
            ("2026-02-01T10:00:00.5Z", "2026-02-01T10:00:00.5Z"),
            ("2026-02-01T10:00:00.123456789Z", "2026-02-01T10:00:00.123456Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("2026-02-01t10:00:00z", "2026-02-01T10:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().map(|time| time.to_string()), Ok(printed.to_owned()), "{text}");
        }
    }

    #[test]
    fn times_without_zone_or_sense_are_refused() {
        for text in [
            "",
            "2026-02-01",
            "2026-02-01T10:00:00",
            "2026-13-01T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "1767225600000",
            "2026-02-01T10:00:00+02:00[Europe/Stockholm]",
            "tomorrow",
            "2026-02-01 10:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError::Malformed), "{text}");
        }
    }

    #[test]
    fn microseconds_go_in_and_out() {
        let time = Timestamp::from_micros(1_767_225_600_000_001).unwrap();
        assert_eq!(
            (time.to_string().as_str(), time.as_micros()),
            ("2026-01-01T00:00:00.000001Z", 1_767_225_600_000_001)
        );
        assert_eq!(time.checked_add_micros(-1).unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(time.checked_add_micros(i64::MAX), Err(TimeError::OutOfRange));
        assert_eq!(Timestamp::from_micros(i64::MAX), Err(TimeError::OutOfRange));
    }

    #[test]
    fn durations_are_iso_8601_of_a_known_length() {
        const MINUTE: i64 = 60_000_000;
        for (text, micros) in [
            ("PT15M", 15 * MINUTE),
            ("PT1H30M", 90 * MINUTE),
            ("P2D", 2880 * MINUTE),
            ("P1W", 10080 * MINUTE),
            ("PT0.5S", 500_000),
            ("-PT1M", -MINUTE),
        ] {
            assert_eq!(parse_duration(text), Ok(micros), "{text}");
        }
        for text in ["", "15m", "15 minutes", "P", "PT", "P1M", "P1Y", "PT1X", "15"] {
            assert_eq!(parse_duration(text), Err(TimeError::MalformedDuration), "{text}");
        }
    }
}
