//! Putting a trainer together.

mod buckets;
mod requirements;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use trainbook_callbacks::{
    Callback, CallbackRecipe, Counters, Direction, EpochMetric, FixSeed, LossScaleMonitor, Moment,
    Progress, RecordedCallback, Recorder, Setup, Stack,
};
use trainbook_store::{Name, ObjectId, Parent, Store, Value};

use super::Trainer;
use super::checkpoint::Origin;
use super::feed::Feed;
use super::record::{self, RunRecipe};
use super::voice::Voice;
use crate::Error;
use crate::data::{Augment, Buckets, Dataset, LastBatch, Mix, Part, Sampling};
use crate::metric::Metric;
use crate::nn::loss::TargetKind;
use crate::nn::{Init, Network};
use crate::optim::{Optimizer, ParameterGroup};
use crate::random::Seed;
use crate::task::{Device, Loss, LossScale, Precision, Recipe};

/// A trainer being put together. Every setting has a default; the last call is
/// [`build`](Self::build).
pub struct TrainerBuilder {
    data: Dataset,
    network: Network,
    loss: Loss,
    metrics: Metrics,
    optimizer: Optimizer,
    learning_rate: Option<f64>,
    groups: Vec<ParameterGroup>,
    feed: Feed,
    accumulate: usize,
    validate_every: Option<u64>,
    train_metrics: bool,
    device: Device,
    precision: Precision,
    loss_scale: LossScale,
    checkpoint_activations: bool,
    init: Init,
    stack: Stack,
    params: BTreeMap<Name, Value>,
    store: Option<Store>,
    name: Option<String>,
    tags: BTreeMap<Name, String>,
    quiet: bool,
    /// That of the run that this trainer repeats.
    recorded_seed: Option<u64>,
    /// Callbacks of that run which only its program can make.
    missing: Vec<String>,
    /// The state in which that run began, if it was not the seed's.
    begin_at: Option<BeginAt>,
}

/// The state in which a run began.
pub(super) struct BeginAt {
    pub checkpoint: Vec<u8>,
    /// The hash of weights and moments.
    pub state: String,
    pub parent: Option<Parent>,
}

/// What is measured beside the loss.
enum Metrics {
    /// What is usual for the loss, and these.
    And(Vec<Metric>),
    /// These alone, as a run has recorded them.
    Only(Vec<Metric>),
}

impl Metrics {
    fn resolve(&self, takes: TargetKind) -> Vec<Metric> {
        match self {
            Self::Only(metrics) => metrics.clone(),
            Self::And(metrics) => {
                record::usual_metrics(takes).into_iter().chain(metrics.clone()).collect()
            }
        }
    }
}

impl Trainer {
    /// Trains a network to tell the classes of `data` apart, by cross-entropy. Its outputs are
    /// logits, one per class.
    ///
    /// The network is a value, `Sequential::new().linear(64).relu().linear(10)`, or described by a
    /// type of dfdx's layers, `Network::of::<(Linear<64, 64>, ReLU, Linear<64, 10>)>()`.
    pub fn classifier(data: &Dataset, network: impl Into<Network>) -> TrainerBuilder {
        TrainerBuilder::new(data, network.into(), Loss::cross_entropy())
    }

    /// Trains a network to predict the values of `data`, by mean squared error.
    pub fn regressor(data: &Dataset, network: impl Into<Network>) -> TrainerBuilder {
        TrainerBuilder::new(data, network.into(), Loss::mean_squared_error())
    }
}

impl RunRecipe {
    /// A trainer as this recipe says, on data that the program has or that
    /// [`DataRecipe::make`](crate::data::DataRecipe::make) has made again. A callback that only its
    /// own program can make has to be added by [`with`](TrainerBuilder::with), without which
    /// [`build`](TrainerBuilder::build) names it.
    pub fn trainer(self, data: &Dataset) -> TrainerBuilder {
        let mut builder = TrainerBuilder::new(data, self.network, self.loss);
        builder.recorded_seed = Some(self.seed.0);
        if let Some(metrics) = self.metrics {
            builder.metrics = Metrics::Only(metrics);
        }
        for RecordedCallback { name, recipe, .. } in self.callbacks.into_iter().flatten() {
            match recipe {
                // It would forbid another seed; the recorded one is there without it.
                Some(CallbackRecipe::FixSeed(_)) => {}
                Some(recipe) => builder = builder.with(recipe.make()),
                None => builder.missing.push(name),
            }
        }
        builder.feed = self.feed;
        builder = builder
            .optimizer(self.optimizer)
            .learning_rate(self.learning_rate)
            .accumulate(self.accumulate)
            .parameter_groups(self.groups)
            .device(self.device)
            .precision(self.precision)
            .loss_scale(self.loss_scale)
            .init(self.init);
        builder.checkpoint_activations = self.checkpoint_activations;
        builder.validate_every = self.validate_every;
        builder.train_metrics = self.train_metrics;
        builder
    }
}

