//! Dates as numbers.

use std::f64::consts::TAU;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// What is read as a date, for messages.
pub(super) const FORMATS: &str = "2026-11-28, 2026-11-28 13:05 or 2026-11-28T13:05:07, without a \
                                  time zone or in UTC (Z, +00:00)";

/// From here seconds are counted.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const SECONDS_A_DAY: f64 = 86_400.0;

/// What numbers become of a column of dates; see [`Table::dates`](crate::Table::dates).
///
/// A network cannot read a date, and one category for each day says nothing of the days to come.
/// [`elapsed`](Self::elapsed) suits what grows or wears out, [`cyclic`](Self::cyclic) what comes
/// again each year, week or day, [`parts`](Self::parts) what hangs on single days and months. Of
/// several, `.and` makes all features: `Dates::elapsed().and(Dates::cyclic())`.
///
/// Features are called after the column: of `day` they are `day_elapsed`, `day_year`, …
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dates {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    elapsed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    parts: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cyclic: bool,
}

impl Dates {
    /// One feature, `elapsed`: days since the earliest date of the training part, the part of the
    /// day included; negative for what is earlier. As f32, whose steps are 5 seconds after two
    /// years and a minute and a half after 40.
    pub fn elapsed() -> Self {
        Self { elapsed: true, ..Self::default() }
    }

    /// The calendar's numbers, those of fastai's
    /// [`add_datepart`](https://docs.fast.ai/tabular.core.html#add_datepart) that do not follow from
    /// others: `year`, `month` (1 to 12), `day` (1 to 31), `day_of_week` (Monday is 0),
    /// `day_of_year` (1 to 366), `is_month_start` and `is_month_end` (0 or 1), and, if some date of
    /// the training part has a time of day, `hour`, `minute` and `second` (whole ones).
    pub fn parts() -> Self {
        Self { parts: true, ..Self::default() }
    }

    /// Sine and cosine of 2π times the part of a round that is over, so that December is beside
    /// January: `month_sin`, `month_cos` ((month − 1) / 12), `day_of_week_sin`, `day_of_week_cos`
    /// (days since Monday / 7), and, if some date of the training part has a time of day,
    /// `hour_sin`, `hour_cos` (hours since midnight with their fraction / 24).
    pub fn cyclic() -> Self {
        Self { cyclic: true, ..Self::default() }
    }

    /// The features of both, each once: elapsed, then parts, then cyclic ones.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            elapsed: self.elapsed || other.elapsed,
            parts: self.parts || other.parts,
            cyclic: self.cyclic || other.cyclic,
        }
    }
}

/// How dates become numbers, with what was learned from the training part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FittedDates {
    pub(super) features: Dates,
    /// The earliest date.
    pub(super) since: DateTime,
    /// Whether some date has a time of day.
    #[serde(default)]
    pub(super) has_time: bool,
}

impl FittedDates {
    /// `None` if there is no date.
    pub(super) fn to(dates: &[DateTime], features: Dates) -> Option<Self> {
        let since = *dates.iter().min()?;
        let has_time = dates.iter().any(|date| *date != date.date().to_datetime(MIDNIGHT));
        Some(Self { features, since, has_time })
    }

