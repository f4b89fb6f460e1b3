//! A trainer without a model: the loop of `seam/moment.rs` over made-up losses, gradients and
//! metrics.

#![allow(dead_code, clippy::expect_used)] // each test file uses a part; a failing test may panic

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

use trainbook_callbacks::{
    Activity, AfterUpdate, Answer, BatchStart, Callback, CallbackError, CheckpointRequest,
    Counters, Direction, EpochEnd, EpochMetric, EpochStart, FitEnd, FitStart, Flow, GradientEdit,
    GradientView, Gradients, Horizon, MetricLog, Moment, NamedState, NonFinite, Predictions,
    Reading, Replay, Resumed, RowPrediction, Setup, Snapshot, Stack, StepEnd, StepLoss, StepScale,
    StopKind, StopReason, Tell, TensorInfo, TensorStats, UpdateSettings, Validated, ValidationEnd,
    ValidationStart, Wait, Weights,
};
use trainbook_store::{Metric, Name, RunWriter};

/// An accelerator, on which losses stay until somebody waits for them.
#[derive(Default)]
pub struct FakeDevice {
    /// After so many losses it is waited for all the same; 0 where losses are known at once.
    pub steps: usize,
    pub waits: Cell<usize>,
    pub broken: Cell<bool>,
    pending: RefCell<Vec<(f32, Tell)>>,
}

impl FakeDevice {
    fn loss(&self, loss: f32) -> Reading {
        if self.steps == 0 {
            return loss.into();
        }
        if self.pending.borrow().len() == self.steps {
            self.settle();
        }
        let (reading, tell) = Reading::late();
        self.pending.borrow_mut().push((loss, tell));
        reading
    }

    fn settle(&self) {
        if !self.broken.get() {
            self.pending.take().into_iter().for_each(|(loss, tell)| tell.tell(loss.into()));
        }
    }
}

impl Wait for FakeDevice {
    fn wait(&self) -> Result<(), CallbackError> {
        self.waits.set(self.waits.get() + 1);
        self.settle();
        if self.broken.get() {
            let reason = "it is broken".to_owned();
            return Err(CallbackError::Access { what: "the device", reason });
        }
        Ok(())
    }
}

/// A step that can be computed again.
pub struct FakeReplay<'a> {
    pub step: u64,
    pub replay: &'a dyn Fn(u64) -> Result<Option<NonFinite>, CallbackError>,
    pub activity: &'a dyn Fn(u64) -> Vec<Activity>,
}

impl Replay for FakeReplay<'_> {
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError> {
        (self.replay)(self.step)
    }

    fn activity(&self) -> Result<Vec<Activity>, CallbackError> {
        Ok((self.activity)(self.step))
    }
}

/// What a network gives for rows.
pub struct FakePredictions<'a> {
    pub epoch: u64,
    pub predictions: &'a dyn Fn(u64, usize) -> Result<Answer, CallbackError>,
}

impl Predictions for FakePredictions<'_> {
    fn of(&self, rows: &[usize]) -> Result<Vec<RowPrediction>, CallbackError> {
        let answer =
            |&row: &usize| Ok(RowPrediction { row, answer: (self.predictions)(self.epoch, row)? });
        rows.iter().map(answer).collect()
    }
}

/// Names and shapes.
pub fn tensors<const N: usize>(named: [(&str, &[usize]); N]) -> Vec<TensorInfo> {
    let info = |(name, shape): (&str, &[usize])| TensorInfo {
        name: name.to_owned(),
        shape: shape.to_vec(),
    };
    named.map(info).into()
}

/// One row of numbers for each tensor.
pub struct FakeGradients {
    infos: Vec<TensorInfo>,
    pub values: Vec<Vec<f32>>,
    norm: Cell<Option<f64>>,
    pub norm_calls: Cell<u64>,
    /// How often all elements were gone over to change them.
    pub changes: u64,
    pub stats_calls: Cell<u64>,
}

impl FakeGradients {
    pub fn of(tensors: &[TensorInfo], values: Vec<Vec<f32>>) -> Self {
        Self {
            infos: tensors.to_vec(),
            values,
            norm: Cell::new(None),
            norm_calls: Cell::new(0),
            changes: 0,
            stats_calls: Cell::new(0),
        }
    }

    fn each(&mut self, change: impl Fn(f32) -> f32) {
        self.norm.set(None);
        self.changes += 1;
        self.values.iter_mut().flatten().for_each(|v| *v = change(*v));
    }
}

