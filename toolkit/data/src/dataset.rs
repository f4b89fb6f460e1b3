//! Features, targets, and which rows serve for what.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use trainbook_store::DataFingerprint;

use super::source::{Memory, Source, Tokens};
use super::split::{self, Parts, Rows};
use super::{
    Array, Batch, CsvOptions, DataError, DataRecipe, Encoding, FittedScaling, GivenParts, KFold,
    Normalization, Normalize, Numbers, Origin, Part, RowMarks, Split, Table, TargetScaling,
    Targets, fingerprint, npy,
};
use trainbook_core::random::Seed;

/// Rows of a [`Source`], normalised and divided into parts: features, and for each row one target or
/// several. Every value is finite, and classes are counted from 0 without gaps; whoever holds a data
/// set need not check either. A clone shares the data.
///
/// Until it is split, every row is in [`Part::Train`].
#[derive(Clone)]
pub struct Dataset {
    source: Arc<dyn Source>,
    /// The source, if it is a text and its windows.
    tokens: Option<Arc<Tokens>>,
    /// What a row looks like to a network.
    shape: Arc<[usize]>,
    parts: Arc<Parts>,
    /// The parts before they were cut.
    whole: Arc<Parts>,
    normalize: Normalize,
    split: Option<(Split, Seed)>,
    /// Whether only the rows themselves can say which part they are in.
    parts_given: bool,
    marks: Arc<RowMarks>,
    /// Whether groups or times are not the source's.
    marks_given: bool,
    /// At most so many rows of each part.
    limit: Option<usize>,
    normalization: Arc<Normalization>,
    scaling: Option<(TargetScaling, Arc<FittedScaling>)>,
    fingerprint: Arc<OnceLock<DataFingerprint>>,
}

impl Dataset {
    /// Reads a CSV file of numbers and texts, also compressed with gzip or Zstandard (recognised by
    /// content, not by name). How it is written is found by looking, see [`CsvOptions`]. The first
    /// line is a header if none of its fields is a number; without a header columns are called "0",
    /// "1", ….
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8 text, has no rows, rows of unequal length, or two
    /// columns of one name. The message names the line. What a field must be is checked when a
    /// target is named.
    pub fn csv(path: impl AsRef<Path>) -> Result<Table, DataError> {
        Self::csv_with(path, CsvOptions::default())
    }

    /// Reads a CSV file of which some or all is said that [`csv`](Self::csv) finds by looking.
    ///
    /// # Errors
    /// As [`csv`](Self::csv); or an option makes no sense.
    pub fn csv_with(path: impl AsRef<Path>, options: CsvOptions) -> Result<Table, DataError> {
        Table::read(path.as_ref(), &options)
    }

    /// Reads a file with a JSON object on each line, also compressed: its keys are the columns, in
    /// the order in which they occur first. What is null, empty or not there is a gap, true and
    /// false are texts.
    /// Texts that are numbers throughout a column are numbers, as with pandas;
    /// [`Table::types`] says otherwise.
    ///
    /// # Errors
    /// The file cannot be read, a line is no JSON object, or a value is an array or an object.
    pub fn json_lines(path: impl AsRef<Path>) -> Result<Table, DataError> {
        Table::read_json_lines(path.as_ref())
    }

    /// Reads an array that `numpy.save` wrote, for [`from_arrays`](Self::from_arrays): floats of 32
    /// or 64 bits become `f32`, integers of 8 to 64 bits and truth values `i64`.
    ///
    /// # Errors
    /// The file cannot be read, is no such array, is saved column by column, or has other numbers.
    pub fn npy(path: impl AsRef<Path>) -> Result<Array, DataError> {
        npy::read(path.as_ref())
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
        Self::from_source(Memory {
            origin: Origin::Memory,
            name: source.to_owned(),
            shape: vec![width],
            feature_names: names,
            features,
            targets,
            targets_per_row: per_row,
            class_names: classes.map(numbered),
        })
    }

    /// A data set of the rows of a source, which keeps what [`Source`] promises.
    ///
    /// # Errors
    /// There are no rows.
    pub fn from_source(source: impl Source) -> Result<Self, DataError> {
        if source.len() == 0 {
            let reason = format!("{} has no rows", source.name());
            return Err(DataError::Refused { action: "use", reason });
        }
        Ok(Self::new(Arc::new(source)))
    }

    fn new(source: Arc<dyn Source>) -> Self {
        let width = source.feature_names().len();
        let parts: Arc<Parts> = Arc::new([(0..source.len()).collect(), Vec::new(), Vec::new()]);
        Self {
            shape: source.shape().into(),
            tokens: None,
            whole: parts.clone(),
            parts,
            normalize: Normalize::None,
            split: None,
            parts_given: false,
            marks: Arc::new(source.marks().cloned().unwrap_or_default()),
            marks_given: false,
            limit: None,
            normalization: Arc::new(Normalization {
                offset: vec![0.0; width],
                scale: vec![1.0; width],
            }),
            scaling: None,
            source,
            fingerprint: Arc::default(),
        }
    }

