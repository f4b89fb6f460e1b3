//! Features, targets, and which rows serve for what.
//!
//! `divide.rs` has its parts, `read.rs` its rows, `class_weights.rs` how much its classes should count.

mod class_weights;
mod divide;
mod read;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use trainbook_store::DataFingerprint;

use super::fingerprint::Fold;
use super::source::{Source, Tokens};
use super::split::{self, Parts};
use super::{
    DataError, DataRecipe, Encoding, FittedScaling, GivenParts, Normalization, Normalize, Part,
    RowMarks, Split, TargetScaling, Targets, fingerprint,
};
use trainbook_core::random::Seed;

/// Rows of a [`Source`], normalised and divided into parts: features, and for each row one target or
/// several. Every value is finite, and classes are counted from 0 without gaps; whoever holds a data
/// set need not check either. A clone shares the data.
///
/// Until it is split, every row is in [`Part::Train`], but for those of other files that are parts
/// ([`Table::test_file`](crate::Table::test_file)).
#[derive(Clone)]
pub struct Dataset {
    source: Arc<dyn Source>,
    /// What a row looks like to a network.
    shape: Arc<[usize]>,
    /// The rows of each part, of which at most `limit` count.
    parts: Arc<Parts>,
    normalize: Normalize,
    split: Option<(Split, Seed)>,
    /// Whether only the rows themselves can say which part they are in.
    parts_given: bool,
    marks: Arc<RowMarks>,
    /// Whether groups or times are not the source's.
    marks_given: bool,
    /// Whether rows count by their weights.
    weighed: bool,
    /// At most so many rows of each part.
    limit: Option<usize>,
    /// Whether a network sees nothing of the inputs.
    blank: bool,
    normalization: Arc<Normalization>,
    scaling: Option<(TargetScaling, Arc<FittedScaling>)>,
    /// The hash of what stands in the source, with which every fingerprint begins.
    content: Arc<OnceLock<Fold>>,
    fingerprint: Arc<OnceLock<DataFingerprint>>,
}

impl Dataset {
    /// A data set of the rows of a source, which keeps what [`Source`] promises.
    ///
    /// # Errors
    /// There are no rows, or the parts that the source gives are not such as it promises.
    pub fn from_source(source: impl Source) -> Result<Self, DataError> {
        if source.len() == 0 {
            let reason = format!("{} has no rows", source.name());
            return Err(DataError::Refused { action: "use", reason });
        }
        if let Some(parts) = source.parts() {
            let [train, ..] = split::checked(parts, source.len())?;
            if train.iter().copied().ne(0..train.len()) {
                let reason = format!(
                    "{} gives parts in which the rows that are trained on do not come first",
                    source.name()
                );
                return Err(DataError::Refused { action: "use", reason });
            }
        }
        Ok(Self::new(Arc::new(source)))
    }

    /// Whether the source gives some rows to other parts than the training part.
    pub(crate) fn has_files_as_parts(&self) -> bool {
        self.source.parts().is_some()
    }

    fn new(source: Arc<dyn Source>) -> Self {
        let width = source.feature_names().len();
        let all = || [(0..source.len()).collect(), Vec::new(), Vec::new()];
        let parts = source.parts().unwrap_or_else(all);
        Self {
            shape: source.shape().into(),
            parts: Arc::new(parts),
            normalize: Normalize::None,
            split: None,
            parts_given: false,
            marks: Arc::new(source.marks().cloned().unwrap_or_default()),
            marks_given: false,
            weighed: false,
            limit: None,
            blank: false,
            normalization: Arc::new(Normalization::identity(width)),
            scaling: None,
            source,
            content: Arc::default(),
            fingerprint: Arc::default(),
        }
    }

    /// The source, if it is a text and its windows.
    pub(super) fn tokens(&self) -> Option<&Tokens> {
        let source: &dyn Any = &*self.source;
        source.downcast_ref()
    }

