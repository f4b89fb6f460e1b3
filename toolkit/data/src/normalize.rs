//! Features on a common scale.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use crate::DataError;
use trainbook_core::nearest::nearest;
use trainbook_core::quantile::quantile;

/// How features are to be brought to a common scale: x′ = (x − offset) · scale, each feature with
/// an offset and a scale of its own, behind ln(1 + x) where that was asked for.
///
/// What is fitted is fitted *to the training part only*, so that nothing of the other parts leaks
/// into training, and a split that follows fits it again. A feature that does not vary is moved by
/// its offset and keeps scale 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// Features stay as they are.
    None,
    /// See [`Normalize::divide_by`].
    DivideBy(f32),
    /// See [`Normalize::standard`].
    Standard,
    /// See [`Normalize::min_max`].
    MinMax,
    /// See [`Normalize::robust`].
    Robust,
    /// See [`Normalize::per_channel`].
    PerChannel,
    /// See [`Normalize::log1p`].
    Log1p,
    /// See [`Normalize::log1p_of`].
    Log1pOf(Vec<String>),
}

impl Normalize {
    /// Every feature is multiplied by `1 / divisor`, for data with a known range such as pixels.
    pub fn divide_by(divisor: f32) -> Self {
        Self::DivideBy(divisor)
    }

    /// Every feature gets mean 0 and standard deviation 1 (of the population, divisor n). The one
    /// to begin with for tables: networks train fastest on inputs around 0 with like spreads
    /// (LeCun, Bottou, Orr and Müller, *Efficient BackProp*, 1998, 4.3).
    pub fn standard() -> Self {
        Self::Standard
    }

    /// Every feature goes from 0 to 1, as scikit-learn's
    /// [`MinMaxScaler`](https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.MinMaxScaler.html);
    /// values of other parts may lie beyond. For features with bounds of their own, and where zeros
    /// are many and should stay one number; one outlier presses all else together.
    pub fn min_max() -> Self {
        Self::MinMax
    }

    /// Every feature gets median 0 and a distance of 1 between its quartiles, as scikit-learn's
    /// [`RobustScaler`](https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.RobustScaler.html);
    /// quantiles are interpolated linearly. For features with outliers, which move a mean and a
    /// deviation but hardly a median; a feature of which half is one value keeps scale 1.
    pub fn robust() -> Self {
        Self::Robust
    }

    /// All places of a channel together get mean 0 and standard deviation 1 (of the population), as
    /// with torchvision's
    /// [`Normalize`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.Normalize.html):
    /// for images and series, whose places would lose what they have in common under
    /// [`standard`](Self::standard). Needs rows with channels: channels × height × width, or
    /// channels × length.
    pub fn per_channel() -> Self {
        Self::PerChannel
    }

    /// Every feature becomes x′ = (ln(1 + x) − mean) / deviation, mean and standard deviation being
    /// those of ln(1 + x) over the training part (of the population, divisor n): numpy's
    /// [`log1p`](https://numpy.org/doc/stable/reference/generated/numpy.log1p.html), and then
    /// [`standard`](Self::standard). For what spans orders of magnitude and is never negative, such
    /// as incomes, areas and counts.
    ///
    /// It is ln(1 + x), not ln x, because counts and amounts are often 0: 0 stays 0, large numbers
    /// become their logarithm, and a feature of 0 and 1, such as a category's, is after all what
    /// [`standard`](Self::standard) makes of it. Numbers far below 1 stay nearly as they are, and
    /// below 1e-6 the 1 swallows them: write those in a smaller unit. Numbers of −1 and below have no
    /// logarithm and are refused with feature and row, in the data as in rows that are to be
    /// predicted. An exported file, which cannot refuse, computes with NaN, and what it gives for such
    /// a row means nothing.
    pub fn log1p() -> Self {
        Self::Log1p
    }

    /// As [`log1p`](Self::log1p) for the features of these names, while the others get mean 0 and
    /// standard deviation 1 as they are: `Normalize::log1p_of(["income", "rooms"])`.
    pub fn log1p_of<N: Into<String>>(features: impl IntoIterator<Item = N>) -> Self {
        Self::Log1pOf(features.into_iter().map(Into::into).collect())
    }

