//! Features on a common scale.

use serde::{Deserialize, Serialize};

use crate::DataError;

/// How features are to be brought to a common scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// Features stay as they are.
    None,
    /// See [`Normalize::divide_by`].
    DivideBy(f32),
    /// See [`Normalize::standard`].
    Standard,
}

impl Normalize {
    /// Every feature is multiplied by `1 / divisor`, for data with a known range such as pixels.
    pub fn divide_by(divisor: f32) -> Self {
        Self::DivideBy(divisor)
    }

    /// Every feature gets mean 0 and standard deviation 1 (of the population, divisor n) *over the
    /// training part only*, so that nothing of the other parts leaks into training. A split that
    /// follows fits it again. A constant feature is centred and keeps scale 1.
    pub fn standard() -> Self {
        Self::Standard
    }

    /// The numbers that follow for these rows. `features` holds all rows, `train` the numbers of
    /// those that may be looked at.
    pub(super) fn fit(
        self,
        features: &[f32],
        width: usize,
        train: &[usize],
    ) -> Result<Normalization, DataError> {
        let fitted = match self {
            Self::None => Normalization { offset: vec![0.0; width], scale: vec![1.0; width] },
            Self::DivideBy(divisor) => {
                let scale = 1.0 / divisor;
                if !scale.is_finite() || scale == 0.0 {
                    let expected =
                        "a number other than 0 whose inverse is finite, for example 16.0"
                            .to_owned();
                    return Err(DataError::Setting {
                        setting: "Normalize::divide_by",
                        value: divisor.to_string(),
                        expected,
                    });
                }
                Normalization { offset: vec![0.0; width], scale: vec![scale; width] }
            }
            Self::Standard => standard(features, width, train),
        };
        let mut out = vec![0.0; width];
        for (row, values) in features.chunks_exact(width).enumerate() {
            fitted.apply(values, &mut out);
            if let Some(column) = out.iter().position(|x| !x.is_finite()) {
                let reason = format!(
                    "feature {column} of row {row}, {}, leaves the range of f32; scale it down first",
                    values[column]
                );
                return Err(DataError::Refused { action: "normalise", reason });
            }
        }
        Ok(fitted)
    }
}

/// The normalisation in force: x′ = (x − offset) · scale, in f32, feature by feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// What is subtracted, one number for each feature.
    pub offset: Vec<f32>,
    /// What the difference is multiplied by, one number for each feature.
    pub scale: Vec<f32>,
}

impl Normalization {
    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        self.offset.iter().all(|&x| x == 0.0) && self.scale.iter().all(|&x| x == 1.0)
    }

    /// Writes the normalised form of the row `raw` to `out`. Both have one number for each feature.
    pub fn apply(&self, raw: &[f32], out: &mut [f32]) {
        for (((out, x), offset), scale) in
            out.iter_mut().zip(raw).zip(&self.offset).zip(&self.scale)
        {
            *out = (x - offset) * scale;
        }
    }
}

fn standard(features: &[f32], width: usize, train: &[usize]) -> Normalization {
    let moments =
        moments(width, train.iter().map(|&row| &features[row * width..(row + 1) * width]));
    let offset = moments.iter().map(|m| m.mean as f32).collect();
    // A deviation below f32's resolution at the mean is rounding, not signal.
    let varies = |m: &Moments| {
        m.std > m.mean.abs() * f64::from(f32::EPSILON) && (1.0 / m.std) < f64::from(f32::MAX)
    };
    let scale =
        moments.iter().map(|m| if varies(m) { (1.0 / m.std) as f32 } else { 1.0 }).collect();
    Normalization { offset, scale }
}

/// Mean and population standard deviation of one feature.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) std: f64,
}

/// Moments of every feature, in two passes (the one-pass formula cancels).
pub(super) fn moments<'a>(
    width: usize,
    rows: impl Iterator<Item = &'a [f32]> + Clone,
) -> Vec<Moments> {
    let mut moments = vec![Moments::default(); width];
    let count = rows.clone().count().max(1) as f64;
    for row in rows.clone() {
        for (m, &x) in moments.iter_mut().zip(row) {
            m.mean += f64::from(x) / count;
        }
    }
    for row in rows {
        for (m, &x) in moments.iter_mut().zip(row) {
            m.std += (f64::from(x) - m.mean).powi(2) / count;
        }
    }
    for m in &mut moments {
        m.std = m.std.sqrt();
    }
    moments
}
