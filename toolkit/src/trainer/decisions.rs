//! What is found on the validation part, for decisions on other rows.

use super::evaluation::Evaluation;
use super::predict::sigmoid;
use super::report::All;
use super::run::Run;
use crate::Error;
use crate::data::{DataError, Part, Targets};
use crate::metric::{Criterion, DecisionThreshold, Temperature, probability};

impl Run {
    /// From which probability on a row is best taken for positive, found on the validation part: of
    /// networks with two classes, where the second is the positive one, or with one label. 0.5 is
    /// seldom the best where classes are of very different sizes, or mistakes cost differently.
    ///
    /// ```no_run
    /// # use trainbook::prelude::*;
    /// # fn find(run: &Run, rows: &Array) -> Result<(), Error> {
    /// let threshold = run.decision_threshold(Criterion::F1)?;
    /// println!("{threshold}");
    /// let probabilities = run.predict_proba(rows)?;
    /// let positive: Vec<bool> =
    ///     probabilities.floats().chunks(2).map(|row| threshold.is_positive(row[1].into())).collect();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no validation part, or it has rows of one kind alone; the network has more classes, or
    /// several labels, or its targets are values.
    pub fn decision_threshold(&self, criterion: Criterion) -> Result<DecisionThreshold, Error> {
        let refuse = |reason: String| {
            Err(DataError::Refused { action: "find a threshold for", reason }.into())
        };
        let (width, labels) = (self.width(), self.loss.is_of_labels());
        let all = self.on_validation()?;
        // As `predict_proba` gives them, and as they will be compared with it.
        let seen = |probability: f64| f64::from(probability as f32);
        let (probabilities, positive): (Vec<f64>, _) = match &all.targets {
            Targets::Classes(classes) if width == 2 => (
                all.outputs.chunks_exact(2).map(|row| seen(probability(row, 1))).collect(),
                classes.iter().map(|class| *class == 1).collect::<Vec<bool>>(),
            ),
            Targets::Values(values) if labels && width == 1 => {
                if let Some(other) = values.iter().find(|value| ![0.0, 1.0].contains(*value)) {
                    return refuse(format!("a label is {other}; it takes 0 and 1"));
                }
                (
                    all.outputs.iter().map(|logit| seen(sigmoid(*logit))).collect(),
                    values.iter().map(|value| *value == 1.0).collect(),
                )
            }
            Targets::Classes(_) => {
                return refuse(format!("there are {width} classes; a threshold is between two"));
            }
            Targets::Values(_) if labels => {
                return refuse(format!("there are {width} labels; a threshold is of one"));
            }
            Targets::Values(_) => {
                return refuse("the targets are values, not classes or labels".to_owned());
            }
        };
        let weights = all.weights.as_deref();
        Ok(DecisionThreshold::of(&probabilities, &positive, weights, criterion)?)
    }

    /// By what logits are to be divided so that probabilities mean what they say (temperature
    /// scaling), found on the validation part. Nothing is changed: [`Temperature::apply`] divides
    /// logits, and [`Export::temperature`](super::Export::temperature) puts it into a file.
    ///
    /// # Errors
    /// There is no validation part, or every row of it is classified right; the targets are values.
    pub fn temperature(&self) -> Result<Temperature, Error> {
        let all = self.on_validation()?;
        if matches!(all.targets, Targets::Values(_)) && !self.loss.is_of_labels() {
            let reason = "the targets are values, which have no probabilities".to_owned();
            return Err(DataError::Refused { action: "find a temperature for", reason }.into());
        }
        Ok(Temperature::of(&all.outputs, self.width(), &all.targets, all.weights.as_deref())?)
    }

    pub(super) fn width(&self) -> usize {
        self.model.output_shape().last().copied().unwrap_or(1)
    }

    /// All outputs of the validation part.
    fn on_validation(&self) -> Result<All, Error> {
        let mut all = All::default();
        let part = Part::Validation;
        Evaluation::of(&*self.model, &self.loss, &[], &self.data, part, |judged| all.add(judged))?;
        Ok(all)
    }
}
