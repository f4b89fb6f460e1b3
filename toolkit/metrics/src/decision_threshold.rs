//! From which probability on a row is taken for positive.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::amount::amount;

/// What a threshold is to be best for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Criterion {
    /// The F1 score of the positives, `2 TP / (2 TP + FP + FN)`. The default.
    #[default]
    F1,
    /// The share that is right.
    Accuracy,
    /// The mean of the shares of positives and of negatives that are right: Youden's index is twice
    /// it less 1.
    BalancedAccuracy,
    /// What mistakes cost, `false_positive · FP + false_negative · FN`, divided by the rows, and
    /// negated.
    Cost {
        /// What a negative costs that is taken for positive.
        false_positive: f64,
        /// What a positive costs that is not.
        false_negative: f64,
    },
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F1 => f.write_str("F1"),
            Self::Accuracy => f.write_str("accuracy"),
            Self::BalancedAccuracy => f.write_str("balanced accuracy"),
            Self::Cost { false_positive, false_negative } => {
                write!(f, "−({false_positive} FP + {false_negative} FN) / rows")
            }
        }
    }
}

/// What comes of a threshold: numbers of rows, or their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decisions {
    /// Positives that are taken for positive.
    pub true_positives: f64,
    /// Negatives that are taken for positive.
    pub false_positives: f64,
    /// Positives that are not.
    pub false_negatives: f64,
    /// Negatives that are not.
    pub true_negatives: f64,
}

impl Decisions {
    /// How good they are.
    pub fn score(&self, criterion: Criterion) -> f64 {
        let Self { true_positives: tp, false_positives: fp, false_negatives, true_negatives } =
            *self;
        let (fnn, tn) = (false_negatives, true_negatives);
        match criterion {
            // As scikit-learn's: none found and none there is 0.
            Criterion::F1 if tp == 0.0 => 0.0,
            Criterion::F1 => 2.0 * tp / (2.0 * tp + fp + fnn),
            Criterion::Accuracy => (tp + tn) / (tp + fp + fnn + tn),
            Criterion::BalancedAccuracy => (tp / (tp + fnn) + tn / (tn + fp)) / 2.0,
            Criterion::Cost { false_positive, false_negative } => {
                -(false_positive * fp + false_negative * fnn) / (tp + fp + fnn + tn)
            }
        }
    }
}

/// The probability from which on a row is best taken for positive. To be found on rows that were not
/// trained on; what it comes to on them is somewhat better than it will be on others, because it was
/// chosen for them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionThreshold {
    /// Rows with this probability or a larger one are taken for positive. In the middle between two
    /// that were seen; of several that are as good, the nearest to 0.5.
    pub value: f64,
    /// What it is best for.
    pub criterion: Criterion,
    /// How good it is.
    pub score: f64,
    /// How good 0.5 is.
    pub score_at_half: f64,
    /// What comes of it.
    pub decisions: Decisions,
}

