//! The trainer from outside, one module per promise. All in one program, because every test program
//! links dfdx, plotters and ort anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy excuses only the test functions themselves"
)]
#![allow(clippy::type_complexity, reason = "tables of cases are spelled out where they are used")]

mod background;
mod baselines;
mod buckets;
mod building;
mod chain;
mod costs;
mod decisions;
mod dependencies;
mod determinism;
mod early_stopping;
mod export;
mod feed;
mod gradients;
mod init_report;
mod interrupted;
mod loop_order;
mod memory;
mod mixed;
mod non_finite;
mod optimizers;
mod overfit;
mod predictions;
mod rebuilt;
mod recorded;
mod resume;
mod schedule_preview;
mod sizes;
mod steps;
mod support;
mod tables;
#[cfg(feature = "tokenizers")]
mod tokens;
mod weights;