    /// The numbers that follow for the rows of `data`, of which `train` may be looked at.
    pub(super) fn fit(&self, data: &Dataset, train: &[usize]) -> Result<Normalization, DataError> {
        let width = data.width();
        let mut fitted = match self {
            Self::None => Normalization::identity(width),
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
                Normalization {
                    offset: vec![0.0; width],
                    scale: vec![scale; width],
                    log1p: Vec::new(),
                }
            }
            // Their numbers say which, not how much.
            _ if data.is_of_indices() => Normalization::identity(width),
            Self::Standard => standard(data, train, 1, &[])?,
            Self::Log1p | Self::Log1pOf(_) => {
                let log1p = self.logarithms(data)?;
                refuse_outside(data, &log1p, matches!(self, Self::Log1p))?;
                let fitted = standard(data, train, 1, &log1p)?;
                Normalization { log1p, ..fitted }
            }
            Self::MinMax => min_max(data, train)?,
            Self::Robust => robust(data, train, SORTED_AT_ONCE)?,
            Self::PerChannel => match *data.shape() {
                [channels, _, ..] => standard(data, train, width / channels.max(1), &[])?,
                _ => {
                    return Err(DataError::Refused {
                        action: "normalise",
                        reason: format!(
                            "rows of {width} features have no channels; say .image(channels, \
                             height, width) or .series(channels, length) before, or use \
                             Normalize::standard"
                        ),
                    });
                }
            },
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

    /// Of each feature whether it is under a logarithm.
    fn logarithms(&self, data: &Dataset) -> Result<Vec<bool>, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "normalise", reason });
        let mut log1p = vec![matches!(self, Self::Log1p); data.width()];
        let categories = data.category_features();
        // Numbers of categories have no logarithm.
        categories.iter().for_each(|(feature, _)| log1p[*feature] = false);
        let Self::Log1pOf(names) = self else { return Ok(log1p) };
        if names.is_empty() {
            return refuse("Normalize::log1p_of names no feature; name at least one".to_owned());
        }
        for name in names {
            let all = data.feature_names();
            let Some(feature) = all.iter().position(|known| known == name) else {
                let near = nearest(name, all.iter().map(String::as_str));
                let known = near.map_or_else(
                    || format!("there are {}", all.len()),
                    |near| format!("{near:?} is the nearest of {}", all.len()),
                );
                return refuse(format!(
                    "no feature is called {name:?}, as Normalize::log1p_of says; {known}"
                ));
            };
            if categories.iter().any(|(category, _)| *category == feature) {
                return refuse(format!(
                    "feature {name:?} is the number of a category, which has no logarithm; leave \
                     it out of Normalize::log1p_of"
                ));
            }
            log1p[feature] = true;
        }
        Ok(log1p)
    }
}

/// The normalisation in force: x′ = (x − offset) · scale, in f32, feature by feature; of those under
/// a logarithm x′ = (ln(1 + x) − offset) · scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// What is subtracted, one number for each feature.
    pub offset: Vec<f32>,
    /// What the difference is multiplied by, one number for each feature.
    pub scale: Vec<f32>,
    /// For each feature whether it is under a logarithm; empty where none is.
    pub log1p: Vec<bool>,
}

impl Normalization {
    /// That of so many features which changes nothing.
    pub(super) fn identity(width: usize) -> Self {
        Self { offset: vec![0.0; width], scale: vec![1.0; width], log1p: Vec::new() }
    }

    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        self.log1p.is_empty()
            && self.offset.iter().all(|&x| x == 0.0)
            && self.scale.iter().all(|&x| x == 1.0)
    }

    /// The first feature of a row that has no logarithm and is under one: a number of −1 or less.
    pub fn outside(&self, row: &[f32]) -> Option<usize> {
        first_outside(&self.log1p, row)
    }

    /// Normalises a row, which has one number for each feature. What has no logarithm and is under one
    /// ([`outside`](Self::outside)) becomes NaN, or infinite at −1.
    pub fn apply(&self, row: &mut [f32]) {
        take_logarithms(&self.log1p, row);
        for ((x, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
            *x = (*x - offset) * scale;
        }
    }
}

impl FromIterator<(f32, f32)> for Normalization {
    /// Of each feature's offset and scale.
    fn from_iter<I: IntoIterator<Item = (f32, f32)>>(features: I) -> Self {
        let (offset, scale) = features.into_iter().unzip();
        Self { offset, scale, log1p: Vec::new() }
    }
}

/// Puts ln(1 + x) in the place of what is under a logarithm, in f32 and in two steps, as an exported
/// file does: ONNX has no log1p.
fn take_logarithms(log1p: &[bool], row: &mut [f32]) {
    let under = row.iter_mut().zip(log1p).filter(|(_, log1p)| **log1p);
    under.for_each(|(x, _)| *x = (*x + 1.0).ln());
}

/// The row as it is where nothing is under a logarithm, else a copy with the logarithms in it.
fn logarithms_of<'a>(log1p: &[bool], row: &'a [f32], copy: &'a mut Vec<f32>) -> &'a [f32] {
    if log1p.is_empty() {
        return row;
    }
    copy.clear();
    copy.extend_from_slice(row);
    take_logarithms(log1p, copy);
    copy
}

/// The first number of a row that has no logarithm and is under one.
fn first_outside(log1p: &[bool], row: &[f32]) -> Option<usize> {
    log1p.iter().zip(row).position(|(log1p, x)| *log1p && *x <= -1.0)
}

