//! The loop. It is drawn in `trainbook_callbacks::seam::moment`; this is that drawing in Rust.

use std::cell::RefCell;
use std::time::Instant;

use trainbook_callbacks::{
    AfterUpdate, BatchStart, CheckpointRequest, CheckpointWritten, EpochEnd, EpochStart, FitEnd,
    FitStart, Flow, GradientEdit, GradientView, Gradients, Horizon, MetricLog, Moment, NamedState,
    Reading, Resumed, StepEnd, StepLoss, StopKind, StopReason, Weights,
};
use trainbook_store::RunEvent;

use super::FeedStreams;
use super::Trainer;
use super::checkpoint::{FREE, STOPPED};
use super::fit_state::{EpochState, FitState};
use super::interrupt::Interrupt;
use super::length::Length;
use super::predictions::OfRows;
use super::recording::Recording;
use super::replay::{StepReplay, Suspect};
use super::run::{EpochRow, Run};
use super::unwound::unwound;
use crate::Error;
use crate::data::{Batch, Batches, LoaderPosition};
use crate::task::{BatchLoss, MeanLoss};

/// What the loop keeps between moments.
pub(super) struct Progress {
    pub state: FitState,
    batch: Batch,
    /// The rows of this step's batches.
    samples: Vec<usize>,
    /// Of several batches of a step those whose loss is not finite, or not known yet.
    suspects: Vec<Suspect>,
    history: Vec<EpochRow>,
    /// Metrics logged in the current step.
    step_log: MetricLog,
    /// Checkpoints that callbacks ask for in the current step.
    pub requests: RefCell<Vec<CheckpointRequest>>,
    record: Option<Recording>,
    interrupt: Interrupt,
}

impl Trainer {
    /// Trains for this many [`Epochs`] or [`Steps`], or until a callback stops it, and returns the
    /// finished run.
    ///
    /// Calling it again goes on from there, as a run of its own, which names this one as its parent.
    ///
    /// `trainbook runs stop RUN`, or [`request_stop`](trainbook_store::Store::request_stop) in another
    /// process, stops the fit behind its step. Ctrl-C does so too, and the program goes on with the run, which can be
    /// [resumed](Self::resume); a second Ctrl-C ends the program. In a notebook of the kernel "Rust
    /// (trainbook)", "interrupt" does the same, and variables live; in other programs, a line in the
    /// file that `TRAINBOOK_STOP_FILE` names.
    ///
    /// # Errors
    /// A callback, the device or the store failed, or code called by the loop panicked. The run is
    /// then recorded as failed, every callback has seen [`FitEnd`](Moment::FitEnd), and the trainer
    /// can still be used.
    pub fn fit(&mut self, length: impl Into<Length>) -> Result<Run, Error> {
        let length = length.into();
        let loader = self.feed.batches(&self.data, self.seed(), FeedStreams::TRAINING)?;
        let horizon = self.horizon(length, loader.batches_per_epoch() as u64);
        let last_attempt = horizon.limit.map(|steps| self.counters.updates_attempted + steps);
        let first_epoch = self.counters.epoch;
        let state = FitState { horizon, first_epoch, last_attempt, epoch: None };
        let record = self.start_recording(length, None)?;
        self.run(record, state, loader, None)
    }

    /// How far a fit of this length would go from here.
    pub(crate) fn horizon(&self, length: Length, batches_per_epoch: u64) -> Horizon {
        let updates_per_epoch = batches_per_epoch.div_ceil(self.accumulate as u64);
        let (epochs, limit) = match length {
            Length::Epochs(epochs) => (epochs, None),
            Length::Steps(steps) => (steps.div_ceil(updates_per_epoch.max(1)), Some(steps)),
        };
        let first_update = self.counters.updates_applied;
        Horizon { epochs, batches_per_epoch, updates_per_epoch, first_update, limit }
    }

