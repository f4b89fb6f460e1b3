//! Data sets of what a program has in memory.

use std::fmt;

use super::source::Memory;
use super::{Array, DataError, Dataset, Numbers, Origin, Targets};

impl Dataset {
    /// A data set from `features` (rows × `width`, row-major) and one target for each row. `source`
    /// says where they come from.
    ///
    /// # Errors
    /// There are no rows, the lengths do not fit, a number is not finite, or classes are not
    /// counted from 0 without gaps.
    pub fn from_rows(
        source: &str,
        width: usize,
        features: Vec<f32>,
        targets: Targets,
    ) -> Result<Self, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "use", reason });
        let (values, rows) = (features.len(), targets.len());
        if width == 0 || rows == 0 || width.checked_mul(rows) != Some(values) {
            let reason = format!(
                "{values} features do not make {rows} rows (one for each target) of width {width}"
            );
            return refuse(format!(
                "{reason}; there must be rows × width of them, and both must be at least 1"
            ));
        }
        Self::checked(source, width, features, targets, 1)
    }

    /// A data set from arrays whose first dimension is the row. `input` are floats [N, …], the rest
    /// of the shape is what a row looks like to a network: `[N, features]`, `[N, C, H, W]`,
    /// `[N, C, L]`. `targets` are integers for classes, floats for values: `[N]`, or `[N, K]` for K
    /// values, labels (0 or 1, for [binary cross-entropy]) or positions of each row.
    ///
    /// [binary cross-entropy]: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    ///
    /// # Errors
    /// There are no rows, the numbers of rows differ, `input` are integers, a number is not finite,
    /// or classes are not counted from 0 without gaps.
    pub fn from_arrays(source: &str, input: Array, targets: Array) -> Result<Self, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "use", reason });
        let (rows, shape) = (input.rows(), input.shape.get(1..).unwrap_or_default().to_vec());
        let per_row: usize = targets.shape.get(1..).unwrap_or_default().iter().product();
        let filled = |array: &Array| array.shape.iter().product::<usize>() == array.len();
        if !filled(&input) || !filled(&targets) || shape.is_empty() || targets.shape.is_empty() {
            return refuse(format!(
                "an input of shape {:?} with {} numbers and targets of shape {:?} with {}; a shape \
                 begins with the rows, and its product is the number of numbers",
                input.shape,
                input.len(),
                targets.shape,
                targets.len()
            ));
        }
        let width: usize = shape.iter().product();
        if rows == 0 || rows != targets.rows() || width == 0 || per_row == 0 {
            return refuse(format!(
                "the input has the shape {:?} and the targets {:?}; both must have the same rows, \
                 and no dimension may be 0",
                input.shape, targets.shape
            ));
        }
        let Numbers::F32(features) = input.numbers else {
            return refuse("the input are integers; write them as floats".to_owned());
        };
        let targets = match targets.numbers {
            Numbers::F32(values) => Targets::Values(values),
            Numbers::I64(classes) => {
                let class = |(at, &class): (usize, &i64)| {
                    u32::try_from(class).map_err(|_| DataError::Refused {
                        action: "use",
                        reason: format!(
                            "the target of row {} is {class}; classes are counted from 0",
                            at / per_row
                        ),
                    })
                };
                let classes = classes.iter().enumerate().map(class);
                Targets::Classes(classes.collect::<Result<_, _>>()?)
            }
        };
        Self::checked(source, width, features, targets, per_row)?.shaped("rows", &shape)
    }

    /// The sizes must fit.
    fn checked(
        source: &str,
        width: usize,
        features: Vec<f32>,
        targets: Targets,
        per_row: usize,
    ) -> Result<Self, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "use", reason });
        if let Some(at) = features.iter().position(|x| !x.is_finite()) {
            let reason =
                format!("feature {} of row {} is {}", at % width, at / width, features[at]);
            return refuse(format!(
                "{reason}; replace it or leave the row out (rows and features are counted from 0)"
            ));
        }
        let classes = match &targets {
            Targets::Values(values) => match values.iter().position(|x| !x.is_finite()) {
                Some(at) => {
                    return refuse(format!(
                        "the target of row {} is {}; it must be a finite number",
                        at / per_row,
                        values[at]
                    ));
                }
                None => None,
            },
            Targets::Classes(labels) => match count_classes(labels) {
                Ok(classes) => Some(classes),
                Err(gap) => {
                    return refuse(format!(
                        "the target of row {} is {}{gap}",
                        gap.row / per_row,
                        labels[gap.row]
                    ));
                }
            },
        };
        let names = (0..width).map(|column| column.to_string()).collect();
        Self::from_source(Memory {
            origin: Origin::Memory,
            name: source.to_owned(),
            shape: vec![width],
            feature_names: names,
            features,
            targets,
            targets_per_row: per_row,
            class_names: classes.map(numbered),
            marks: None,
            places: Vec::new(),
        })
    }
}

/// "0", "1", …: the names of classes that have none.
pub(super) fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

/// Labels that skip a class.
pub(super) struct Gap {
    /// The first row whose label is beyond the gap.
    pub(super) row: usize,
    missing: usize,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            ", but no row has label {}; classes are counted from 0 without gaps, so correct it or renumber them",
            self.missing
        )
    }
}

/// The number of classes, if every one from 0 to the largest label occurs.
pub(super) fn count_classes(labels: &[u32]) -> Result<usize, Gap> {
    // n rows hold at most n classes: a larger label implies a gap, and need not be remembered.
    let mut seen = vec![false; labels.len()];
    for &label in labels {
        if let Some(seen) = seen.get_mut(label as usize) {
            *seen = true;
        }
    }
    let missing = seen.iter().position(|&seen| !seen).unwrap_or(labels.len());
    match labels.iter().position(|&label| label as usize > missing) {
        Some(row) => Err(Gap { row, missing }),
        None => Ok(missing),
    }
}
