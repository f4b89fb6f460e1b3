//! A small problem, a callback made of a closure, and ways to look into a trainer.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use trainbook::callbacks::{Counters, Moment, Snapshot, TensorInfo};
use trainbook::data::{Batch, Batches, Loader};
use trainbook::nn::dfdx;
use trainbook::nn::layer::{Fault, Layer, Misfit};
use trainbook::nn::on_dfdx::{Backend, Flow as Values, Pass, Real};
use trainbook::nn::{Begin, Describe, Plan, Role, Sample};
use trainbook::optim::Optimizer;
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::store::Name;
use trainbook::task::{Loss, LossScaleState, Recipe, Task, TaskState};
use trainbook::trainer::TrainerBuilder;

pub type Mlp = (Linear<4, 8>, ReLU, Linear<8, 3>);

/// x · sin(x): a layer of this program's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wave;

impl Layer for Wave {
    const KIND: &'static str = "Wave";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Values<E, D>,
    ) -> Result<Values<E, D>, Fault> {
        use dfdx::prelude::*;
        x.map(|x| Ok(x.with_empty_tape().try_sin()?.try_mul(x)?))
    }
}

/// A linear layer without a bias whose weights all begin with one value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Constant {
    pub out: usize,
    pub value: f32,
}

impl Layer for Constant {
    const KIND: &'static str = "Constant";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [features] = input.dims("[features]")?;
        plan.parameter("weight", [self.out, features], Role::Weight, Begin::Constant(self.value));
        Ok(Sample::numbers([self.out]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Values<E, D>,
    ) -> Result<Values<E, D>, Fault> {
        use dfdx::prelude::{Axes2, HasShape, PermuteTo, TryMatMul};
        let x = x.rows()?;
        let features = x.shape().1;
        let weight = pass.parameter(0, (self.out, features))?;
        Values::of(x.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)?)
    }
}

/// Three overlapping clouds in four dimensions: 70 rows to train on, 20 to validate, 10 to test.
pub fn clouds() -> Dataset {
    let mut draws = Stream::new(Seed(0), "clouds").at(0, 0);
    let classes: Vec<u32> = (0..100).map(|row| row % 3).collect();
    let centre = |class: u32, feature: u32| if class == feature { 2.0 } else { 0.0 };
    let features: Vec<f32> = classes
        .iter()
        .flat_map(|&class| (0..4).map(move |feature| centre(class, feature)))
        .map(|centre| (centre + draws.normal()) as f32)
        .collect();
    let data = Dataset::from_rows("three clouds", 4, features, Targets::Classes(classes)).unwrap();
    data.split(Split::stratified(0.7, 0.2, 0.1), Seed(1)).unwrap()
}

/// Batches in an epoch of [`builder`]'s trainer; the last has 6 rows instead of 16.
pub const BATCHES: u64 = 5;
const BATCH: usize = 16;

/// The trainer that most tests begin with.
pub fn builder(data: &Dataset, seed: u64) -> TrainerBuilder {
    Trainer::classifier(data, Network::of::<Mlp>()).seed(seed).batch_size(BATCH).quiet()
}

/// What [`builder`]'s trainer trains, without a trainer.
pub fn task(seed: u64, optimizer: impl Into<Optimizer>) -> Box<dyn Task> {
    task_of::<Mlp>(seed, Loss::cross_entropy(), optimizer)
}

/// A task of any network.
pub fn task_of<N: Describe>(
    seed: u64,
    loss: Loss,
    optimizer: impl Into<Optimizer>,
) -> Box<dyn Task> {
    recipe_of::<N>(seed, loss, optimizer).task().unwrap()
}

/// What a task of any network is made of. Its first layer says how many features it takes.
pub fn recipe_of<N: Describe>(seed: u64, loss: Loss, optimizer: impl Into<Optimizer>) -> Recipe {
    let network = Network::of::<N>();
    let text = network.to_json().unwrap();
    let inputs = text.split("\"in_features\": ").nth(1).unwrap();
    let inputs = inputs.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    Recipe {
        optimizer: optimizer.into(),
        seed: Seed(seed),
        ..Recipe::new(network, Sample::numbers([inputs]), loss)
    }
}

