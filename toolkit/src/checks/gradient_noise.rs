//! How noisy gradients are, and what that says of the batch size.

use std::fmt;

use serde::Serialize;

use super::heed;
use crate::Error;
use crate::data::{DataError, Part};
use crate::interval::student;
use crate::random::Stream;
use crate::task::{Precision, Recipe, Task, TaskState};
use crate::trainer::{Interrupt, Trainer};

const NAME: &str = "measure the gradient noise";
/// How many batches are looked at, at most and at least.
const BATCHES: usize = 64;
const FEWEST: usize = 8;

/// What [`Trainer::gradient_noise`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientNoise {
    /// How many batches were looked at, and how many rows each had.
    pub batches: (usize, usize),
    /// The square of the norm of the whole gradient, `|G|²`, without what noise adds to it.
    pub signal: f64,
    /// The variance of one row's gradient, summed over all weights, `tr Σ`.
    pub noise: f64,
    /// The simple noise scale `tr Σ / |G|²`, in rows; infinite where noise drowns the gradient.
    pub scale: f64,
    /// Its interval of 95 %, by the jackknife over the batches.
    pub interval: (f64, f64),
    /// The trainer's own rows of an update.
    pub own: usize,
}

impl Trainer {
    /// Measures the simple gradient noise scale of the network as it is now (McCandlish et al., "An
    /// Empirical Model of Large-Batch Training", 2018, arXiv:1812.06162, appendix A.1): the number of rows
    /// of which the mean gradient is as large as its noise. With `B` rows an update, training takes
    /// about `1 + scale / B` times the fewest possible updates, and `1 + B / scale` times the fewest
    /// possible rows: far below the scale, twice the rows take nearly half the updates; far above, they
    /// are wasted. It grows as the loss falls, so it is worth another look in the middle of training.
    ///
    /// On a copy, in f32: gradients of up to 64 batches of the training part, drawn at random, no row
    /// twice, each computed twice. The trainer is unchanged, which is asserted by hash; Ctrl-C ends it.
    ///
    /// # Errors
    /// The training part has fewer than 8 batches, a gradient is not finite, or the network cannot be
    /// computed.
    pub fn gradient_noise(&self) -> Result<GradientNoise, Error> {
        let before = self.state_hash()?;
        let mut order = self.data.counting(Part::Train).into_owned();
        Stream::new(self.seed(), "gradient_noise").at(0, 0).shuffle(&mut order);
        let rows = self.feed.batch_size;
        let batches: Vec<&[usize]> = order.chunks_exact(rows).take(BATCHES).collect();
        let count = batches.len();
        if count < FEWEST {
            let reason = format!(
                "the training part has {count} whole batches of {rows} rows; it takes {FEWEST}, so \
                 use smaller ones"
            );
            return Err(DataError::Refused { action: NAME, reason }.into());
        }
        let mut task = Recipe { precision: Precision::F32, ..self.recipe.clone() }.task()?;
        task.load_state(&TaskState { loss_scale: None, ..self.task.state()? })?;
        let interrupt = Interrupt::new();
        let mut sum: Vec<f64> = Vec::new();
        let mut squares = Vec::with_capacity(count);
        for batch in &batches {
            heed(&interrupt, NAME)?;
            let gradient = self.gradient_of(&mut *task, batch)?;
            sum.resize(gradient.len(), 0.0);
            sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += f64::from(*g));
            squares.push(gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>());
        }
        // Gradients are computed again instead of kept: all of them may be more than fits.
        let mut products = Vec::with_capacity(count);
        for batch in &batches {
            heed(&interrupt, NAME)?;
            let gradient = self.gradient_of(&mut *task, batch)?;
            products.push(sum.iter().zip(&gradient).map(|(sum, g)| sum * f64::from(*g)).sum());
        }
        let whole = sum.iter().map(|sum| sum.powi(2)).sum();
        self.is_still(before, NAME)?;
        if squares.iter().all(|square| *square == 0.0) {
            let reason = "all gradients are 0; `overfit_check` looks for the reason".to_owned();
            return Err(Error::Diagnostic { diagnostic: NAME, reason });
        }
        let own = rows * self.accumulate;
        Ok(GradientNoise::of(rows, own, whole, &squares, &products))
    }

    /// The gradient of the mean loss of these rows, unmixed.
    fn gradient_of(&self, task: &mut dyn Task, rows: &[usize]) -> Result<Vec<f32>, Error> {
        task.forward_backward(&self.data.batch(rows)?)?;
        let mut gradient = Vec::new();
        task.edit(&mut |_, values| gradient.extend_from_slice(values))?;
        task.clear_gradients()?;
        if gradient.iter().all(|g| g.is_finite()) {
            return Ok(gradient);
        }
        let reason = "a gradient is not finite; `NanGuard` names the layer".to_owned();
        Err(Error::Diagnostic { diagnostic: NAME, reason })
    }
}

/// Signal and noise from the sum of the gradients of so many batches, squared, and the sum of their
/// squares.
fn estimates(count: f64, rows: f64, whole: f64, squares: f64) -> (f64, f64) {
    let (large, small) = (whole / count.powi(2), squares / count);
    let signal = (count * large - small) / (count - 1.0);
    let noise = (small - large) * rows * count / (count - 1.0);
    (signal, noise)
}

impl GradientNoise {
    /// Of the squared norm of the gradients' sum, that of each, and the product of each with the sum.
    fn of(rows: usize, own: usize, whole: f64, squares: &[f64], products: &[f64]) -> Self {
        let (count, size) = (squares.len() as f64, rows as f64);
        let all: f64 = squares.iter().sum();
        let (signal, noise) = estimates(count, size, whole, all);
        // Of signal by noise, which is finite where the scale is not.
        let without: Vec<f64> = squares
            .iter()
            .zip(products)
            .map(|(square, product)| {
                let whole = whole - 2.0 * product + square;
                let (signal, noise) = estimates(count - 1.0, size, whole, all - square);
                signal / noise
            })
            .collect();
        let mean = without.iter().sum::<f64>() / count;
        let squared: f64 = without.iter().map(|ratio| (ratio - mean).powi(2)).sum();
        let deviation = ((count - 1.0) / count * squared).sqrt();
        let t = student(count);
        let scale = |ratio: f64| if ratio > 0.0 { 1.0 / ratio } else { f64::INFINITY };
        let ratio = signal / noise;
        Self {
            batches: (squares.len(), rows),
            signal,
            noise,
            scale: scale(ratio),
            interval: (scale(ratio + t * deviation), scale(ratio - t * deviation)),
            own,
        }
    }
}

impl fmt::Display for GradientNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches: (count, rows), scale, interval: (low, high), own, .. } = self;
        let shown = |rows: f64| {
            if rows.is_finite() { format!("{rows:.0}") } else { "without end".to_owned() }
        };
        write!(
            f,
            "gradient noise scale {} rows (95 %: {} to {}), from {count} batches of {rows}: ",
            shown(*scale),
            shown(*low),
            shown(*high)
        )?;
        let own = *own as f64;
        if own < low / 2.0 {
            write!(
                f,
                "updates of {own} rows are far below it; twice the rows take nearly half the updates"
            )
        } else if own > high * 2.0 {
            write!(f, "updates of {own} rows are far above it; fewer rows learn nearly as much")
        } else {
            write!(
                f,
                "updates of {own} rows are near it, where updates and rows are both used well"
            )
        }
    }
}

trainbook_core::shown_as_text!(GradientNoise);
