//! What the simplest things that could work come to, and by how much a run beats them: the
//! playbook's baseline. `simple.rs` has the networks, `blind.rs` the best constant, `margin.rs` the
//! comparison.

pub(super) mod blind;
mod margin;
mod simple;

use std::fmt;

use serde::Serialize;
use trainbook_callbacks::{Direction, LrSchedule};
use trainbook_store::{
    EndState, Metric as Logged, Name, RunEnd, RunEvent, RunStart, RunSummary, Store, Value,
};

use crate::Error;
use crate::data::{Dataset, Part};
use crate::display::Bundle;
use crate::display::table::{Align, Table};
use crate::interval::MeanInterval;
use crate::task::Loss;
use crate::trainer::{Epochs, Evaluation, Length, Steps, Trainer, environment, name_of_now};

pub use margin::{Margin, Margins};

const NAME: &str = "train baselines";
/// The tags of a baseline's run: the data and the loss that it is the baseline of, which it is, and
/// what is the same for all of one call.
const OF: &str = "baseline_of";
const LOSS: &str = "baseline_loss";
const WHICH: &str = "baseline";
const CALL: &str = "baseline_call";
/// The highest rate of the one-cycle schedule by which the simple networks are trained, by AdamW.
const RATE: f64 = 3e-3;

/// How long [`Trainer::baselines`] trains, and how often. [`Epochs`] and [`Steps`] are one, with the
/// other options at their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaselineCheck {
    length: Length,
    seeds: u64,
}

impl BaselineCheck {
    /// For so long each.
    pub fn over(length: impl Into<Length>) -> Self {
        Self { length: length.into(), seeds: 3 }
    }

    /// From so many seeds, the trainer's own and those that follow on it. Default: 3.
    #[must_use]
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }
}

impl From<Epochs> for BaselineCheck {
    fn from(epochs: Epochs) -> Self {
        Self::over(epochs)
    }
}

impl From<Steps> for BaselineCheck {
    fn from(steps: Steps) -> Self {
        Self::over(steps)
    }
}

/// What the simplest things that could work come to on the validation part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baselines {
    /// The simplest first.
    pub all: Vec<Baseline>,
    /// Those that make no sense for this network, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// `constant`, `zero_input`, `linear` or `mlp`.
    pub name: String,
    /// Loss and metrics of the validation part, as they are logged: `val_loss`, ….
    pub scores: Vec<BaselineScore>,
}

/// A number over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaselineScore {
    /// Its name: `val_loss`, `val_accuracy`.
    pub metric: String,
    /// When it is better.
    pub direction: Direction,
    /// What it is for each seed; what is not drawn has one.
    pub seeds: Vec<f64>,
    /// The mean over the seeds, with its interval.
    pub interval: MeanInterval,
}