/// The batches that [`builder`]'s trainer sees in an epoch.
pub fn batches(data: &Dataset, seed: u64, epoch: u64) -> Vec<Batch> {
    let mut loader =
        Loader::new(data, Part::Train, BATCH, Some(Stream::new(Seed(seed), "shuffle")));
    loader.start(epoch);
    let mut batch = Batch::default();
    std::iter::from_fn(|| loader.next(&mut batch).unwrap().then(|| batch.clone())).collect()
}

/// A callback that is a closure over every moment but the first.
pub fn probe<F: FnMut(&mut Moment<'_, '_>) -> Reply + Send>(f: F) -> Probe<F> {
    Probe(f)
}

pub struct Probe<F>(F);

impl<F: FnMut(&mut Moment<'_, '_>) -> Reply + Send> Callback for Probe<F> {
    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        if let Moment::Setup(_) = moment { Ok(Flow::Continue) } else { (self.0)(moment) }
    }
}

pub fn name(moment: &Moment<'_, '_>) -> &'static str {
    match moment {
        Moment::Setup(_) => "Setup",
        Moment::FitStart(_) => "FitStart",
        Moment::EpochStart(_) => "EpochStart",
        Moment::BatchStart(_) => "BatchStart",
        Moment::RawGradients(_) => "RawGradients",
        Moment::ChangeGradients(_) => "ChangeGradients",
        Moment::FinalGradients(_) => "FinalGradients",
        Moment::AfterUpdate(_) => "AfterUpdate",
        Moment::StepEnd(_) => "StepEnd",
        Moment::ValidationStart(_) => "ValidationStart",
        Moment::Validated(_) => "Validated",
        Moment::ValidationEnd(_) => "ValidationEnd",
        Moment::EpochEnd(_) => "EpochEnd",
        Moment::CheckpointWritten(_) => "CheckpointWritten",
        Moment::FitEnd(_) => "FitEnd",
    }
}

/// Epoch, batches seen, updates attempted, updates applied.
pub fn counts(c: Counters) -> [u64; 4] {
    [c.epoch, c.batches_seen, c.updates_attempted, c.updates_applied]
}

/// Weights and moments of a trainer, out of its checkpoint.
pub fn task_state(trainer: &Trainer) -> TaskState {
    #[derive(Deserialize)]
    struct State {
        tensors: Vec<TensorInfo>,
        moments: Vec<Vec<usize>>,
        updates: u64,
        loss_scale: Option<LossScaleState>,
    }
    let checkpoint = trainer.checkpoint().unwrap();
    let file = SafeTensors::deserialize(&checkpoint).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        let (values, _) = tensor.data().as_chunks::<4>();
        values.iter().map(|value| f32::from_le_bytes(*value)).collect()
    };
    let state = file.tensor("trainbook/state").unwrap();
    let State { tensors, moments, updates, loss_scale } =
        rmp_serde::from_slice(state.data()).unwrap();
    let weights = tensors.iter().map(|tensor| floats(&tensor.name)).collect();
    let moment = |kind: usize, tensor: usize| floats(&format!("trainbook/moment/{kind}/{tensor}"));
    let moments = moments.iter().enumerate();
    TaskState {
        weights: Snapshot(weights),
        moments: moments
            .map(|(kind, tensors)| (0..tensors.len()).map(|tensor| moment(kind, tensor)).collect())
            .collect(),
        updates,
        loss_scale,
    }
}

/// Every weight of a run's network, for comparing NaN too.
pub fn weight_bits(run: &Run) -> Vec<u32> {
    run.model().weights().0.iter().flatten().map(|w| w.to_bits()).collect()
}

/// Everything that a run has recorded but for times: every point of every metric.
pub type Points = BTreeMap<String, Vec<(u64, u64)>>;

fn points(series: &BTreeMap<Name, Vec<(u64, f64)>>) -> Points {
    series
        .iter()
        .filter(|(name, _)| !name.contains("seconds"))
        .map(|(name, points)| {
            (name.to_string(), points.iter().map(|(step, v)| (*step, v.to_bits())).collect())
        })
        .collect()
}

/// The points of a run and of those with which it went on.
pub fn all_points(store: &Store, run: &RunId) -> Points {
    let record = store.run(run.as_str()).unwrap();
    let mut all = store.past(&record).series;
    for (name, own) in &record.series {
        all.entry(name.clone()).or_default().extend(own);
    }
    points(&all)
}
