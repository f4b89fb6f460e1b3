//! Metrics of classes, of which one holds.

mod accuracy;
mod average_precision;
mod balanced_accuracy;
mod brier;
mod calibration_error;
mod cohen_kappa;
mod f1;
mod f_beta;
mod log_loss;
mod macro_f1;
mod matthews;
mod perplexity;
mod precision;
mod recall;
mod roc_auc;
mod top_k_accuracy;

pub use accuracy::Accuracy;
pub use average_precision::AveragePrecision;
pub use balanced_accuracy::BalancedAccuracy;
pub use brier::Brier;
pub use calibration_error::CalibrationError;
pub use cohen_kappa::{CohenKappa, Distance};
pub use f_beta::FBeta;
pub use f1::F1;
pub use log_loss::LogLoss;
pub use macro_f1::MacroF1;
pub use matthews::Matthews;
pub use perplexity::Perplexity;
pub use precision::Precision;
pub use recall::Recall;
pub use roc_auc::RocAuc;
pub use top_k_accuracy::TopKAccuracy;