    /// The features of a date, with what stands behind the column's name.
    pub(super) fn of(&self, date: DateTime) -> Vec<(&'static str, f64)> {
        let flag = |is: bool| f64::from(u8::from(is));
        let (month, day, hour) = (f64::from(date.month()), date.day(), f64::from(date.hour()));
        let (minute, second) = (f64::from(date.minute()), f64::from(date.second()));
        let day_of_week = f64::from(date.weekday().to_monday_zero_offset());
        let mut features = Vec::new();
        if self.features.elapsed {
            let seconds = date.duration_since(self.since).as_secs_f64();
            features.push(("elapsed", seconds / SECONDS_A_DAY));
        }
        if self.features.parts {
            features.extend([
                ("year", f64::from(date.year())),
                ("month", month),
                ("day", f64::from(day)),
                ("day_of_week", day_of_week),
                ("day_of_year", f64::from(date.day_of_year())),
                ("is_month_start", flag(day == 1)),
                ("is_month_end", flag(day == date.days_in_month())),
            ]);
            if self.has_time {
                features.extend([("hour", hour), ("minute", minute), ("second", second)]);
            }
        }
        if self.features.cyclic {
            let mut round = |sine, cosine, part: f64| {
                let (sin, cos) = (TAU * part).sin_cos();
                features.extend([(sine, sin), (cosine, cos)]);
            };
            round("month_sin", "month_cos", (month - 1.0) / 12.0);
            round("day_of_week_sin", "day_of_week_cos", day_of_week / 7.0);
            if self.has_time {
                let hours = hour + minute / 60.0 + second / 3600.0;
                round("hour_sin", "hour_cos", hours / 24.0);
            }
        }
        features
    }

    /// What stands behind the column's name, in order.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.of(self.since).into_iter().map(|(name, _)| name).collect()
    }
}

const MIDNIGHT: jiff::civil::Time = jiff::civil::Time::midnight();

/// Ways to write UTC behind a time.
const UTC: [&str; 5] = ["Z", "+00:00", "+0000", "+00", " UTC"];

/// A date such as those of [`FORMATS`], in the proleptic Gregorian calendar, with or without UTC
/// behind its time; other time zones are not read.
pub(super) fn date(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let utc = UTC.iter().find_map(|zone| text.strip_suffix(zone));
    let text = utc.filter(|text| text.contains([':', 'T', ' '])).unwrap_or(text);
    // The parser passes over an offset or a zone, behind which is another time.
    let time = text.find(['T', 't', ' ']).map_or("", |at| &text[at..]);
    let has_zone = text.contains('[') || time.contains(['+', '-']);
    if has_zone { None } else { text.parse().ok() }
}

/// Seconds from 1970-01-01 00:00 to a date.
pub(super) fn seconds(date: DateTime) -> f64 {
    date.duration_since(EPOCH).as_secs_f64()
}

/// The date so many seconds after 1970-01-01 00:00, to the second.
pub(super) fn after(seconds: f64) -> Option<DateTime> {
    EPOCH.checked_add(jiff::SignedDuration::from_secs(seconds.round() as i64)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        let read = |text: &str| date(text).map(seconds);
        assert_eq!(read("1970-01-01"), Some(0.0));
        assert_eq!(read("2000-03-01"), Some(951_868_800.0));
        assert_eq!(read("2026-11-28 13:05"), Some(1_795_871_100.0));
        assert_eq!(read("2026-11-28T13:05:07Z"), Some(1_795_871_107.0));
        assert_eq!(read("2026-11-28 13:05:07+00:00"), Some(1_795_871_107.0));
        assert_eq!(read("20261128"), Some(1_795_824_000.0));
        for text in ["", "28.11.2026", "2026-13-01", "2026-02-29", "2026-11", "2026-11-28 24:00"] {
            assert_eq!(read(text), None, "{text}");
        }
        for zone in ["Z", "+00:00", "+0000", "+00", " UTC"] {
            let text = format!("2026-11-28 13:05:07{zone}");
            assert_eq!(read(&text), Some(1_795_871_107.0), "{text}");
        }
        for zone in ["+02:00", "-02", " +0200", "[Europe/Berlin]", " CET", "+02:00[Europe/Berlin]"]
        {
            let text = format!("2026-11-28T13:05:07{zone}");
            assert_eq!(read(&text), None, "{text}");
        }
        for text in ["1969-12-31 23:59:59", "2026-11-28 13:05:07", "-000001-01-01", "9999-12-31"] {
            assert_eq!(after(read(text).unwrap()), date(text), "{text}");
        }
        assert_eq!(after(f64::INFINITY), None);
    }
}
