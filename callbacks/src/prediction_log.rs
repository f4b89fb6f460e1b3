//! How the predictions for the same few rows come about.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::setting::require;
use crate::{
    Answer, Callback, CallbackError, CallbackRecipe, Effects, EpochEnd, FitStart, Flow, MetricLog,
    Phase, Predictions, Reply, Resource, RowPrediction, Setup, Validated,
};

const PREDICTION: Name = Name::new_static("prediction");
const PROBABILITY: Name = Name::new_static("probability");

/// More rows than this are an evaluation, of which nobody looks at each row.
const MOST: usize = 256;

/// Logs what the network gives for a few rows of the data at every validation, always the same ones:
/// whether it comes nearer steadily or jumps to and fro says more about the learning rate than the
/// loss does (Karpathy, "A Recipe for Training Neural Networks", 2019: "visualize prediction dynamics").
///
/// Logs at the end of every epoch, and in steps where the trainer validates in between, of each row by
/// its number in the data set
///
/// - of classes: `prediction/<row>`, the number of the most probable class, and `probability/<row>`, the
///   probability of the right one,
/// - of sequences of classes: `probability/<row>`, the mean over the positions that count,
/// - of labels: `probability/<row>/<label>`, that it holds,
/// - of values: `prediction/<row>`, in the unit of the targets; of several, `prediction/<row>/<place>`.
///
/// A run with such a log shows its curves. They are those of the weights that are judged: with
/// [`WeightAverage`](crate::WeightAverage), of the averages.
///
/// ```
/// use trainbook_callbacks::PredictionLog;
///
/// let log = PredictionLog::of([3, 14, 159]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredictionLog {
    rows: Vec<usize>,
}

impl PredictionLog {
    /// Of these rows, by their numbers in the data set, from 1 to 256 of them, each once. With
    /// `data.part(Part::Validation)` they are rows that are not trained on.
    pub fn of(rows: impl IntoIterator<Item = usize>) -> Self {
        Self { rows: rows.into_iter().collect() }
    }

    fn log(&self, predictions: &dyn Predictions, log: &MetricLog) -> Reply {
        for RowPrediction { row, answer } in predictions.of(&self.rows)? {
            match answer {
                Answer::Classes { probabilities, targets } => {
                    let width = probabilities.len() / targets.len().max(1);
                    let positions = probabilities.chunks(width.max(1));
                    if let [_] = targets[..] {
                        log.push(under(&PREDICTION, row), largest(&probabilities) as f64);
                    }
                    let right = positions.zip(&targets).map(|(position, right)| {
                        position.get(*right as usize).copied().unwrap_or(f64::NAN)
                    });
                    let mean = right.sum::<f64>() / targets.len() as f64;
                    log.push(under(&PROBABILITY, row), mean);
                }
                Answer::Labels { probabilities, .. } => {
                    each(&PROBABILITY, row, &probabilities, log);
                }
                Answer::Values { values, .. } => match values[..] {
                    [value] => log.push(under(&PREDICTION, row), value),
                    _ => each(&PREDICTION, row, &values, log),
                },
            }
        }
        Ok(Flow::Continue)
    }
}

fn under(prefix: &Name, row: usize) -> Name {
    Name::from(format!("{prefix}/{row}"))
}

/// A metric for each of several values of a row.
fn each(prefix: &Name, row: usize, values: &[f64], log: &MetricLog) {
    for (place, value) in values.iter().enumerate() {
        log.push(Name::from(format!("{prefix}/{row}/{place}")), *value);
    }
}

/// Where the largest number stands, of equal ones the first.
fn largest(numbers: &[f64]) -> usize {
    (1..numbers.len()).fold(0, |best, at| if numbers[at] > numbers[best] { at } else { best })
}

