//! A trainer without a model: the loop of `seam/moment.rs` over made-up losses, gradients and
//! metrics.

#![allow(dead_code, clippy::expect_used)] // each test file uses a part; a failing test may panic

use std::cell::{Cell, RefCell};

use trainbook_callbacks::{
    AfterUpdate, BatchStart, Callback, CallbackError, CheckpointRequest, Counters, Direction,
    EpochEnd, EpochMetric, EpochStart, FitEnd, FitStart, Flow, GradientEdit, GradientView,
    Gradients, Horizon, MetricLog, Moment, NamedState, Resumed, Setup, Snapshot, Stack, StepEnd,
    StepScale, StopKind, StopReason, TensorInfo, TensorStats, ValidationEnd, ValidationStart,
    Weights,
};
use trainbook_store::{Metric, Name, RunWriter};

/// Two tensors, `0.weight` with one element and `0.bias` with two.
pub struct FakeGradients {
    infos: Vec<TensorInfo>,
    pub values: Vec<Vec<f32>>,
    norm: Cell<Option<f64>>,
    pub norm_calls: Cell<u64>,
    pub stats_calls: Cell<u64>,
}

impl FakeGradients {
    pub fn new(values: Vec<Vec<f32>>) -> Self {
        let names = ["0.weight", "0.bias"];
        let infos = names
            .iter()
            .zip(&values)
            .map(|(n, v)| TensorInfo { name: (*n).to_owned(), shape: vec![v.len()] })
            .collect();
        Self {
            infos,
            values,
            norm: Cell::new(None),
            norm_calls: Cell::new(0),
            stats_calls: Cell::new(0),
        }
    }

    fn each(&mut self, change: impl Fn(f32) -> f32) {
        self.norm.set(None);
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
        self.infos.iter().zip(&mut self.values).for_each(|(info, values)| change(info, values));
        Ok(())
    }
}

/// One number: how often it was updated.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeWeights(pub f32);