impl Gradients for FakeGradients {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn global_norm(&self) -> Result<f64, CallbackError> {
        self.norm_calls.set(self.norm_calls.get() + 1);
        let square = || self.values.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let norm = self.norm.get().unwrap_or_else(|| square().sqrt());
        self.norm.set(Some(norm));
        Ok(norm)
    }

    fn stats(&self) -> Result<Vec<TensorStats>, CallbackError> {
        self.stats_calls.set(self.stats_calls.get() + 1);
        Ok(self.values.iter().map(|v| TensorStats::of(v)).collect())
    }

    fn scale(&mut self, factor: f32) -> Result<(), CallbackError> {
        self.each(|v| v * factor);
        Ok(())
    }

    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError> {
        self.each(|v| v.clamp(-limit, limit));
        Ok(())
    }

    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.norm.set(None);
        self.changes += 1;
        self.infos.iter().zip(&mut self.values).for_each(|(info, values)| change(info, values));
        Ok(())
    }
}

/// One number: how often it was updated.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeWeights(pub f32);

impl Weights for FakeWeights {
    fn tensor_infos(&self) -> &[TensorInfo] {
        static INFOS: LazyLock<Vec<TensorInfo>> =
            LazyLock::new(|| tensors([("0.weight", &[1, 1])]));
        &INFOS
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        Ok(Snapshot(vec![vec![self.0]]))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.0 = snapshot.0[0][0];
        Ok(())
    }
}

/// What came out of a fit.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub learning_rates: Vec<f64>,
    pub settings: Vec<UpdateSettings>,
    pub applied: Vec<bool>,
    /// As the optimiser would have got them.
    pub gradients: Vec<Vec<Vec<f32>>>,
    pub step_logs: Vec<Vec<Metric>>,
    pub epoch_logs: Vec<Vec<Metric>>,
    pub requests: Vec<Vec<CheckpointRequest>>,
    /// Those at the end of steps.
    pub step_requests: Vec<CheckpointRequest>,
    /// The weights that were judged at the end of each epoch.
    pub judged: Vec<f32>,
    /// Those in the middle of epochs.
    pub judged_between: Vec<f32>,
    pub norm_calls: u64,
    pub changes: u64,
    pub stats_calls: u64,
    /// What callbacks have warned of.
    pub warnings: Vec<String>,
    pub reason: Option<StopReason>,
    pub error: Option<String>,
}

impl Seen {
    pub fn step_metric(&self, name: &str) -> Vec<f64> {
        self.step_logs.iter().flatten().filter(|m| m.name == name).map(|m| m.value).collect()
    }

    pub fn epoch_metric(&self, name: &str) -> Vec<f64> {
        self.epoch_logs.iter().flatten().filter(|m| m.name == name).map(|m| m.value).collect()
    }
}

