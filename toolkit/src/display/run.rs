//! How a run shows itself: a live one and a stored one alike, because both are shown from the
//! record.

use std::collections::BTreeMap;
use std::fmt::Write;

use trainbook_store::{Aggregate, Name, Parent, Past, RunEvent, RunRecord, RunSummary};

use super::Bundle;
use super::axis::number;
use super::bundle::illustrated;
use super::chart::{Axis, Chart, Panel, Style};
use super::costs;
use super::svg::svg;
use super::table::{Align, Table, escape};

/// These come first in the table of metrics, in this order.
pub(super) const FIRST: [&str; 7] = [
    "val_accuracy",
    "val_loss",
    "train_accuracy",
    "train_loss",
    "loss",
    "learning_rate",
    "gradient_norm",
];
pub(super) const MOST_METRICS: usize = 12;
pub(super) const MOST_WARNINGS: usize = 5;
/// Rows of a log of predictions that are shown.
const MOST_ROWS: usize = 8;
/// A smoothed line needs no more points than this to look the same.
const SMOOTH_POINTS: usize = 300;

/// A run: its curves, a line that says how it went, its metrics, and what went wrong.
///
/// The curves are the loss of each batch with its running mean and the validation loss, the
/// validation accuracy, the learning rate, and what a
/// [`PredictionLog`](trainbook_callbacks::PredictionLog) has logged of up to eight rows, each where it
/// was recorded, with those of the runs with which this one went on before them
/// ([`Store::past`](trainbook_store::Store::past)). A run without any of them is shown without a
/// picture.
pub fn run(record: &RunRecord, past: &Past) -> Bundle {
    let heading = heading(&record.summary);
    let details = details(record, past);
    let (table, left_out) = metrics(&record.summary);
    let text = [heading.clone(), details.clone(), table.text(), left_out.clone()]
        .map(|part| ended(&part))
        .concat();
    let lines = |text: &str| text.lines().map(escape).collect::<Vec<_>>().join("<br>");
    let mut below =
        format!("<p><b>{}</b><br>{}</p>\n{}", escape(&heading), lines(&details), table.html());
    if !left_out.is_empty() {
        let _ = write!(below, "<p>{}</p>", escape(&left_out));
    }
    let chart = curves_of(record, past);
    let html = if chart.columns.is_empty() { below } else { illustrated(&chart, &below) };
    Bundle { html, text }
}

/// The curves of a run as a stand-alone SVG document, for example for a README.
pub fn run_svg(record: &RunRecord, past: &Past) -> String {
    svg(&curves_of(record, past))
}

pub(super) fn heading(summary: &RunSummary) -> String {
    let mut line = format!("run {}", summary.id);
    if let Some(name) = &summary.name {
        let _ = write!(line, " “{name}”");
    }
    let _ = write!(line, " {}", summary.state.name());
    if let Some(reason) = summary.state.reason() {
        let _ = write!(line, " ({reason})");
    }
    let (epochs, steps) = (counted(summary.epochs, "epoch"), counted(summary.steps, "step"));
    let _ = write!(line, " · {epochs}, {steps} · seed {}", summary.seed);
    if let Some(seconds) = summary.seconds {
        let _ = write!(line, " · {} s", rounded(seconds));
    }
    line.replace(char::is_control, " ")
}

/// `seconds` with as many decimals as a person cares for.
pub(super) fn rounded(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2}") } else { format!("{seconds:.0}") }
}

/// Model, parameters, data and warnings, a line each.
fn details(record: &RunRecord, past: &Past) -> String {
    let summary = &record.summary;
    let mut lines = Vec::new();
    if let Some(Parent { run, step, resumed }) = &summary.parent {
        let how = if *resumed { "resumed" } else { "went on from" };
        let before: Vec<String> =
            past.parents.iter().skip(1).map(|parent| parent.run.to_string()).collect();
        let before = match before.as_slice() {
            [] => String::new(),
            runs => format!(", and before that {}", runs.join(", ")),
        };
        lines.push(format!("{how} run {run} at step {step}{before}"));
    }
    if !summary.model.is_empty() {
        lines.push(format!("model: {}", summary.model));
    }
    if !summary.params.is_empty() {
        let params: Vec<String> =
            summary.params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        lines.push(format!("params: {}", params.join(", ")));
    }
    if !record.data.source.is_empty() {
        lines.push(format!("data: {}, {}", record.data.source, counted(record.data.rows, "row")));
    }
    let warnings = || {
        record.events.iter().filter_map(|event| match &event.event {
            RunEvent::Warning { text } => Some(text),
            _ => None,
        })
    };
    lines.extend(warnings().take(MOST_WARNINGS).map(|text| format!("warning: {text}")));
    let more = warnings().skip(MOST_WARNINGS).count();
    if more > 0 {
        lines.push(format!("and {}", counted(more as u64, "more warning")));
    }
    if let Some((seconds, of)) = record.callback_costs() {
        lines.extend(costs::shares(seconds, of));
        lines.extend(costs::warnings(seconds, of).iter().map(|text| format!("warning: {text}")));
    }
    lines.extend(record.damage.iter().map(|what| format!("damaged: {what}")));
    lines.iter().map(|line| line.replace(char::is_control, " ")).collect::<Vec<_>>().join("\n")
}

