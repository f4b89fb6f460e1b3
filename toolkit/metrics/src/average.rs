//! One number of several classes' or labels' numbers.

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::hits::Hits;

/// How the numbers of several classes, or labels, become one. In JSON `"macro"`, `"micro"`,
/// `"weighted"` or `{"class": 1}`. scikit-learn's `average`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The mean over all of them, whether they occur or not.
    #[default]
    Macro,
    /// The number of all of them thrown together.
    Micro,
    /// The mean, each weighted by how often it occurs.
    Weighted,
    /// That of this one alone, counted from 0.
    Class(usize),
}

impl Average {
    /// What a metric is called whose plain name is `of`: `macro_f1`, `f1_class_1`.
    pub(crate) fn named(self, of: &str) -> String {
        match self {
            Self::Macro => format!("macro_{of}"),
            Self::Micro => format!("micro_{of}"),
            Self::Weighted => format!("weighted_{of}"),
            Self::Class(class) => format!("{of}_class_{class}"),
        }
    }

    /// The same, where the mean over all is what one expects: `roc_auc`, `weighted_roc_auc`.
    pub(crate) fn named_unless_macro(self, of: &str) -> String {
        if self == Self::Macro { of.to_owned() } else { self.named(of) }
    }

    /// Whether there is such a class in outputs of this shape.
    pub(crate) fn check(self, setting: &'static str, output: &[usize]) -> Result<(), MetricError> {
        let classes = output.last().copied().unwrap_or(1);
        match self {
            Self::Class(class) if class >= classes => Err(MetricError::Setting {
                setting,
                value: format!("class {class}"),
                expected: match classes {
                    0 | 1 => "of class 0, the only one".to_owned(),
                    _ => format!("of a class from 0 to {}", classes - 1),
                },
            }),
            _ => Ok(()),
        }
    }

    /// Of `each` class's hits the `score`; NaN for a class that there is not.
    pub(crate) fn of_hits(self, each: &[Hits], score: impl Fn(Hits) -> f64) -> f64 {
        match self {
            Self::Class(class) => each.get(class).map_or(f64::NAN, |hits| score(*hits)),
            Self::Micro => {
                let add = |a: Hits, b: &Hits| std::array::from_fn(|i| a[i] + b[i]);
                score(each.iter().fold([0.0; 3], add))
            }
            Self::Macro => each.iter().map(|hits| score(*hits)).sum::<f64>() / each.len() as f64,
            Self::Weighted => {
                let rows: f64 = each.iter().map(|hits| hits[0]).sum();
                let sum: f64 = each.iter().map(|hits| hits[0] * score(*hits)).sum();
                if rows > 0.0 { sum / rows } else { 0.0 }
            }
        }
    }
}
