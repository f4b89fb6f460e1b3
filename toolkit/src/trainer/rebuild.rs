//! A stored run, made again without the program that made it.

use trainbook_callbacks::{CallbackRecipe, RecordedCallback, StopKind, StopReason};
use trainbook_store::{Metric, Parent, RunState, StoreError};

use super::builder::BeginAt;
use super::checkpoint::{Checkpoint, FINAL};
use super::run::{EpochRow, Run};
use super::{Begins, RunRecipe, TrainerBuilder, record};
use crate::Error;
use crate::data::{DataError, Dataset};
use crate::history::StoredRun;
use crate::metric::Metric as Measured;
use crate::nn::layer::Kinds;

impl StoredRun {
    /// Everything that decided the run.
    ///
    /// # Errors
    /// The run is older than this record, or another version wrote it.
    pub fn recipe(&self) -> Result<RunRecipe, Error> {
        self.recipe_with(&Kinds::standard())
    }

    /// The same for a network with layers of the program's own.
    ///
    /// # Errors
    /// The run is older than this record, or another version wrote it.
    pub fn recipe_with(&self, kinds: &Kinds) -> Result<RunRecipe, Error> {
        let id = &self.summary.id;
        let Some(text) = &self.recipe else {
            return Err(Error::State(format!(
                "run {id} does not say how it was made; it is older than that record, or one of its \
                 layers could not be written"
            )));
        };
        kinds
            .reading(|| serde_json::from_str(text))
            .map_err(|e| Error::State(format!("the recipe of run {id} cannot be read: {e}")))
    }

    /// The run as [`Trainer::fit`](super::Trainer::fit) returned it: its network with the weights that it ended with, on
    /// its data, which are made again. What is evaluated or exported now is not recorded.
    ///
    /// # Errors
    /// The run says nothing of how it was made, or has no final weights; its data are not there any
    /// more or have changed; its network has a layer that this program does not have.
    pub fn load(&self) -> Result<Run, Error> {
        let recipe = self.recipe()?;
        let data = recipe.data.make()?;
        self.load_as(&recipe, &data)
    }

