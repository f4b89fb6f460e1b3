//! All that one wants to know of a network on one part of the data, at once.

use std::fmt;

use serde::Serialize;

use super::evaluation::{Evaluation, Judged};
use super::predict::sigmoid;
use super::run::Run;
use crate::Error;
use crate::data::{Part, Targets};
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::table::{Align, Table};
use crate::display::{self, Bundle};
use crate::metric::{Bootstrap, ConfusionMatrix, Interval, ReliabilityBins, probability};
use crate::nn::loss::TargetKind;

/// How good a network is on one part of the data, and where it is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// Loss and metrics.
    pub evaluation: Evaluation,
    /// Each metric by its name, with the interval in which it would probably lie on other rows of
    /// the same kind. Empty where rows have different numbers of positions that count.
    pub intervals: Vec<(String, Interval)>,
    /// Which class was taken for which; `None` for values.
    pub confusion: Option<ConfusionMatrix>,
    /// How far probabilities are right; `None` for values.
    pub calibration: Option<ReliabilityBins>,
    /// What was predicted, and what it should have been: pairs in the order of the rows, of the
    /// first 2,000 predictions; empty for classes.
    pub predictions: Vec<(f64, f64)>,
    /// The rows on which the network is wrong by most, the worst first; at most 10.
    pub worst: Vec<WorstRow>,
}

/// A row on which a network is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstRow {
    /// Its number in the data set.
    pub row: usize,
    /// Where a person finds it, if the source knows: the line of a table, the file of an image.
    pub at: Option<String>,
    /// Which of its positions or values, if it has several.
    pub position: usize,
    /// What it is.
    pub target: String,
    /// What the network takes it for.
    pub predicted: String,
    /// How far off: 1 minus the probability of its class or label, or the absolute difference.
    pub error: f64,
}

/// How many of the worst rows are kept.
const WORST: usize = 10;
/// How many predictions are kept.
const PREDICTIONS: usize = 2000;

impl Run {
    /// Everything at once for one part of the data: loss and metrics with their intervals (Efron's
    /// bootstrap, 1,000 resamples under the run's seed), which class is taken for which, how far
    /// probabilities are right, and the worst rows. Recorded as [`evaluate`](Self::evaluate) does.
    ///
    /// All outputs of the part are held in memory.
    ///
    /// # Errors
    /// The part is empty, or a row cannot be read.
    pub fn report(&self, part: Part) -> Result<EvaluationReport, Error> {
        let mut all = All::default();
        let evaluation = self.evaluate_with(part, |judged| all.add(judged))?;
        let width = self.width();
        let targets = &all.targets;
        let weights = all.weights.as_deref();
        let of_classes = self.loss.objective().takes() == TargetKind::Classes;
        let mut intervals = Vec::new();
        if let Some(together) = all.positions_per_row(evaluation.rows, width) {
            let bootstrap = Bootstrap::new(self.seed()).together(together);
            for metric in &self.metrics {
                let interval = bootstrap.interval(metric, &all.outputs, width, targets, weights)?;
                intervals.push((metric.name(), interval));
            }
        }
        let names = self.data.class_names();
        let classes = match of_classes {
            true => Some((
                ConfusionMatrix::of(&all.outputs, targets, weights, names)?,
                ReliabilityBins::of(&all.outputs, width, targets, weights)?,
            )),
            false => None,
        };
        let (confusion, calibration) = classes.unzip();
        let labels = self.loss.is_of_labels();
        let predictions = match targets {
            Targets::Values(values) if !labels => {
                let pairs = all.outputs.iter().zip(values).take(PREDICTIONS);
                pairs.map(|(x, y)| (f64::from(*x), f64::from(*y))).collect()
            }
            _ => Vec::new(),
        };
        let mut worst = all.worst(width, targets, names, labels);
        worst.iter_mut().for_each(|worst| worst.at = self.data.place(worst.row));
        Ok(EvaluationReport { evaluation, intervals, confusion, calibration, predictions, worst })
    }
}

/// All outputs and targets of a part, with the row and place of each.
#[derive(Default)]
pub(super) struct All {
    pub outputs: Vec<f32>,
    pub targets: Targets,
    /// `None` where all count alike.
    pub weights: Option<Vec<f32>>,
    places: Vec<(usize, usize)>,
}

impl All {
    pub fn add(&mut self, judged: &Judged<'_>) {
        self.outputs.extend_from_slice(&judged.outputs);
        self.places.extend_from_slice(&judged.places);
        if let Some(weights) = &judged.weights {
            self.weights.get_or_insert_default().extend_from_slice(weights);
        }
        self.targets.extend(&judged.targets);
    }

    /// How many positions of each row are judged, if of all as many. They are not independent of each
    /// other, so a bootstrap must draw them together.
    fn positions_per_row(&self, rows: usize, width: usize) -> Option<usize> {
        let positions = self.outputs.len() / width.max(1);
        let per_row = positions.checked_div(rows).filter(|per_row| per_row * rows == positions)?;
        // A row of values has a place for each of its outputs.
        let places = self.places.len().checked_div(rows)?;
        let of_one_row = |places: &[(usize, usize)]| {
            places.iter().all(|(row, _)| places.first().is_some_and(|first| first.0 == *row))
        };
        (places > 0 && self.places.chunks(places).all(of_one_row)).then_some(per_row.max(1))
    }

