//! How activations stand: units that give nothing, and outputs where nothing passes back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::number::short;
use crate::{
    Activity, Callback, CallbackError, CallbackRecipe, CallbackState, Effects, EpochEnd, FitStart,
    Flow, GradientView, Phase, Reply, Resource,
};

const MEAN: Name = Name::new_static("activation_mean");
const STD: Name = Name::new_static("activation_std");
const FLAT: Name = Name::new_static("flat_share");
const DEAD: Name = Name::new_static("dead_units");

/// A share of dead units from which on a layer is warned of, as in the trainer's `init_report`.
const MANY_DEAD: f64 = 0.25;
/// A mean share of saturated elements from which on a layer is warned of.
const SATURATED: f64 = 0.5;
/// What is 0 for half of what it sees does what it is there for; of it only dead units are warned of.
const RECTIFIER: &str = "Relu";

/// Looks at the outputs of activations that are flat somewhere (ReLU, tanh, sigmoid), by computing the
/// forward pass of a step again. Logs, for each such layer, in steps
///
/// - `activation_mean/<layer>` and `activation_std/<layer>`, mean and standard deviation of the output,
/// - `flat_share/<layer>`, the share of elements where it is flat: a ReLU at 0, a tanh within 0.03 of
///   −1 or 1, a sigmoid within 0.015 of 0 or 1. There less than 6 % of the largest slope is left,
///
/// and at the end of every epoch `dead_units/<layer>`: the share of units that were flat for every
/// sample that was looked at: those of the step's last batch, where several are gathered for one. No gradient reaches the weights of such a unit of a ReLU,
/// so that it may stay as it is for ever.
///
/// At the end of an epoch it warns, once in a fit of each layer, of a quarter or more dead units; and of
/// a tanh or sigmoid that was flat for half of all elements, the mean over the epoch.
///
/// Costs about a forward pass and a copy of the weights in each step that it is shown, so use it
/// as `every(50, ActivationMonitor::new())`. A unit that fires for few samples needs many to be seen to
/// live: a quarter of the units dead after three steps says less than after thirty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ActivationMonitor {
    #[serde(skip)]
    track: Track,
}

/// What was seen in a fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Track {
    /// Of the epoch, by the layer's place.
    epoch: BTreeMap<String, Seen>,
    /// Of which layers it has been warned.
    warned: BTreeSet<String>,
}

/// What was seen of a layer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    kind: String,
    steps: u64,
    flat: f64,
    silent: Vec<bool>,
}

impl Seen {
    fn add(&mut self, activity: &Activity) {
        if self.steps == 0 || self.silent.len() != activity.silent.len() {
            self.silent = activity.silent.clone();
        }
        self.kind.clone_from(&activity.kind);
        self.steps += 1;
        self.flat += activity.flat;
        self.silent.iter_mut().zip(&activity.silent).for_each(|(all, now)| *all &= now);
    }

    fn dead(&self) -> usize {
        self.silent.iter().filter(|silent| **silent).count()
    }

    fn dead_share(&self) -> f64 {
        self.dead() as f64 / self.silent.len().max(1) as f64
    }

    /// What is wrong with it.
    fn verdict(&self, layer: &str, epoch: u64) -> Option<String> {
        let Self { kind, steps, silent, .. } = self;
        let flat = self.flat / *steps as f64;
        let steps = match steps {
            1 => format!("the one step that was looked at in epoch {epoch}"),
            steps => format!("all {steps} steps that were looked at in epoch {epoch}"),
        };
        if self.dead_share() >= MANY_DEAD {
            return Some(format!(
                "{} of {} units of {layer} ({kind}) were dead in {steps}: flat for every sample, so that \
                 next to no gradient reaches their weights; a lower learning rate, normalisation in \
                 front, or an activation that is flat nowhere, such as LeakyRelu, keeps units alive",
                self.dead(),
                silent.len()
            ));
        }
        (kind != RECTIFIER && flat >= SATURATED).then(|| {
            format!(
                "{layer} ({kind}) is saturated: {} of its elements in {steps} were where it is flat and \
                 next to no gradient passes; smaller weights in front of it or normalisation cure that",
                short(flat)
            )
        })
    }
}

impl ActivationMonitor {
    /// Looks at every step that it is shown.
    pub fn new() -> Self {
        Self::default()
    }
}

fn under(prefix: &Name, layer: &str) -> Name {
    Name::from(format!("{prefix}/{layer}"))
}

