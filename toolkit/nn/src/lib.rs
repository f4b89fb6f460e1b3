//! Networks on dfdx: what belongs to one step of training, and nothing of the loop around it.
//!
//! Open `task/mod.rs` first. No other crate names dfdx.
//!
//! | | |
//! |---|---|
//! | [`task`] | the seam to dfdx: everything generic stays behind [`task::Task`] |
//! | [`Init`] | how weights begin |
//! | [`optim`] | how they are updated |
//! | [`loss`] | what is minimised |
//! | [`onnx`] | the ONNX forms of layers |
//! | [`builders`] | dfdx's layers, to write a network's type with |

mod context;
mod error;
mod host;
mod init;
pub mod layer;
pub mod loss;
mod network;
pub mod on_dfdx;
pub mod onnx;
mod onnx_form;
pub mod optim;
mod parameters;
mod plan;
mod sample;
pub mod task;
pub mod trial;
mod window;

pub use context::Context;
pub use dfdx::nn::builders;
pub use error::NnError;
pub use host::{HostLayer, HostPass, HostTensor, Matrix, gemm};
pub use init::{Begin, Init};
pub use network::{Describe, Network, Row, Summary};
pub use onnx_form::OnnxPass;
pub use parameters::{Layout, Role, Slot};
pub use plan::{Node, Plan, Planned};
pub use sample::{Kind, Sample};

/// The version of dfdx that the workspace pins.
pub const DFDX: &str = "0.13.0";

#[cfg(test)]
mod tests {
    use super::DFDX;

    #[test]
    fn the_version_in_the_metadata_is_the_pinned_one() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("dfdx = {{ version = \"={DFDX}\"")));
    }
}