impl Trainer {
    /// Trains what is simpler than this network on the same data, from several seeds each, and
    /// judges it on the validation part. With a store each is a run with the tags `baseline` (which),
    /// `baseline_of` (the fingerprint of the data), `baseline_loss` and `baseline_call`;
    /// [`Run::against_baselines`] compares a run of the same data and loss with those of the newest
    /// call, in this program or another.
    ///
    /// - `constant`: the best that can be said without looking: the classes' shares in the training
    ///   part, of values their mean (their median under the mean absolute error). It is not trained.
    /// - `zero_input`: this network, from its seed's weights and trained as this trainer trains it, on
    ///   inputs that are all 0. A network that does no better makes nothing of its inputs.
    /// - `linear`: logistic or linear regression; of indices, one weight for each index and output.
    /// - `mlp`: one hidden layer of 64 ReLUs in front of the same.
    ///
    /// All are trained at a one-cycle rate: the last two by AdamW up to 3e-3, the trainer's network by
    /// its optimiser up to its learning rate or the highest of its schedule. Callbacks, augmentation and
    /// mixing take no part. The trainer is unchanged, which is asserted by hash.
    ///
    /// [`Run::against_baselines`]: crate::trainer::Run::against_baselines
    ///
    /// # Errors
    /// There is no validation part; a fit fails or is interrupted. What was trained up to there is
    /// recorded.
    pub fn baselines(&self, check: impl Into<BaselineCheck>) -> Result<Baselines, Error> {
        let BaselineCheck { length, seeds } = check.into();
        let refuse =
            |reason: &str| Err(Error::Diagnostic { diagnostic: NAME, reason: reason.to_owned() });
        if self.data.part(Part::Validation).is_empty() {
            return refuse("there is no validation part to judge them on; split the data first");
        }
        if seeds == 0 {
            return refuse("from no seed there is nothing to train");
        }
        let before = self.state_hash()?;
        let tags = self.baseline_tags()?;
        let mut scores = vec![("constant".to_owned(), vec![self.constant(&tags)?])];
        let mut left_out = Vec::new();
        for simple in simple::all(self) {
            let network = match simple.network {
                Ok(network) => network,
                Err(reason) => {
                    left_out.push((simple.name.to_owned(), reason));
                    continue;
                }
            };
            let mut of_seeds = Vec::new();
            for number in 0..seeds {
                let mut builder = Trainer::classifier(&simple.data, network.clone())
                    .loss(self.recipe.loss.clone())
                    .measured_by(self.metrics.clone())
                    .batch_size(self.feed.batch_size)
                    .seed(self.seed().0.wrapping_add(number))
                    .name(format!("baseline {}", simple.name))
                    .device(self.recipe.device)
                    .accumulate(self.accumulate)
                    .tag(WHICH, simple.name)
                    .quiet();
                for (tag, value) in &tags {
                    builder = builder.tag(*tag, value);
                }
                builder = match simple.is_own {
                    true => builder
                        .optimizer(self.recipe.optimizer)
                        .parameter_groups(self.recipe.groups.clone())
                        .init(self.recipe.init)
                        .precision(self.recipe.precision)
                        .loss_scale(self.recipe.loss_scale)
                        .with(LrSchedule::one_cycle(self.highest_rate())),
                    false => builder.with(LrSchedule::one_cycle(RATE)),
                };
                if let Some(store) = &self.store {
                    builder = builder.store(store);
                }
                let run = builder.build()?.fit(length)?.uninterrupted(NAME)?;
                of_seeds.push(run.evaluate(Part::Validation)?.logged());
            }
            scores.push((simple.name.to_owned(), of_seeds));
        }
        self.is_still(before, NAME)?;
        let direction = |metric: &str| {
            let known = self.epoch_metrics.iter().find(|known| known.name == metric);
            known.map_or(Direction::Minimize, |known| known.direction)
        };
        let of = |(name, seeds)| Baseline::of(name, seeds, direction);
        Ok(Baselines { all: scores.into_iter().map(of).collect(), left_out })
    }

