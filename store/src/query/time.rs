//! Dates in a query.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The moment that a text means: a date, a date and a time, or RFC 3339 with its offset. UTC where
/// no offset is given.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    // A time zone's name in brackets is read over by the second way.
    if text.contains('[') {
        return None;
    }
    text.parse().ok().or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

/// So many seconds before `now`, if there was a calendar then.
pub(super) fn before(now: Timestamp, seconds: u64) -> Option<Timestamp> {
    now.checked_sub(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_utc_unless_they_say_otherwise() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (text, expected) in [
            ("2026-11-25", "2026-11-25T00:00:00Z"),
            ("2026-11-25 10:00", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:30.5", "2026-11-25T10:00:30.5Z"),
            ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:00+02:00", "2026-11-25T08:00:00Z"),
            ("2026-11-25 10:00-05:30", "2026-11-25T15:30:00Z"),
        ] {
            assert_eq!(read(text), Some(at(expected)), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "25.11.2026",
            "10:00",
            "2026-11",
            "2026-11-25 25:00",
            "2026-11-25T10:00[Europe/Berlin]",
            "2026-11-25T10:00:00+99:00",
            "2026-11-25 10:00 x",
            "99999-01-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(before(at("2026-11-25T00:00:00Z"), 86_400), Some(at("2026-11-24T00:00:00Z")));
        assert_eq!(before(Timestamp::MIN, 1), None);
        assert_eq!(before(Timestamp::MAX, u64::MAX), None);
    }
}