    /// The same on a data set that the program has, for data that came from its memory, or from a
    /// file that has moved; and for a network with layers of the program's own.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_on(&self, data: &Dataset, kinds: &Kinds) -> Result<Run, Error> {
        self.load_as(&self.recipe_with(kinds)?, data)
    }

    fn load_as(&self, recipe: &RunRecipe, data: &Dataset) -> Result<Run, Error> {
        self.expect_data(data)?;
        let checkpoint = Checkpoint::decode(&self.final_state()?)?;
        let mut task = recipe.task_recipe().task()?;
        task.restore(&checkpoint.task.weights)?;
        let takes = recipe.loss.objective().takes();
        let metrics = recipe.metrics.clone().unwrap_or_else(|| record::usual_metrics(takes));
        let summary = &self.summary;
        let (kind, why) = match &summary.state {
            RunState::Stopped { reason } => (StopKind::Requested, reason.clone()),
            other => (StopKind::Completed, other.name().to_owned()),
        };
        Ok(Run {
            writer: None,
            model: task.freeze(),
            data: data.clone(),
            loss: recipe.loss.clone(),
            history: self.epochs(&metrics),
            metrics,
            seed: recipe.seed,
            reason: StopReason::new(kind, why),
            epochs: summary.epochs,
            seconds: summary.seconds.unwrap_or_default(),
            costs: self.callback_costs().map_or_else(Vec::new, |(_, costs)| costs.to_vec()),
        })
    }

    /// A trainer with the run's network, data, settings and callbacks, whose first fit repeats the
    /// run. A run that went on where an earlier fit of its trainer had ended begins there again. Any
    /// setting may still be changed. A callback of the program's own has to be added by
    /// [`with`](TrainerBuilder::with), without which [`build`](TrainerBuilder::build) names it; runs
    /// from before callbacks were recorded give a trainer without any.
    ///
    /// # Errors
    /// As [`load`](Self::load); or the run went on with another that had been interrupted: resuming
    /// that one repeats it.
    pub fn trainer(&self) -> Result<TrainerBuilder, Error> {
        let recipe = self.recipe()?;
        let data = recipe.data.make()?;
        self.trainer_as(recipe, &data)
    }

    /// The same on a data set that the program has, and for a network with layers of the program's
    /// own.
    ///
    /// # Errors
    /// As [`trainer`](Self::trainer).
    pub fn trainer_on(&self, data: &Dataset, kinds: &Kinds) -> Result<TrainerBuilder, Error> {
        self.trainer_as(self.recipe_with(kinds)?, data)
    }

    fn trainer_as(&self, recipe: RunRecipe, data: &Dataset) -> Result<TrainerBuilder, Error> {
        self.expect_data(data)?;
        let id = &self.summary.id;
        if let Some(Parent { run, resumed: true, .. }) = &self.summary.parent {
            return Err(Error::State(format!(
                "run {id} went on with what run {run} had not finished; resume that one to repeat it"
            )));
        }
        let is_later =
            |begins: &Begins| begins.checkpoint.is_some() || begins.batches + begins.epochs > 0;
        let begins = recipe.begins.clone().filter(is_later);
        let Some(begins) = begins else { return Ok(recipe.trainer(data)) };
        let Some(checkpoint) = &begins.checkpoint else {
            return Err(Error::State(format!(
                "run {id} went on from a trainer that had seen {} batches, and its record does not \
                 say where that is kept",
                begins.batches
            )));
        };
        let checkpoint = self.store().get_object(&checkpoint.parse().map_err(StoreError::from)?)?;
        let (state, parent) = (begins.state, self.summary.parent.clone());
        Ok(recipe.trainer(data).begin_at(BeginAt { checkpoint, state, parent }))
    }

    /// What goes on with the run, in its store.
    pub(super) fn builder_on(
        &self,
        data: &Dataset,
        kinds: &Kinds,
    ) -> Result<TrainerBuilder, Error> {
        let mut recipe = self.recipe_with(kinds)?;
        self.expect_data(data)?;
        // What a run may use was for that run: whoever goes on with it wants more.
        let is_budget = |c: &RecordedCallback| matches!(c.recipe, Some(CallbackRecipe::Budget(_)));
        recipe.callbacks.iter_mut().for_each(|callbacks| callbacks.retain(|c| !is_budget(c)));
        let mut builder = recipe.trainer(data).store(self.store());
        if let Some(name) = &self.summary.name {
            builder = builder.name(name);
        }
        let tags = self.summary.tags.iter();
        Ok(tags.fold(builder, |builder, (key, value)| builder.tag(key.clone(), value)))
    }

    /// The bytes of the state that the run ended with.
    pub(super) fn final_state(&self) -> Result<Vec<u8>, Error> {
        let id = &self.summary.id;
        self.first_of(self.checkpoints(|label| label == FINAL))?
            .ok_or_else(|| Error::State(format!("run {id} has no checkpoint `{FINAL}`")))
    }

    fn expect_data(&self, data: &Dataset) -> Result<(), Error> {
        let (expected, found) = (&self.data.hash, data.fingerprint()?.hash);
        if *expected == found {
            return Ok(());
        }
        let reason = format!(
            "{} is not what run {} was trained on: its fingerprint is {}…, and that was {}…",
            data.source(),
            self.summary.id,
            &found[..found.len().min(12)],
            expected.get(..12).unwrap_or(expected)
        );
        Err(DataError::Refused { action: "use", reason }.into())
    }

    /// The rows that the run showed: the metrics that were logged at the end of each epoch.
    fn epochs(&self, metrics: &[Measured]) -> Vec<EpochRow> {
        let Some(steps) = self.series.get("train_loss") else { return Vec::new() };
        let names: Vec<String> = ["train_loss", "val_loss"]
            .into_iter()
            .map(str::to_owned)
            .chain(metrics.iter().map(|metric| format!("val_{}", metric.name())))
            .collect();
        let at = |step: u64| {
            let value = |points: &[(u64, f64)]| points.iter().find(|p| p.0 == step).map(|p| p.1);
            names
                .iter()
                .filter_map(|name| {
                    let value = value(self.series.get(name.as_str())?)?;
                    Some(Metric::new(name.clone(), value))
                })
                .collect()
        };
        // How many were finished at the end of each, over the trainer's life.
        let finished = self.series.get("epoch").map_or(&[][..], Vec::as_slice);
        let row = |(number, (step, _)): (usize, &(u64, f64))| EpochRow {
            epoch: finished.get(number).map_or(number as u64, |(_, epochs)| *epochs as u64 - 1),
            step: *step,
            metrics: at(*step),
        };
        steps.iter().enumerate().map(row).collect()
    }
}
