//! Averages of the weights over the course of training.

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::setting::require;
use crate::{
    AfterUpdate, Callback, CallbackError, CallbackRecipe, CallbackState, Effects, FitEnd, Flow,
    Phase, Reply, Resource, Setup, Snapshot, ValidationEnd, ValidationStart, Weights,
};

/// Keeps an average of the weights beside those that are trained. The average is what validation
/// judges, and so what early stopping goes by and restores, and what the network has when the fit has
/// ended. Training itself goes on with its own weights, and so does whoever loads a checkpoint: one of
/// the best epoch holds the trained weights and the average as this callback's state, which comes to
/// the front when the fit that goes on has ended.
///
/// Running statistics are averaged as weights are: `torch.optim.swa_utils.AveragedModel` with
/// `use_buffers=True`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightAverage {
    #[serde(flatten)]
    kind: Kind,
    /// Of how many applied updates one is averaged.
    every: u64,
    #[serde(skip)]
    track: Track,
    /// The trained weights, while the average is in their place.
    #[serde(skip)]
    aside: Option<Snapshot>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Decay.
    Ema(f64),
    /// The first epoch, from 0.
    Swa(u64),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Track {
    /// How many weights have gone into the average.
    count: u64,
    average: Option<Snapshot>,
}

impl WeightAverage {
    /// An exponential moving average: after each applied update
    /// `decay · average + (1 − decay) · weights`, from the first update's weights on. 0.999 averages
    /// over about the last thousand updates (`get_ema_multi_avg_fn`).
    pub fn ema(decay: f64) -> Self {
        Self::of(Kind::Ema(decay), 1)
    }

    /// Stochastic weight averaging: the plain mean of the weights at the end of each epoch from
    /// number `first_epoch` (counted from 0) on (Izmailov et al. 2018, arXiv:1803.05407). Three
    /// quarters of the fit before it are usual, and a learning rate that stays high behind it.
    pub fn swa(first_epoch: u64) -> Self {
        Self::of(Kind::Swa(first_epoch), 1)
    }

    fn of(kind: Kind, every: u64) -> Self {
        Self { kind, every, track: Track::default(), aside: None }
    }

    /// Takes one of so many: applied updates for [`ema`](Self::ema), epochs for [`swa`](Self::swa).
    /// Default 1.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.every = n;
        self
    }

    /// One more set of weights into the average.
    fn take(&mut self, weights: &dyn Weights) -> Result<(), CallbackError> {
        let Track { count, average } = &mut self.track;
        *count += 1;
        let by = match self.kind {
            Kind::Ema(decay) => (1.0 - decay) as f32,
            Kind::Swa(_) => 1.0 / *count as f32,
        };
        match average {
            None => *average = Some(weights.snapshot()?),
            Some(average) => weights.each(&mut |tensor, values| {
                let pairs = average.0[tensor].iter_mut().zip(values);
                pairs.for_each(|(average, new)| *average += by * (new - *average));
            })?,
        }
        Ok(())
    }
}

