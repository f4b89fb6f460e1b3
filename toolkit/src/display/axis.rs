//! The stretch of an axis that is shown, its ticks, and how numbers are written.

use super::chart::{Axis, Panel};

/// What is shown of an axis, in drawn units: values, or their decimal logarithms on a logarithmic
/// axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub low: f64,
    pub high: f64,
    /// Position in drawn units, and label.
    pub ticks: Vec<(f64, String)>,
}

/// The horizontal and the vertical view that show every point and marker of `panel`, with about as
/// many ticks as given.
pub(super) fn views(panel: &Panel, x_ticks: usize, y_ticks: usize) -> (View, View) {
    let points = || {
        let shown = |p: &&(f64, f64)| panel.x.shows(p.0) && panel.y.shows(p.1);
        panel.series.iter().flat_map(move |s| s.points.iter().filter(shown))
    };
    let ends = panel.across.into_iter().flat_map(|(low, high)| [low, high]);
    let ends = ends.filter(|x| panel.x.shows(*x));
    let xs = points().map(|p| p.0).chain(panel.shown_markers().map(|m| m.at)).chain(ends);
    (
        View::over(xs, &panel.x, x_ticks, 0.02),
        View::over(points().map(|p| p.1), &panel.y, y_ticks, 0.06),
    )
}

/// How far the texts of neighbouring markers stand apart, in pixels: one under the other, lest they
/// overlap.
pub(super) const LABEL_ROW: i32 = 14;

/// Whether the label of a marker at `at` is better placed at the lower end of its line, because
/// what is drawn near it lies high.
pub(super) fn label_below(panel: &Panel, at: f64, x: &View, y: &View) -> bool {
    let reach = (x.high - x.low) / 4.0;
    let near = |p: &&(f64, f64)| {
        panel.x.shows(p.0)
            && panel.y.shows(p.1)
            && (panel.x.position(p.0) - panel.x.position(at)).abs() < reach
    };
    let points = panel.series.iter().flat_map(|s| s.points.iter().filter(near));
    let (upper, lower) = points.map(|p| (panel.y.position(p.1) - y.low) / (y.high - y.low)).fold(
        (0, 0),
        |(upper, lower), share| {
            (upper + usize::from(share > 0.75), lower + usize::from(share < 0.25))
        },
    );
    upper > lower
}

impl View {
    /// From the lowest to the highest of `values`, and `margin` of that width more on each side.
    fn over(values: impl Iterator<Item = f64>, axis: &Axis, ticks: usize, margin: f64) -> Self {
        let ends = values.map(|v| axis.position(v)).fold(None, |ends: Option<(f64, f64)>, v| {
            Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
        });
        let (low, high) = ends.unwrap_or((0.0, 1.0));
        // Values that are equal but for rounding are shown as one level in the middle, not as a
        // zigzag over the whole height.
        let smallest = if axis.log { 0.1 } else { (low.abs().max(high.abs()) * 1e-6).max(1e-290) };
        let (low, high) = if high - low >= smallest {
            let pad = (high - low) * margin;
            (low - pad, high + pad)
        } else {
            let middle = low + (high - low) / 2.0;
            let pad = if axis.log {
                0.5
            } else if middle.abs() < smallest {
                1.0
            } else {
                middle.abs() * 0.1
            };
            (middle - pad, middle + pad)
        };
        let ticks =
            if axis.log { log_ticks(low, high, ticks) } else { linear_ticks(low, high, ticks) };
        Self { low, high, ticks }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, about: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / about.max(2) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = power
        * match rough / power {
            r if r < 1.5 => 1.0,
            r if r < 3.5 => 2.0,
            r if r < 7.5 => 5.0,
            _ => 10.0,
        };
    let first = (low / step).ceil();
    let largest = low.abs().max(high.abs());
    (0..=2 * about.max(2))
        .map(|i| (first + i as f64) * step)
        .take_while(|&v| v <= high)
        .map(|v| (v, tick_label(v, step, largest)))
        .collect()
}

/// Powers of ten where there are two or more of them; else multiples of them; else linear ticks.
fn log_ticks(low: f64, high: f64, about: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil() as i64, high.floor() as i64);
    let decades = last - first + 1;
    if decades >= 2 {
        let every = (decades as usize).div_ceil(about.max(2)) as i64;
        let plain = (-2..=4).contains(&first) && (-2..=4).contains(&last);
        let label = |e: i64| if plain { number(10f64.powi(e as i32)) } else { format!("1e{e}") };
        return (first..=last)
            .filter(|e| e.rem_euclid(every) == 0)
            .map(|e| (e as f64, label(e)))
            .collect();
    }
    let parts = (low.floor() as i64..=high.floor() as i64).flat_map(|e| [1, 2, 5].map(|m| (m, e)));
    let position = |m: i64, e: i64| (m as f64).log10() + e as f64;
    let ticks: Vec<(f64, String)> = parts
        .filter(|&(m, e)| (low..=high).contains(&position(m, e)))
        .map(|(m, e)| {
            (
                position(m, e),
                if (-2..=4).contains(&e) { power_label(m, e) } else { format!("{m}e{e}") },
            )
        })
        .collect();
    if ticks.len() >= 2 {
        return ticks;
    }
    linear_ticks(10f64.powf(low), 10f64.powf(high), about)
        .into_iter()
        .map(|(v, label)| (v.log10(), label))
        .collect()
}

