//! Dates as numbers.

/// Seconds from 1970-01-01 00:00 to a date such as `2026-11-28`, `2026-11-28 13:05` or
/// `2026-11-28T13:05:00`, in the proleptic Gregorian calendar; fractions of a second and time zones
/// are not read.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time.strip_suffix('Z').unwrap_or(time))),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if day < 1 || day > length {
        return None;
    }
    let clock = match time {
        None => 0,
        Some(time) => match numbers(time, ':')?[..] {
            [hour @ 0..24, minute @ 0..60] => hour * 3600 + minute * 60,
            [hour @ 0..24, minute @ 0..60, second @ 0..60] => hour * 3600 + minute * 60 + second,
            _ => return None,
        },
    };
    Some((days(year, month, day) * 86_400 + clock) as f64)
}

fn numbers(text: &str, separator: char) -> Option<Vec<i64>> {
    let digits = |part: &str| {
        let plain = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse().ok()).flatten()
    };
    text.split(separator).map(digits).collect()
}

/// Days since 1970-01-01: years begin in March, so that the leap day is the last one (H. Hinnant,
/// [chrono-compatible low-level date
/// algorithms](https://howardhinnant.github.io/date_algorithms.html), `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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
