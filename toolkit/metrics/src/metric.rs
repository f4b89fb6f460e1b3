//! A metric as a value.

use std::sync::Arc;

use serde::de::IntoDeserializer;
use serde::de::value::{Error as ReadError, MapDeserializer};
use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_core::nearest::nearest;

use crate::check::check_data;
use crate::closure::Closure;
use crate::{
    Accuracy, AveragePrecision, BalancedAccuracy, Brier, CalibrationError, CohenKappa, Custom,
    ExplainedVariance, F1, FBeta, LabelAccuracy, LabelAveragePrecision, LabelF1, LabelPrecision,
    LabelRecall, LabelRocAuc, LogLoss, MacroF1, Matthews, MaxError, MeanAbsolute,
    MeanAbsolutePercentage, MeanSquared, Measure, MedianAbsolute, MetricError, Perplexity, Pinball,
    Precision, R2, Recall, RocAuc, RootMeanSquare, TopKAccuracy,
};

/// How good outputs are, as a value. Reads and writes itself as a JSON object whose `metric` is the
/// name: `{"metric": "TopKAccuracy", "k": 5}`; what is left out is at its default. One of your own
/// writes only its name and is read as one that this program lacks.
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
    /// Of what is taken for a class the share that is so rightly.
    Precision(Precision),
    /// Of the rows of a class the share that is taken for it.
    Recall(Recall),
    /// The harmonic mean of precision and recall.
    F1(F1),
    /// The mean of precision and recall of which one counts more.
    FBeta(FBeta),
    /// The correlation of what is and what is predicted.
    Matthews(Matthews),
    /// Agreement beyond chance.
    CohenKappa(CohenKappa),
    /// The area under the ROC curve.
    RocAuc(RocAuc),
    /// The mean precision over all thresholds.
    AveragePrecision(AveragePrecision),
    /// How unlikely the classes are.
    LogLoss(LogLoss),
    /// Among how many classes one guesses.
    Perplexity(Perplexity),
    /// The squared error of probabilities.
    Brier(Brier),
    /// How far confidence is from what it promises.
    CalibrationError(CalibrationError),
    /// The share of labels that are right.
    LabelAccuracy(LabelAccuracy),
    /// Of the labels that are predicted the share that holds.
    LabelPrecision(LabelPrecision),
    /// Of the labels that hold the share that is predicted.
    LabelRecall(LabelRecall),
    /// The harmonic mean of precision and recall of labels.
    LabelF1(LabelF1),
    /// The area under the ROC curve of labels.
    LabelRocAuc(LabelRocAuc),
    /// The mean precision of labels over all thresholds.
    LabelAveragePrecision(LabelAveragePrecision),
    /// The mean absolute difference.
    MeanAbsolute(MeanAbsolute),
    /// The mean squared difference.
    MeanSquared(MeanSquared),
    /// The root of the mean squared difference.
    RootMeanSquare(RootMeanSquare),
    /// The mean relative difference.
    MeanAbsolutePercentage(MeanAbsolutePercentage),
    /// The median absolute difference.
    MedianAbsolute(MedianAbsolute),
    /// The largest difference.
    MaxError(MaxError),
    /// How far a predicted quantile is off.
    Pinball(Pinball),
    /// How much of the variance is explained.
    R2(R2),
    /// How much of the variance is explained, but for a constant.
    ExplainedVariance(ExplainedVariance),
    /// One of your own.
    Custom(Custom),
}

impl Metric {
    /// One of your own.
    pub fn custom(measure: Arc<dyn Measure>) -> Self {
        Self::Custom(Custom::new(measure))
    }

