//! How good outputs are, beside the loss.
//!
//! Open `measure.rs` first. A [`Metric`] is one of the library's or one of your own, as a value;
//! each is a file.
//!
//! | metric | name | outputs | targets |
//! |---|---|---|---|
//! | [`Accuracy`] | `accuracy` | logits [N, …, C] | a class for each position |
//! | [`TopKAccuracy`] | `top5_accuracy` | the same | the same |
//! | [`BalancedAccuracy`] | `balanced_accuracy` | the same | the same |
//! | [`MacroF1`] | `macro_f1` | the same | the same |
//! | [`LabelAccuracy`] | `label_accuracy` | logits [N, …] | 0 or 1 for each |
//! | [`MeanAbsolute`] | `mae` | [N, …] | a value for each |
//! | [`RootMeanSquare`] | `rmse` | the same | the same |
//! | [`R2`] | `r2` | the same | the same |

mod accuracy;
mod balanced_accuracy;
mod confusion;
mod custom;
mod error;
mod label_accuracy;
mod macro_f1;
mod mean_absolute;
mod measure;
mod r2;
mod root_mean_square;
mod top_k_accuracy;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use accuracy::Accuracy;
pub use balanced_accuracy::BalancedAccuracy;
pub use custom::Custom;
pub use error::MetricError;
pub use label_accuracy::LabelAccuracy;
pub use macro_f1::MacroF1;
pub use mean_absolute::MeanAbsolute;
pub use measure::{Measure, Tally, largest};
pub use r2::R2;
pub use root_mean_square::RootMeanSquare;
pub use top_k_accuracy::TopKAccuracy;

/// How good outputs are, as a value. Reads and writes itself as a JSON object whose `metric` is the
/// name: `{"metric": "TopKAccuracy", "k": 5}`. One of your own writes only its name and is read as one
/// that this program lacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "metric")]
#[non_exhaustive]
pub enum Metric {
    /// The share classified right.
    Accuracy(Accuracy),
    /// The share whose class is among the k likeliest.
    TopKAccuracy(TopKAccuracy),
    /// The mean over classes of the share classified right.
    BalancedAccuracy(BalancedAccuracy),
    /// The mean over classes of F1.
    MacroF1(MacroF1),
    /// The share of labels that are right.
    LabelAccuracy(LabelAccuracy),
    /// The mean absolute difference.
    MeanAbsolute(MeanAbsolute),
    /// The root of the mean squared difference.
    RootMeanSquare(RootMeanSquare),
    /// How much of the variance is explained.
    R2(R2),
    /// One of your own.
    Custom(Custom),
}

impl Metric {
    /// One of your own.
    pub fn custom(measure: Arc<dyn Measure>) -> Self {
        Self::Custom(Custom::new(measure))
    }

    /// What it does.
    pub fn measure(&self) -> &dyn Measure {
        match self {
            Self::Accuracy(metric) => metric,
            Self::TopKAccuracy(metric) => metric,
            Self::BalancedAccuracy(metric) => metric,
            Self::MacroF1(metric) => metric,
            Self::LabelAccuracy(metric) => metric,
            Self::MeanAbsolute(metric) => metric,
            Self::RootMeanSquare(metric) => metric,
            Self::R2(metric) => metric,
            Self::Custom(metric) => metric.measure(),
        }
    }

    /// Whether it was read and this program lacks it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Custom(custom) if custom.is_missing())
    }

    /// The name under which it is logged, behind that of the part: `accuracy` in `val_accuracy`.
    pub fn name(&self) -> String {
        self.measure().name()
    }
}

macro_rules! into_metric {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Metric {
            fn from(metric: $kind) -> Self {
                Self::$kind(metric)
            }
        }
    )* };
}
into_metric!(
    Accuracy,
    TopKAccuracy,
    BalancedAccuracy,
    MacroF1,
    LabelAccuracy,
    MeanAbsolute,
    RootMeanSquare,
    R2
);
