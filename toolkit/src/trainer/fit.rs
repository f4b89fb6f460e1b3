//! The loop. It is drawn in `trainbook_callbacks::seam::moment`; this is that drawing in Rust.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use trainbook_callbacks::{
    AfterUpdate, BatchStart, CheckpointRequest, EpochEnd, EpochStart, FitEnd, FitStart, Flow,
    GradientEdit, GradientView, Horizon, MetricLog, Moment, StepEnd, StopKind, StopReason,
    ValidationEnd, ValidationStart,
};
use trainbook_store::{EndState, Environment, Metric, RunEnd, RunStart, RunWriter, Value};

use super::FeedStreams;
use super::Trainer;
use super::checkpoint::FINAL;
use super::evaluation::Evaluation;
use super::record::{Begins, RunRecipe};
use super::run::{EpochRow, Run};
use crate::Error;
use crate::data::{Batch, Batches, Part};
use crate::task::{BatchLoss, MeanLoss, Recipe};

/// A number of passes over the training part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs(pub u64);

/// A number of updates (skipped ones count), in as many passes over the training part as they take.
/// Behind the last one the epoch ends, with its validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(pub u64);

/// How long to train: [`Epochs`] or [`Steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Passes over the training part.
    Epochs(u64),
    /// Updates.
    Steps(u64),
}

impl From<Epochs> for Length {
    fn from(epochs: Epochs) -> Self {
        Self::Epochs(epochs.0)
    }
}

impl From<Steps> for Length {
    fn from(steps: Steps) -> Self {
        Self::Steps(steps.0)
    }
}

/// What the loop keeps between moments.
struct Progress {
    horizon: Horizon,
    /// `updates_attempted` with which the fit ends, if it was asked for in updates.
    last_attempt: Option<u64>,
    batch: Batch,
    /// The rows of this step's batches.
    samples: Vec<usize>,
    history: Vec<EpochRow>,
    /// Metrics logged in the current step.
    step_log: MetricLog,
}

impl Trainer {
    /// Trains for this many [`Epochs`] or [`Steps`], or until a callback stops it, and returns the
    /// finished run.
    ///
    /// Calling it again goes on from there, as a run of its own.
    ///
    /// # Errors
    /// A callback, the device or the store failed, or code called by the loop panicked. The run is
    /// then recorded as failed, every callback has seen [`FitEnd`](Moment::FitEnd), and the trainer
    /// can still be used.
    pub fn fit(&mut self, length: impl Into<Length>) -> Result<Run, Error> {
        let length = length.into();
        let mut loader = self.feed.batches(&self.data, self.seed(), FeedStreams::TRAINING)?;
        let batches_per_epoch = loader.batches_per_epoch() as u64;
        let updates_per_epoch = batches_per_epoch.div_ceil(self.accumulate as u64);
        let (epochs, limit) = match length {
            Length::Epochs(epochs) => (epochs, None),
            Length::Steps(steps) => (steps.div_ceil(updates_per_epoch.max(1)), Some(steps)),
        };
        let horizon = Horizon {
            epochs,
            batches_per_epoch,
            updates_per_epoch,
            first_update: self.counters.updates_applied,
            limit,
        };
        let writer = self.start_run(length)?;
        let mut progress = Progress {
            horizon,
            last_attempt: limit.map(|steps| self.counters.updates_attempted + steps),
            batch: Batch::default(),
            samples: Vec::new(),
            history: Vec::new(),
            step_log: MetricLog::default(),
        };
        let first_epoch = self.counters.epoch;
        let started = Instant::now();
        let mut outcome = unwound(|| self.train(&mut *loader, &mut progress, writer.as_ref()));
        if let Err(error) = unwound(|| self.end(&outcome)) {
            outcome = outcome.and(Err(error));
        }
        let seconds = started.elapsed().as_secs_f64();
        let epochs = self.counters.epoch - first_epoch;
        if let Some(writer) = &writer {
            // Whoever looks at the run later gets the network back, whatever program made it.
            let request = CheckpointRequest { label: FINAL.to_owned(), metric: None };
            if let Err(error) = unwound(|| self.write_checkpoint(Some(writer), request)) {
                outcome = outcome.and(Err(error));
            }
            let end = RunEnd::new(end_state(&outcome), self.counters.updates_applied, epochs);
            super::run::warn(writer.finish(end));
        }
        Ok(Run {
            writer,
            model: self.task.freeze(),
            data: self.data.clone(),
            loss: self.recipe.loss.clone(),
            metrics: self.metrics.clone(),
            seed: self.recipe.seed,
            reason: outcome?,
            epochs,
            seconds,
            history: progress.history,
        })
    }