/// Refuses the first number that has no logarithm and is under one.
fn refuse_outside(data: &Dataset, log1p: &[bool], all: bool) -> Result<(), DataError> {
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut found = None;
    data.each_raw(&rows, |row, values| {
        if let Some(feature) = first_outside(log1p, values) {
            found.get_or_insert((row, feature, values[feature]));
        }
    })?;
    let Some((row, feature, value)) = found else { return Ok(()) };
    let place = data.place(row).map(|place| format!(" ({place})")).unwrap_or_default();
    let cure = match all {
        true => "name the features that are to be under a logarithm by Normalize::log1p_of",
        false => "leave it out of Normalize::log1p_of, or leave the row out",
    };
    Err(DataError::Refused {
        action: "normalise",
        reason: format!(
            "feature {:?} of row {row}{place} is {value}, and ln(1 + x) needs more than -1; {cure}",
            data.feature_names()[feature]
        ),
    })
}

/// An offset, and a scale that undoes a spread around it.
fn centred(middle: f64, spread: f64) -> (f32, f32) {
    (middle as f32, inverse(spread, middle).unwrap_or(1.0))
}

/// Of so many features in a row together; `log1p` says of each feature whether it is under a logarithm,
/// or nothing where none is.
fn standard(
    data: &Dataset,
    train: &[usize],
    of: usize,
    log1p: &[bool],
) -> Result<Normalization, DataError> {
    let of = of.max(1);
    let moments = moments(data, train, of, log1p)?;
    let each = moments.iter().flat_map(|m| std::iter::repeat_n(centred(m.mean, m.std), of));
    Ok(each.collect())
}

fn min_max(data: &Dataset, train: &[usize]) -> Result<Normalization, DataError> {
    let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); data.width()];
    data.each_raw(train, |_, row| {
        for ((least, most), &x) in ranges.iter_mut().zip(row) {
            (*least, *most) = (least.min(x), most.max(x));
        }
    })?;
    let of = |(least, most)| (f64::from(least), f64::from(most));
    Ok(ranges.into_iter().map(of).map(|(least, most)| centred(least, most - least)).collect())
}

/// Quantiles need all values of a feature at once: in a pass as many features as make so many values.
fn robust(data: &Dataset, train: &[usize], values: usize) -> Result<Normalization, DataError> {
    let width = data.width();
    let at_once = (values / train.len().max(1)).clamp(1, width.max(1));
    let mut fitted = Vec::with_capacity(width);
    for first in (0..width).step_by(at_once) {
        let mut columns = vec![Vec::with_capacity(train.len()); at_once.min(width - first)];
        data.each_raw(train, |_, row| {
            columns.iter_mut().zip(&row[first..]).for_each(|(column, &x)| column.push(x));
        })?;
        fitted.extend(columns.into_iter().map(|mut column: Vec<f32>| {
            column.sort_unstable_by(f32::total_cmp);
            let at = |share| quantile(&column, share).unwrap_or(0.0);
            centred(at(0.5), at(0.75) - at(0.25))
        }));
    }
    Ok(fitted.into_iter().collect())
}

/// So many numbers are sorted in one pass, 64 MiB; has no influence on any result.
const SORTED_AT_ONCE: usize = 1 << 24;

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

/// Moments of raw features or their logarithms over these rows, of so many in a row together, in two
/// passes (the one-pass formula cancels).
fn moments(
    data: &Dataset,
    rows: &[usize],
    of: usize,
    log1p: &[bool],
) -> Result<Vec<Moments>, DataError> {
    let mut moments = vec![Moments::default(); data.width() / of];
    let count = (rows.len() * of).max(1) as f64;
    let mut taken = Vec::new();
    data.each_raw(rows, |_, row| {
        let row = logarithms_of(log1p, row, &mut taken);
        for (m, together) in moments.iter_mut().zip(row.chunks_exact(of)) {
            together.iter().for_each(|&x| m.mean += f64::from(x) / count);
        }
    })?;
    data.each_raw(rows, |_, row| {
        let row = logarithms_of(log1p, row, &mut taken);
        for (m, together) in moments.iter_mut().zip(row.chunks_exact(of)) {
            together.iter().for_each(|&x| m.std += (f64::from(x) - m.mean).powi(2) / count);
        }
    })?;
    moments.iter_mut().for_each(|m| m.std = m.std.sqrt());
    Ok(moments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Targets;

    #[test]
    fn passes_have_no_influence() {
        let values = (0..70).map(|at| ((at * 37) % 71) as f32).collect();
        let data = Dataset::from_rows("test", 7, values, Targets::Values(vec![0.0; 10])).unwrap();
        let rows: Vec<usize> = (0..10).collect();
        let fitted = robust(&data, &rows, usize::MAX).unwrap();
        for values in [0, 29, 30, 69] {
            assert_eq!(robust(&data, &rows, values).unwrap(), fitted, "{values}");
        }
    }
}
