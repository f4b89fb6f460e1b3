//! Networks as data, and the engine that runs them: what belongs to one step of training, and
//! nothing of the loop around it.
//!
//! Open `layer/mod.rs` first: a layer is a file there. No other crate names dfdx.
//!
//! | | |
//! |---|---|
//! | [`layer`], [`Network`] | what networks are made of, and a network as a value |
//! | [`Plan`], [`Layout`] | what a network comes to on its data: its tree, and its tensors in one buffer |
//! | [`Init`], [`Begin`] | how weights begin: of a network or a layer, and one tensor |
//! | [`HostLayer`] | a layer's form on the processor's memory, forward and backward |
//! | [`on_dfdx`] | a layer's form in dfdx's operations, for every device and precision |
//! | [`loss`], [`optim`] | what is minimised, and how weights are updated |
//! | [`task`] | a network being trained, behind one object-safe trait |
//! | `trial` | one layer alone, in each of its forms (with the feature `trial`) |
//! | [`onnx`] | the ONNX forms of dfdx's own modules |
//! | [`builders`] | dfdx's layers, to describe a network with their types |

mod begin;
mod context;
mod error;
mod host;
mod init;
pub mod layer;
pub mod loss;
mod misfit;
mod network;
pub mod on_dfdx;
pub mod onnx;
mod onnx_form;
pub mod optim;
mod parameters;
mod plan;
mod sample;
pub mod task;
#[cfg(feature = "trial")]
pub mod trial;
mod window;

pub use begin::Begin;
pub use context::Context;
/// For layers of one's own: the tensors that they compute on.
pub use dfdx;
pub use dfdx::nn::builders;
pub use error::NnError;
pub use host::{HostLayer, HostPass, HostTensor, Matrix, gemm};
pub use init::{Gain, Init, Scheme};
pub use network::{Describe, Network, Row, Summary};
pub use onnx_form::{Around, OnnxPass};
pub use parameters::{Layout, Role, Slot};
pub use plan::{Node, Plan, Planned};
pub use sample::{Kind, PaddingIndex, Sample};

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