    fn start_run(&self, length: Length) -> Result<Option<RunWriter>, Error> {
        let Some(store) = &self.store else { return Ok(None) };
        let mut params = self.params.clone();
        let (name, value) = match length {
            Length::Epochs(epochs) => ("epochs", epochs),
            Length::Steps(steps) => ("steps", steps),
        };
        params.insert(name.into(), Value::from(value));
        Ok(Some(store.start_run(RunStart {
            name: self.name.clone(),
            params,
            tags: self.tags.clone(),
            seed: self.recipe.seed.0,
            model: self.model.clone(),
            data: self.data.fingerprint()?,
            plan: self.plan.callbacks().to_vec(),
            recipe: self.run_recipe(length),
            environment: Environment { features: features(), ..Environment::capture() },
        })?))
    }

    /// What decides this fit, as JSON. A network with a layer that cannot be written is recorded
    /// without it.
    fn run_recipe(&self, length: Length) -> Option<String> {
        let Recipe { network, input, device, loss, optimizer, groups, init, seed } =
            self.recipe.clone();
        let (learning_rate, accumulate) = (self.learning_rate, self.accumulate);
        let data = self.data.recipe();
        let callbacks = self.stack.recorded();
        let callbacks = callbacks.into_iter().filter(|c| c.recipe.is_some() || c.decides).collect();
        let begins = Begins {
            updates: self.counters.updates_applied,
            batches: self.counters.batches_seen,
            epochs: self.counters.epoch,
            state: self.task.state().ok()?.hash().to_hex().to_string(),
        };
        serde_json::to_string(&RunRecipe {
            network,
            input,
            loss,
            metrics: Some(self.metrics.clone()),
            optimizer,
            groups,
            init,
            seed,
            device,
            learning_rate,
            feed: self.feed.clone(),
            accumulate,
            length,
            data,
            callbacks: Some(callbacks),
            begins: Some(begins),
        })
        .ok()
    }

    fn train(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
        run: Option<&RunWriter>,
    ) -> Result<StopReason, Error> {
        // A fit that failed in the middle of a step left its gradients there, and the first batch
        // would add to them.
        self.task.clear_gradients()?;
        let horizon = progress.horizon;
        let start =
            FitStart { counters: self.counters, horizon, run, epoch_metrics: &self.epoch_metrics };
        if let Flow::Stop(reason) = self.stack.on(&mut Moment::FitStart(&start))? {
            return Ok(reason);
        }
        let mut epochs = 0;
        while epochs < horizon.epochs && !self.reached(progress) {
            if let Some(reason) = self.epoch(loader, progress, run)? {
                return Ok(reason);
            }
            epochs += 1;
        }
        let done = match horizon.limit {
            Some(steps) => format!("{steps} steps"),
            None => format!("{} epochs", horizon.epochs),
        };
        Ok(StopReason::new(StopKind::Completed, done))
    }

    /// Whether the fit has attempted the updates that it was asked for. Skipped ones count, so that
    /// it ends even if all are.
    fn reached(&self, progress: &Progress) -> bool {
        progress.last_attempt.is_some_and(|last| self.counters.updates_attempted >= last)
    }

    /// One pass over the training part; a reason when the fit is to end. A stop inside the epoch
    /// ends it there, without validation.
    fn epoch(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
        run: Option<&RunWriter>,
    ) -> Result<Option<StopReason>, Error> {
        let horizon = progress.horizon;
        let started = Instant::now();
        let log = MetricLog::default();
        let start = EpochStart { counters: self.counters, horizon, log: &log };
        if let Flow::Stop(reason) = self.stack.on(&mut Moment::EpochStart(&start))? {
            return Ok(Some(reason));
        }
        let mut sum = MeanLoss::default();
        loader.start(self.counters.epoch);
        while let Some((loss, flow)) = self.step(loader, progress)? {
            sum.add(loss);
            match flow {
                Flow::Stop(reason) => return Ok(Some(reason)),
                Flow::EndEpoch => break,
                Flow::Continue | Flow::SkipUpdate => {}
            }
            if self.reached(progress) {
                break;
            }
        }
        let judged = unwound(|| {
            let (counters, weights) = (self.counters, &mut *self.task);
            let mut start = ValidationStart { counters, weights };
            let flow = self.stack.on(&mut Moment::ValidationStart(&mut start))?;
            let metrics = self.epoch_values(sum.mean())?;
            let requests = RefCell::default();
            let end = EpochEnd::new(
                self.counters,
                horizon,
                started.elapsed().as_secs_f64(),
                &metrics,
                &*self.task,
                &log,
                &requests,
            );
            let flow = flow.or_stronger(self.stack.on(&mut Moment::EpochEnd(&end))?);
            Ok((metrics, requests.into_inner(), flow))
        });
        let mut end = ValidationEnd { counters: self.counters, weights: &mut *self.task };
        let after = self.stack.on(&mut Moment::ValidationEnd(&mut end));
        let (metrics, requests, flow) = judged?;
        let flow = flow.or_stronger(after?);
        progress.history.push(EpochRow {
            epoch: self.counters.epoch,
            step: self.counters.batches_seen,
            metrics,
        });
        self.counters.epoch += 1;
        for request in requests {
            self.write_checkpoint(run, request)?;
        }
        Ok(match flow {
            Flow::Stop(reason) => Some(reason),
            _ => None,
        })
    }