impl Weights for FakeWeights {
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
    pub norm_calls: u64,
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
    pub learning_rate: f64,
    /// By step, counted from 1.
    pub loss: Box<dyn Fn(u64) -> f32>,
    /// By step, counted from 1.
    pub gradients: Box<dyn Fn(u64) -> Vec<Vec<f32>>>,
    /// The scale of the loss by step, counted from 1; `None` in f32.
    pub scale: Box<dyn Fn(u64) -> Option<StepScale>>,
    /// By epoch, counted from 0.
    pub metrics: Box<dyn Fn(u64) -> Vec<(&'static str, f64)>>,
    /// By the metric's name.
    pub directions: Box<dyn Fn(&str) -> Direction>,
    /// By epoch, counted from 0.
    pub seconds: Box<dyn Fn(u64) -> f64>,
    pub run: Option<RunWriter>,
    pub seen: Seen,
    log: MetricLog,
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
            learning_rate: 1.0,
            loss: Box::new(|_| 1.0),
            gradients: Box::new(|_| vec![vec![1.0], vec![1.0, 1.0]]),
            scale: Box::new(|_| None),
            metrics: Box::new(|_| vec![("train_loss", 1.0)]),
            directions: Box::new(|name| {
                let larger = name.contains("accuracy");
                if larger { Direction::Maximize } else { Direction::Minimize }
            }),
            seconds: Box::new(|_| 1.0),
            run: None,
            seen: Seen::default(),
            log: MetricLog::default(),
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
            resumed,
        };
        stopped(self.stack.on(&mut Moment::FitStart(&fit)))
    }

    pub fn epoch(&mut self) -> Result<Option<StopReason>, String> {
        let mut end = {
            let epoch =
                EpochStart { counters: self.counters, horizon: self.horizon, log: &self.log };
            stopped(self.stack.on(&mut Moment::EpochStart(&epoch)))?
        };
        for _ in 0..self.horizon.batches_per_epoch {
            if end.is_none() {
                end = self.step()?;
            }
        }
        let metrics: Vec<_> = (self.metrics)(self.counters.epoch)
            .into_iter()
            .map(|(name, value)| Metric { name: name.into(), value })
            .collect();
        let mut start = ValidationStart { counters: self.counters, weights: &mut self.weights };
        let before = self.stack.on(&mut Moment::ValidationStart(&mut start));
        before.map_err(|e| e.to_string())?;
        self.seen.judged.push(self.weights.0);
        let requests = RefCell::default();
        let seconds = (self.seconds)(self.counters.epoch);
        let context = EpochEnd::new(
            self.counters,
            self.horizon,
            seconds,
            &metrics,
            &self.weights,
            &self.log,
            &requests,
        );
        let at_end = self.stack.on(&mut Moment::EpochEnd(&context));
        let mut end_of = ValidationEnd { counters: self.counters, weights: &mut self.weights };
        let after = self.stack.on(&mut Moment::ValidationEnd(&mut end_of));
        after.map_err(|e| e.to_string())?;
        let at_end = stopped(at_end)?;
        self.counters.epoch += 1;
        self.seen.epoch_logs.push(self.log.read(<[_]>::to_vec));
        self.log.read_warnings(|warnings| self.seen.warnings.extend_from_slice(warnings));
        self.log.clear();
        self.seen.requests.push(requests.into_inner());
        Ok(end.or(at_end))
    }

    fn step(&mut self) -> Result<Option<StopReason>, String> {
        let first = self.counters.batches_seen as usize * 3;
        let samples = [first, first + 1, first + 2];
        let mut batch =
            BatchStart::new(self.counters, self.horizon, &samples, &self.log, self.learning_rate);
        let mut flow =
            self.stack.on(&mut Moment::BatchStart(&mut batch)).map_err(|e| e.to_string())?;
        self.learning_rate = batch.learning_rate();

        self.counters.batches_seen += 1;
        let (loss, counters) = ((self.loss)(self.counters.batches_seen), self.counters);
        let mut gradients = FakeGradients::new((self.gradients)(counters.batches_seen));
        macro_rules! view {
            () => {
                GradientView {
                    counters,
                    loss,
                    samples: &samples,
                    gradients: &gradients,
                    log: &self.log,
                }
            };
        }
        let skips = |flow: &Flow| matches!(flow, Flow::SkipUpdate | Flow::Stop(_));
        let wish = self.stack.on(&mut Moment::RawGradients(&view!()));
        flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        if !skips(&flow) {
            let mut edit = GradientEdit { counters, gradients: &mut gradients, log: &self.log };
            let wish = self.stack.on(&mut Moment::ChangeGradients(&mut edit));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
            let wish = self.stack.on(&mut Moment::FinalGradients(&view!()));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        }
        let applied = !skips(&flow);
        self.counters.updates_attempted += 1;
        self.counters.updates_applied += u64::from(applied);
        self.weights.0 += if applied { 1.0 } else { 0.0 };
        if applied {
            let update = AfterUpdate {
                counters: self.counters,
                horizon: self.horizon,
                weights: &self.weights,
                log: &self.log,
            };
            let wish = self.stack.on(&mut Moment::AfterUpdate(&update));
            flow = flow.or_stronger(wish.map_err(|e| e.to_string())?);
        }

        let requests = RefCell::default();
        let step = StepEnd::new(
            self.counters,
            self.horizon,
            self.learning_rate,
            applied,
            &samples,
            &self.log,
            loss,
            &requests,
        )
        .scaled((self.scale)(self.counters.batches_seen));
        let wish = self.stack.on(&mut Moment::StepEnd(&step));
        self.seen.step_requests.extend(requests.take());
        self.seen.learning_rates.push(self.learning_rate);
        self.seen.applied.push(applied);
        self.seen.norm_calls += gradients.norm_calls.get();
        self.seen.stats_calls += gradients.stats_calls.get();
        self.seen.gradients.push(gradients.values);
        self.seen.step_logs.push(self.log.read(<[_]>::to_vec));
        self.log.read_warnings(|warnings| self.seen.warnings.extend_from_slice(warnings));
        self.log.clear();
        stopped(wish.map(|wish| flow.or_stronger(wish)))
    }

    pub fn fit_end(&mut self, end: Result<Option<StopReason>, String>) {
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
