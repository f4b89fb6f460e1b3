//! How good each class's predictions are.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainbook_core::text_table::{Align, Table};

use crate::ConfusionMatrix;
use crate::amount::amount;
use crate::average::Average;
use crate::hits::{Hits, f_beta, precision, recall};

/// Precision, recall and F1 of each class, and their means. Shows itself as an aligned table.
/// scikit-learn's `classification_report` with `zero_division=0` and all labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationReport {
    /// Each class.
    pub classes: Vec<ClassScores>,
    /// The share classified right, from 0 to 1; NaN without rows.
    pub accuracy: f64,
    /// The means over all classes.
    pub macro_average: ClassScores,
    /// The means weighted by how often each class occurs.
    pub weighted_average: ClassScores,
}

/// How good the predictions of one class are, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// The name of the class, or of the mean.
    pub name: String,
    /// Of what is taken for it the share that is so rightly; 0 if nothing is.
    pub precision: f64,
    /// Of its rows the share that is taken for it; 0 if there are none.
    pub recall: f64,
    /// The harmonic mean of the two; 0 if both are.
    pub f1: f64,
    /// How many rows it has, or what they weigh.
    pub support: f64,
}

impl ClassificationReport {
    pub(crate) fn of(matrix: &ConfusionMatrix) -> Self {
        let names = matrix.classes();
        let hits = |class| [matrix.rows(class), matrix.taken(class), matrix.count(class, class)];
        let each: Vec<Hits> = (0..names.len()).map(hits).collect();
        let scores = |name: &str, average: Average, support: f64| ClassScores {
            name: name.to_owned(),
            precision: average.of_hits(&each, precision),
            recall: average.of_hits(&each, recall),
            f1: average.of_hits(&each, |hits| f_beta(hits, 1.0)),
            support,
        };
        let class = |(at, name): (usize, &String)| scores(name, Average::Class(at), each[at][0]);
        Self {
            classes: names.iter().enumerate().map(class).collect(),
            accuracy: matrix.accuracy(),
            macro_average: scores("macro average", Average::Macro, matrix.total()),
            weighted_average: scores("weighted average", Average::Weighted, matrix.total()),
        }
    }

    /// The report as a table: a line for each class, one for the accuracy, and one for each mean.
    pub fn table(&self) -> Table {
        let right = |name| (name, Align::Right);
        let mut table = Table::new(&[
            ("", Align::Left),
            right("precision"),
            right("recall"),
            right("f1"),
            right("support"),
        ]);
        let line = |scores: &ClassScores| {
            let shares = [scores.precision, scores.recall, scores.f1];
            let shares = shares.iter().map(|share| format!("{share:.4}"));
            let cells = std::iter::once(scores.name.clone()).chain(shares);
            cells.chain([amount(scores.support)]).collect::<Vec<String>>()
        };
        table.rows.extend(self.classes.iter().map(line));
        let empty = String::new;
        let accuracy = format!("{:.4}", self.accuracy);
        let support = amount(self.macro_average.support);
        table.rows.push(vec!["accuracy".to_owned(), empty(), empty(), accuracy, support]);
        table.rows.push(line(&self.macro_average));
        table.rows.push(line(&self.weighted_average));
        table
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table().text())
    }
}
