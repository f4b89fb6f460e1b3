//! How several runs show themselves side by side.

use std::collections::BTreeMap;

use trainbook_core::bundle::preformatted;
use trainbook_store::{ComparedRun, Comparison, History, RunId};

use super::Bundle;
use super::bundle::illustrated;
use super::chart::{Axis, Chart, Panel, Style};
use super::run::{smoothed, spans_decades};
use super::svg::{shorten, svg};

/// These metrics are drawn first, in this order, where several runs have them.
const FIRST: [&str; 3] = ["val_loss", "val_accuracy", "loss"];
/// As many as a person can look at.
const MOST_PANELS: usize = 4;
/// From so many points on a curve is drawn by its running mean.
const MANY: usize = 200;

/// Several runs: their curves over each other, each run in one colour, and the table of their
/// differences. Drawn are the validation loss and accuracy and the loss of each batch (its running
/// mean), as far as two runs have them, and then the metrics that differ most, four in all.
pub fn comparison(comparison: &Comparison) -> Bundle {
    let text = comparison.to_string();
    let chart = curves(comparison);
    let below = preformatted(text.trim_end());
    let html = if chart.columns.is_empty() { below } else { illustrated(&chart, &below) };
    Bundle { html, text }
}

/// The curves of several runs over each other as a stand-alone SVG document.
pub fn comparison_svg(comparison: &Comparison) -> String {
    svg(&curves(comparison))
}

fn curves(comparison: &Comparison) -> Chart {
    let names = names(comparison);
    let drawn = |metric: &str| {
        let runs = comparison.series(metric).ok().filter(|runs| runs.len() > 1)?;
        Some(panel(&names, metric, runs))
    };
    let others = comparison.metrics.iter().map(|metric| metric.metric.as_str());
    let all = FIRST.iter().copied().chain(others.filter(|name| !FIRST.contains(name)));
    let panels: Vec<Panel> = all.filter_map(drawn).take(MOST_PANELS).collect();
    // Two columns, filled one after the other.
    let half = panels.len().div_ceil(2).max(1);
    let columns: Vec<Vec<Panel>> = panels.chunks(half).map(<[Panel]>::to_vec).collect();
    let title = format!("{} runs", comparison.runs.len());
    let mut chart = Chart { title, columns }.aligned();
    for lowest in chart.columns.iter_mut().filter_map(|column| column.last_mut()) {
        lowest.x.label = "step".into();
    }
    chart
}

/// What each run is called in the legend: by its name too, where names differ.
fn names(comparison: &Comparison) -> BTreeMap<&RunId, String> {
    let mut names = comparison.runs.iter().map(|run| run.name.as_deref());
    let first = names.next();
    let differ = names.any(|name| Some(name) != first);
    let name = |run: &ComparedRun| match run.name.as_deref() {
        // Two may have the same name.
        Some(name) if differ => {
            let end = run.id.as_str().rsplit('-').next().unwrap_or_default();
            format!("{} {end}", shorten(name, 20))
        }
        _ => run.id.to_string(),
    };
    comparison.runs.iter().map(|run| (&run.id, name(run))).collect()
}

fn panel(names: &BTreeMap<&RunId, String>, metric: &str, runs: &[(RunId, History)]) -> Panel {
    let mut panel = Panel::new(Axis::linear(""), Axis::linear(metric));
    for (id, history) in runs {
        let name = names.get(id).cloned().unwrap_or_default();
        let points: Vec<_> = history.points.iter().map(|&(x, y)| (x as f64, y)).collect();
        panel = if points.len() > MANY {
            panel.with(name, Style::Line, smoothed(&points))
        } else {
            panel.with(name, Style::Dots, points)
        };
    }
    panel.y.log = metric.contains("loss") && spans_decades(&panel);
    panel
}

#[cfg(test)]
mod tests {
    use trainbook_store::RunRecord;

    use super::super::run::tests::record;
    use super::*;

    fn run(id: &str, name: Option<&str>, loss: f64) -> RunRecord {
        let points = |from: f64| (1..=5).map(|step| (step, from / step as f64)).collect();
        let mut record = record(&[("val_loss", points(loss)), ("gap", points(0.1 * loss))]);
        record.summary.id = id.parse().unwrap();
        record.summary.name = name.map(str::to_owned);
        record
    }

    #[test]
    fn runs_lie_over_each_other_in_one_colour_each() {
        let records = [
            run("20261123-230412-7f3a9c", Some("try"), 1.0),
            run("20261123-230413-7f3a9d", Some("try"), 2.0),
            run("20261123-230414-7f3a9e", None, 4.0),
        ];
        let comparison = Comparison::between(&records).unwrap();
        let chart = curves(&comparison);
        let panels: Vec<&Panel> = chart.columns.iter().flatten().collect();
        let headings: Vec<&str> = panels.iter().map(|panel| panel.y.label.as_str()).collect();
        assert_eq!(headings, ["val_loss", "gap"]);
        for panel in panels {
            let names: Vec<&str> = panel.series.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(names, ["try 7f3a9c", "try 7f3a9d", "20261123-230414-7f3a9e"]);
            assert_eq!(panel.across, Some((1.0, 5.0)));
        }
        let svg = comparison_svg(&comparison);
        assert!(svg.starts_with("<svg"), "{svg}");
        // Named once, and told by its colour in the other panels.
        assert_eq!(svg.matches("try 7f3a9d").count(), 1, "{svg}");
        let bundle = super::comparison(&comparison);
        assert!(
            bundle.html.contains("<img") && bundle.text.contains("val_loss"),
            "{}",
            bundle.text
        );
    }

    #[test]
    fn what_one_run_alone_has_is_not_drawn() {
        let mut records =
            [run("20261123-230412-7f3a9c", None, 1.0), run("20261123-230413-7f3a9d", None, 2.0)];
        records[1].series.clear();
        let chart = curves(&Comparison::between(&records).unwrap());
        assert!(chart.columns.is_empty());
        assert!(!comparison(&Comparison::between(&records).unwrap()).html.contains("<img"));
    }
}
