//! Features, targets, and which rows serve for what.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use trainbook_store::DataFingerprint;

use super::split::Parts;
use super::tokens::Tokens;
use super::{
    Array, Batch, DataError, DataRecipe, Normalization, Normalize, Numbers, Origin, Part, Split,
    Table, Targets, fingerprint,
};
use trainbook_core::random::Seed;

/// Samples in memory: features as rows × width, and for each row one target or several. Every value
/// is finite, and classes are counted from 0 without gaps; whoever holds a data set need not check
/// either. A clone shares the data.
///
/// Until it is split, every row is in [`Part::Train`].
#[derive(Clone)]
pub struct Dataset {
    rows: Arc<Rows>,
    /// A text and its windows; then there are no rows of features.
    tokens: Option<Arc<Tokens>>,
    /// What a row looks like to a network.
    shape: Arc<[usize]>,
    parts: Arc<Parts>,
    /// The parts before they were cut.
    whole: Arc<Parts>,
    normalize: Normalize,
    split: Option<(Split, Seed)>,
    /// At most so many rows of each part.
    limit: Option<usize>,
    normalization: Arc<Normalization>,
    fingerprint: Arc<OnceLock<DataFingerprint>>,
}

/// What no later choice changes. Whoever makes one has checked what [`Dataset`] promises.
pub(super) struct Rows {
    pub(super) origin: Origin,
    pub(super) source: String,
    pub(super) names: Vec<String>,
    pub(super) features: Vec<f32>,
    pub(super) targets: Targets,
    /// How many targets a row has.
    pub(super) targets_per_row: usize,
    /// The number of classes; `None` for regression.
    pub(super) classes: Option<usize>,
}

