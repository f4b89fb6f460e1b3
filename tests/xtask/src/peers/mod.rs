//! `cargo xtask peers`: this project beside others, on the same work.

mod engine;
mod memory;
mod ratio;
mod server;
mod store;

use anyhow::Result;
use std::ffi::OsString;

use crate::flag;

/// `store [--quick]`: the run store beside MLflow. `memory [MODEL…]`: what training holds beside
/// PyTorch. Otherwise `[--json] [--only PEER] [MODEL…]`: steps
/// of training beside other engines.
pub fn run(args: &[OsString]) -> Result<()> {
    match args.split_first() {
        Some((first, rest)) if first == "store" => {
            store::run(flag("peers store", rest, "--quick")?)
        }
        Some((first, rest)) if first == "memory" => memory::run(rest),
        _ => engine::run(args),
    }
}
