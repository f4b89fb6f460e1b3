//! Dates as numbers.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds from 1970-01-01 00:00 to a date such as `2026-11-28`, `2026-11-28 13:05` or
/// `2026-11-28T13:05:00`, in the proleptic Gregorian calendar; a `Z` behind it may stand or not, and
/// other time zones are not read.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let date: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(date).ok()?.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        assert_eq!(seconds("1970-01-01"), Some(0.0));
        assert_eq!(seconds("2000-03-01"), Some(951_868_800.0));
        assert_eq!(seconds("2026-11-28 13:05"), Some(1_795_871_100.0));
        assert_eq!(seconds("2026-11-28T13:05:07Z"), Some(1_795_871_107.0));
        for text in ["", "28.11.2026", "2026-13-01", "2026-02-29", "2026-11", "2026-11-28 24:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
