//! Metrics: beside scikit-learn's numbers, cut into batches, shown, drawn again, and of one's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

mod batches;
mod bootstrap;
mod decisions;
mod fixture;
mod own;
mod refused;
mod scikit_learn;
mod shown;

use trainbook_metrics::Metric;

/// Every metric of the library, by default.
fn all() -> Vec<Metric> {
    Metric::names().iter().map(|name| Metric::named(name).unwrap()).collect()
}