    /// Fits from this place to the end; with the callbacks' states, as a fit that was interrupted
    /// there.
    pub(super) fn run(
        &mut self,
        record: Option<Recording>,
        state: FitState,
        mut loader: Box<dyn Batches>,
        resumed: Option<&[NamedState]>,
    ) -> Result<Run, Error> {
        let mut progress = Progress {
            state,
            batch: Batch::default(),
            samples: Vec::new(),
            suspects: Vec::new(),
            history: Vec::new(),
            step_log: MetricLog::default(),
            requests: RefCell::default(),
            record,
            interrupt: Interrupt::new(),
        };
        let first_epoch = self.counters.epoch;
        let started = Instant::now();
        self.stack.clear_costs();
        let mut outcome = unwound(|| self.train(&mut *loader, &mut progress, resumed));
        if outcome.as_ref().is_ok_and(|reason| reason.kind != StopKind::Completed) {
            // As it is here, before callbacks put other weights in place, the fit can be resumed.
            let request = CheckpointRequest::new(STOPPED);
            if let Err(error) = unwound(|| self.write_checkpoint(&mut progress, request)) {
                outcome = outcome.and(Err(error));
            }
        }
        if let Err(error) = unwound(|| self.tell_written(&mut progress, true)) {
            outcome = outcome.and(Err(error));
        }
        if let Err(error) = unwound(|| Ok(self.task.wait()?)) {
            outcome = outcome.and(Err(error));
        }
        if let Err(error) = unwound(|| self.end(&outcome)) {
            outcome = outcome.and(Err(error));
        }
        let seconds = started.elapsed().as_secs_f64();
        let epochs = self.counters.epoch - first_epoch;
        let writer = progress.record.as_ref().map(|record| record.writer.clone());
        let costs = self.stack.costs();
        if let Some(writer) = &writer {
            writer.event(RunEvent::CallbackCosts { seconds, costs: costs.clone() });
        }
        if let Some(record) = progress.record.take() {
            outcome = self.finish_recording(record, outcome, epochs);
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
            costs,
        })
    }

    fn train(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
        resumed: Option<&[NamedState]>,
    ) -> Result<StopReason, Error> {
        // A fit that failed in the middle of a step left its gradients there, and the first batch
        // would add to them.
        self.task.clear_gradients()?;
        let FitState { horizon, first_epoch, .. } = progress.state;
        let batches = progress.state.epoch.as_ref().map(|epoch| epoch.batches);
        let start = FitStart {
            counters: self.counters,
            horizon,
            run: progress.record.as_ref().map(|record| &record.writer),
            epoch_metrics: &self.epoch_metrics,
            predictions: &OfRows::new(&*self.task, &self.recipe, &self.data),
            resumed: resumed.map(|_| Resumed { batches }),
        };
        let flow = self.stack.on(&mut Moment::FitStart(&start))?;
        if let Some(states) = resumed {
            self.stack.load_but(states, &FREE)?;
        }
        if let Flow::Stop(reason) = flow {
            return Ok(reason);
        }
        while progress.state.epoch.is_some()
            || match progress.state.last_attempt {
                // However many epochs that takes, where callbacks end them early.
                Some(_) => !self.reached(progress),
                None => self.counters.epoch - first_epoch < horizon.epochs,
            }
        {
            if let Some(reason) = self.epoch(loader, progress)? {
                return Ok(reason);
            }
        }
        let done = match horizon.limit {
            Some(steps) => format!("{steps} steps"),
            None => format!("{} epochs", horizon.epochs),
        };
        Ok(StopReason::new(StopKind::Completed, done))
    }

    /// Whether the fit has attempted the updates that it was asked for. Skipped ones count, so that
    /// it ends even if all are.
    pub(super) fn reached(&self, progress: &Progress) -> bool {
        progress.state.last_attempt.is_some_and(|last| self.counters.updates_attempted >= last)
    }

    /// One pass over the training part, or the rest of one; a reason when the fit is to end. A stop
    /// inside the epoch ends it there, without validation.
    fn epoch(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
    ) -> Result<Option<StopReason>, Error> {
        let horizon = progress.state.horizon;
        let started = Instant::now();
        let log = MetricLog::default();
        let mut at = match progress.state.epoch.take() {
            Some(mut at) => {
                let (epoch, batch) = (self.counters.epoch, at.batches);
                loader.resume(LoaderPosition { epoch, batch })?;
                log.extend(at.log.drain(..));
                at
            }
            None => {
                let start = EpochStart { counters: self.counters, horizon, log: &log };
                if let Flow::Stop(reason) = self.stack.on(&mut Moment::EpochStart(&start))? {
                    progress.state.epoch = Some(EpochState::default().now(&log));
                    return Ok(Some(reason));
                }
                loader.start(self.counters.epoch);
                EpochState::default()
            }
        };
        let first_batch = self.counters.batches_seen - at.batches;
        while !at.over && !self.reached(progress) {
            let mut flow = Flow::Continue;
            // Else a stop has left that undone which comes behind the step.
            if !at.due {
                let Some((loss, of_step)) = self.step(loader, progress)? else { break };
                flow = of_step;
                if progress.interrupt.asked() {
                    let reason = StopReason::new(StopKind::Interrupted, "");
                    flow = flow.or_stronger(Flow::Stop(reason));
                } else if progress.record.as_ref().is_some_and(Recording::is_asked_to_stop) {
                    let reason = StopReason::new(StopKind::Interrupted, "asked through the store");
                    flow = flow.or_stronger(Flow::Stop(reason));
                }
                at.loss.add(loss);
                at.batches = self.counters.batches_seen - first_batch;
                at.over = flow.ends_epoch();
                at.due = self.validates_behind(&at, progress);
            }
            if at.due && !matches!(flow, Flow::Stop(_)) {
                self.task.wait()?;
                flow = flow.or_stronger(self.validate(&mut at, progress)?);
            }
            let requests = progress.requests.take();
            if !requests.is_empty() || matches!(flow, Flow::Stop(_)) {
                self.task.wait()?;
                progress.state.epoch = Some(at.now(&log));
            }
            for request in best_first(requests) {
                self.write_checkpoint(progress, request)?;
            }
            self.tell_written(progress, false)?;
            if let Flow::Stop(reason) = flow {
                return Ok(Some(reason));
            }
            progress.state.epoch = None;
        }
        self.task.wait()?;
        let train_loss = at.loss.settled();
        let requests = RefCell::default();
        let (metrics, flow) = self.judged(true, |trainer| {
            let metrics = trainer.epoch_values(train_loss)?;
            let predictions = OfRows::new(&*trainer.task, &trainer.recipe, &trainer.data);
            let end = EpochEnd::new(
                trainer.counters,
                horizon,
                started.elapsed().as_secs_f64(),
                &metrics,
                &*trainer.task,
                &predictions,
                &log,
                &requests,
            );
            let flow = trainer.stack.on(&mut Moment::EpochEnd(&end))?;
            Ok((metrics, flow))
        })?;
        let requests = requests.into_inner();
        progress.history.push(EpochRow {
            epoch: self.counters.epoch,
            step: self.counters.batches_seen,
            metrics,
        });
        self.counters.epoch += 1;
        for request in best_first(requests) {
            self.write_checkpoint(progress, request)?;
        }
        self.tell_written(progress, false)?;
        Ok(match flow {
            Flow::Stop(reason) => Some(reason),
            _ => None,
        })
    }

    /// Has a checkpoint of the fit as it now is written, if there is a store.
    fn write_checkpoint(
        &self,
        progress: &mut Progress,
        request: CheckpointRequest,
    ) -> Result<(), Error> {
        let Some(record) = &mut progress.record else { return Ok(()) };
        let fit = Some(progress.state.clone());
        record.write(self.taken(fit)?, request)
    }

    /// Tells of checkpoints that are on disk by now, or waits for all of them.
    fn tell_written(&mut self, progress: &mut Progress, all: bool) -> Result<(), Error> {
        let Some(record) = &mut progress.record else { return Ok(()) };
        for written in record.written(all) {
            let moment = CheckpointWritten {
                counters: written.counters,
                label: &written.label,
                metric: written.metric.as_ref(),
                object: written.object,
                bytes: written.bytes,
                run: &record.writer,
            };
            self.stack.on(&mut Moment::CheckpointWritten(&moment))?;
        }
        Ok(())
    }

    /// One update, of one batch or as many as are gathered; `None` at the end of the epoch.
    fn step(
        &mut self,
        loader: &mut dyn Batches,
        progress: &mut Progress,
    ) -> Result<Option<(BatchLoss, Flow)>, Error> {
        let Progress { state, batch, samples, suspects, step_log: log, requests, .. } = progress;
        suspects.clear();
        let horizon = state.horizon;
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
                BatchStart::new(self.counters, horizon, &batch.samples, log, &mut self.settings);
            flow = flow.or_stronger(self.stack.on(&mut Moment::BatchStart(&mut start))?);
            let loss = self.task.forward_backward(batch)?;
            // Behind one that is known to be broken no other matters.
            let found = suspects.last().is_some_and(|suspect| suspect.loss.get().is_some());
            let finite = loss.mean.get().is_some_and(f64::is_finite);
            if self.accumulate > 1 && !finite && !found {
                suspects.push(Suspect { batch: batch.clone(), loss: loss.mean.clone() });
            }
            sum.add(loss);
            self.counters.batches_seen += 1;
        }
        if samples.is_empty() {
            return Ok(None);
        }
        let counters = self.counters;
        let step = BatchLoss { mean: as_f32(sum.mean()), weight: sum.weight() };
        let (mean, samples) = (&step.mean, samples.as_slice());

        let scale = self.task.end_scaling();
        let overflowed = scale.is_some_and(|scale| scale.overflowed);
        // Of a finite loss they are no gradients, but a scale that was too large.
        if !(overflowed && StepLoss::new(mean, &*self.task).get().is_finite()) {
            let task = &*self.task;
            let loss = StepLoss::new(mean, task);
            let replay = &StepReplay { recipe: &self.recipe, task, batch, suspects };
            let (gradients, weights): (&dyn Gradients, &dyn Weights) = (task, task);
            let view = GradientView { counters, loss, samples, gradients, weights, replay, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::RawGradients(&view))?);
        }
        if updates(&flow) && !overflowed {
            let mut edit = GradientEdit { counters, gradients: &mut *self.task, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::ChangeGradients(&mut edit))?);
            let task = &*self.task;
            let loss = StepLoss::new(mean, task);
            let replay = &StepReplay { recipe: &self.recipe, task, batch, suspects };
            let (gradients, weights): (&dyn Gradients, &dyn Weights) = (task, task);
            let view = GradientView { counters, loss, samples, gradients, weights, replay, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::FinalGradients(&view))?);
        }
        self.counters.updates_attempted += 1;
        let applied = updates(&flow) && !overflowed;
        if applied {
            self.task.update(&self.settings)?;
            self.counters.updates_applied += 1;
            let (counters, weights) = (self.counters, &*self.task);
            let update = AfterUpdate { counters, horizon, weights, log };
            flow = flow.or_stronger(self.stack.on(&mut Moment::AfterUpdate(&update))?);
        } else {
            self.task.clear_gradients()?;
        }

        let end = StepEnd::new(
            self.counters,
            horizon,
            self.settings.learning_rate,
            applied,
            samples,
            log,
            StepLoss::new(mean, &*self.task),
            requests,
        )
        .scaled(scale);
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

/// A mean loss, rounded as every single loss is.
fn as_f32(mean: Reading) -> Reading {
    match mean.get() {
        Some(mean) => (mean as f32).into(),
        None => Reading::of(vec![mean], |mean| f64::from(mean[0] as f32)),
    }
}

/// Checkpoints in the order in which they are to be written. Each has the state of every callback, that of
/// `Checkpoint::best` too: the best comes first, so that no state says that it is kept when it is not.
fn best_first(requests: Vec<CheckpointRequest>) -> impl Iterator<Item = CheckpointRequest> {
    let (best, others): (Vec<_>, Vec<_>) =
        requests.into_iter().partition(|request| request.metric.is_some());
    best.into_iter().chain(others)
}

/// Whether the wishes made before the update leave it to be applied. The strongest wish hides
/// weaker ones, so a step that anybody wants to be something else than an ordinary one is not
/// applied: nobody's `SkipUpdate` is overruled by another's `EndEpoch`.
fn updates(flow: &Flow) -> bool {
    matches!(flow, Flow::Continue)
}
