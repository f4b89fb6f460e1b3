//! What is measured during a fit on rows that are not trained on.

use trainbook_callbacks::{
    EpochMetric, Flow, MetricLog, Moment, Validated, ValidationEnd, ValidationStart,
};
use trainbook_store::Metric;

use super::Trainer;
use super::evaluation::Evaluation;
use super::fit::Progress;
use super::fit_state::EpochState;
use super::predictions::OfRows;
use super::unwound::unwound;
use crate::Error;
use crate::data::Part;

impl Trainer {
    /// Whether the step that has been calls for a validation in the middle of the epoch.
    pub(super) fn validates_behind(&self, at: &EpochState, progress: &Progress) -> bool {
        let due = |n: u64| self.counters.updates_attempted.is_multiple_of(n);
        let is_last = at.batches >= progress.state.horizon.batches_per_epoch;
        self.validate_every.is_some_and(due) && !(is_last || at.over || self.reached(progress))
    }

    /// A validation in the middle of an epoch, which it may end.
    pub(super) fn validate(
        &mut self,
        at: &mut EpochState,
        progress: &Progress,
    ) -> Result<Flow, Error> {
        let (log, horizon) = (MetricLog::default(), progress.state.horizon);
        let ((), flow) = self.judged(false, |trainer| {
            // Those in front are of the training part.
            let values = trainer.part_values(Part::Validation)?;
            let of_training = trainer.epoch_metrics.len() - values.len();
            let names = trainer.epoch_metrics.iter().skip(of_training);
            let metrics = named(names, values);
            let (counters, weights) = (trainer.counters, &*trainer.task);
            let predictions = OfRows::new(weights, &trainer.recipe, &trainer.data);
            let requests = &progress.requests;
            let moment =
                Validated::new(counters, horizon, &metrics, weights, &predictions, &log, requests);
            Ok(((), trainer.stack.on(&mut Moment::Validated(&moment))?))
        })?;
        (at.due, at.over) = (false, flow.ends_epoch());
        Ok(flow)
    }

    /// Does this with the weights that are to be judged in place, and has those that are trained put
    /// back, whatever comes of it.
    pub(super) fn judged<R>(
        &mut self,
        ends_epoch: bool,
        look: impl FnOnce(&mut Self) -> Result<(R, Flow), Error>,
    ) -> Result<(R, Flow), Error> {
        let judged = unwound(|| {
            let (counters, weights) = (self.counters, &mut *self.task);
            let mut start = ValidationStart { counters, ends_epoch, weights };
            let flow = self.stack.on(&mut Moment::ValidationStart(&mut start))?;
            let (found, later) = look(self)?;
            Ok((found, flow.or_stronger(later)))
        });
        let mut end = ValidationEnd { counters: self.counters, weights: &mut *self.task };
        let after = self.stack.on(&mut Moment::ValidationEnd(&mut end));
        let (found, flow) = judged?;
        Ok((found, flow.or_stronger(after?)))
    }

    /// The values of [`epoch_metrics`](Self::epoch_metrics), in that order.
    pub(super) fn epoch_values(&self, train_loss: f64) -> Result<Vec<Metric>, Error> {
        let mut values = vec![train_loss];
        if self.train_metrics {
            values.extend(self.part_values(Part::Train)?.into_iter().skip(1));
        }
        if !self.data.part(Part::Validation).is_empty() {
            values.extend(self.part_values(Part::Validation)?);
        }
        Ok(named(self.epoch_metrics.iter(), values))
    }

    /// Loss and metrics of a part.
    fn part_values(&self, part: Part) -> Result<Vec<f64>, Error> {
        let (model, loss) = (self.task.model(), &self.recipe.loss);
        let judged = Evaluation::of(model, loss, &self.metrics, &self.data, part, |_| {})?;
        let metrics = judged.metrics.iter().map(|metric| metric.value);
        Ok(std::iter::once(judged.loss).chain(metrics).collect())
    }
}

/// Values under the names of these metrics.
fn named<'m>(metrics: impl Iterator<Item = &'m EpochMetric>, values: Vec<f64>) -> Vec<Metric> {
    let name = |(metric, value): (&EpochMetric, f64)| Metric { name: metric.name.clone(), value };
    metrics.zip(values).map(name).collect()
}