impl Dataset {
    /// Reads a CSV file of numbers, also gzipped (recognised by content, not by name). The first
    /// line is a header if none of its fields is a number; without a header columns are called "0",
    /// "1", ….
    ///
    /// # Errors
    /// The file cannot be read, is not (gzipped) UTF-8 text, has no rows, rows of unequal length,
    /// two columns of one name, or a field that is not a finite number. The message names line and
    /// column.
    pub fn csv(path: impl AsRef<Path>) -> Result<Table, DataError> {
        Table::read(path.as_ref())
    }

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
        Ok(Self::new(Rows {
            origin: Origin::Memory,
            source: source.to_owned(),
            names,
            features,
            targets,
            targets_per_row: per_row,
            classes,
        }))
    }

    pub(super) fn new(rows: Rows) -> Self {
        let width = rows.names.len();
        let parts: Arc<Parts> = Arc::new([
            (0..rows.targets.len() / rows.targets_per_row).collect(),
            Vec::new(),
            Vec::new(),
        ]);
        Self {
            shape: Arc::new([width]),
            tokens: None,
            whole: parts.clone(),
            parts,
            normalize: Normalize::None,
            split: None,
            limit: None,
            normalization: Arc::new(Normalization {
                offset: vec![0.0; width],
                scale: vec![1.0; width],
            }),
            rows: Arc::new(rows),
            fingerprint: Arc::default(),
        }
    }

    pub(super) fn of_tokens(tokens: Tokens) -> Self {
        let rows = Rows {
            origin: tokens.origin.clone(),
            source: tokens.source.clone(),
            names: Vec::new(),
            features: Vec::new(),
            targets: Targets::default(),
            targets_per_row: tokens.context,
            classes: Some(tokens.vocabulary.len()),
        };
        let mut data = Self::new(rows);
        data.shape = Arc::new([tokens.context]);
        data.parts = Arc::new([(0..tokens.starts.len()).collect(), Vec::new(), Vec::new()]);
        data.whole = data.parts.clone();
        data.tokens = Some(Arc::new(tokens));
        data
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    /// Whether its rows are indices, such as characters, and not numbers.
    pub fn is_of_indices(&self) -> bool {
        self.tokens.is_some()
    }

    /// Fills a batch with these rows, normalised.
    pub(super) fn read(&self, rows: &[usize], batch: &mut Batch) {
        batch.mixed = None;
        let shape = std::iter::once(rows.len()).chain(self.shape.iter().copied());
        let Some(tokens) = &self.tokens else {
            batch.targets.gather(self.targets(), rows, self.targets_per_row());
            let numbers = batch.input.refill_f32(shape);
            for (out, &row) in numbers.chunks_exact_mut(self.width()).zip(rows) {
                self.normalization.apply(self.features(row), out);
            }
            return;
        };
        let mut next = match std::mem::take(&mut batch.targets) {
            Targets::Classes(classes) => classes,
            Targets::Values(_) => Vec::new(),
        };
        next.clear();
        let input = batch.input.refill_i64(shape);
        for (input, &row) in input.chunks_exact_mut(tokens.context).zip(rows) {
            tokens.read(row, input, &mut next);
        }
        batch.targets = Targets::Classes(next);
    }

    /// The same data with its features normalised. Replaces an earlier normalisation;
    /// [`Normalize::standard`] is fitted again by a split that follows.
    ///
    /// # Errors
    /// The divisor makes no sense, or a normalised feature would not be finite.
    pub fn normalize(mut self, normalize: Normalize) -> Result<Self, DataError> {
        self.normalization = Arc::new(normalize.fit(
            &self.rows.features,
            self.width(),
            &self.whole[Part::Train as usize],
        )?);
        self.normalize = normalize;
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// The same data with its rows divided into parts, by the stream "split" under `seed`. Replaces
    /// an earlier split.
    ///
    /// # Errors
    /// The fractions make no sense, the targets do not allow the split, there are too few rows for
    /// a part that was asked for, or a class would be missing from the training part.
    pub fn split(mut self, split: Split, seed: Seed) -> Result<Self, DataError> {
        self.split = Some((split, seed));
        self.limit = None;
        if let Some(tokens) = &self.tokens {
            self.parts = Arc::new(split.divide_text(tokens)?);
            self.whole = self.parts.clone();
            self.fingerprint = Arc::default();
            return Ok(self);
        }
        let labels = match self.targets() {
            Targets::Classes(labels) if self.targets_per_row() == 1 => Some(labels.as_slice()),
            _ => None,
        };
        self.parts = Arc::new(split.divide(self.len(), labels, self.classes(), seed)?);
        self.whole = self.parts.clone();
        let normalize = self.normalize;
        self.normalize(normalize)
    }

    /// The same data with at most so many rows of each part, the first ones: to see whether a network
    /// can learn ten of them by heart, for example. Normalisation is that of all rows; a split that
    /// follows divides all rows again.
    #[must_use]
    pub fn first_rows(mut self, rows: usize) -> Self {
        let cut = |part: &Vec<usize>| part[..part.len().min(rows)].to_vec();
        self.parts = Arc::new(self.parts.each_ref().map(cut));
        self.limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        self.fingerprint = Arc::default();
        self
    }

    /// The same data whose rows are images: channels × height × width numbers, in this order.
    ///
    /// # Errors
    /// A row has another number of features.
    pub fn image(self, channels: usize, height: usize, width: usize) -> Result<Self, DataError> {
        self.shaped("images", &[channels, height, width])
    }

    /// The same data whose rows are series: channels × length numbers, in this order.
    ///
    /// # Errors
    /// A row has another number of features.
    pub fn series(self, channels: usize, length: usize) -> Result<Self, DataError> {
        self.shaped("series", &[channels, length])
    }

    pub(super) fn shaped(mut self, what: &str, shape: &[usize]) -> Result<Self, DataError> {
        let size = shape.iter().try_fold(1_usize, |size, &dim| size.checked_mul(dim));
        if size != Some(self.width()) {
            let dims: Vec<String> = shape.iter().map(ToString::to_string).collect();
            let reason = format!(
                "{what} of {} are made of {} numbers, and a row has {} features",
                dims.join(" × "),
                size.map_or_else(|| "too many".to_owned(), |size| size.to_string()),
                self.width()
            );
            return Err(DataError::Refused { action: "use", reason });
        }
        self.shape = shape.into();
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// What a row looks like to a network: `[features]`, or what [`image`](Self::image) or
    /// [`series`](Self::series) said.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.tokens {
            Some(tokens) => tokens.starts.len(),
            None => self.rows.targets.len() / self.rows.targets_per_row,
        }
    }

    /// Always false: a data set has at least one row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many features a row has; at least 1.
    pub fn width(&self) -> usize {
        self.rows.names.len()
    }

    /// The number of classes; `None` when targets are real numbers.
    pub fn classes(&self) -> Option<usize> {
        self.rows.classes
    }

    /// The features' names, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.rows.names
    }

    /// The classes' names, in order: "0", "1", …, or the characters of a text. Empty when targets
    /// are real numbers.
    pub fn class_names(&self) -> Vec<String> {
        if let Some(tokens) = &self.tokens {
            return tokens.vocabulary.clone();
        }
        (0..self.classes().unwrap_or(0)).map(|class| class.to_string()).collect()
    }

    /// How it was made, so that it can be made again.
    pub fn recipe(&self) -> DataRecipe {
        DataRecipe {
            origin: self.rows.origin.clone(),
            shape: self.shape.to_vec(),
            normalize: self.normalize,
            split: self.split,
            first_rows: self.limit,
        }
    }

    /// Where the data comes from: the file as it was named, or what [`Dataset::from_rows`] was
    /// told.
    pub fn source(&self) -> &str {
        &self.rows.source
    }

    /// The rows of a part, ascending.
    pub fn part(&self, part: Part) -> &[usize] {
        &self.parts[part as usize]
    }

    /// The raw features of a row, before normalisation; none in a text. `row` must be less than
    /// [`len`](Self::len).
    pub fn features(&self, row: usize) -> &[f32] {
        let width = self.width();
        &self.rows.features[row * width..(row + 1) * width]
    }

    /// The normalisation in force.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// How many targets a row has: values, labels or positions.
    pub fn targets_per_row(&self) -> usize {
        self.rows.targets_per_row
    }

    /// The targets of all rows, row after row.
    pub fn targets(&self) -> &Targets {
        &self.rows.targets
    }

    /// A hash over features, targets, split and normalisation. Computed once.
    pub fn fingerprint(&self) -> DataFingerprint {
        self.fingerprint.get_or_init(|| fingerprint::of_dataset(self)).clone()
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = Part::ALL.map(|part| self.part(part).len());
        f.debug_struct("Dataset")
            .field("source", &self.source())
            .field("width", &self.width())
            .field("classes", &self.classes())
            .field("rows (train, validation, test)", &parts)
            .field("normalize", &self.normalize)
            .finish()
    }
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