/// `m · 10^e` written out.
fn power_label(m: i64, e: i64) -> String {
    if e < 0 {
        format!("{:.*}", (-e) as usize, m as f64 * 10f64.powi(e as i32))
    } else {
        format!("{m}{}", "0".repeat(e as usize))
    }
}

/// `value` with as many digits as ticks `step` apart need, in a form that suits an axis that
/// reaches to `largest`.
fn tick_label(value: f64, step: f64, largest: f64) -> String {
    // `first * step` can miss zero by a rounding error, which would be written as 1e-17.
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    let step_digit = (step.log10() + 1e-9).floor() as i64;
    if largest >= 1e6 || step < 1e-4 {
        if value == 0.0 {
            return "0".into();
        }
        let digits = value.abs().log10().floor() as i64 - step_digit;
        return format!("{value:.*e}", digits.clamp(0, 8) as usize);
    }
    format!("{value:.*}", (-step_digit).max(0) as usize)
}

/// `value` with at most five significant digits, for tables: `0.97283`, `1200`, `3e-5`, `NaN`.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        let text = format!("{value:.4e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trim_zeros(digits));
    }
    let whole_digits = if size < 1.0 { 0 } else { size.log10().floor() as usize + 1 };
    let leading_zeros =
        if size == 0.0 || size >= 0.1 { 0 } else { (-size.log10()).ceil() as usize - 1 };
    let decimals = (5 + leading_zeros).saturating_sub(whole_digits);
    let text = format!("{value:.decimals$}");
    trim_zeros(&text).to_owned()
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::super::chart::Style;
    use super::*;

    fn labels(values: &[f64], axis: &Axis) -> Vec<String> {
        View::over(values.iter().copied(), axis, 5, 0.0).ticks.into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let linear = Axis::default();
        assert_eq!(labels(&[0.0, 1.0], &linear), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            labels(&[0.0, 1350.0], &linear),
            ["0", "200", "400", "600", "800", "1000", "1200"]
        );
        assert_eq!(labels(&[-1.0, 1.0], &linear), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(
            labels(&[0.0, 3e-5], &linear),
            ["0", "5e-6", "1.0e-5", "1.5e-5", "2.0e-5", "2.5e-5", "3.0e-5"]
        );
        assert_eq!(
            labels(&[0.93, 0.985], &linear),
            ["0.93", "0.94", "0.95", "0.96", "0.97", "0.98"]
        );
    }

    #[test]
    fn log_ticks_are_powers_of_ten_where_they_fit() {
        let log = Axis::log("");
        assert_eq!(labels(&[1e-5, 1.0], &log), ["1e-4", "1e-2", "1e0"]);
        assert_eq!(labels(&[0.01, 10.0], &log), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&[0.15, 6.0], &log), ["0.2", "0.5", "1", "2", "5"]);
        assert_eq!(labels(&[1.2, 1.8], &log), ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8"]);
    }

    #[test]
    fn every_view_is_finite_and_wide_enough_to_draw() {
        for values in [
            vec![],
            vec![0.0],
            vec![7.0],
            vec![-1e300, 1e300],
            vec![5e-324],
            vec![1.0, 1.0 + 1e-15],
            vec![1e-300, 1e300],
        ] {
            for axis in [Axis::default(), Axis::log("")] {
                let shown: Vec<f64> = values.iter().copied().filter(|&v| axis.shows(v)).collect();
                let view = View::over(shown.iter().copied(), &axis, 5, 0.05);
                assert!(
                    view.low.is_finite() && view.high.is_finite() && view.low < view.high,
                    "{values:?} {view:?}"
                );
                assert!(view.ticks.len() <= 12, "{values:?} {view:?}");
                for v in shown {
                    assert!(
                        (view.low..=view.high).contains(&axis.position(v)),
                        "{values:?} {view:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_marker_label_keeps_clear_of_the_curve() {
        let panel = |ys: [f64; 4]| {
            let points = ys.iter().enumerate().map(|(i, &y)| (i as f64, y)).collect();
            Panel::new(Axis::default(), Axis::default()).with("s", Style::Line, points)
        };
        let below = |panel: &Panel| {
            let (x, y) = views(panel, 5, 5);
            label_below(panel, 3.0, &x, &y)
        };
        assert!(below(&panel([0.1, 0.8, 0.9, 0.9])));
        assert!(!below(&panel([2.0, 0.5, 0.2, 0.1])));
    }

    #[test]
    fn numbers_have_five_digits() {
        let cases = [
            (0.0, "0"),
            (0.972_826, "0.97283"),
            (0.1, "0.1"),
            (0.012_345_67, "0.012346"),
            (1200.0, "1200"),
            (123_456.7, "123457"),
            (3e-5, "3e-5"),
            (-2.5, "-2.5"),
            (1e38, "1e38"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