    /// Whether it is a text ([`Dataset::text`]), of which rows are tokens and targets the tokens that
    /// follow.
    pub fn is_a_text(&self) -> bool {
        self.tokens().is_some()
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
    pub(super) fn is_fitted(&self) -> bool {
        self.source.is_fitted()
    }

    /// The same data with its features normalised. Replaces an earlier normalisation;
    /// what was fitted, such as [`Normalize::standard`], is fitted again by a split that follows.
    ///
    /// # Errors
    /// The divisor makes no sense, rows have no channels for [`Normalize::per_channel`], a number has
    /// no logarithm, or a normalised feature would not be finite.
    pub fn normalize(mut self, normalize: Normalize) -> Result<Self, DataError> {
        self.normalization = Arc::new(normalize.fit(&self, &self.parts[Part::Train as usize])?);
        self.normalize = normalize;
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// The same data whose targets are scaled in batches; [`targets`](Self::targets) stay as they
    /// are. Replaces an earlier scaling, and is fitted again by a split that follows.
    ///
    /// # Errors
    /// The targets are classes, one has no logarithm, or a scaled one would not be finite.
    pub fn scale_targets(mut self, scaling: TargetScaling) -> Result<Self, DataError> {
        let fitted = scaling.fit(&self, &self.parts[Part::Train as usize])?;
        self.scaling = Some((scaling, Arc::new(fitted)));
        self.fingerprint = Arc::default();
        Ok(self)
    }

    /// To be replaced; `in_recipe` is whether the recipe has to keep what follows from that.
    pub(super) fn marks_mut(&mut self, in_recipe: bool) -> &mut RowMarks {
        self.marks_given |= in_recipe;
        self.fingerprint = Arc::default();
        Arc::make_mut(&mut self.marks)
    }

    /// Lets weights count, which there must be.
    pub(super) fn weigh(&mut self) {
        self.weighed = true;
        self.fingerprint = Arc::default();
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
        self.limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        self.fingerprint = Arc::default();
        self
    }

    /// The same data of whose inputs a network sees nothing: normalised they are all 0, of indices
    /// all the first. What it learns of them is what can be known without looking, which a network
    /// that looks has to beat.
    #[must_use]
    pub fn without_inputs(mut self) -> Self {
        self.blank = true;
        self.fingerprint = Arc::default();
        self
    }

    /// Whether a network sees nothing of the inputs ([`without_inputs`](Self::without_inputs)).
    pub(crate) fn is_without_inputs(&self) -> bool {
        self.blank
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
        match self.normalize {
            Normalize::PerChannel => self.normalize(Normalize::PerChannel),
            _ => Ok(self),
        }
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
            normalize: self.normalize.clone(),
            scale_targets: self.scaling.as_ref().map(|(scaling, _)| *scaling),
            weigh_rows: self.weighed,
            split: self.split,
            parts: self.parts_given.then(|| GivenParts::of(&self.parts, self.len())),
            first_rows: self.limit,
            without_inputs: self.blank,
        }
    }

    /// Where the data comes from: the file as it was named, or what [`Dataset::from_rows`] was
    /// told.
    pub fn source(&self) -> &str {
        self.source.name()
    }

    /// Where a person finds a row in the source, if there is such a place: "line 17" of a table, the
    /// file of an image.
    pub fn place(&self, row: usize) -> Option<String> {
        self.source.place(row)
    }

    /// The rows of a part, ascending.
    pub fn part(&self, part: Part) -> &[usize] {
        let rows = &self.parts[part as usize];
        &rows[..rows.len().min(self.limit.unwrap_or(usize::MAX))]
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

    /// The features that are numbers of categories ([`Categories::embedded`]), ascending, each with
    /// how many categories the training part has: what a network that begins with a
    /// `CategoricalEmbedding` is made for. A split may change them.
    ///
    /// [`Categories::embedded`]: crate::Categories::embedded
    pub fn category_features(&self) -> Vec<(usize, usize)> {
        self.encoding().map(Encoding::category_features).unwrap_or_default()
    }

    /// Whether rows count in the loss and in metrics by their weights
    /// ([`weigh_rows`](Self::weigh_rows)).
    pub fn is_weighed(&self) -> bool {
        self.weighed
    }

    /// How many targets a row has: values, labels or positions.
    pub fn targets_per_row(&self) -> usize {
        self.source.targets_per_row()
    }

    /// The targets of all rows, row after row, if they are in memory; those of a text are not.
    pub fn targets(&self) -> Option<&Targets> {
        self.source.targets()
    }

    /// The hash of raw features and targets; read once for all data sets that share the source.
    pub(super) fn content(&self) -> Result<Fold, DataError> {
        if let Some(known) = self.content.get() {
            return Ok(known.clone());
        }
        let computed = fingerprint::of_content(self)?;
        Ok(self.content.get_or_init(|| computed).clone())
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
