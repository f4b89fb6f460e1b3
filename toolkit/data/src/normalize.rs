//! Features on a common scale.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
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

    /// The numbers that follow for the rows of `data`, of which `train` may be looked at.
    pub(super) fn fit(self, data: &Dataset, train: &[usize]) -> Result<Normalization, DataError> {
        let width = data.width();
        let mut fitted = match self {
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
            Self::Standard => standard(data, train)?,
        };
        // Numbers of categories have no scale.
        for (feature, _) in data.category_features() {
            (fitted.offset[feature], fitted.scale[feature]) = (0.0, 1.0);
        }
        // Nothing gets larger, so nothing leaves the range.
        let shrinks = fitted.scale.iter().all(|scale| scale.abs() <= 1.0);
        if shrinks && fitted.offset.iter().all(|offset| *offset == 0.0) {
            return Ok(fitted);
        }
        let all: Vec<usize> = (0..data.len()).collect();
        let mut beyond = None;
        let mut normalized = vec![0.0; width];
        data.each_raw(&all, |row, values| {
            normalized.copy_from_slice(values);
            fitted.apply(&mut normalized);
            if let Some(column) = normalized.iter().position(|x| !x.is_finite()) {
                beyond.get_or_insert((column, row, values[column]));
            }
        })?;
        match beyond {
            None => Ok(fitted),
            Some((column, row, value)) => Err(DataError::Refused {
                action: "normalise",
                reason: format!(
                    "feature {column} of row {row}, {value}, leaves the range of f32; scale it down first"
                ),
            }),
        }
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

    /// Normalises a row, which has one number for each feature.
    pub fn apply(&self, row: &mut [f32]) {
        for ((x, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
            *x = (*x - offset) * scale;
        }
    }
}

fn standard(data: &Dataset, train: &[usize]) -> Result<Normalization, DataError> {
    let moments = moments(data, train)?;
    let offset = moments.iter().map(|m| m.mean as f32).collect();
    let scale = moments.iter().map(|m| inverse(m.std, m.mean).unwrap_or(1.0)).collect();
    Ok(Normalization { offset, scale })
}

/// One over how far numbers around `middle` spread; `None` where that is rounding and no signal, being
/// below f32's resolution there, or has no inverse in f32.
pub(super) fn inverse(spread: f64, middle: f64) -> Option<f32> {
    let varies = spread > middle.abs() * f64::from(f32::EPSILON);
    (varies && 1.0 / spread < f64::from(f32::MAX)).then_some((1.0 / spread) as f32)
}

/// Mean and population standard deviation of one feature.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) std: f64,
}

/// Moments of every raw feature over these rows, in two passes (the one-pass formula cancels).
fn moments(data: &Dataset, rows: &[usize]) -> Result<Vec<Moments>, DataError> {
    let mut moments = vec![Moments::default(); data.width()];
    let count = rows.len().max(1) as f64;
    data.each_raw(rows, |_, row| {
        moments.iter_mut().zip(row).for_each(|(m, &x)| m.mean += f64::from(x) / count);
    })?;
    data.each_raw(rows, |_, row| {
        for (m, &x) in moments.iter_mut().zip(row) {
            m.std += (f64::from(x) - m.mean).powi(2) / count;
        }
    })?;
    moments.iter_mut().for_each(|m| m.std = m.std.sqrt());
    Ok(moments)
}