    /// One of your own, as a closure over all outputs, row-major, and all targets of a part. It is
    /// recorded by its name. With classes there are `outputs.len() / targets.len()` outputs for
    /// each target. It does not see weights: with such it is NaN. Memory: all outputs and targets.
    ///
    /// ```
    /// use trainbook_callbacks::Direction;
    /// use trainbook_core::batch::{TargetKind, Targets};
    /// use trainbook_metrics::Metric;
    ///
    /// let near = Metric::of("near", Direction::Maximize, TargetKind::Values, |outputs, targets| {
    ///     let Targets::Values(values) = targets else { return f64::NAN };
    ///     let near = outputs.iter().zip(values).filter(|(x, y)| (*x - *y).abs() < 1.0);
    ///     near.count() as f64 / values.len() as f64
    /// });
    /// assert_eq!(near.value(&[1.0, 5.0], 1, &Targets::Values(vec![1.5, 7.0]), None)?, 0.5);
    /// # Ok::<(), trainbook_metrics::MetricError>(())
    /// ```
    pub fn of<F>(name: &str, direction: Direction, takes: TargetKind, measure: F) -> Self
    where
        F: Fn(&[f32], &Targets) -> f64 + Send + Sync + 'static,
    {
        let (name, measure) = (name.to_owned(), Arc::new(measure));
        Self::custom(Arc::new(Closure { name, direction, takes, measure }))
    }

    /// The names of the library's metrics in JSON.
    pub fn names() -> &'static [&'static str] {
        NAMES
    }

    /// The library's metric of this name in JSON, with its default options.
    ///
    /// # Errors
    /// There is none of this name; says which one is written most like it.
    pub fn named(name: &str) -> Result<Self, MetricError> {
        let unknown = || MetricError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, NAMES.iter().copied()).unwrap_or_default(),
        };
        let known = NAMES.iter().find(|known| **known == name).ok_or_else(unknown)?;
        let fields = MapDeserializer::<_, ReadError>::new([("metric", *known)].into_iter());
        Self::deserialize(fields.into_deserializer()).map_err(|_| unknown())
    }

    /// Whether it was read and this program lacks it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Custom(custom) if custom.is_missing())
    }

    /// The name under which it is logged, behind that of the part: `accuracy` in `val_accuracy`.
    pub fn name(&self) -> String {
        self.measure().name()
    }

    /// The metric of these outputs, whose last dimension is `width`, row-major, with a target for
    /// each row or position, or for each output, and a weight for each target, if there are
    /// weights; NaN where that says nothing.
    ///
    /// # Errors
    /// Outputs, targets and weights do not fit each other or the metric, or its options make no
    /// sense.
    pub fn value(
        &self,
        outputs: &[f32],
        width: usize,
        targets: &Targets,
        weights: Option<&[f32]>,
    ) -> Result<f64, MetricError> {
        let measure = self.measure();
        measure.check(&[width])?;
        check_data(&measure.name(), measure.takes(), outputs, width, targets, weights)?;
        let mut tally = measure.begin(width);
        tally.add(outputs, targets, weights);
        Ok(tally.value())
    }
}

/// What follows from the list of the library's metrics.
macro_rules! metrics {
    ($($kind:ident),*) => {
        /// Their names in JSON.
        const NAMES: &[&str] = &[$(stringify!($kind)),*];

        impl Metric {
            /// What it does.
            pub fn measure(&self) -> &dyn Measure {
                match self {
                    $(Self::$kind(metric) => metric,)*
                    Self::Custom(metric) => metric.measure(),
                }
            }
        }

        $(
        impl From<$kind> for Metric {
            fn from(metric: $kind) -> Self {
                Self::$kind(metric)
            }
        }
        )*
    };
}
metrics!(
    Accuracy,
    TopKAccuracy,
    BalancedAccuracy,
    MacroF1,
    Precision,
    Recall,
    F1,
    FBeta,
    Matthews,
    CohenKappa,
    RocAuc,
    AveragePrecision,
    LogLoss,
    Perplexity,
    Brier,
    CalibrationError,
    LabelAccuracy,
    LabelPrecision,
    LabelRecall,
    LabelF1,
    LabelRocAuc,
    LabelAveragePrecision,
    MeanAbsolute,
    MeanSquared,
    RootMeanSquare,
    MeanAbsolutePercentage,
    MedianAbsolute,
    MaxError,
    Pinball,
    R2,
    ExplainedVariance
);