/// The table of metrics, and a line about those that it leaves out, if it does.
fn metrics(summary: &RunSummary) -> (Table, String) {
    let known = FIRST.iter().filter_map(|&name| summary.metrics.get_key_value(name));
    let others = summary.metrics.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    let all: Vec<_> = known.chain(others).collect();
    let any_nan = all.iter().any(|(_, aggregate)| aggregate.nan_count > 0);
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("metric", Left),
        ("last", Right),
        ("min", Right),
        ("at", Right),
        ("max", Right),
        ("at", Right),
    ]);
    if any_nan {
        table.columns.push(("NaN".into(), Right));
    }
    for (name, aggregate) in all.iter().take(MOST_METRICS) {
        let Aggregate { last, min, argmin, max, argmax, nan_count, .. } = aggregate;
        let mut row = vec![
            name.to_string(),
            number(*last),
            number(*min),
            argmin.to_string(),
            number(*max),
            argmax.to_string(),
        ];
        if any_nan {
            row.push(nan_count.to_string());
        }
        table.rows.push(row);
    }
    let more = all.len().saturating_sub(MOST_METRICS) as u64;
    (table, if more > 0 { format!("and {}", counted(more, "more metric")) } else { String::new() })
}

fn curves_of(record: &RunRecord, past: &Past) -> Chart {
    let title = format!("run {}", record.summary.id);
    curves(title, &record.series, &record.summary.metrics, past)
}

/// The curves of these metrics, behind those that were before, with the best values marked.
pub(super) fn curves(
    title: String,
    series_of: &BTreeMap<Name, Vec<(u64, f64)>>,
    metrics: &BTreeMap<Name, Aggregate>,
    past: &Past,
) -> Chart {
    let series = |name: &str| -> Option<Vec<(f64, f64)>> {
        let own = series_of.get(name).map_or(&[][..], Vec::as_slice);
        let points = past.of(name).iter().chain(own);
        let points: Vec<_> = points.map(|&(step, value)| (step as f64, value)).collect();
        (!points.is_empty()).then_some(points)
    };
    let best = |name: &str| metrics.get(name).filter(|a| a.nan_count < a.count);
    let mut loss = Panel::new(Axis::linear("step"), Axis::linear("loss"));
    match (series("loss"), series("train_loss")) {
        (Some(batches), _) if batches.len() > 2 => {
            let smooth = smoothed(&batches);
            loss =
                loss.with("per batch", Style::Faint, batches).with("smoothed", Style::Line, smooth);
        }
        (Some(few), None) => loss = loss.with("per batch", Style::Dots, few),
        (_, Some(epochs)) => loss = loss.with("train_loss", Style::Dots, epochs),
        (None, None) => {}
    }
    if let Some(points) = series("val_loss") {
        loss = loss.with("val_loss", Style::Dots, points);
    }
    if let Some(best) = best("val_loss") {
        loss = loss.mark(best.argmin as f64, format!("lowest val_loss {}", number(best.min)));
    }
    loss.y.log = spans_decades(&loss);
    let mut columns = Vec::new();
    if !loss.series.is_empty() {
        columns.push(vec![loss]);
    }
    let mut right = Vec::new();
    if let Some(points) = series("val_accuracy") {
        let mut panel = Panel::new(Axis::linear(""), Axis::linear("val_accuracy")).with(
            "val_accuracy",
            Style::Dots,
            points,
        );
        if let Some(best) = best("val_accuracy") {
            panel = panel.mark(best.argmax as f64, format!("highest {}", number(best.max)));
        }
        right.push(Panel { height: 1.6, ..panel });
    }
    // A constant one is among the parameters, and no curve.
    let moves = |points: &Vec<(f64, f64)>| points.iter().any(|point| point.1 != points[0].1);
    if let Some(points) = series("learning_rate").filter(moves) {
        right.push(Panel::new(Axis::linear(""), Axis::linear("learning_rate")).with(
            "learning_rate",
            Style::Line,
            points,
        ));
    }
    right.extend(predictions(series_of, |name| series(name).unwrap_or_default()));
    if let Some(lowest) = right.last_mut() {
        lowest.x.label = "step".into();
        columns.push(right);
    }
    Chart { title, columns }.aligned()
}