    /// The values of [`epoch_metrics`](Self::epoch_metrics), in that order.
    fn epoch_values(&self, train_loss: f64) -> Result<Vec<Metric>, Error> {
        let mut values = vec![train_loss];
        if !self.data.part(Part::Validation).is_empty() {
            let (model, loss) = (self.task.model(), &self.recipe.loss);
            let validation =
                Evaluation::of(model, loss, &self.metrics, &self.data, Part::Validation, |_| {})?;
            values.push(validation.loss);
            values.extend(validation.metrics.iter().map(|metric| metric.value));
        }
        let named = self.epoch_metrics.iter().zip(values);
        Ok(named.map(|(metric, value)| Metric { name: metric.name.clone(), value }).collect())
    }

    /// One update, of one batch or as many as are gathered; `None` at the end of the epoch.
    fn step(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
    ) -> Result<Option<(BatchLoss, Flow)>, Error> {
        let Progress { horizon, batch, samples, step_log: log, .. } = progress;
        let horizon = *horizon;
        let mut flow = Flow::Continue;
        let mut sum = MeanLoss::default();
        samples.clear();
        for _ in 0..self.accumulate {
            if !updates(&flow) || !loader.next(batch)? {
                break;
            }
            samples.extend_from_slice(&batch.samples);
            let number = self.counters.batches_seen;
            self.feed.mix(batch, self.recipe.seed, FeedStreams::TRAINING, number);
            let mut start =
                BatchStart::new(self.counters, horizon, &batch.samples, log, self.learning_rate);
            flow = flow.or_stronger(self.stack.on(&mut Moment::BatchStart(&mut start))?);
            self.learning_rate = start.learning_rate();
            sum.add(self.task.forward_backward(batch)?);
            self.counters.batches_seen += 1;
        }
        if samples.is_empty() {
            return Ok(None);
        }
        let counters = self.counters;
        let step = BatchLoss { mean: sum.mean() as f32, weight: sum.weight() };
        let (loss, samples) = (step.mean, samples.as_slice());

        let view = GradientView { counters, loss, samples, gradients: &*self.task, log };
        flow = flow.or_stronger(self.stack.on(&mut Moment::RawGradients(&view))?);
        if updates(&flow) {
            let mut edit = GradientEdit { counters, gradients: &mut *self.task, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::ChangeGradients(&mut edit))?);
            let view = GradientView { counters, loss, samples, gradients: &*self.task, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::FinalGradients(&view))?);
        }
        self.counters.updates_attempted += 1;
        let applied = updates(&flow);
        if applied {
            self.task.update(self.learning_rate)?;
            self.counters.updates_applied += 1;
            let (counters, weights) = (self.counters, &*self.task);
            let update = AfterUpdate { counters, horizon, weights, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::AfterUpdate(&update))?);
        } else {
            self.task.clear_gradients()?;
        }

        let end =
            StepEnd::new(self.counters, horizon, self.learning_rate, applied, samples, log, loss);
        flow = flow.or_stronger(self.stack.on(&mut Moment::StepEnd(&end))?);
        log.clear();
        Ok(Some((step, flow)))
    }

    fn end(&mut self, outcome: &Result<StopReason, Error>) -> Result<(), Error> {
        let error = outcome.as_ref().err().map(ToString::to_string);
        let mut end =
            FitEnd::new(self.counters, outcome.as_ref().ok(), error.as_deref(), &mut *self.task);
        self.stack.on(&mut Moment::FitEnd(&mut end))?;
        Ok(())
    }
}

/// Whether the wishes made before the update leave it to be applied. The strongest wish hides
/// weaker ones, so a step that anybody wants to be something else than an ordinary one is not
/// applied: nobody's `SkipUpdate` is overruled by another's `EndEpoch`.
fn updates(flow: &Flow) -> bool {
    matches!(flow, Flow::Continue)
}

fn end_state(outcome: &Result<StopReason, Error>) -> EndState {
    match outcome {
        Ok(reason) if reason.kind == StopKind::Completed => EndState::Finished,
        Ok(reason) => EndState::Stopped { reason: reason.to_string() },
        Err(error) => EndState::Failed { error: error.to_string() },
    }
}

/// Runs `f` and turns a panic into an error.
fn unwound<R>(f: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Panicked(message.unwrap_or_else(|| "no message".to_owned())))
    })
}

/// The optional parts that this library was built with, for a run's record.
fn features() -> Vec<String> {
    [("ci-check", cfg!(feature = "ci-check")), ("cuda", cfg!(feature = "cuda"))]
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| name.to_owned())
        .collect()
}
