//! Metrics of labels, each of which holds or not.

mod accuracy;
mod average_precision;
mod f1;
mod precision;
mod recall;
mod roc_auc;

pub use accuracy::LabelAccuracy;
pub use average_precision::LabelAveragePrecision;
pub use f1::LabelF1;
pub use precision::LabelPrecision;
pub use recall::LabelRecall;
pub use roc_auc::LabelRocAuc;
