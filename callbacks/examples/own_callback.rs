//! The callback that the book's page "Write your own" builds; every block of it is text of that page.
//!
//! `cargo run -p trainbook-callbacks --example own_callback`

use serde::{Deserialize, Serialize};
use trainbook_callbacks::{
    Callback, CallbackError, CallbackState, Closure, Effects, EpochEnd, Flow, GradientView, Phase,
    Reply, Resource, Setup, on_raw_gradients,
};
use trainbook_store::Value;

// A closure.

/// Leaves out the update of every step whose gradient norm is above `limit`.
pub fn fixed_limit(limit: f64) -> Closure<'static> {
    on_raw_gradients(move |step| {
        let norm = step.gradients.global_norm()?;
        Ok(if norm > limit { Flow::SkipUpdate } else { Flow::Continue })
    })
    .named("fixed_limit")
    .reads(Resource::Gradients)
    .writes(Resource::Stop)
    .in_phase(Phase::Guard)
}

// The idea, by itself.

/// The mean of the gradient norms so far, where the newer ones count more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UsualNorm {
    mean: f64,
    seen: u64,
}

impl UsualNorm {
    /// Takes in the `norm` of a step: `mean += (norm − mean) / min(seen, 50)`. Says whether it is a
    /// spike, above `factor` times the mean, which is then left as it was. The first ten are none.
    pub fn is_spike(&mut self, norm: f64, factor: f64) -> bool {
        let spike = self.seen >= 10 && norm > factor * self.mean;
        if norm.is_finite() && !spike {
            self.seen += 1;
            self.mean += (norm - self.mean) / self.seen.min(50) as f64;
        }
        spike
    }
}

// The callback around it.

/// Leaves out the update of every step whose gradient norm is above `factor` times the usual one.
///
/// Logs `spikes`, over the trainer's life, at the end of every epoch. Costs one gradient norm a step.
pub struct SpikeGuard {
    factor: f64,
    state: SpikeState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct SpikeState {
    usual: UsualNorm,
    spikes: u64,
}

impl SpikeGuard {
    /// Above 1; 4 is a careful choice.
    pub fn above(factor: f64) -> Self {
        Self { factor, state: SpikeState::default() }
    }
}

impl Callback for SpikeGuard {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Guard)
            .reads(Resource::Gradients)
            .writes(Resource::Stop)
            .writes(Resource::metric("spikes"))
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        vec![("spike_factor", self.factor.into())]
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        if self.factor > 1.0 {
            return Ok(());
        }
        Err(CallbackError::Setting {
            callback: "SpikeGuard",
            setting: "factor",
            value: self.factor.to_string(),
            expected: "more than 1",
        })
    }

    fn raw_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        let norm = step.gradients.global_norm()?;
        let spike = self.state.usual.is_spike(norm, self.factor);
        self.state.spikes += u64::from(spike);
        Ok(if spike { Flow::SkipUpdate } else { Flow::Continue })
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        epoch.log.push("spikes", self.state.spikes as f64);
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("SpikeGuard", &self.state)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.state = state.get("SpikeGuard")?;
        Ok(())
    }
}

// Its law.

/// What is loaded is what was saved, to the byte.
pub fn keeps_its_state(guard: &SpikeGuard) -> Result<bool, CallbackError> {
    let mut again = SpikeGuard::above(guard.factor);
    again.load(&guard.save()?)?;
    Ok(again.save()? == guard.save()?)
}

// The end of the page's blocks.

fn main() -> Result<(), CallbackError> {
    let mut guard = SpikeGuard::above(4.0);
    for (step, norm) in [1.0; 12].into_iter().chain([9.0, 1.1]).enumerate() {
        if guard.state.usual.is_spike(norm, guard.factor) {
            println!("step {}: a norm of {norm} is a spike", step + 1);
        }
    }
    println!("keeps its state: {}", keeps_its_state(&guard)?);
    println!("{} and {}", fixed_limit(10.0).name(), guard.name());
    Ok(())
}
