//! Rows changed at random, so that a network sees each of them in many forms.
//!
//! **Open this file first to write a step of your own**: [`Change`] is the trait, and
//! [`Augment::own`] takes a closure. The kinds are in [`image`] and [`series`], one file a kind. Each
//! draws its parameters first and then applies them, by a function that draws nothing.
//!
//! ```text
//! Augment::images().crop(4).flip_horizontal(0.5).rotate(10.0)
//! Augment::series().jitter(0.05).scale(0.1)
//! ```

mod build;
mod custom;
pub mod image;
mod preview;
pub mod series;
mod step;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::array::Numbers;
use trainbook_core::batch::Batch;
use trainbook_core::random::{Draws, Stream};

pub use custom::Custom;
pub use step::{Chance, Step};

use super::DataError;

/// A way to change a row.
pub trait Change {
    /// Whether the settings make sense and fit rows of this shape: `[channels, height, width]` of an
    /// image, `[channels, length]` of a series. Called once, before the first row.
    ///
    /// # Errors
    /// A setting is out of its range, or rows are too small for it.
    fn check(&self, shape: &[usize]) -> Result<(), DataError>;

    /// Changes one row, of the shape that was checked. What it draws belongs to this row and epoch
    /// alone, and the result depends on nothing else. Numbers stay finite.
    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws);
}

/// What rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Images,
    Series,
}

/// How the rows of a training batch are changed, step after step. Validation and test see rows as
/// they are, and targets stay.
///
/// Steps work on the numbers that the network takes, normalised if the data set is. Each says on
/// which scale it makes sense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    of: Of,
    steps: Vec<Chance>,
}

impl Augment {
    /// No steps yet, for images: rows `[channels, height, width]`.
    pub fn images() -> Self {
        Self { of: Of::Images, steps: Vec::new() }
    }

    /// No steps yet, for series: rows `[channels, length]`.
    pub fn series() -> Self {
        Self { of: Of::Series, steps: Vec::new() }
    }

    /// The steps, in the order in which they are applied.
    pub fn steps(&self) -> &[Chance] {
        &self.steps
    }

    /// Whether rows of this shape can be changed so.
    ///
    /// # Errors
    /// Rows are indices, or not what the steps are for, a setting makes no sense, or a step is
    /// missing in this program.
    pub fn check(&self, shape: &[usize], indices: bool) -> Result<(), DataError> {
        let refuse = |reason: String| Err(DataError::Refused { action: "augment", reason });
        if indices {
            return refuse(
                "a row is made of indices, such as characters, and not of numbers".to_owned(),
            );
        }
        let (what, dims, say) = match self.of {
            Of::Images => ("images", 3, "`.image(channels, height, width)`"),
            Of::Series => ("series", 2, "`.series(channels, length)`"),
        };
        if shape.len() != dims || shape.contains(&0) {
            return refuse(format!(
                "the steps are for {what}, and a row has the shape {shape:?}; say what it is by {say}"
            ));
        }
        for Chance { probability, step } in &self.steps {
            within("probability of a step", *probability, 0.0, 1.0)?;
            if step.is_of_series().is_some_and(|series| series != (self.of == Of::Series)) {
                return refuse(format!("the step {step:?} is not for {what}"));
            }
            step.change().check(shape)?;
        }
        Ok(())
    }

    /// Changes the rows of a batch that [`check`](Self::check) allows. The draws of a row are those
    /// of the stream at (epoch, the row's number in the data set): a row looks the same in an epoch
    /// whatever batch it is in, at whatever place, and on any number of threads. Rows that the steps
    /// are not for stay as they are.
    pub fn apply(&self, batch: &mut Batch, stream: &Stream, epoch: u64) {
        self.apply_to_drawn(batch, &[], stream, epoch);
    }

    /// The same for rows that an epoch may see several times: `times` is how often each was seen
    /// before (empty: never), so that it does not look the same again.
    pub(crate) fn apply_to_drawn(
        &self,
        batch: &mut Batch,
        times: &[u32],
        stream: &Stream,
        epoch: u64,
    ) {
        let (Some(shape), Numbers::F32(numbers)) =
            (batch.input.shape.get(1..), &mut batch.input.numbers)
        else {
            return;
        };
        let size: usize = shape.iter().product();
        if size == 0 || shape.len() != if self.of == Of::Images { 3 } else { 2 } {
            return;
        }
        let rows = numbers.par_chunks_exact_mut(size).zip(&batch.samples).enumerate();
        rows.for_each(|(at, (row, &sample))| {
            // No data set has 2⁴⁰ rows.
            let times = times.get(at).copied().map_or(0, u64::from);
            let mut draws = stream.at(epoch, sample as u64 | times << 40);
            for Chance { probability, step } in &self.steps {
                // Draws in [0, 1): a probability of 1 is always, and of 0 never.
                if *probability >= 1.0 || draws.unit() < *probability {
                    step.change().change(row, shape, &mut draws);
                }
            }
        });
    }
}

/// That a setting is a finite number of a range.
fn within(setting: &'static str, value: f64, low: f64, high: f64) -> Result<(), DataError> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    let expected = match high.is_finite() {
        true => format!("a number from {low} to {high}"),
        false => format!("a finite number of at least {low}"),
    };
    Err(DataError::Setting { setting, value: value.to_string(), expected })
}

/// That a range is one: ascending, and within limits.
fn ascending(setting: &'static str, range: [f64; 2], low: f64, high: f64) -> Result<(), DataError> {
    range.into_iter().try_for_each(|end| within(setting, end, low, high))?;
    if range[0] <= range[1] {
        return Ok(());
    }
    Err(DataError::Setting {
        setting,
        value: format!("{range:?}"),
        expected: "two numbers, the smaller one first".to_owned(),
    })
}

/// That a setting is above 0.
fn positive(setting: &'static str, value: f64) -> Result<(), DataError> {
    if value > 0.0 && value <= 1e6 {
        return Ok(());
    }
    Err(DataError::Setting {
        setting,
        value: value.to_string(),
        expected: "a number above 0 and at most 1e6".to_owned(),
    })
}
