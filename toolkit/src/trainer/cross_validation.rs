//! One network on several divisions of the same rows.

use std::fmt;

use serde::Serialize;

use super::{Length, Run, TrainerBuilder};
use crate::Error;
use crate::data::{Dataset, KFold, Part};
use crate::display::Bundle;
use crate::display::table::{Align, Table};
use crate::interval::MeanInterval;
use crate::random::Seed;

/// The runs of all folds, and what they come to together.
#[derive(Clone)]
pub struct CrossValidation {
    /// The runs, fold after fold and repeat after repeat.
    pub runs: Vec<Run>,
    /// Loss and metrics of the validation part of each fold, as they are logged: `val_loss`, ….
    pub scores: Vec<FoldScore>,
}

/// A number over all folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldScore {
    /// Its name: `val_loss`, `val_accuracy`.
    pub name: String,
    /// What it is in each fold.
    pub folds: Vec<f64>,
    /// The mean over the folds.
    pub mean: f64,
    /// Their standard deviation (divisor n − 1); NaN of one fold.
    pub std: f64,
    /// The interval of 95 % of the mean: see [`cross_validate`].
    pub interval: (f64, f64),
}

/// Trains once for each fold of `data`, each time with the trainer that `make` puts together for it,
/// and evaluates on that fold. Runs that are recorded get the tags `cross_validation`, the same for
/// all of them, and `fold`; the query `tags.cross_validation = "…"` finds them.
///
/// The interval of a mean is Student's with the corrected variance of Nadeau and Bengio (Machine
/// Learning 52, 2003): `s² (1/n + v/t)` of n folds with v rows to be validated on and t to be trained
/// on, because the folds share most of what they are trained on and differ less than n data sets
/// would.
///
/// ```no_run
/// # use trainbook::prelude::*;
/// # fn main() -> Result<(), Error> {
/// # let digits = Dataset::csv("digits.csv")?.target(Column::last())?;
/// let net = Sequential::new().linear(64).relu().linear(10);
/// let found = cross_validate(&digits, &KFold::new(5).stratified(), Seed(1), Epochs(20), |fold| {
///     Trainer::classifier(fold, net.clone()).seed(1).quiet()
/// })?;
/// println!("{found}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The folds make no sense for these rows, or a fit fails; what was trained up to there is recorded.
pub fn cross_validate(
    data: &Dataset,
    folds: &KFold,
    seed: Seed,
    length: impl Into<Length>,
    mut make: impl FnMut(&Dataset) -> TrainerBuilder,
) -> Result<CrossValidation, Error> {
    let length = length.into();
    let group = group_of(data, folds, seed);
    let folds = data.folds(folds, seed)?;
    let mut runs = Vec::with_capacity(folds.len());
    let mut scores: Vec<(String, Vec<f64>)> = Vec::new();
    let mut sizes = (0, 0);
    for (number, fold) in folds.iter().enumerate() {
        let builder = make(fold).tag("cross_validation", &group).tag("fold", number.to_string());
        let run = builder.build()?.fit(length)?.uninterrupted("cross-validate")?;
        for metric in run.evaluate(Part::Validation)?.logged() {
            match scores.iter_mut().find(|(name, _)| *name == metric.name) {
                Some((_, folds)) => folds.push(metric.value),
                None => scores.push((metric.name.to_string(), vec![metric.value])),
            }
        }
        sizes.0 += fold.counting(Part::Validation).len();
        sizes.1 += fold.counting(Part::Train).len();
        runs.push(run);
    }
    let share = sizes.0 as f64 / sizes.1 as f64;
    let scores = scores.into_iter().map(|(name, folds)| FoldScore::of(name, folds, share));
    Ok(CrossValidation { runs, scores: scores.collect() })
}

/// A name for what is done now, in this process: runs that belong together share it as a tag.
pub(crate) fn name_of_now(what: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_nanos());
    let key = format!("{what} {now} {}", std::process::id());
    blake3::hash(key.as_bytes()).to_hex()[..12].to_owned()
}

/// A name for these folds and this moment.
fn group_of(data: &Dataset, folds: &KFold, seed: Seed) -> String {
    name_of_now(&format!("{} {folds:?} {seed:?}", data.source()))
}

impl FoldScore {
    /// `share` is that of the rows to be validated on among those to be trained on.
    fn of(name: String, folds: Vec<f64>, share: f64) -> Self {
        let interval = MeanInterval::sharing(&folds, share);
        let MeanInterval { mean, std, .. } = interval;
        Self { name, folds, mean, std, interval: interval.bounds() }
    }
}

impl CrossValidation {
    /// A number over all folds, by its name: `val_accuracy`.
    pub fn score(&self, name: &str) -> Option<&FoldScore> {
        self.scores.iter().find(|score| score.name == name)
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("metric", Align::Left),
            ("mean", Align::Right),
            ("std", Align::Right),
            ("95 % from", Align::Right),
            ("to", Align::Right),
            ("folds", Align::Left),
        ]);
        for score in &self.scores {
            let number = |x: f64| format!("{x:.4}");
            let folds: Vec<String> = score.folds.iter().map(|x| number(*x)).collect();
            table.rows.push(vec![
                score.name.clone(),
                number(score.mean),
                number(score.std),
                number(score.interval.0),
                number(score.interval.1),
                folds.join(" "),
            ]);
        }
        table
    }

    /// As a notebook shows it.
    pub fn view(&self) -> Bundle {
        Bundle { html: self.table().html(), text: self.to_string() }
    }

    /// Shows it as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for CrossValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} folds", self.runs.len())?;
        f.write_str(&self.table().text())
    }
}
