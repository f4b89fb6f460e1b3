//! What confidence promises, and what comes of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_core::text_table::{Align, Table};

use crate::MetricError;
use crate::amount::amount;
use crate::check::check_data;
use crate::measure::largest;
use crate::probability::log_probability;
use crate::rows::Rows;

/// Rows by the probability of their likeliest class, in bins of equal width `((i − 1)/M, i/M]`: a
/// reliability diagram as a value. Guo et al., "On Calibration of Modern Neural Networks", ICML
/// 2017. Shows itself as a table of the bins that have rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBins {
    /// The bins, from probability 0 to 1.
    pub bins: Vec<ReliabilityBin>,
    /// The weight of the rows with an output that is not a number, which are in no bin.
    pub unplaced: f64,
}

/// The rows whose confidence is in one range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// How many there are, or what they weigh.
    pub rows: f64,
    /// The sum of the probabilities of their likeliest classes.
    pub confidence_sum: f64,
    /// How many of them are right, or what those weigh.
    pub right: f64,
}

impl ReliabilityBin {
    /// The mean probability of the likeliest class, from 0 to 1; NaN without rows.
    pub fn confidence(&self) -> f64 {
        self.confidence_sum / self.rows
    }

    /// The share that is right, from 0 to 1; NaN without rows.
    pub fn accuracy(&self) -> f64 {
        self.right / self.rows
    }
}

impl ReliabilityBins {
    /// So many bins without rows; at least 1.
    pub fn new(bins: usize) -> Self {
        Self { bins: vec![ReliabilityBin::default(); bins.max(1)], unplaced: 0.0 }
    }

    /// Of logits [N, …, `width`], row-major, with a class for each row or position, in 15 bins.
    ///
    /// # Errors
    /// Outputs, classes and weights do not fit each other.
    pub fn of(
        outputs: &[f32],
        width: usize,
        targets: &Targets,
        weights: Option<&[f32]>,
    ) -> Result<Self, MetricError> {
        let kind = TargetKind::Classes;
        check_data("the calibration", kind, outputs, width, targets, weights)?;
        let mut bins = Self::new(15);
        bins.add(outputs, width, targets, weights);
        Ok(bins)
    }

    /// Adds rows, as [`Tally::add`](crate::Tally::add) does.
    pub fn add(
        &mut self,
        outputs: &[f32],
        width: usize,
        targets: &Targets,
        weights: Option<&[f32]>,
    ) {
        self.add_rows(Rows { outputs, targets, weights }, width);
    }

    pub(crate) fn add_rows(&mut self, rows: Rows<'_>, width: usize) {
        let count = self.bins.len() as f64;
        for (row, class, weight) in rows.classes(width) {
            let likeliest = largest(row).filter(|_| !row.iter().any(|x| x.is_nan()));
            let confidence =
                likeliest.map_or(f64::NAN, |likeliest| log_probability(row, likeliest).exp());
            if confidence.is_nan() {
                self.unplaced += weight;
                continue;
            }
            let at = (confidence * count).ceil() as usize;
            if let Some(bin) = self.bins.get_mut(at.max(1) - 1) {
                bin.rows += weight;
                bin.confidence_sum += weight * confidence;
                bin.right += if likeliest == Some(class) { weight } else { 0.0 };
            }
        }
    }

    /// The expected calibration error: the mean over rows of how far the confidence of their bin is
    /// from its accuracy, from 0 to 1; NaN without rows, and if any is in no bin.
    pub fn expected_error(&self) -> f64 {
        if self.unplaced != 0.0 {
            return f64::NAN;
        }
        let off = self.bins.iter().map(|bin| (bin.right - bin.confidence_sum).abs());
        off.sum::<f64>() / self.bins.iter().map(|bin| bin.rows).sum::<f64>()
    }

    /// The maximum calibration error: the largest distance of a bin's confidence from its accuracy,
    /// from 0 to 1; NaN without rows, and if any is in no bin.
    pub fn largest_error(&self) -> f64 {
        if self.unplaced != 0.0 {
            return f64::NAN;
        }
        let occupied = self.bins.iter().filter(|bin| bin.rows > 0.0);
        let off = occupied.map(|bin| (bin.confidence() - bin.accuracy()).abs());
        off.reduce(f64::max).unwrap_or(f64::NAN)
    }

    /// The bins that have rows, as a table.
    pub fn table(&self) -> Table {
        let names = ["above", "to", "rows", "confidence", "accuracy"];
        let mut table = Table::new(&names.map(|name| (name, Align::Right)));
        let count = self.bins.len() as f64;
        for (at, bin) in self.bins.iter().enumerate().filter(|(_, bin)| bin.rows > 0.0) {
            table.rows.push(vec![
                format!("{:.3}", at as f64 / count),
                format!("{:.3}", (at + 1) as f64 / count),
                amount(bin.rows),
                format!("{:.4}", bin.confidence()),
                format!("{:.4}", bin.accuracy()),
            ]);
        }
        table
    }
}

impl fmt::Display for ReliabilityBins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table().text())
    }
}