    pub(super) fn of_tokens(tokens: Tokens) -> Self {
        let tokens = Arc::new(tokens);
        let mut data = Self::new(tokens.clone());
        data.tokens = Some(tokens);
        data
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    /// Whether its rows are indices, such as characters, and not numbers.
    pub fn is_of_indices(&self) -> bool {
        self.source.is_of_indices()
    }

    /// Whether its rows are windows that overlap, such as those of a text.
    pub(super) fn is_of_windows(&self) -> bool {
        self.source.divide_in_order([1.0, 0.0, 0.0]).is_some()
    }

    /// Whether its features depend on the rows that are trained on.
    pub(super) fn is_refitted(&self) -> Result<bool, DataError> {
        Ok(self.source.fit(&self.whole[Part::Train as usize])?.is_some())
    }

    /// Fills a batch with these rows, normalised, their targets scaled.
    pub(super) fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        self.read_raw(rows, batch)?;
        if let (Some(scaling), Targets::Values(values)) =
            (self.target_scaling(), &mut batch.targets)
        {
            scaling.apply(values);
        }
        if let Numbers::F32(numbers) = &mut batch.input.numbers {
            numbers.chunks_exact_mut(self.width()).for_each(|row| self.normalization.apply(row));
        }
        Ok(())
    }

    pub(super) fn read_raw(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.mixed = None;
        self.source.read(rows, batch)?;
        // What a row looks like may have been said after the source was made.
        batch.input.shape.truncate(1);
        batch.input.shape.extend_from_slice(&self.shape);
        Ok(())
    }

    /// The inputs of these rows as they stand in the source, before normalisation. Every row must
    /// be less than [`len`](Self::len).
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn raw(&self, rows: &[usize]) -> Result<Array, DataError> {
        let mut batch = Batch::default();
        self.read_raw(rows, &mut batch)?;
        Ok(batch.input)
    }

    /// Hands these rows over in batches of a few hundred, as they stand in the source.
    pub(super) fn each_raw(
        &self,
        rows: &[usize],
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), DataError> {
        let mut batch = Batch::default();
        for rows in rows.chunks(ROWS_AT_ONCE) {
            self.read_raw(rows, &mut batch)?;
            let numbers = batch.input.floats().chunks_exact(self.width().max(1));
            rows.iter().zip(numbers).for_each(|(&row, numbers)| each(row, numbers));
        }
        Ok(())
    }

    /// The same with each row's normalised numbers behind the raw ones.
    pub(super) fn each(
        &self,
        rows: &[usize],
        mut each: impl FnMut(usize, &[f32], &[f32]),
    ) -> Result<(), DataError> {
        let mut normalized = vec![0.0; self.width()];
        self.each_raw(rows, |row, raw| {
            normalized.copy_from_slice(raw);
            self.normalization.apply(&mut normalized);
            each(row, raw, &normalized);
        })
    }