/// How the predictions for a few rows came about: the probability of what is right, or of values the
/// predictions themselves.
fn predictions(
    names: &BTreeMap<Name, Vec<(u64, f64)>>,
    points: impl Fn(&str) -> Vec<(f64, f64)>,
) -> Option<Panel> {
    [("probability", "probability of the right class"), ("prediction", "prediction")]
        .into_iter()
        .find_map(|(prefix, label)| {
            let row = |name: &Name| name.strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned);
            let mut rows: Vec<String> = names.keys().filter_map(row).collect();
            // By their numbers, as 9 comes before 10.
            rows.sort_by_key(|row| {
                row.split('/').map(|n| n.parse().ok()).collect::<Vec<Option<u64>>>()
            });
            let panel = Panel::new(Axis::linear(""), Axis::linear(label));
            let panel = rows.iter().take(MOST_ROWS).fold(panel, |panel, row| {
                let points = points(&format!("{prefix}/{row}"));
                panel.with(format!("row {row}"), Style::Dots, points)
            });
            (!panel.series.is_empty()).then_some(panel)
        })
}

/// Whether a linear axis would hide what matters: all values are positive, and the smooth ones span
/// two decades or more.
pub(super) fn spans_decades(panel: &Panel) -> bool {
    let values = || {
        panel
            .series
            .iter()
            .flat_map(|s| s.points.iter().map(move |p| (s.style, p.1)))
            .filter(|v| v.1.is_finite())
    };
    let smooth = || values().filter(|v| v.0 != Style::Faint).map(|v| v.1);
    let (low, high) = (smooth().fold(f64::INFINITY, f64::min), smooth().fold(0.0, f64::max));
    values().all(|v| v.1 > 0.0) && high >= 100.0 * low
}

/// The exponentially weighted mean of the finite values so far, at up to about [`SMOOTH_POINTS`] of
/// the points.
///
/// `m_t = β·m_{t-1} + (1-β)·x_t`, shown as `m_t / (1-β^t)` so that the start is not drawn towards
/// zero (Kingma and Ba, 2015, section 3), with `β = 1 - 1/w` and a window `w` of a fiftieth of the
/// points, at least 2 and at most 100 points.
pub(super) fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let beta = 1.0 - 1.0 / (points.len() as f64 / 50.0).clamp(2.0, 100.0);
    let every = points.len().div_ceil(SMOOTH_POINTS);
    let (mut mean, mut weight) = (0.0, 0.0);
    let mut smooth = Vec::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if y.is_finite() {
            mean = beta * mean + (1.0 - beta) * y;
            weight = beta * weight + (1.0 - beta);
        }
        if i % every == 0 || i + 1 == points.len() {
            smooth.push((x, mean / weight));
        }
    }
    smooth
}

pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `part` with a line end, if it is not empty.
fn ended(part: &str) -> String {
    if part.is_empty() || part.ends_with('\n') { part.to_owned() } else { format!("{part}\n") }
}

#[cfg(test)]
pub(super) mod tests {
    use trainbook_store::{DataFingerprint, Environment, RunId, RunState, TimedEvent};

    use super::*;

    /// A finished run with these series.
    pub fn record(series: &[(&str, Vec<(u64, f64)>)]) -> RunRecord {
        let id: RunId = "20261123-230412-7f3a9c".parse().unwrap();
        let metrics = series
            .iter()
            .map(|(name, points)| ((*name).into(), Aggregate::of(points).unwrap()))
            .collect();
        let summary = RunSummary {
            id,
            name: None,
            state: RunState::Finished,
            started_at: "2026-11-23T23:04:12Z".parse().unwrap(),
            seconds: Some(1.234),
            seed: 7,
            model: "(Linear<64, 10>)".into(),
            parent: None,
            params: [("lr".into(), 3e-3.into())].into(),
            tags: Default::default(),
            metrics,
            steps: 100,
            epochs: 1,
            warnings: 0,
            damage: None,
        };
        RunRecord {
            summary,
            recipe: None,
            plan: Vec::new(),
            environment: Environment::default(),
            data: DataFingerprint {
                source: "digits.csv.gz".into(),
                rows: 1797,
                hash: String::new(),
            },
            series: series.iter().map(|(name, points)| ((*name).into(), points.clone())).collect(),
            events: Vec::new(),
            damage: None,
        }
    }

    fn falling(count: u64) -> Vec<(u64, f64)> {
        (1..=count).map(|i| (i, 2.0 / i as f64)).collect()
    }