impl Callback for PredictionLog {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Observe)
            .writes(Resource::MetricsUnder(PREDICTION))
            .writes(Resource::StepMetricsUnder(PREDICTION))
            .writes(Resource::MetricsUnder(PROBABILITY))
            .writes(Resource::StepMetricsUnder(PROBABILITY))
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::PredictionLog(self.clone()))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        let rows = self.rows.len();
        require((1..=MOST).contains(&rows), "PredictionLog", "rows", rows, "1 to 256 of them")?;
        let mut sorted = self.rows.clone();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map_or(0, |pair| pair[0]);
        sorted.dedup();
        require(sorted.len() == rows, "PredictionLog", "rows", twice, "there once")
    }

    /// A row that the data have not ends the fit here, not after its first epoch.
    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        fit.predictions.of(&self.rows)?;
        Ok(Flow::Continue)
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        self.log(validated.predictions, validated.log)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        self.log(epoch.predictions, epoch.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, setup_error};

    /// A fit of two epochs whose network gives this, by the epoch, for each row.
    fn logged(answer: impl Fn(u64, usize) -> Answer + 'static) -> Fake {
        let mut fake = Fake::with(PredictionLog::of([40, 7]));
        fake.predictions = Box::new(move |epoch, row| Ok(answer(epoch, row)));
        fake.fit(2);
        fake
    }

    #[test]
    fn of_a_class_the_log_has_the_guess_and_the_probability_of_the_right_one() {
        let fake = logged(|epoch, row| {
            let sure = if row == 7 { 0.625 } else { 0.25 * (epoch + 1) as f64 };
            Answer::Classes { probabilities: vec![1.0 - sure, sure, 0.0], targets: vec![1] }
        });
        assert_eq!(fake.seen.epoch_metric("probability/40"), [0.25, 0.5]);
        // Of equally probable classes the first.
        assert_eq!(fake.seen.epoch_metric("prediction/40"), [0.0, 0.0]);
        assert_eq!(fake.seen.epoch_metric("probability/7"), [0.625, 0.625]);
        assert_eq!(fake.seen.epoch_metric("prediction/7"), [1.0, 1.0]);
        assert_eq!(fake.seen.epoch_logs[0].len(), 4);
    }

    #[test]
    fn of_a_sequence_it_has_the_mean_over_the_positions() {
        let fake = logged(|_, row| {
            let targets = if row == 7 { vec![0, 1] } else { vec![0, 0] };
            Answer::Classes { probabilities: vec![0.75, 0.25, 0.5, 0.5], targets }
        });
        assert_eq!(fake.seen.epoch_metric("probability/40"), [0.625, 0.625]);
        assert_eq!(fake.seen.epoch_metric("probability/7"), [0.625, 0.625]);
        assert_eq!(fake.seen.epoch_metric("prediction/40"), [0.0; 0]);
        // Of a sequence none of whose positions counts there is nothing to say.
        let fake =
            logged(|_, _| Answer::Classes { probabilities: Vec::new(), targets: Vec::new() });
        assert!(fake.seen.epoch_metric("probability/40").iter().all(|value| value.is_nan()));
    }

    #[test]
    fn labels_and_several_values_are_numbered() {
        let fake = logged(|_, _| Answer::Labels {
            probabilities: vec![0.5, 0.125],
            targets: vec![1.0, 0.0],
        });
        assert_eq!(fake.seen.epoch_metric("probability/40/1"), [0.125, 0.125]);
        let fake = logged(|_, _| Answer::Values { values: vec![3.0], targets: vec![4.0] });
        assert_eq!(fake.seen.epoch_metric("prediction/7"), [3.0, 3.0]);
        let targets = vec![4.0, 5.0];
        let fake = logged(move |epoch, row| Answer::Values {
            values: vec![epoch as f64, row as f64],
            targets: targets.clone(),
        });
        assert_eq!(fake.seen.epoch_metric("prediction/40/0"), [0.0, 1.0]);
        assert_eq!(fake.seen.epoch_metric("prediction/40/1"), [40.0, 40.0]);
    }

    #[test]
    fn a_validation_in_between_is_logged_too() {
        let mut fake = Fake::with(PredictionLog::of([7]));
        fake.validate_every = Some(2);
        fake.fit(1);
        assert_eq!(fake.seen.step_metric("prediction/7"), [0.0]);
        assert_eq!(fake.seen.epoch_metric("prediction/7"), [0.0]);
    }

    #[test]
    fn rows_that_cannot_be_logged_are_refused_before_the_first_step() {
        let error = |rows: Vec<usize>| setup_error(PredictionLog::of(rows));
        assert!(error(vec![]).contains("rows"), "{}", error(vec![]));
        assert!(error((0..257).collect()).contains("257"));
        assert!(error(vec![3, 9, 5, 9]).contains("rows is 9"), "{}", error(vec![3, 9, 5, 9]));
        let mut most = Fake::with(PredictionLog::of(0..256));
        most.fit(1);
        assert_eq!(most.seen.error, None);
        let mut fake = Fake::with(PredictionLog::of([7]));
        fake.predictions = Box::new(|_, row| Err(CallbackError::custom(format!("no row {row}"))));
        fake.fit(2);
        assert!(fake.seen.error.as_ref().is_some_and(|error| error.contains("no row 7")));
        assert!(fake.seen.applied.is_empty());
    }
}