    /// The same data with its features normalised. Replaces an earlier normalisation;
    /// [`Normalize::standard`] is fitted again by a split that follows.
    ///
    /// # Errors
    /// The divisor makes no sense, or a normalised feature would not be finite.
    pub fn normalize(mut self, normalize: Normalize) -> Result<Self, DataError> {
        self.normalization = Arc::new(normalize.fit(&self, &self.whole[Part::Train as usize])?);
        self.normalize = normalize;
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// The same data whose targets are scaled in batches; [`targets`](Self::targets) stay as they
    /// are. Replaces an earlier scaling, and is fitted again by a split that follows.
    ///
    /// # Errors
    /// The targets are classes, or a scaled one would not be finite.
    pub fn scale_targets(mut self, scaling: TargetScaling) -> Result<Self, DataError> {
        let fitted = scaling.fit(&self, &self.whole[Part::Train as usize])?;
        self.scaling = Some((scaling, Arc::new(fitted)));
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// The same data with its rows divided into parts, by the stream "split" under `seed`. Replaces
    /// an earlier split.
    ///
    /// # Errors
    /// The fractions make no sense, the targets do not allow the split, there are too few rows for
    /// a part that was asked for, or a class would be missing from the training part.
    pub fn split(self, split: Split, seed: Seed) -> Result<Self, DataError> {
        let parts = match split.divide_windows(&*self.source)? {
            Some(parts) => parts,
            None => split.divide(&self.to_divide(), seed)?,
        };
        let parts_given = split.needs_marks() && self.marks_given;
        self.divided(parts, Some((split, seed)), parts_given)
    }

    /// The same data with these rows of train, validation and test. Rows that are named nowhere are
    /// in no part. Replaces an earlier split. That windows of two parts have nothing in common is
    /// the caller's care.
    ///
    /// # Errors
    /// A row does not exist or is named twice, none is named for train, or a class is missing there.
    pub fn with_parts(self, parts: [Vec<usize>; 3]) -> Result<Self, DataError> {
        let parts = split::checked(parts, self.len())?;
        split::check_classes(&self.to_divide(), &parts)?;
        self.divided(parts, None, true)
    }

    /// The same data once for each fold, in which that fold is the validation part: fold after fold
    /// and repeat after repeat. Each has its own normalisation, fitted to its training part.
    ///
    /// # Errors
    /// The folds make no sense, there are too few rows or groups, or a class would be missing from a
    /// training part.
    pub fn folds(&self, folds: &KFold, seed: Seed) -> Result<Vec<Self>, DataError> {
        folds.splits()?.into_iter().map(|split| self.clone().split(split, seed)).collect()
    }

    /// Divides rows as a recipe says, whose `parts` come from `split`, if there is one.
    pub(super) fn divided_as(
        self,
        parts: &GivenParts,
        split: Option<(Split, Seed)>,
    ) -> Result<Self, DataError> {
        if parts.rows().len() != self.len() {
            let (said, found) = (parts.rows().len(), self.len());
            let reason = format!("its recipe says the part of {said} rows, and there are {found}");
            return Err(DataError::Refused { action: "make again", reason });
        }
        let parts = split::checked(parts.parts(), self.len())?;
        self.divided(parts, split, true)
    }

    fn divided(
        mut self,
        parts: Parts,
        split: Option<(Split, Seed)>,
        parts_given: bool,
    ) -> Result<Self, DataError> {
        (self.split, self.parts_given, self.limit) = (split, parts_given, None);
        self.parts = Arc::new(parts);
        self.whole = self.parts.clone();
        if let Some(fitted) = self.source.fit(self.part(Part::Train))? {
            let shape = match *self.shape == *self.source.shape() {
                true => fitted.shape().to_vec(),
                false => self.shape.to_vec(),
            };
            self.source = fitted;
            self = self.shaped("rows", &shape)?;
        }
        if let Some((scaling, _)) = self.scaling {
            self = self.scale_targets(scaling)?;
        }
        let normalize = self.normalize;
        self.normalize(normalize)
    }

    fn to_divide(&self) -> Rows<'_> {
        Rows {
            len: self.len(),
            targets: self.targets(),
            targets_per_row: self.targets_per_row(),
            classes: self.classes(),
            marks: &self.marks,
        }
    }

    /// To be replaced; `in_recipe` is whether the recipe has to keep what follows from that.
    pub(super) fn marks_mut(&mut self, in_recipe: bool) -> &mut RowMarks {
        self.marks_given |= in_recipe;
        Arc::make_mut(&mut self.marks)
    }

    /// What is known of rows beside features and targets.
    pub fn marks(&self) -> &RowMarks {
        &self.marks
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
        self.source.len()
    }

    /// Always false: a data set has at least one row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a row has; at least 1, but 0 where rows are indices.
    pub fn width(&self) -> usize {
        self.source.feature_names().len()
    }

    /// The number of classes; `None` when targets are real numbers.
    pub fn classes(&self) -> Option<usize> {
        self.source.class_names().map(<[String]>::len)
    }

    /// The features' names, in order.
    pub fn feature_names(&self) -> &[String] {
        self.source.feature_names()
    }

    /// The classes' names, in order: "0", "1", …, or the characters of a text. Empty when targets
    /// are real numbers.
    pub fn class_names(&self) -> &[String] {
        self.source.class_names().unwrap_or_default()
    }

    /// How it was made, so that it can be made again.
    pub fn recipe(&self) -> DataRecipe {
        DataRecipe {
            origin: self.source.origin(),
            shape: self.shape.to_vec(),
            normalize: self.normalize,
            scale_targets: self.scaling.as_ref().map(|(scaling, _)| *scaling),
            split: self.split,
            parts: self.parts_given.then(|| GivenParts::of(&self.whole, self.len())),
            first_rows: self.limit,
        }
    }

    /// Where the data comes from: the file as it was named, or what [`Dataset::from_rows`] was
    /// told.
    pub fn source(&self) -> &str {
        self.source.name()
    }

    /// The rows of a part, ascending.
    pub fn part(&self, part: Part) -> &[usize] {
        &self.parts[part as usize]
    }

    /// The normalisation in force.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// The scaling of targets in force, to bring predictions back to their unit; `None` if they are
    /// not scaled.
    pub fn target_scaling(&self) -> Option<&FittedScaling> {
        self.scaling.as_ref().map(|(_, fitted)| &**fitted)
    }

    /// How a table's columns became features, fitted to the training part: for the rows of other
    /// files. `None` where the data are no table.
    pub fn encoding(&self) -> Option<&Encoding> {
        self.source.encoding()
    }

    /// How many targets a row has: values, labels or positions.
    pub fn targets_per_row(&self) -> usize {
        self.source.targets_per_row()
    }

    /// The targets of all rows, row after row, if they are in memory; those of a text are not.
    pub fn targets(&self) -> Option<&Targets> {
        self.source.targets()
    }

    /// A hash over features, targets, split and normalisation. Computed once.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn fingerprint(&self) -> Result<DataFingerprint, DataError> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let computed = fingerprint::of_dataset(self)?;
        Ok(self.fingerprint.get_or_init(|| computed).clone())
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

/// Rows that are read at once where all are looked at; has no influence on any result.
const ROWS_AT_ONCE: usize = 256;

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
