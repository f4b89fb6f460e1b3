//! Networks on dfdx: what belongs to one step of training, and nothing of the loop around it.
//!
//! Open `task/mod.rs` first. No other crate names dfdx.
//!
//! | | |
//! |---|---|
//! | [`task`] | the seam to dfdx: everything generic stays behind [`task::Task`] |
//! | [`Init`] | how weights begin |
//! | [`optim`] | how they are updated |
//! | [`onnx`] | the ONNX forms of layers |
//! | [`builders`] | dfdx's layers, to write a network's type with |

mod error;
mod init;
pub mod onnx;
pub mod optim;
pub mod task;

pub use dfdx::nn::builders;
pub use error::NnError;
pub use init::Init;

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
