//! What must fit what before a trainer is built.

use trainbook_callbacks::Resource;

use super::super::causality;
use super::TrainerBuilder;
use crate::Error;
use crate::data::{Array, DataError, Part};
use crate::metric::Metric;
use crate::nn::Planned;
use crate::nn::loss::TargetKind;
use crate::optim::tensors_of;
use crate::task::{Loss, LossScale, Model, Precision};

impl TrainerBuilder {
    /// Whether settings make sense by themselves and for the data.
    pub(super) fn check(&self, learning_rate: f64) -> Result<(), Error> {
        let wrong = |setting, value: String, expected: &str| {
            Err(Error::Setting { setting, value, expected: expected.to_owned() })
        };
        if let Some(name) = self.missing.iter().find(|name| !self.stack.contains(name)) {
            return Err(missing("callback", name, ".with(…)"));
        }
        if self.loss.is_missing() {
            return Err(missing("loss", self.loss.name(), ".loss(…)"));
        }
        if self.accumulate == 0 {
            return wrong("accumulate", "0".to_owned(), "at least 1");
        }
        if self.validate_every == Some(0) {
            return wrong("validate_every", "0 steps".to_owned(), "at least 1 step");
        }
        if let Some(steps) = self.validate_every
            && self.data.part(Part::Validation).is_empty()
        {
            let expected = "left out, or with a validation part; `.split(…)` makes one";
            return wrong("validate_every", format!("{steps} steps"), expected);
        }
        if self.precision == Precision::F32 && self.loss_scale != LossScale::default() {
            return wrong(
                "loss_scale",
                "set".to_owned(),
                "left out, or with `.precision(Precision::Mixed)`",
            );
        }
        if self.stack.writes(&Resource::Momentum) && self.optimizer.momentum().is_none() {
            return wrong(
                "cycle_momentum",
                format!("set, with {}", self.optimizer.name()),
                "left out, or with sgd, adam, adamw, radam, lion, or rmsprop with momentum",
            );
        }
        if !(learning_rate.is_finite() && learning_rate > 0.0) {
            return wrong("learning_rate", learning_rate.to_string(), "a positive number");
        }
        self.feed.check(&self.data)
    }

    /// Whether what the network makes of a row, and what a row has for a target, fit each other and
    /// the loss.
    pub(super) fn check_fit(&self, output: &[usize]) -> Result<(), Error> {
        let wrong = |reason: String| Err(DataError::Refused { action: "train on", reason }.into());
        let loss = self.loss.objective();
        let takes = loss.takes();
        let (per_row, found) = (takes.per_sample(output), self.data.targets_per_row());
        let width = output.last().copied().unwrap_or(1);
        let of_the_unit = matches!(self.loss, Loss::BinaryCrossEntropy(_) | Loss::PoissonNll(_));
        match (takes, self.data.classes()) {
            _ if of_the_unit && self.data.target_scaling().is_some() => wrong(format!(
                "{} is of labels or counts as they are, and these targets are scaled; leave \
                 `.scale_targets(…)` out",
                loss.name()
            )),
            (TargetKind::Classes, None) => wrong(format!(
                "{} needs classes; `.target(…)` makes a column the class",
                loss.name()
            )),
            (TargetKind::Values, Some(_)) => wrong(format!(
                "{} needs values; `.target_values(…)` makes a column the value, or several",
                loss.name()
            )),
            (TargetKind::Classes, Some(classes)) if classes != width => wrong(format!(
                "the network has {width} outputs, and the data have {classes} classes"
            )),
            (TargetKind::Classes, Some(_)) if per_row != found => wrong(format!(
                "the network has outputs for {per_row} positions of a row (its output is {output:?}), \
                 and a row has {}",
                count(found, "class", "classes")
            )),
            (TargetKind::Values, None) if per_row != found => wrong(format!(
                "the network has {}, and a row has {}",
                count(per_row, "output", "outputs"),
                count(found, "value", "values")
            )),
            _ => Ok(()),
        }
    }

