//! The parts of a data set.

use std::sync::Arc;

use crate::split::{self, Parts, Rows};
use crate::{DataError, Dataset, GivenParts, KFold, Part, Split};
use trainbook_core::random::Seed;

impl Dataset {
    /// The same data with its rows divided into parts, by the stream "split" under `seed`. Replaces
    /// an earlier split. Rows of other files that are parts
    /// ([`Table::test_file`](crate::Table::test_file)) stay what they are, and the others are divided.
    ///
    /// # Errors
    /// The fractions make no sense or ask for a part that is a file of its own, the targets do not
    /// allow the split, there are too few rows for a part that was asked for, or a class would be
    /// missing from the training part.
    pub fn split(self, split: Split, seed: Seed) -> Result<Self, DataError> {
        let parts = match split.divide_windows(&*self.source)? {
            Some(parts) => parts,
            None => match self.source.parts() {
                Some(given) => split.divide_beside(given, &self.to_divide(), seed)?,
                None => split.divide(&self.to_divide(), seed)?,
            },
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
    pub(crate) fn divided_as(
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
        if let Some(fitted) = self.source.fit(self.part(Part::Train))? {
            let shape = match *self.shape == *self.source.shape() {
                true => fitted.shape().to_vec(),
                false => self.shape.to_vec(),
            };
            self.source = fitted;
            self.content = Arc::default();
            // Indices have no features that could be counted, and no other shape.
            if !self.is_of_indices() {
                self = self.shaped("rows", &shape)?;
            }
        }
        if let Some((scaling, _)) = self.scaling {
            self = self.scale_targets(scaling)?;
        }
        let normalize = self.normalize.clone();
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
}