    /// What the runs of one call have in common.
    fn baseline_tags(&self) -> Result<[(&'static str, String); 3], Error> {
        let call = name_of_now(NAME);
        let (of, loss) = (self.data.fingerprint()?.hash, self.recipe.loss.to_string());
        Ok([(OF, of), (LOSS, loss), (CALL, call)])
    }

    /// What the best constant comes to, recorded as a run if there is a store.
    fn constant(&self, tags: &[(&'static str, String)]) -> Result<Vec<Logged>, Error> {
        let shape = &self.task.model().planned().root.output.shape;
        let constant = blind::constant(&self.data, &self.recipe.loss, shape)?;
        let scores = Evaluation::of_outputs(
            &|input| Ok(blind::repeat(&constant, input.rows(), shape)),
            shape,
            &self.recipe.loss,
            &self.metrics,
            &self.data,
            Part::Validation,
            |_| {},
        )?
        .logged();
        if let Some(store) = &self.store {
            let tags = tags.iter().map(|(tag, value)| (*tag, value.clone()));
            let tags = tags.chain([(WHICH, "constant".to_owned())]);
            let run = store.start_run(RunStart {
                name: Some("baseline constant".to_owned()),
                params: [("loss".into(), Value::from(self.recipe.loss.name()))].into(),
                tags: tags.map(|(tag, value)| (Name::from(tag), value)).collect(),
                seed: self.seed().0,
                model: "a constant".to_owned(),
                data: self.data.fingerprint()?,
                environment: environment(),
                ..RunStart::default()
            })?;
            let part = Part::Validation.to_string();
            run.event(RunEvent::Evaluation { part, metrics: scores.clone() });
            run.finish(RunEnd::new(EndState::Finished, 0, 0))?;
        }
        Ok(scores)
    }
}

impl Baseline {
    fn of(name: String, seeds: Vec<Vec<Logged>>, direction: impl Fn(&str) -> Direction) -> Self {
        let mut scores: Vec<BaselineScore> = Vec::new();
        for Logged { name, value } in seeds.into_iter().flatten() {
            match scores.iter_mut().find(|score| score.metric == name.as_str()) {
                Some(score) => score.seeds.push(value),
                None => scores.push(BaselineScore {
                    direction: direction(&name),
                    metric: name.to_string(),
                    seeds: vec![value],
                    interval: MeanInterval::of(&[value]),
                }),
            }
        }
        scores.iter_mut().for_each(|score| score.interval = MeanInterval::of(&score.seeds));
        Self { name, scores }
    }
}

impl Baselines {
    /// Those that a store holds of this data and loss, of the newest call of
    /// [`Trainer::baselines`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn stored(
        store: &Store,
        data: &Dataset,
        loss: &Loss,
        direction: impl Fn(&str) -> Direction,
    ) -> Result<Self, Error> {
        let of = data.fingerprint()?.hash;
        let loss = loss.to_string();
        let is_one = |run: &RunSummary| {
            let has = |tag: &str, value: &String| run.tags.get(tag) == Some(value);
            has(OF, &of) && has(LOSS, &loss) && run.tags.contains_key(WHICH)
        };
        // Newest first.
        let mut runs: Vec<RunSummary> = store.runs()?.into_iter().filter(is_one).collect();
        let call = runs.first().and_then(|run| run.tags.get(CALL).cloned());
        runs.retain(|run| run.tags.get(CALL) == call.as_ref());
        let mut all: Vec<(String, Vec<Vec<Logged>>)> = Vec::new();
        for run in &runs {
            let mut scores: Vec<Logged> = run
                .metrics
                .iter()
                .filter(|(name, _)| name.starts_with("val_"))
                .map(|(name, values)| Logged::new(name.clone(), values.last))
                .collect();
            // The loss stands in front, as it is measured.
            scores.sort_by_key(|score| score.name != "val_loss");
            // A run that is not over has none, or not its last.
            if scores.is_empty() || run.state.name() != "finished" {
                continue;
            }
            let which = &run.tags[WHICH];
            match all.iter_mut().find(|(name, _)| name == which) {
                Some((_, seeds)) => seeds.push(scores),
                None => all.push((which.clone(), vec![scores])),
            }
        }
        let order = |name: &str| simple::NAMES.iter().position(|known| *known == name);
        all.sort_by_key(|(name, _)| order(name));
        let all = all.into_iter().map(|(name, seeds)| Baseline::of(name, seeds, &direction));
        Ok(Self { all: all.collect(), left_out: Vec::new() })
    }

    /// One of them, by its name.
    pub fn get(&self, name: &str) -> Option<&Baseline> {
        self.all.iter().find(|baseline| baseline.name == name)
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("baseline", Align::Left),
            ("metric", Align::Left),
            ("mean", Align::Right),
            ("95 %", Align::Left),
            ("seeds", Align::Right),
        ]);
        for baseline in &self.all {
            for (at, score) in baseline.scores.iter().enumerate() {
                table.rows.push(vec![
                    if at == 0 { baseline.name.clone() } else { String::new() },
                    score.metric.clone(),
                    format!("{:.4}", score.interval.mean),
                    margin::half(score.interval.half),
                    score.seeds.len().to_string(),
                ]);
            }
        }
        table
    }

    /// As a notebook shows it.
    pub fn view(&self) -> Bundle {
        Bundle { html: self.table().html(), text: self.to_string() }
    }

    /// Shows it as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl BaselineScore {
    /// Whether the metric is better where it is larger.
    pub fn is_larger_better(&self) -> bool {
        self.direction == Direction::Maximize
    }
}

impl fmt::Display for Baselines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table().text().trim_end())?;
        self.left_out.iter().try_for_each(|(name, why)| write!(f, "\nwithout {name}: {why}"))
    }
}