    #[test]
    fn a_run_is_shown_with_picture_heading_and_metrics() {
        let record = record(&[("loss", falling(100)), ("val_loss", vec![(50, 0.5), (100, 0.25)])]);
        let bundle = run(&record, &Past::default());
        assert!(bundle.html.starts_with("<div id=\"trainbook-") && bundle.html.contains("<table>"));
        assert_eq!(
            bundle.text,
            "run 20261123-230412-7f3a9c finished · 1 epoch, 100 steps · seed 7 · 1.23 s\n\
             model: (Linear<64, 10>)\n\
             params: lr = 0.003\n\
             data: digits.csv.gz, 1797 rows\n\
             metric    last   min   at  max  at\n\
             val_loss  0.25  0.25  100  0.5  50\n\
             loss      0.02  0.02  100    2   1\n"
        );
        assert_eq!(run(&record, &Past::default()), bundle);
    }

    #[test]
    fn each_curve_is_there_when_it_was_recorded() {
        let shown = |names: &[&str]| -> Vec<Vec<String>> {
            let series: Vec<_> = names.iter().map(|&name| (name, falling(100))).collect();
            curves_of(&record(&series), &Past::default())
                .columns
                .iter()
                .map(|c| c.iter().map(|p| p.y.label.clone()).collect())
                .collect()
        };
        assert_eq!(
            shown(&["loss", "val_accuracy", "learning_rate"]),
            [vec!["loss"], vec!["val_accuracy", "learning_rate"]]
        );
        assert_eq!(shown(&["val_loss", "learning_rate"]), [["loss"], ["learning_rate"]]);
        assert_eq!(shown(&["train_loss"]), [["loss"]]);
        assert_eq!(shown(&["gradient_norm"]), Vec::<Vec<String>>::new());
        let bare = run(&record(&[("gradient_norm", falling(3))]), &Past::default());
        assert!(!bare.html.contains("<img") && bare.html.contains("gradient_norm"));
    }

    #[test]
    fn smoothing_is_the_debiased_mean_of_finite_values() {
        // 100 points: w = 2, β = ½. By hand: (½·4) / ½ = 4, then (¼·4 + ½·1) / ¾ = 2.
        let mut points: Vec<(f64, f64)> = (0..100).map(|i| (i as f64, 1.0)).collect();
        points[0].1 = 4.0;
        assert_eq!(smoothed(&points)[..2], [(0.0, 4.0), (1.0, 2.0)]);
        points[1].1 = f64::NAN;
        assert_eq!(smoothed(&points)[1], (1.0, 4.0));
        let many: Vec<(f64, f64)> = (0..10_000).map(|i| (i as f64, 3.0)).collect();
        let smooth = smoothed(&many);
        assert!(smooth.len() <= SMOOTH_POINTS + 1 && smooth[smooth.len() - 1].0 == 9_999.0);
        assert!(smooth.iter().all(|p| (p.1 - 3.0).abs() < 1e-12));
        assert!(smoothed(&[]).is_empty());
    }

    #[test]
    fn a_loss_over_decades_gets_a_log_axis_unless_it_is_ever_zero() {
        let log = |points: Vec<(u64, f64)>| {
            curves_of(&record(&[("val_loss", points)]), &Past::default()).columns[0][0].y.log
        };
        assert!(log(vec![(1, 2.0), (2, 0.02)]));
        assert!(!log(vec![(1, 2.0), (2, 0.03)]));
        assert!(!log(vec![(1, 2.0), (2, 0.02), (3, 0.0)]));
        assert!(log(vec![(1, 2.0), (2, 2e30), (3, f64::NAN)]));
    }

    #[test]
    fn a_failed_damaged_run_says_so_and_escapes_it() {
        let mut record = record(&[("loss", vec![(1, f64::NAN), (2, f64::NAN)])]);
        record.summary.name = Some("<script>alert(1)</script>".into());
        record.summary.state = RunState::Failed { error: "loss is NaN\nat step 2".into() };
        record.summary.seconds = None;
        record.damage = Some("cut at byte 12".into());
        let warning = RunEvent::Warning { text: "<b>disk</b> full".into() };
        record.events = vec![TimedEvent { at: record.summary.started_at, event: warning }; 7];
        let bundle = run(&record, &Past::default());
        for part in [
            "failed (loss is NaN at step 2)",
            "damaged: cut at byte 12",
            "and 2 more warnings",
            "NaN",
        ] {
            assert!(bundle.text.contains(part), "{part}\n{}", bundle.text);
        }
        assert!(!bundle.html.contains("<script>alert") && !bundle.html.contains("<b>disk"));
        assert_eq!(bundle.text.matches("warning: ").count(), MOST_WARNINGS);
    }
}