impl Callback for ActivationMonitor {
    fn effects(&self) -> Effects {
        [MEAN, STD, FLAT]
            .into_iter()
            .map(Resource::StepMetricsUnder)
            .fold(Effects::in_phase(Phase::Observe), Effects::writes)
            .writes(Resource::MetricsUnder(DEAD))
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::ActivationMonitor(Self::new()))
    }

    fn fit_start(&mut self, _: &FitStart<'_>) -> Reply {
        self.track = Track::default();
        Ok(Flow::Continue)
    }

    fn raw_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        for activity in step.replay.activity()? {
            let layer = activity.layer.as_str();
            step.log.push(under(&MEAN, layer), activity.mean);
            step.log.push(under(&STD, layer), activity.std);
            step.log.push(under(&FLAT, layer), activity.flat);
            self.track.epoch.entry(layer.to_owned()).or_default().add(&activity);
        }
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let Track { epoch: seen, warned } = &mut self.track;
        for (layer, seen) in std::mem::take(seen) {
            epoch.log.push(under(&DEAD, &layer), seen.dead_share());
            if let Some(verdict) = seen.verdict(&layer, epoch.counters.epoch + 1)
                && warned.insert(layer)
            {
                epoch.log.warn(verdict);
            }
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("ActivationMonitor", &self.track)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.track = state.get("ActivationMonitor")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::every;
    use crate::fake::Fake;

    fn activity(layer: &str, kind: &str, flat: f64, silent: &[bool]) -> Activity {
        Activity {
            layer: layer.to_owned(),
            kind: kind.to_owned(),
            mean: 0.5,
            std: 0.25,
            flat,
            silent: silent.to_vec(),
        }
    }

    /// Unit 0 is dead, unit 1 lives in every third step alone, from the second epoch on in none.
    fn watched(callback: impl Callback + 'static) -> Fake {
        let mut fake = Fake::with(callback).batches(6);
        fake.activity = Box::new(|step| {
            let lives = step % 3 == 0 && step <= 6;
            vec![
                activity("1", "Relu", 0.7, &[true, !lives, false, false, false]),
                activity("3", "Tanh", if step > 6 { 0.6 } else { 0.4 }, &[false; 2]),
                activity("body.0", "Relu", 0.9, &[false; 3]),
            ]
        });
        fake
    }

    fn values(fake: &Fake, name: &str) -> Vec<f64> {
        let logs = fake.seen.step_logs.iter().chain(&fake.seen.epoch_logs).flatten();
        logs.filter(|m| m.name == name).map(|m| m.value).collect()
    }

    #[test]
    fn units_are_dead_if_no_step_of_an_epoch_sees_them_live() {
        let mut fake = watched(ActivationMonitor::new());
        fake.fit(2);
        assert_eq!(values(&fake, "activation_mean/1"), [0.5; 12]);
        assert_eq!(values(&fake, "activation_std/body.0"), [0.25; 12]);
        assert_eq!(values(&fake, "flat_share/1"), [0.7; 12]);
        assert_eq!(values(&fake, "dead_units/1"), [0.2, 0.4]);
        assert_eq!(values(&fake, "dead_units/3"), [0.0, 0.0]);
        let [dead, saturated] = fake.seen.warnings.as_slice() else {
            panic!("{:?}", fake.seen.warnings)
        };
        assert!(
            dead.contains("2 of 5 units of 1 (Relu)") && dead.contains("all 6 steps"),
            "{dead}"
        );
        assert!(saturated.contains("3 (Tanh)") && saturated.contains("0.6000"), "{saturated}");
    }

    #[test]
    fn it_is_said_once_and_of_the_steps_that_were_looked_at() {
        let mut fake = watched(every(4, ActivationMonitor::new()));
        fake.fit(4);
        assert_eq!(values(&fake, "flat_share/3").len(), 6);
        // Steps 1 and 5 miss the ones in which unit 1 lives.
        assert_eq!(values(&fake, "dead_units/1"), [0.4, 0.4, 0.4, 0.4]);
        assert_eq!(fake.seen.warnings.len(), 2, "{:?}", fake.seen.warnings);
        assert!(fake.seen.warnings[0].contains("epoch 1"), "{:?}", fake.seen.warnings);
        assert!(fake.seen.warnings[1].contains("3 (Tanh)"), "{:?}", fake.seen.warnings);
    }

    #[test]
    fn a_layer_of_another_width_is_counted_anew() {
        let mut seen = Seen::default();
        seen.add(&activity("1", "Relu", 0.0, &[true, false]));
        seen.add(&activity("1", "Relu", 0.0, &[true, true]));
        assert_eq!(seen.dead(), 1);
        seen.add(&activity("1", "Relu", 0.0, &[true, true, true]));
        assert_eq!((seen.dead(), seen.steps), (3, 3));
    }
}
