//! Which class is taken for which.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_core::text_table::{Align, Table};

use crate::amount::amount;
use crate::check::check_data;
use crate::counting::Counted;
use crate::measure::{Tally, largest};
use crate::rows::Rows;
use crate::{ClassificationReport, MetricError};

/// How often each class is taken for each: a line for each class, a column for each that it is
/// taken for. Shows itself as an aligned table. scikit-learn's `confusion_matrix`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    classes: Vec<String>,
    counts: Vec<Vec<f64>>,
    unplaced: Vec<f64>,
}

impl ConfusionMatrix {
    /// One without rows, for classes of these names.
    pub fn new(classes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        let count = classes.len();
        Self { classes, counts: vec![vec![0.0; count]; count], unplaced: vec![0.0; count] }
    }

    /// Of logits [N, …, C], row-major, with a class for each row or position, and the names of the
    /// C classes. A row is taken for the class of its largest output, the first of equal ones.
    ///
    /// # Errors
    /// Outputs, classes and weights do not fit each other, or there are not as many names as
    /// outputs.
    pub fn of(
        outputs: &[f32],
        targets: &Targets,
        weights: Option<&[f32]>,
        classes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, MetricError> {
        let mut matrix = Self::new(classes);
        let (kind, width) = (TargetKind::Classes, matrix.classes.len());
        check_data("the confusion matrix", kind, outputs, width, targets, weights)?;
        matrix.add(outputs, targets, weights);
        Ok(matrix)
    }

    /// Adds rows, as [`Tally::add`](crate::Tally::add) does. Classes without a name are left out.
    pub fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>) {
        self.add_rows(Rows { outputs, targets, weights });
    }

    fn add_rows(&mut self, rows: Rows<'_>) {
        for (row, class, weight) in rows.classes(self.classes.len()) {
            let place = match largest(row) {
                Some(taken) => self.counts.get_mut(class).and_then(|line| line.get_mut(taken)),
                None => self.unplaced.get_mut(class),
            };
            if let Some(place) = place {
                *place += weight;
            }
        }
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How many rows of a class are taken for another, or what they weigh; 0 for one that there is
    /// not.
    pub fn count(&self, class: usize, taken_for: usize) -> f64 {
        self.counts.get(class).and_then(|line| line.get(taken_for)).copied().unwrap_or(0.0)
    }

    /// How many rows of a class have no largest output, since all are NaN.
    pub fn unplaced(&self, class: usize) -> f64 {
        self.unplaced.get(class).copied().unwrap_or(0.0)
    }

    /// How many rows a class has.
    pub fn rows(&self, class: usize) -> f64 {
        let line = self.counts.get(class).map_or(0.0, |line| line.iter().sum());
        line + self.unplaced(class)
    }

    /// How many rows are taken for a class.
    pub fn taken(&self, class: usize) -> f64 {
        (0..self.classes.len()).map(|row| self.count(row, class)).sum()
    }

    /// How many rows there are.
    pub fn total(&self) -> f64 {
        (0..self.classes.len()).map(|class| self.rows(class)).sum()
    }

    /// The share classified right, from 0 to 1; NaN without rows.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes.len()).map(|class| self.count(class, class)).sum::<f64>() / self.total()
    }

    /// Precision, recall and F1 of each class, and their means.
    pub fn report(&self) -> ClassificationReport {
        ClassificationReport::of(self)
    }

    /// The matrix as a table, the classes that are in its lines and the ones they are taken for in
    /// its columns. Rows without a largest output have a column of their own, if there are any.
    pub fn table(&self) -> Table {
        let unplaced = self.unplaced.iter().any(|count| *count != 0.0);
        let mut columns = vec![("", Align::Left)];
        columns.extend(self.classes.iter().map(|class| (class.as_str(), Align::Right)));
        columns.extend(unplaced.then_some(("NaN", Align::Right)));
        let mut table = Table::new(&columns);
        for (at, class) in self.classes.iter().enumerate() {
            let counts = (0..self.classes.len()).map(|taken| self.count(at, taken));
            let counts = counts.chain(unplaced.then(|| self.unplaced(at)));
            let cells = std::iter::once(class.clone()).chain(counts.map(amount));
            table.rows.push(cells.collect());
        }
        table
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table().text())
    }
}

/// Begins to count, for so many classes; `value` is what it comes to, NaN without rows.
pub(crate) fn confusion(
    classes: usize,
    value: impl Fn(&ConfusionMatrix) -> f64 + 'static,
) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: ConfusionMatrix::new((0..classes).map(|class| class.to_string())),
        add: ConfusionMatrix::add_rows,
        value: move |matrix: &ConfusionMatrix| {
            if matrix.total() == 0.0 { f64::NAN } else { value(matrix) }
        },
    })
}
