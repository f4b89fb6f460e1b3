//! Text that stands in lines and columns.

use std::fmt;

/// On one line, and without what moves a cursor: names and reasons may come from anywhere.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One line of at most `widest` characters.
pub(crate) fn short(text: &str, widest: usize) -> String {
    let line = line(text);
    if line.chars().count() <= widest {
        line
    } else {
        line.chars().take(widest.saturating_sub(1)).chain(['…']).collect()
    }
}

/// The width of each column of these rows, in characters.
pub(crate) fn widths<'r>(rows: impl IntoIterator<Item = &'r [String]>) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// An indented row, its cells two spaces apart and nothing behind the last.
pub(crate) fn row(f: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text += &format!("  {cell:<width$}");
    }
    writeln!(f, "{}", text.trim_end())
}

/// Rows whose columns are aligned.
pub(crate) fn columns<R: AsRef<[String]>>(f: &mut fmt::Formatter<'_>, rows: &[R]) -> fmt::Result {
    let widths = widths(rows.iter().map(AsRef::as_ref));
    rows.iter().try_for_each(|cells| row(f, cells.as_ref(), &widths))
}

/// At most `digits` significant digits, as short as they can be written.
pub(crate) fn rounded(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value);
    format!("{rounded:?}")
}

/// Seconds as a person says them: `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 59.95 {
        return format!("{} s", rounded(seconds, 3).trim_end_matches(".0"));
    }
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {} s", whole % 60),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, hours) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_durations_have_units() {
        for (value, text) in [
            (0.123456789, "0.123457"),
            (1e-9, "1e-9"),
            (3.0, "3.0"),
            (123456789.0, "123457000.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(rounded(value, 6), text);
        }
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.012345, "0.0123 s"),
            (4.0, "4 s"),
            (59.94, "59.9 s"),
            (59.96, "1 min 0 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (f64::NAN, "NaN s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(short("a\tbcd", 4), "a b…");
        assert_eq!(short("ab\u{1b}d", 4), "ab d");
    }
}