    fn worst(
        &self,
        width: usize,
        targets: &Targets,
        names: &[String],
        labels: bool,
    ) -> Vec<WorstRow> {
        let mut errors: Vec<(f64, usize)> = match targets {
            Targets::Classes(classes) => {
                let rows = self.outputs.chunks_exact(width.max(1)).zip(classes);
                let error = |(row, class): (&[f32], &u32)| 1.0 - probability(row, *class as usize);
                rows.map(error).zip(0..).collect()
            }
            Targets::Values(values) => {
                let pairs = self.outputs.iter().zip(values);
                let error = |(&x, &y): (&f32, &f32)| (predicted(x, labels) - f64::from(y)).abs();
                pairs.map(error).zip(0..).collect()
            }
        };
        // What is no number is the worst of all; of equal ones the first row.
        let rank = |error: f64| if error.is_nan() { f64::INFINITY } else { error };
        errors.sort_by(|a, b| rank(b.0).total_cmp(&rank(a.0)).then(a.1.cmp(&b.1)));
        errors.truncate(WORST);
        let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
        let worst = errors.into_iter().map(|(error, at)| {
            let (row, position) = self.places.get(at).copied().unwrap_or_default();
            let (target, predicted) = match targets {
                Targets::Classes(classes) => {
                    let outputs = &self.outputs[at * width..(at + 1) * width];
                    let taken = crate::metric::largest(outputs);
                    (name(classes[at] as usize), taken.map_or_else(|| "nothing".to_owned(), name))
                }
                Targets::Values(values) => {
                    (values[at].to_string(), format!("{:.4}", predicted(self.outputs[at], labels)))
                }
            };
            WorstRow { row, at: None, position, target, predicted, error }
        });
        worst.collect()
    }
}

/// The value, or the probability of a label.
fn predicted(output: f32, labels: bool) -> f64 {
    if labels { sigmoid(output) } else { f64::from(output) }
}

impl EvaluationReport {
    /// The interval of a metric, by its name.
    pub fn interval(&self, metric: &str) -> Option<Interval> {
        self.intervals.iter().find(|(name, _)| name == metric).map(|(_, interval)| *interval)
    }

    fn worst_table(&self) -> Table {
        let mut table = Table::new(&[
            ("row", Align::Right),
            ("found at", Align::Left),
            ("place", Align::Right),
            ("is", Align::Left),
            ("taken for", Align::Left),
            ("error", Align::Right),
        ]);
        for worst in &self.worst {
            table.rows.push(vec![
                worst.row.to_string(),
                worst.at.clone().unwrap_or_default(),
                worst.position.to_string(),
                worst.target.clone(),
                worst.predicted.clone(),
                format!("{:.4}", worst.error),
            ]);
        }
        table
    }

    /// The report as a notebook shows it: for classes a picture of the calibration, for values one
    /// of the predictions.
    pub fn view(&self) -> Bundle {
        let text = self.to_string();
        let chart = match &self.calibration {
            Some(bins) => {
                let bins = bins.bins.iter().filter(|bin| bin.rows > 0.0);
                let points = bins.map(|bin| (bin.confidence(), bin.accuracy())).collect();
                let panel = Panel::new(Axis::linear("probability"), Axis::linear("share right"))
                    .with("perfect", Style::Line, vec![(0.0, 0.0), (1.0, 1.0)])
                    .with("calibration", Style::Dots, points);
                Chart::single("How far probabilities are right", panel)
            }
            None if self.predictions.is_empty() => return Bundle::from_text(&text),
            None => {
                let ends = self.predictions.iter().map(|(_, y)| *y);
                let low = ends.clone().fold(f64::INFINITY, f64::min);
                let high = ends.fold(f64::NEG_INFINITY, f64::max);
                let panel = Panel::new(Axis::linear("target"), Axis::linear("prediction"))
                    .with("perfect", Style::Line, vec![(low, low), (high, high)])
                    .with(
                        "rows",
                        Style::Points,
                        self.predictions.iter().map(|(x, y)| (*y, *x)).collect(),
                    );
                Chart::single("Predictions", panel)
            }
        };
        display::chart(&chart, &text)
    }

    /// Shows the report as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.evaluation)?;
        for (name, interval) in &self.intervals {
            writeln!(f, "{name:<12} {interval}")?;
        }
        if let Some(confusion) = &self.confusion {
            write!(f, "\n{}\n{}", confusion.report().table().text(), confusion.table().text())?;
        }
        if let Some(bins) = &self.calibration {
            writeln!(f, "\ncalibration error {:.4}", bins.expected_error())?;
        }
        if !self.worst.is_empty() {
            write!(f, "\nthe worst rows\n{}", self.worst_table().text())?;
        }
        Ok(())
    }
}