impl TrainerBuilder {
    fn new(data: &Dataset, network: Network, loss: Loss) -> Self {
        Self {
            data: data.clone(),
            network,
            loss,
            metrics: Metrics::And(Vec::new()),
            optimizer: Optimizer::default(),
            learning_rate: None,
            groups: Vec::new(),
            feed: Feed::default(),
            accumulate: 1,
            validate_every: None,
            train_metrics: false,
            device: Device::default(),
            precision: Precision::default(),
            loss_scale: LossScale::default(),
            checkpoint_activations: false,
            init: Init::default(),
            stack: Stack::new(),
            params: BTreeMap::new(),
            store: None,
            name: None,
            tags: BTreeMap::new(),
            quiet: false,
            recorded_seed: None,
            missing: Vec::new(),
            begin_at: None,
        }
    }

    /// Fixes every random draw: the same seed gives the same bits. Short for
    /// `.with(FixSeed::new(seed))`. Without it a seed is drawn from the system and recorded.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with(FixSeed::new(seed))
    }

    /// What is minimised, in place of cross-entropy or the mean squared error: one of
    /// [`loss`](crate::nn::loss), or [one of your own](Loss::from_fn).
    #[must_use]
    pub fn loss(mut self, loss: impl Into<Loss>) -> Self {
        self.loss = loss.into();
        self
    }

    /// Measures this too, at the end of each epoch on the validation part, and in every evaluation:
    /// one of [`metric`](crate::metric), or one of your own. A classifier always has
    /// [`Accuracy`](crate::metric::Accuracy).
    #[must_use]
    pub fn metric(mut self, metric: impl Into<Metric>) -> Self {
        let (Metrics::And(metrics) | Metrics::Only(metrics)) = &mut self.metrics;
        let metric = metric.into();
        match metrics.iter_mut().find(|m| m.is_missing() && m.name() == metric.name()) {
            Some(missing) => *missing = metric,
            None => metrics.push(metric),
        }
        self
    }

    /// Measures these and nothing else.
    #[must_use]
    pub(crate) fn measured_by(mut self, metrics: Vec<Metric>) -> Self {
        self.metrics = Metrics::Only(metrics);
        self
    }

    /// How weights are updated. Default: [`AdamW`](crate::optim::AdamW).
    #[must_use]
    pub fn optimizer(mut self, optimizer: impl Into<Optimizer>) -> Self {
        self.optimizer = optimizer.into();
        self
    }

    /// The learning rate where no schedule sets one. Default: that of the optimiser, 1e-3
    /// for AdamW; see [`Optimizer::default_learning_rate`].
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = Some(learning_rate);
        self
    }

    /// Rows per batch. Default 32; the last batch of an epoch may be smaller.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.feed.batch_size = rows;
        self
    }

    /// Batches whose gradients are gathered for one update. Default 1. The update is that of one
    /// batch which holds all their rows, however unequal they are and also where an epoch ends with
    /// fewer; only layers that look at a whole batch, as batch normalisation does, see the small
    /// ones. Schedules and [`Steps`](super::Steps) count updates.
    #[must_use]
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.accumulate = batches;
        self
    }

    /// Judges the validation part also in the middle of an epoch, behind every so many steps of the
    /// trainer's life, of which skipped ones count; behind the last step of an epoch there is its own
    /// validation. Then [`EarlyStopping`](trainbook_callbacks::EarlyStopping) and
    /// [`Checkpoint::best`](trainbook_callbacks::Checkpoint::best) look there too, the curves have a
    /// point more, and [`Callback::validated`](trainbook_callbacks::Callback::validated) is called. Default: at the end of epochs alone.
    ///
    /// Refused without a validation part.
    #[must_use]
    pub fn validate_every(mut self, steps: super::Steps) -> Self {
        self.validate_every = Some(steps.0);
        self
    }

    /// Mixes the rows of each training batch with each other, as [`Mix`] says. Default: rows as
    /// they are.
    #[must_use]
    pub fn mix(mut self, mix: impl Into<Option<Mix>>) -> Self {
        self.feed.mix = mix.into();
        self
    }

    /// Changes the rows of the training batches at random, as [`Augment`] says: the same seed gives
    /// the same changes, row by row and epoch by epoch. Default: rows as they are. What is augmented
    /// is normalised already.
    #[must_use]
    pub fn augment(mut self, augment: impl Into<Option<Augment>>) -> Self {
        self.feed.augment = augment.into();
        self
    }

    /// Measures the metrics at the end of every epoch on the training part too, as `train_accuracy` and
    /// so on: with the weights that are judged, on rows as they are, neither augmented nor mixed, so that
    /// they stand beside those of the validation part. It takes an evaluation of the training part for
    /// each epoch. Default: off; `train_loss`, the mean over the epoch's batches, is there anyway.
    #[must_use]
    pub fn train_metrics(mut self) -> Self {
        self.train_metrics = true;
        self
    }

    /// Which rows an epoch sees. Default: [`Sampling::Shuffled`], each row once.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.feed.sampling = sampling;
        self
    }

    /// Training batches of sequences of like length, each cut behind its longest one, instead of padded
    /// to the longest of all: less to compute where lengths differ. For rows of indices and networks
    /// that pass padding over: [`Embedding::padding_index`](crate::nn::layer::Embedding::padding_index)
    /// in front, attention and pools over positions behind it. That a network gives the same with and
    /// without the padding is tried when the trainer is built. Validation pads as always. Default: off.
    #[must_use]
    pub fn bucket_by_length(mut self, buckets: Buckets) -> Self {
        self.feed.buckets = Some(buckets);
        self
    }

    /// What becomes of the rows that do not fill an epoch's last batch. Default:
    /// [`LastBatch::Keep`], they are a smaller batch.
    #[must_use]
    pub fn last_batch(mut self, last: LastBatch) -> Self {
        self.feed.last_batch = last;
        self
    }

    /// Lets a thread read so many training batches ahead, augmented: worth it where reading a row
    /// takes long, as with images in files, shards and augmentation. No number depends on it.
    /// Default 0: none.
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.feed.prefetch = batches;
        self
    }

    /// Trains some tensors differently: at another rate, with another weight decay, or not at all.
    /// A tensor belongs to the first group that fits; those that fit none are trained as always.
    /// Replaces groups that were given before.
    ///
    /// ```no_run
    /// # use trainbook::prelude::*;
    /// # fn main() -> Result<(), Error> {
    /// # let digits = Dataset::csv("digits.csv")?.target(Column::last())?;
    /// let net = Sequential::new().linear(64).relu().linear(10);
    /// let trainer = Trainer::classifier(&digits, net)
    ///     .parameter_groups([ParameterGroup::new("0").frozen(), ParameterGroup::new("2").rate(10.0)])
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn parameter_groups(mut self, groups: impl IntoIterator<Item = ParameterGroup>) -> Self {
        self.groups = groups.into_iter().collect();
        self
    }

    /// Where to train. Default: the processor.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// In what precision to train. Default: f32. Under [`Precision::Mixed`] the metrics `loss_scale`
    /// and `overflowed_steps` are logged by a
    /// [`LossScaleMonitor`](trainbook_callbacks::LossScaleMonitor).
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// By what the loss is multiplied under mixed precision, without which it is refused. Default: as
    /// PyTorch's `GradScaler`.
    #[must_use]
    pub fn loss_scale(mut self, scale: LossScale) -> Self {
        self.loss_scale = scale;
        self
    }

    /// Keeps the activations of every √n-th of the network's n layers alone, and computes the others
    /// again on the way back: a third more time, for deep networks that do not fit into memory
    /// otherwise. Layers of a [`Sequential`](crate::nn::layer::Sequential) and a
    /// [`Repeat`](crate::nn::layer::Repeat) are counted; a block that is one layer, such as a
    /// `TransformerEncoderLayer`, is one. No bit of the training depends on it.
    /// [`memory`](Trainer::memory) shows what it saves. On the processor only.
    ///
    /// Chen et al. 2016 (arXiv:1604.06174).
    #[must_use]
    pub fn checkpoint_activations(mut self) -> Self {
        self.checkpoint_activations = true;
        self
    }

    /// How weights begin where a layer has no way of its own. Default: as PyTorch's layers.
    #[must_use]
    pub fn init(mut self, init: impl Into<Init>) -> Self {
        self.init = init.into();
        self
    }

    /// Adds a callback.
    #[must_use]
    pub fn with(mut self, callback: impl Callback + 'static) -> Self {
        self.params.extend(callback.params().into_iter().map(|(name, value)| (name.into(), value)));
        self.stack.push(callback);
        self
    }

    /// Records every fit in this store, lent or given.
    #[must_use]
    pub fn store(mut self, store: impl Borrow<Store>) -> Self {
        self.store = Some(store.borrow().clone());
        self
    }

    /// What the runs are called.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a tag to the runs.
    #[must_use]
    pub fn tag(mut self, key: impl Into<Name>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Shows no progress.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Begins in another state than the seed's.
    pub(super) fn begin_at(mut self, begin_at: BeginAt) -> Self {
        self.begin_at = Some(begin_at);
        self
    }

    /// Checks everything, draws the weights, and returns the trainer.
    ///
    /// # Errors
    /// A setting makes no sense; the network does not fit the data; the callbacks contradict each
    /// other.
    pub fn build(mut self) -> Result<Trainer, Error> {
        if self.precision == Precision::Mixed {
            self.stack.push(LossScaleMonitor::new());
        }
        let voice = Voice::default();
        if !self.quiet {
            self.stack.push(voice.screen(Progress::auto()));
        }
        if self.store.is_some() {
            self.stack.push(Recorder::new());
        }
        let mut setup = Setup::default();
        self.stack.on(&mut Moment::Setup(&mut setup))?;
        let seed = setup.seed().or(self.recorded_seed);
        let seed_is_drawn = seed.is_none();
        let seed = Seed(seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()));

        let learning_rate =
            self.learning_rate.unwrap_or_else(|| self.optimizer.default_learning_rate());
        self.check(learning_rate)?;
        let mut recipe = Recipe {
            network: self.network.clone(),
            input: record::sample_of(&self.data),
            device: self.device,
            loss: self.loss.clone(),
            optimizer: self.optimizer,
            groups: self.groups.clone(),
            init: self.init,
            seed,
            precision: self.precision,
            loss_scale: self.loss_scale,
            checkpoint_activations: self.checkpoint_activations,
            shortest: None,
        };
        let shortest = self.prepare_buckets(&recipe)?;
        recipe.shortest = shortest.map(|(_, positions)| positions);
        let task = recipe.task()?;
        self.check_fit(&task.model().planned().root.output.shape)?;
        self.check_schedules(task.model().planned())?;
        self.check_tokens(task.model())?;
        self.check_causality(task.model())?;
        if let Some(shortest) = shortest {
            self.check_buckets(&recipe, task.model(), shortest)?;
        }

        let metrics = self.metrics.resolve(self.loss.objective().takes());
        self.check_metrics(&metrics, &task.model().planned().root.output.shape)?;
        let epoch_metrics = self.epoch_metrics(&metrics);
        let names: Vec<Name> = epoch_metrics.iter().map(|metric| metric.name.clone()).collect();
        let plan = self.stack.plan(&names, self.store.is_some())?;
        let mut params = record::params(&recipe, learning_rate, self.feed.batch_size);
        params.extend(record::steps(self.accumulate, self.validate_every, &self.feed));
        params.extend(record::size(task.model().planned()));
        params.extend(self.params);
        let mut trainer = Trainer {
            data: self.data,
            recipe,
            metrics,
            task,
            stack: self.stack,
            counters: Counters::default(),
            feed: self.feed,
            accumulate: self.accumulate,
            validate_every: self.validate_every,
            train_metrics: self.train_metrics,
            settings: learning_rate.into(),
            base_rate: learning_rate,
            plan,
            epoch_metrics,
            store: self.store,
            name: self.name,
            model: self.network.to_string(),
            params,
            tags: self.tags,
            origin: None,
            seed_is_drawn,
            voice,
        };
        if let Some(BeginAt { checkpoint, state, parent }) = self.begin_at {
            trainer.load_checkpoint(&checkpoint)?;
            let checkpoint = Some(ObjectId::of(&checkpoint));
            trainer.origin = Some(Origin { parent, checkpoint });
            if trainer.task.state()?.hash().to_hex().as_str() != state {
                return Err(Error::State(
                    "it is not the state in which the run began, which its program had changed"
                        .to_owned(),
                ));
            }
        }
        Ok(trainer)
    }

    fn epoch_metrics(&self, metrics: &[Metric]) -> Vec<EpochMetric> {
        let named = |name: String, direction| EpochMetric { name: name.into(), direction };
        let of = |part: Part| {
            let prefix = part.prefix();
            metrics.iter().map(move |metric| {
                let name = format!("{prefix}_{}", metric.name());
                named(name, metric.measure().direction())
            })
        };
        let mut all = vec![named("train_loss".to_owned(), Direction::Minimize)];
        if self.train_metrics {
            all.extend(of(Part::Train));
        }
        if !self.data.part(Part::Validation).is_empty() {
            all.push(named("val_loss".to_owned(), Direction::Minimize));
            all.extend(of(Part::Validation));
        }
        all
    }
}