    /// Whether a network of a text cannot see the characters that it is to predict.
    pub(super) fn check_causality(&self, model: &dyn Model) -> Result<(), Error> {
        if !self.data.is_a_text() {
            return Ok(());
        }
        let vocabulary = self.data.vocabulary_size();
        let context = self.data.shape().iter().product();
        match causality::sees_ahead(model, context, vocabulary)? {
            None => Ok(()),
            Some(position) => Err(DataError::Refused {
                action: "train on",
                reason: format!(
                    "the network sees what it is to predict: what it says at position {position} \
                     changes with the last of {context}; make its attention causal, its recurrent \
                     layers of one direction, and leave out what mixes positions"
                ),
            }
            .into()),
        }
    }

    /// Whether each group that has a schedule of its own has tensors that follow it.
    pub(super) fn check_schedules(&self, planned: &Planned) -> Result<(), Error> {
        let counts = tensors_of(&self.groups, planned);
        for name in self.stack.scheduled_groups() {
            let known = self.groups.iter().zip(&counts).find(|(group, _)| group.tensors == **name);
            let expected = match known {
                Some((group, _)) if group.frozen => {
                    "a group that is trained; this one is frozen".to_owned()
                }
                Some((_, 0)) => {
                    "a group with tensors; all that this pattern fits are of groups before it"
                        .to_owned()
                }
                Some(_) => continue,
                None if self.groups.is_empty() => {
                    "the pattern of a parameter group; `.parameter_groups(…)` makes them".to_owned()
                }
                None => {
                    let known: Vec<&str> = self.groups.iter().map(|g| g.tensors.as_str()).collect();
                    format!("one of the parameter groups' patterns: {}", known.join(", "))
                }
            };
            let value = format!("{name:?}");
            return Err(Error::Setting { setting: "for_group", value, expected });
        }
        Ok(())
    }

    /// Whether the network takes every token that the data have.
    pub(super) fn check_tokens(&self, model: &dyn Model) -> Result<(), Error> {
        let Some(last) = self.data.vocabulary_size().checked_sub(1) else { return Ok(()) };
        let length = self.data.shape().iter().product();
        let row = Array::i64([1, length], vec![last as i64; length]);
        match model.predict(&row) {
            Ok(_) => Ok(()),
            Err(error) => Err(DataError::Refused {
                action: "train on",
                reason: format!(
                    "they have {} tokens, and the network does not take the last of them: {error}; \
                     make it for `data.vocabulary_size()`, after the split",
                    last + 1
                ),
            }
            .into()),
        }
    }

    /// Whether each metric is one of what the loss takes, fits the network, and has a name of its own.
    pub(super) fn check_metrics(&self, metrics: &[Metric], output: &[usize]) -> Result<(), Error> {
        let wrong = |value: String, expected: String| {
            Err(Error::Setting { setting: "metric", value, expected })
        };
        let (loss, takes) = (self.loss.name(), self.loss.objective().takes());
        for (at, metric) in metrics.iter().enumerate() {
            let (name, measure) = (metric.name(), metric.measure());
            if metric.is_missing() {
                return Err(missing("metric", &name, ".metric(…)"));
            }
            if measure.takes() != takes {
                return wrong(
                    name,
                    format!("one of {takes}, as {loss} is; this is one of {}", measure.takes()),
                );
            }
            if self.data.is_weighed() && !measure.heeds_weights() {
                let expected = "one that heeds weights, by which the rows of these data count; \
                                implement Measure, or leave weigh_rows out";
                return wrong(name, expected.to_owned());
            }
            if metrics[..at].iter().any(|other| other.name() == name) || name == "loss" {
                return wrong(name, "given once; there is one of this name".to_owned());
            }
            measure.check(output)?;
        }
        Ok(())
    }
}

/// What a run had and only its own program has.
fn missing(what: &str, name: &str, by: &str) -> Error {
    Error::State(format!(
        "the run had the {what} {name}, which only a program that has it can make; add it by `{by}`"
    ))
}

fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("one {one}") } else { format!("{number} {several}") }
}
