//! Metrics of values.

mod explained_variance;
mod max_error;
mod mean_absolute;
mod mean_absolute_percentage;
mod mean_squared;
mod median_absolute;
mod pinball;
mod r2;
mod root_mean_square;
mod spread;

pub use explained_variance::ExplainedVariance;
pub use max_error::MaxError;
pub use mean_absolute::MeanAbsolute;
pub use mean_absolute_percentage::MeanAbsolutePercentage;
pub use mean_squared::MeanSquared;
pub use median_absolute::MedianAbsolute;
pub use pinball::Pinball;
pub use r2::R2;
pub use root_mean_square::RootMeanSquare;
