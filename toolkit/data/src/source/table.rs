//! Rows of a table.

use std::fmt;
use std::sync::Arc;

use super::Source;
use crate::table::{ColumnRule, Encoding, FileRows, Input, Raw};
use crate::{Batch, DataError, Origin, RowMarks, Targets};

/// Rows of a table: their features, and the columns that they are made of as long as a split may
/// make others of them.
pub(crate) struct TableSource {
    kept: Arc<Kept>,
    encoding: Encoding,
    feature_names: Vec<String>,
    /// One number: how many features there are, or how many tokens a row has.
    shape: [usize; 1],
    input: Input,
}

/// What does not depend on the split.
pub(crate) struct Kept {
    pub origin: Origin,
    pub name: String,
    pub targets: Targets,
    pub targets_per_row: usize,
    /// `None` for real numbers.
    pub class_names: Option<Vec<String>>,
    pub marks: Option<RowMarks>,
    /// By what rows are found in the file: lines, or rows.
    pub unit: &'static str,
    /// For each row its line of the file.
    pub lines: Arc<[usize]>,
    /// The last rows stand in files of their own, each of which is a part.
    pub files: Arc<[FileRows]>,
    /// The columns and what becomes of them; `None` where nothing depends on the rows that are
    /// trained on.
    pub fitted: Option<(Raw, Vec<ColumnRule>)>,
}

impl TableSource {
    /// Fitted to all rows, but for those that other files say to be no part of the training.
    pub(crate) fn new(raw: Raw, rules: Vec<ColumnRule>, mut kept: Kept) -> Result<Self, DataError> {
        let [train, ..] = FileRows::parts(&kept.files, raw.lines.len());
        let encoding = raw.fit(&rules, &train)?;
        let input = encoding.apply(&raw)?;
        kept.fitted = rules.iter().any(ColumnRule::is_fitted).then_some((raw, rules));
        Ok(Self::with(Arc::new(kept), encoding, input))
    }

    fn with(kept: Arc<Kept>, encoding: Encoding, input: Input) -> Self {
        let shape = [encoding.width()];
        Self { kept, feature_names: encoding.feature_names(), shape, encoding, input }
    }
}

impl Source for TableSource {
    fn len(&self) -> usize {
        self.kept.targets.len() / self.kept.targets_per_row
    }

    fn name(&self) -> &str {
        &self.kept.name
    }

    fn origin(&self) -> Origin {
        self.kept.origin.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn is_of_indices(&self) -> bool {
        self.encoding.is_of_indices()
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        self.kept.class_names.as_deref()
    }

    fn targets_per_row(&self) -> usize {
        self.kept.targets_per_row
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.kept.targets)
    }

    fn marks(&self) -> Option<&RowMarks> {
        self.kept.marks.as_ref()
    }

    fn place(&self, row: usize) -> Option<String> {
        let line = self.kept.lines.get(row)?;
        Some(match FileRows::of(&self.kept.files, row) {
            Some(FileRows { path, unit, .. }) => format!("{unit} {line} of {}", path.display()),
            None => format!("{} {line}", self.kept.unit),
        })
    }

    fn parts(&self) -> Option<[Vec<usize>; 3]> {
        let files = &self.kept.files;
        (!files.is_empty()).then(|| FileRows::parts(files, self.len()))
    }

    fn encoding(&self) -> Option<&Encoding> {
        Some(&self.encoding)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.kept.targets, rows, self.kept.targets_per_row);
        let [width] = self.shape;
        self.input.read(rows, width, &mut batch.input);
        Ok(())
    }

    fn is_fitted(&self) -> bool {
        self.kept.fitted.is_some()
    }

    fn fit(&self, train: &[usize]) -> Result<Option<Arc<dyn Source>>, DataError> {
        let Some((raw, rules)) = &self.kept.fitted else { return Ok(None) };
        let encoding = raw.fit(rules, train)?;
        if encoding == self.encoding {
            return Ok(None);
        }
        let input = encoding.apply(raw)?;
        Ok(Some(Arc::new(Self::with(self.kept.clone(), encoding, input))))
    }
}

/// Without the numbers.
impl fmt::Debug for TableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSource")
            .field("name", &self.kept.name)
            .field("rows", &self.len())
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