impl Callback for WeightAverage {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Change).reads(Resource::Weights).writes(Resource::JudgedWeights)
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        match self.kind {
            Kind::Ema(decay) => vec![("ema_decay", decay.into())],
            Kind::Swa(first_epoch) => vec![("swa_from", first_epoch.into())],
        }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let Self { kind, every, .. } = *self;
        Some(CallbackRecipe::WeightAverage(Self::of(kind, every)))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        const NAME: &str = "WeightAverage";
        require(self.every > 0, NAME, "every", self.every, "at least 1")?;
        match self.kind {
            Kind::Ema(decay) => {
                let ok = (0.0..1.0).contains(&decay);
                require(ok, NAME, "decay", decay, "at least 0 and below 1")
            }
            Kind::Swa(_) => Ok(()),
        }
    }

    fn after_update(&mut self, update: &AfterUpdate<'_>) -> Reply {
        if let Kind::Ema(_) = self.kind
            && update.counters.updates_applied.is_multiple_of(self.every)
        {
            self.take(update.weights)?;
        }
        Ok(Flow::Continue)
    }

    fn validation_start(&mut self, validation: &mut ValidationStart<'_>) -> Reply {
        let epoch = validation.counters.epoch;
        if let Kind::Swa(first) = self.kind
            && validation.ends_epoch
            && epoch >= first
            && (epoch - first).is_multiple_of(self.every)
        {
            self.take(validation.weights)?;
        }
        if let Some(average) = &self.track.average {
            self.aside = Some(validation.weights.snapshot()?);
            validation.weights.restore(average)?;
        }
        Ok(Flow::Continue)
    }

    fn validation_end(&mut self, validation: &mut ValidationEnd<'_>) -> Reply {
        if let Some(trained) = self.aside.take() {
            validation.weights.restore(&trained)?;
        }
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, fit: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        self.aside = None;
        // The next fit goes on from the average, and begins another.
        match std::mem::take(&mut self.track).average {
            Some(average) => fit.restore(&average),
            None => Ok(()),
        }
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("WeightAverage", &self.track)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.track = state.get("WeightAverage")?;
        self.aside = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, setup_error};
    use crate::{EarlyStopping, Stack};

    /// Weights 1, 2, 3, … after each update, three updates an epoch.
    fn averages(average: WeightAverage, epochs: u64) -> (Vec<f32>, f32) {
        let mut fake = Fake::with(average);
        fake.fit(epochs);
        (fake.seen.judged, fake.weights.0)
    }

    #[test]
    fn averages_are_those_of_pytorch() {
        // torch.optim.swa_utils.AveragedModel over one parameter that is 1, 2, 3, …:
        // get_ema_multi_avg_fn(0.9) after 3 and 6 updates, the default average at 3, 6, 9.
        let (judged, last) = averages(WeightAverage::ema(0.9), 2);
        assert_eq!(judged, [1.29, 2.314_41]);
        assert_eq!(last, judged[1]);
        let (judged, last) = averages(WeightAverage::swa(1), 4);
        assert_eq!(judged, [3.0, 6.0, 7.5, 9.0]);
        assert_eq!(last, 9.0);
        // What is judged in the middle of an epoch is the average so far.
        let mut fake = Fake::with(WeightAverage::swa(1));
        fake.validate_every = Some(1);
        fake.fit(4);
        assert_eq!((fake.seen.judged, fake.weights.0), (judged, last));
        // None in the first two epochs, whose weights are 1, 2; 4, 5.
        assert_eq!(fake.seen.judged_between, [1.0, 2.0, 4.0, 5.0, 6.0, 6.0, 7.5, 7.5]);
        let (judged, _) = averages(WeightAverage::swa(0).every(2), 4);
        assert_eq!(judged, [3.0, 3.0, 6.0, 6.0]);
        // At the ends of epochs 2 and 5, whose weights are 6 and 15.
        let (judged, _) = averages(WeightAverage::swa(1).every(3), 5);
        assert_eq!(judged, [3.0, 6.0, 6.0, 6.0, 10.5]);
        let (judged, _) = averages(WeightAverage::ema(0.5).every(2), 2);
        assert_eq!(judged, [2.0, 4.5]);
    }

    #[test]
    fn training_goes_on_with_its_own_weights() {
        let mut fake = Fake::with(WeightAverage::ema(0.9));
        fake.fit_start(2).unwrap();
        fake.epoch().unwrap();
        assert_eq!(fake.weights.0, 3.0);
        fake.epoch().unwrap();
        assert_eq!(fake.weights.0, 6.0);
    }

    #[test]
    fn the_best_average_is_restored_and_averages_go_back_in_order() {
        let mut stack = Stack::new();
        stack.push(EarlyStopping::on("val_loss").patience(9).restore_best());
        stack.push(WeightAverage::ema(0.9));
        assert!(stack.plan(&["val_loss".into()], false).is_ok());
        let mut fake = Fake::new(stack);
        fake.metrics = Box::new(|epoch| vec![("val_loss", [2.0, 1.0, 3.0][epoch as usize])]);
        fake.fit(3);
        assert_eq!(fake.weights.0, fake.seen.judged[1], "the second epoch was the best");

        let mut stack = Stack::new();
        stack.push(vec![WeightAverage::ema(0.9), WeightAverage::ema(0.5)]);
        let mut fake = Fake::new(stack);
        fake.fit_start(2).unwrap();
        fake.epoch().unwrap();
        assert_eq!(fake.weights.0, 3.0);

        let mut two = Stack::new();
        two.push(WeightAverage::ema(0.9));
        two.push(WeightAverage::swa(1));
        let error = two.plan(&[], false).unwrap_err().to_string();
        assert!(error.contains("both write the judged weights"), "{error}");
    }

    #[test]
    fn senseless_settings_are_refused() {
        assert_eq!(
            setup_error(WeightAverage::ema(1.0)),
            "set up WeightAverage: decay is 1, and must be at least 0 and below 1"
        );
        assert!(setup_error(WeightAverage::swa(0).every(0)).contains("every is 0"));
    }
}
