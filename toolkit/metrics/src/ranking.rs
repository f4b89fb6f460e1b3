//! Whether what holds is given larger scores than what does not.

use trainbook_core::batch::Targets;

use crate::average::Average;
use crate::measure::Tally;
use crate::probability::log_softmax;
use crate::rows::Rows;

/// A score, whether what it speaks of holds, and how much that counts.
#[derive(Clone, Copy)]
pub(crate) struct Scored {
    score: f64,
    holds: bool,
    weight: f64,
}

/// The area under the curve of the true positives over the false ones: how often what holds has a
/// larger score than what does not, ties counting half. NaN if one of the two does not occur.
pub(crate) fn roc_auc(scored: &mut [Scored]) -> f64 {
    let [mut below, mut area, mut holding] = [0.0; 3];
    for [positive, negative] in groups(scored, f64::total_cmp) {
        area += positive * (below + negative / 2.0);
        below += negative;
        holding += positive;
    }
    area / (holding * below)
}

/// The precision at each threshold, weighted by how much recall is gained there:
/// `Σ (Rₙ − Rₙ₋₁) Pₙ`; 0 if nothing holds.
pub(crate) fn average_precision(scored: &mut [Scored]) -> f64 {
    let [mut sum, mut right, mut taken] = [0.0; 3];
    for [positive, negative] in groups(scored, |a, b| b.total_cmp(a)) {
        right += positive;
        taken += positive + negative;
        sum += positive * right / taken;
    }
    if right > 0.0 { sum / right } else { 0.0 }
}

/// The weights of what holds and of what does not, at each score, in this order.
fn groups(
    scored: &mut [Scored],
    order: impl Fn(&f64, &f64) -> std::cmp::Ordering,
) -> impl Iterator<Item = [f64; 2]> {
    scored.sort_by(|a, b| order(&a.score, &b.score));
    scored.chunk_by(|a, b| a.score == b.score).map(|group| {
        let sum = |holds| {
            group.iter().filter(|one| one.holds == holds).map(|one| one.weight).sum::<f64>()
        };
        [sum(true), sum(false)]
    })
}

/// All scores, and what holds. Memory: 8 bytes for each output that is ranked, 16 for each target,
/// and 24 for each of the scores that are ranked at once.
pub(crate) struct Ranking {
    width: usize,
    average: Average,
    score: fn(&mut [Scored]) -> f64,
    /// The classes or labels that are ranked.
    columns: Vec<usize>,
    /// Row after row, one for each column.
    scores: Vec<f64>,
    holds: Holds,
    logs: Vec<f64>,
}

/// What holds, and how much it counts.
enum Holds {
    /// Of each row the class.
    Class(Vec<(usize, f64)>),
    /// Of each score whether its label does.
    Label(Vec<(bool, f64)>),
}

impl Ranking {
    /// Begins to keep the scores of classes: the logarithms of their probabilities. Of two classes
    /// only the second is ranked, as the other's scores are the same ones the other way round.
    pub fn of_classes(
        width: usize,
        average: Average,
        score: fn(&mut [Scored]) -> f64,
    ) -> Box<dyn Tally> {
        let columns = match (average, width) {
            (Average::Class(class), _) => vec![class],
            (_, 2) => vec![1],
            _ => (0..width).collect(),
        };
        let holds = Holds::Class(Vec::new());
        Self::begin(width, average, score, columns, holds)
    }

    /// Begins to keep the scores of labels: their logits, whose order is that of the probabilities.
    pub fn of_labels(
        width: usize,
        average: Average,
        score: fn(&mut [Scored]) -> f64,
    ) -> Box<dyn Tally> {
        let columns = match average {
            Average::Class(label) => vec![label],
            _ => (0..width.max(1)).collect(),
        };
        let holds = Holds::Label(Vec::new());
        Self::begin(width, average, score, columns, holds)
    }

    fn begin(
        width: usize,
        average: Average,
        score: fn(&mut [Scored]) -> f64,
        columns: Vec<usize>,
        holds: Holds,
    ) -> Box<dyn Tally> {
        let width = width.max(1);
        let (scores, logs) = (Vec::new(), Vec::new());
        Box::new(Self { width, average, score, columns, scores, holds, logs })
    }

    /// The scores of a column, without those of weight 0.
    fn column(&self, at: usize) -> Vec<Scored> {
        let count = self.columns.len();
        let scores = self.scores.iter().skip(at).step_by(count);
        let scored = scores.enumerate().map(|(row, &score)| match &self.holds {
            Holds::Class(classes) => {
                let (class, weight) = classes[row];
                Scored { score, holds: class == self.columns[at], weight }
            }
            Holds::Label(labels) => {
                let (holds, weight) = labels[row * count + at];
                Scored { score, holds, weight }
            }
        });
        scored.filter(|one| one.weight != 0.0).collect()
    }
}

impl Tally for Ranking {
    fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>) {
        let rows = Rows { outputs, targets, weights };
        match &mut self.holds {
            Holds::Class(classes) => {
                for (row, class, weight) in rows.classes(self.width) {
                    log_softmax(row, &mut self.logs);
                    let log = |column: &usize| self.logs.get(*column).copied().unwrap_or(f64::NAN);
                    self.scores.extend(self.columns.iter().map(log));
                    classes.push((class, weight));
                }
            }
            Holds::Label(labels) => {
                for (at, (x, y, weight)) in rows.every().enumerate() {
                    if self.columns.contains(&(at % self.width)) {
                        self.scores.push(x);
                        labels.push((y > 0.5, weight));
                    }
                }
            }
        }
    }

    fn value(&self) -> f64 {
        if self.scores.is_empty() || self.scores.iter().any(|score| score.is_nan()) {
            return f64::NAN;
        }
        if self.average == Average::Micro {
            let together = (0..self.columns.len()).flat_map(|at| self.column(at));
            return (self.score)(&mut together.collect::<Vec<_>>());
        }
        let [mut sum, mut all] = [0.0; 2];
        for at in 0..self.columns.len() {
            let mut column = self.column(at);
            let holding = column.iter().filter(|one| one.holds).map(|one| one.weight).sum::<f64>();
            let weighted = self.average == Average::Weighted && self.columns.len() > 1;
            let weight = if weighted { holding } else { 1.0 };
            if weight != 0.0 {
                sum += weight * (self.score)(&mut column);
                all += weight;
            }
        }
        sum / all
    }
}
