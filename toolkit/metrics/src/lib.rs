//! How good outputs are, beside the loss.
//!
//! Open `measure.rs` first: the trait [`Measure`]. A [`Metric`] is one of the library's or one of
//! your own, as a value; each is a file in `classes`, `labels` or `values`. All are exact however
//! rows are cut into batches, take a weight for each target, and are NaN where they say nothing.
//! Outputs are logits, from which probabilities are computed in f64.
//!
//! | metric | name | better | options (default) | scikit-learn |
//! |---|---|---|---|---|
//! | of logits [N, …, C], with a class for each row or position: | | | | |
//! | [`Accuracy`] | `accuracy` | larger | | `accuracy_score` |
//! | [`TopKAccuracy`] | `top5_accuracy` | larger | `k` (5) | `top_k_accuracy_score` |
//! | [`BalancedAccuracy`] | `balanced_accuracy` | larger | | `balanced_accuracy_score` |
//! | [`Precision`] | `macro_precision` | larger | `average` (macro) | `precision_score` |
//! | [`Recall`] | `macro_recall` | larger | `average` (macro) | `recall_score` |
//! | [`F1`], [`MacroF1`] | `macro_f1` | larger | `average` (macro); none | `f1_score` |
//! | [`FBeta`] | `macro_f2` | larger | `beta` (1), `average` (macro) | `fbeta_score` |
//! | [`Matthews`] | `matthews` | larger | | `matthews_corrcoef` |
//! | [`CohenKappa`] | `cohen_kappa` | larger | `distance` (equal) | `cohen_kappa_score` |
//! | [`RocAuc`] | `roc_auc` | larger | `average` (macro) | `roc_auc_score` |
//! | [`AveragePrecision`] | `average_precision` | larger | `average` (macro) | `average_precision_score` |
//! | [`LogLoss`] | `log_loss` | smaller | | `log_loss` |
//! | [`Perplexity`] | `perplexity` | smaller | | exp of `log_loss` |
//! | [`Brier`] | `brier` | smaller | | `brier_score_loss` |
//! | [`CalibrationError`] | `calibration_error` | smaller | `bins` (15) | none |
//! | of logits [N, …], with 0 or 1 for each: | | | | |
//! | [`LabelAccuracy`] | `label_accuracy` | larger | | 1 − `hamming_loss` |
//! | [`LabelPrecision`] | `label_macro_precision` | larger | `average` (macro) | `precision_score` |
//! | [`LabelRecall`] | `label_macro_recall` | larger | `average` (macro) | `recall_score` |
//! | [`LabelF1`] | `label_macro_f1` | larger | `average` (macro) | `f1_score` |
//! | [`LabelRocAuc`] | `label_roc_auc` | larger | `average` (macro) | `roc_auc_score` |
//! | [`LabelAveragePrecision`] | `label_average_precision` | larger | `average` (macro) | `average_precision_score` |
//! | of [N, …], with a value for each: | | | | |
//! | [`MeanAbsolute`] | `mae` | smaller | | `mean_absolute_error` |
//! | [`MeanSquared`] | `mse` | smaller | | `mean_squared_error` |
//! | [`RootMeanSquare`] | `rmse` | smaller | | `root_mean_squared_error` |
//! | [`MeanAbsolutePercentage`] | `mape` | smaller | | `mean_absolute_percentage_error` |
//! | [`MedianAbsolute`] | `median_absolute` | smaller | | `median_absolute_error` |
//! | [`MaxError`] | `max_error` | smaller | | `max_error` |
//! | [`Pinball`] | `pinball_0_5` | smaller | `quantile` (0.5) | `mean_pinball_loss` |
//! | [`R2`] | `r2` | larger | | `r2_score` |
//! | [`ExplainedVariance`] | `explained_variance` | larger | | `explained_variance_score` |
//!
//! [`Average`] says how the numbers of several classes become one. What a metric is made of, to be
//! shown: [`ConfusionMatrix`], [`ClassificationReport`], [`ReliabilityBins`]. How far it would
//! differ on other rows: [`Bootstrap`]. What is found on rows that were not trained on, to be used on
//! others: [`DecisionThreshold`] and [`Temperature`].

mod amount;
mod average;
mod bootstrap;
mod check;
mod classes;
mod classification_report;
mod closure;
mod confusion_matrix;
mod counting;
mod custom;
mod decision_threshold;
mod error;
mod hits;
mod labels;
mod measure;
mod metric;
mod probability;
mod ranking;
mod reliability_bins;
mod rows;
mod temperature;
mod values;

pub use average::Average;
pub use bootstrap::{Bootstrap, Interval, bootstrap};
pub use classes::{
    Accuracy, AveragePrecision, BalancedAccuracy, Brier, CalibrationError, CohenKappa, Distance,
    F1, FBeta, LogLoss, MacroF1, Matthews, Perplexity, Precision, Recall, RocAuc, TopKAccuracy,
};
pub use classification_report::{ClassScores, ClassificationReport};
pub use confusion_matrix::ConfusionMatrix;
pub use custom::Custom;
pub use decision_threshold::{Criterion, DecisionThreshold, Decisions};
pub use error::MetricError;
pub use labels::{
    LabelAccuracy, LabelAveragePrecision, LabelF1, LabelPrecision, LabelRecall, LabelRocAuc,
};
pub use measure::{Measure, Tally, largest};
pub use metric::Metric;
pub use probability::{probabilities, probability};
pub use reliability_bins::{ReliabilityBin, ReliabilityBins};
pub use temperature::Temperature;
pub use values::{
    ExplainedVariance, MaxError, MeanAbsolute, MeanAbsolutePercentage, MeanSquared, MedianAbsolute,
    Pinball, R2, RootMeanSquare,
};