/// What happens by itself; steps and epochs go from 1 and 0 over the trainer's life.
pub struct Fake {
    pub stack: Stack,
    pub counters: Counters,
    pub horizon: Horizon,
    pub weights: FakeWeights,
    pub settings: UpdateSettings,
    /// By step, counted from 1.
    pub loss: Box<dyn Fn(u64) -> f32>,
    /// By step, counted from 1.
    pub gradients: Box<dyn Fn(u64) -> Vec<Vec<f32>>>,
    /// The scale of the loss by step, counted from 1; `None` in f32.
    pub scale: Box<dyn Fn(u64) -> Option<StepScale>>,
    /// What a step's forward pass says of its layers, computed again.
    pub replay: Box<dyn Fn(u64) -> Result<Option<NonFinite>, CallbackError>>,
    /// Behind every so many steps the fake validates.
    pub validate_every: Option<u64>,
    /// What is measured there, by the batches seen.
    pub validations: Box<dyn Fn(u64) -> Vec<(&'static str, f64)>>,
    /// What activations give in a step.
    pub activity: Box<dyn Fn(u64) -> Vec<Activity>>,
    /// What the network gives for a row, by epoch, counted from 0, and row.
    pub predictions: Box<dyn Fn(u64, usize) -> Result<Answer, CallbackError>>,
    /// By epoch, counted from 0.
    pub metrics: Box<dyn Fn(u64) -> Vec<(&'static str, f64)>>,
    /// By the metric's name.
    pub directions: Box<dyn Fn(&str) -> Direction>,
    /// By epoch, counted from 0.
    pub seconds: Box<dyn Fn(u64) -> f64>,
    pub run: Option<RunWriter>,
    pub seen: Seen,
    /// Where losses are.
    pub device: FakeDevice,
    /// The names and shapes of the gradients.
    pub tensors: Vec<TensorInfo>,
    accumulate: u64,
}

impl Fake {
    /// Three batches of three samples an epoch, every number 1.
    pub fn new(stack: Stack) -> Self {
        Self {
            stack,
            counters: Counters::default(),
            horizon: Horizon {
                epochs: 0,
                batches_per_epoch: 3,
                updates_per_epoch: 3,
                first_update: 0,
                limit: None,
            },
            weights: FakeWeights(0.0),
            settings: 1.0.into(),
            loss: Box::new(|_| 1.0),
            gradients: Box::new(|_| vec![vec![1.0], vec![1.0, 1.0]]),
            scale: Box::new(|_| None),
            replay: Box::new(|_| Ok(None)),
            validate_every: None,
            validations: Box::new(|_| Vec::new()),
            activity: Box::new(|_| Vec::new()),
            predictions: Box::new(|epoch, _| {
                Ok(Answer::Values { values: vec![epoch as f64], targets: vec![0.0] })
            }),
            metrics: Box::new(|_| vec![("train_loss", 1.0)]),
            directions: Box::new(|name| {
                let larger = name.contains("accuracy");
                if larger { Direction::Maximize } else { Direction::Minimize }
            }),
            seconds: Box::new(|_| 1.0),
            run: None,
            seen: Seen::default(),
            device: FakeDevice::default(),
            tensors: tensors([("0.weight", &[1, 1]), ("0.bias", &[2])]),
            accumulate: 1,
        }
    }

    pub fn with(callback: impl Callback + 'static) -> Self {
        let mut stack = Stack::new();
        stack.push(callback);
        Self::new(stack)
    }

    pub fn batches(mut self, batches_per_epoch: u64) -> Self {
        self.horizon.batches_per_epoch = batches_per_epoch;
        self.horizon.updates_per_epoch = batches_per_epoch;
        self
    }

    /// So many batches for one update; the last one of an epoch takes what is left.
    pub fn accumulate(mut self, batches: u64) -> Self {
        self.accumulate = batches;
        self.horizon.updates_per_epoch = self.horizon.batches_per_epoch.div_ceil(batches);
        self
    }

    /// A whole fit, as the trainer does it.
    pub fn fit(&mut self, epochs: u64) {
        let mut end = self.fit_start(epochs);
        for _ in 0..epochs {
            if matches!(end, Ok(None)) {
                end = self.epoch();
            }
        }
        self.fit_end(end);
    }

    pub fn fit_start(&mut self, epochs: u64) -> Result<Option<StopReason>, String> {
        self.horizon.epochs = epochs;
        self.horizon.first_update = self.counters.updates_applied;
        self.start(None)
    }

    /// The beginning of a fit that goes on between two epochs of another, where its callbacks had
    /// these states: the horizon is the earlier one's.
    pub fn resume(&mut self, states: &[NamedState]) -> Result<Option<StopReason>, String> {
        let reason = self.start(Some(Resumed { batches: None }))?;
        self.stack.load(states).map_err(|e| e.to_string())?;
        Ok(reason)
    }

    fn start(&mut self, resumed: Option<Resumed>) -> Result<Option<StopReason>, String> {
        let names: Vec<EpochMetric> = (self.metrics)(0)
            .iter()
            .map(|(name, _)| EpochMetric {
                name: Name::new(name),
                direction: (self.directions)(name),
            })
            .collect();
        let fit = FitStart {
            counters: self.counters,
            horizon: self.horizon,
            run: self.run.as_ref(),
            epoch_metrics: &names,
            predictions: &FakePredictions {
                epoch: self.counters.epoch,
                predictions: &*self.predictions,
            },
            resumed,
        };
        stopped(self.stack.on(&mut Moment::FitStart(&fit)))
    }

    /// One epoch; a reason when the fit is to end. A stop inside the epoch ends it there, without
    /// validation.
    pub fn epoch(&mut self) -> Result<Option<StopReason>, String> {
        let log = MetricLog::default();
        let start = EpochStart { counters: self.counters, horizon: self.horizon, log: &log };
        if let Some(reason) = stopped(self.stack.on(&mut Moment::EpochStart(&start)))? {
            return Ok(Some(reason));
        }
        let mut left = self.horizon.batches_per_epoch;
        while left > 0 {
            let mut flow = self.step(&mut left)?;
            let due = |n: u64| self.counters.updates_attempted.is_multiple_of(n);
            let goes_on = left > 0 && !flow.ends_epoch() && !matches!(flow, Flow::Stop(_));
            if goes_on && self.validate_every.is_some_and(due) {
                flow = flow.or_stronger(self.validate()?);
            }
            if let Flow::Stop(reason) = flow {
                return Ok(Some(reason));
            }
            if flow.ends_epoch() {
                break;
            }
        }
        let metrics: Vec<_> = (self.metrics)(self.counters.epoch)
            .into_iter()
            .map(|(name, value)| Metric { name: name.into(), value })
            .collect();
        let requests = RefCell::default();
        let judged = self.judge(&metrics, &log, &requests);
        let mut end = ValidationEnd { counters: self.counters, weights: &mut self.weights };
        let after = self.stack.on(&mut Moment::ValidationEnd(&mut end));
        let flow = judged?.or_stronger(after.map_err(|e| e.to_string())?);
        self.counters.epoch += 1;
        self.seen.epoch_logs.push(log.read(<[_]>::to_vec));
        log.read_warnings(|warnings| self.seen.warnings.extend_from_slice(warnings));
        self.seen.requests.push(requests.into_inner());
        stopped(Ok(flow))
    }

    fn judge(
        &mut self,
        metrics: &[Metric],
        log: &MetricLog,
        requests: &RefCell<Vec<CheckpointRequest>>,
    ) -> Result<Flow, String> {
        self.device.settle();
        let mut start = ValidationStart {
            counters: self.counters,
            ends_epoch: true,
            weights: &mut self.weights,
        };
        let flow = self.stack.on(&mut Moment::ValidationStart(&mut start));
        let flow = flow.map_err(|e| e.to_string())?;
        self.seen.judged.push(self.weights.0);
        let seconds = (self.seconds)(self.counters.epoch);
        let predictions =
            FakePredictions { epoch: self.counters.epoch, predictions: &*self.predictions };
        let end = EpochEnd::new(
            self.counters,
            self.horizon,
            seconds,
            metrics,
            &self.weights,
            &predictions,
            log,
            requests,
        );
        let wish = self.stack.on(&mut Moment::EpochEnd(&end));
        Ok(flow.or_stronger(wish.map_err(|e| e.to_string())?))
    }

    /// A validation in the middle of an epoch.
    fn validate(&mut self) -> Result<Flow, String> {
        let metrics: Vec<_> = (self.validations)(self.counters.batches_seen)
            .into_iter()
            .map(|(name, value)| Metric { name: name.into(), value })
            .collect();
        self.device.settle();
        let (log, requests) = (MetricLog::default(), RefCell::default());
        let (counters, horizon) = (self.counters, self.horizon);
        let mut start = ValidationStart { counters, ends_epoch: false, weights: &mut self.weights };
        let begun = self.stack.on(&mut Moment::ValidationStart(&mut start));
        self.seen.judged_between.push(self.weights.0);
        let judged = begun.and_then(|flow| {
            let predictions =
                FakePredictions { epoch: counters.epoch, predictions: &*self.predictions };
            let weights = &self.weights;
            let validated =
                Validated::new(counters, horizon, &metrics, weights, &predictions, &log, &requests);
            Ok(flow.or_stronger(self.stack.on(&mut Moment::Validated(&validated))?))
        });
        let mut end = ValidationEnd { counters, weights: &mut self.weights };
        let after = self.stack.on(&mut Moment::ValidationEnd(&mut end));
        let flow = judged.map_err(|e| e.to_string())?;
        self.seen.step_logs.push(log.read(<[_]>::to_vec));
        log.read_warnings(|warnings| self.seen.warnings.extend_from_slice(warnings));
        self.seen.step_requests.extend(requests.take());
        Ok(flow.or_stronger(after.map_err(|e| e.to_string())?))
    }

    /// One update, of as many batches as are gathered and still left in the epoch.
    fn step(&mut self, left: &mut u64) -> Result<Flow, String> {
        let log = MetricLog::default();
        let (mut flow, mut samples) = (Flow::Continue, Vec::new());
        for _ in 0..self.accumulate.min(*left) {
            if flow != Flow::Continue {
                break;
            }
            *left -= 1;
            let first = self.counters.batches_seen as usize * 3;
            let batch = [first, first + 1, first + 2];
            samples.extend(batch);
            let mut start =
                BatchStart::new(self.counters, self.horizon, &batch, &log, &mut self.settings);
            let wish = self.stack.on(&mut Moment::BatchStart(&mut start));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
            self.counters.batches_seen += 1;
        }
        let (loss, counters) = ((self.loss)(self.counters.batches_seen), self.counters);
        let reading = self.device.loss(loss);
        let late = StepLoss::new(&reading, &self.device);
        let mut gradients =
            FakeGradients::of(&self.tensors, (self.gradients)(counters.batches_seen));
        let replay = FakeReplay {
            step: counters.batches_seen,
            replay: &*self.replay,
            activity: &*self.activity,
        };
        macro_rules! view {
            () => {
                GradientView {
                    counters,
                    loss: late,
                    samples: &samples,
                    gradients: &gradients,
                    weights: &self.weights,
                    replay: &replay,
                    log: &log,
                }
            };
        }
        let scale = (self.scale)(counters.batches_seen);
        let overflowed = scale.is_some_and(|scale| scale.overflowed);
        if !(overflowed && loss.is_finite()) {
            let wish = self.stack.on(&mut Moment::RawGradients(&view!()));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        }
        if flow == Flow::Continue && !overflowed {
            let mut edit = GradientEdit { counters, gradients: &mut gradients, log: &log };
            let wish = self.stack.on(&mut Moment::ChangeGradients(&mut edit));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
            let wish = self.stack.on(&mut Moment::FinalGradients(&view!()));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        }
        // The strongest wish hides weaker ones, so only a step of which nobody wants anything else
        // is an ordinary one.
        let applied = flow == Flow::Continue && !overflowed;
        self.counters.updates_attempted += 1;
        self.counters.updates_applied += u64::from(applied);
        if applied {
            self.weights.0 += 1.0;
            let update = AfterUpdate {
                counters: self.counters,
                horizon: self.horizon,
                weights: &self.weights,
                log: &log,
            };
            let wish = self.stack.on(&mut Moment::AfterUpdate(&update));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        }

        let requests = RefCell::default();
        let step = StepEnd::new(
            self.counters,
            self.horizon,
            self.settings.learning_rate,
            applied,
            &samples,
            &log,
            late,
            &requests,
        )
        .scaled(scale);
        let wish = self.stack.on(&mut Moment::StepEnd(&step)).map_err(|e| e.to_string());
        self.seen.step_requests.extend(requests.take());
        self.seen.learning_rates.push(self.settings.learning_rate);
        self.seen.settings.push(self.settings.clone());
        self.seen.applied.push(applied);
        self.seen.norm_calls += gradients.norm_calls.get();
        self.seen.changes += gradients.changes;
        self.seen.stats_calls += gradients.stats_calls.get();
        self.seen.gradients.push(gradients.values);
        self.seen.step_logs.push(log.read(<[_]>::to_vec));
        log.read_warnings(|warnings| self.seen.warnings.extend_from_slice(warnings));
        Ok(flow.or_stronger(wish?))
    }

    pub fn fit_end(&mut self, end: Result<Option<StopReason>, String>) {
        self.device.settle();
        let (reason, error) = match end {
            Ok(reason) => {
                (Some(reason.unwrap_or_else(|| StopReason::new(StopKind::Completed, ""))), None)
            }
            Err(error) => (None, Some(error)),
        };
        let mut fit =
            FitEnd::new(self.counters, reason.as_ref(), error.as_deref(), &mut self.weights);
        let after = self.stack.on(&mut Moment::FitEnd(&mut fit));
        self.seen.error = error.or(after.err().map(|e| e.to_string()));
        self.seen.reason = reason;
    }
}

fn stopped(reply: Result<Flow, CallbackError>) -> Result<Option<StopReason>, String> {
    match reply {
        Ok(Flow::Stop(reason)) => Ok(Some(reason)),
        Ok(_) => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

/// The error of this callback's `setup`, in words.
pub fn setup_error(mut callback: impl Callback) -> String {
    callback.setup(&mut Setup::default()).expect_err("these settings are refused").to_string()
}
