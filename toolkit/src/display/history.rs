//! The points of one metric as a table.

use trainbook_store::History;

use super::axis::number;
use super::table::{Align, Table};

/// Step and value, a row each, and a line that says how many there are if not all are shown.
pub fn history(metric: &str, history: &History) -> String {
    let mut table = Table::new(&[("step", Align::Right), (metric, Align::Right)]);
    table
        .rows
        .extend(history.points.iter().map(|(step, value)| vec![step.to_string(), number(*value)]));
    let (shown, total) = (history.points.len() as u64, history.total);
    let rest = if shown < total {
        format!("{shown} of {total} points, extremes kept\n")
    } else {
        String::new()
    };
    table.text() + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said() {
        let all = vec![(1, 0.5), (2, f64::NAN), (3, 0.25)];
        let text = history("loss", &History::of(all.clone(), 10));
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("NaN") && !text.contains("points"), "{text}");
        let text = history("loss", &History::of(all, 2));
        assert!(text.ends_with("2 of 3 points, extremes kept\n"), "{text}");
    }
}