impl DecisionThreshold {
    /// Of the probability of being positive of each row, whether it is, and by how much it counts; all
    /// alike without weights. O(n log n).
    ///
    /// # Errors
    /// Probabilities, targets and weights do not fit each other, a probability is none, costs make no
    /// sense, or all rows are positive, or none.
    pub fn of(
        probabilities: &[f64],
        positive: &[bool],
        weights: Option<&[f32]>,
        criterion: Criterion,
    ) -> Result<Self, MetricError> {
        let wrong =
            |reason: String| Err(MetricError::Data { metric: "the threshold".to_owned(), reason });
        let rows = probabilities.len();
        if positive.len() != rows || weights.is_some_and(|weights| weights.len() != rows) {
            return wrong(format!(
                "{rows} probabilities have {} targets{}; it takes one for each",
                positive.len(),
                weights.map(|w| format!(" and {} weights", w.len())).unwrap_or_default()
            ));
        }
        if let Some(p) = probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return wrong(format!("a probability is {p}; it must be between 0 and 1"));
        }
        if let Criterion::Cost { false_positive, false_negative } = criterion
            && let Some(cost) =
                [false_positive, false_negative].iter().find(|c| !(c.is_finite() && **c >= 0.0))
        {
            return Err(MetricError::Setting {
                setting: "a cost",
                value: cost.to_string(),
                expected: "a finite number, at least 0".to_owned(),
            });
        }
        let wrong_weight = |weight: &&f32| !(weight.is_finite() && **weight >= 0.0);
        if let Some(weight) = weights.and_then(|weights| weights.iter().find(wrong_weight)) {
            return wrong(format!("a weight is {weight}; it must be finite and at least 0"));
        }
        let weight = |at: usize| weights.map_or(1.0, |weights| f64::from(weights[at]));
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (at, positive) in positive.iter().enumerate() {
            *if *positive { &mut positives } else { &mut negatives } += weight(at);
        }
        if positives == 0.0 || negatives == 0.0 {
            let what = if positives == 0.0 { "positive" } else { "negative" };
            return wrong(format!("there is no {what} row; it takes a {what} one at least"));
        }
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        // From the largest down: at first none is taken for positive.
        let mut decisions = Decisions {
            false_negatives: positives,
            true_negatives: negatives,
            ..Decisions::default()
        };
        let half = |value: f64| (value - 0.5).abs();
        let largest = order.first().map_or(1.0, |at| probabilities[*at]);
        let none = Self {
            // Above all that were seen, and within what a probability can be where there is room.
            value: if largest < 0.5 {
                0.5
            } else if largest < 1.0 {
                f64::midpoint(largest, 1.0)
            } else {
                1.0_f64.next_up()
            },
            criterion,
            score: decisions.score(criterion),
            score_at_half: f64::NAN,
            decisions,
        };
        let (mut best, mut score_at_half) = (none, f64::NAN);
        if largest < 0.5 {
            score_at_half = none.score;
        }
        let mut at = 0;
        while at < rows {
            let probability = probabilities[order[at]];
            while at < rows && probabilities[order[at]] == probability {
                let by = weight(order[at]);
                if positive[order[at]] {
                    decisions.true_positives += by;
                    decisions.false_negatives -= by;
                } else {
                    decisions.false_positives += by;
                    decisions.true_negatives -= by;
                }
                at += 1;
            }
            let next = order.get(at).map(|next| probabilities[*next]);
            let score = decisions.score(criterion);
            if probability >= 0.5 && next.is_none_or(|next| next < 0.5) {
                score_at_half = score;
            }
            let middle = next.map_or(probability / 2.0, |next| f64::midpoint(probability, next));
            // 0.5 itself, where it decides the same.
            let from = next.unwrap_or(-1.0);
            let value = if probability >= 0.5 && from < 0.5 { 0.5 } else { middle };
            // A middle that rounding puts on the lower one would take that for positive too.
            let value = if value <= from { probability } else { value };
            if score > best.score || (score == best.score && half(value) < half(best.value)) {
                best = Self { value, score, decisions, ..best };
            }
        }
        // What was subtracted from may be a little off 0.
        let d = &mut best.decisions;
        for (left, taken, all) in [
            (&mut d.false_negatives, d.true_positives, positives),
            (&mut d.true_negatives, d.false_positives, negatives),
        ] {
            *left = (all - taken).max(0.0);
        }
        Ok(Self { score_at_half, ..best })
    }

    /// Whether a row of this probability is taken for positive.
    pub fn is_positive(&self, probability: f64) -> bool {
        probability >= self.value
    }
}

impl fmt::Display for DecisionThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, criterion, score, score_at_half, decisions } = self;
        write!(
            f,
            "threshold {value:.4}: {criterion} {score:.4} (at 0.5: {score_at_half:.4}); {} of {} \
             positives found, {} of {} negatives taken for positive",
            amount(decisions.true_positives),
            amount(decisions.true_positives + decisions.false_negatives),
            amount(decisions.false_positives),
            amount(decisions.false_positives + decisions.true_negatives),
        )
    }
}
