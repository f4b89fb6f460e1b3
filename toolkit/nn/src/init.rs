//! How weights begin.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::TensorInfo;
use trainbook_core::random::{Seed, Stream};

/// How the weights of linear layers are drawn. Biases begin at zero; scales and shifts of
/// normalisation layers begin at one and zero.
///
/// With fan-in and fan-out the numbers of inputs and outputs of a layer, drawn from the stream
/// `weights`, one index per tensor:
///
/// | | bound of the uniform | deviation of the normal | source |
/// |---|---|---|---|
/// | Kaiming | √(6 / fan-in) | √(2 / fan-in) | He et al. 2015, arXiv:1502.01852, gain √2 for ReLU |
/// | Xavier | √(6 / (fan-in + fan-out)) | √(2 / (fan-in + fan-out)) | Glorot and Bengio 2010 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// For networks of ReLUs. The default.
    #[default]
    KaimingUniform,
    /// For networks of ReLUs.
    KaimingNormal,
    /// For networks of tanh or sigmoid.
    XavierUniform,
    /// For networks of tanh or sigmoid.
    XavierNormal,
}

impl Init {
    /// The first values of the network's tensor number `index`, or `None` where the layer's own are
    /// right.
    pub(crate) fn draw(self, seed: Seed, index: u64, tensor: &TensorInfo) -> Option<Vec<f32>> {
        match tensor.shape.as_slice() {
            [outputs, rest @ ..] if !rest.is_empty() => {
                let fan_in = rest.iter().product::<usize>();
                let mut draws = Stream::new(seed, "weights").at(0, index);
                let variance = match self {
                    Self::KaimingUniform | Self::KaimingNormal => 2.0 / fan_in as f64,
                    Self::XavierUniform | Self::XavierNormal => 2.0 / (fan_in + outputs) as f64,
                };
                let bound = (3.0 * variance).sqrt();
                let draw = |_| match self {
                    Self::KaimingUniform | Self::XavierUniform => {
                        draws.uniform(-bound, bound) as f32
                    }
                    Self::KaimingNormal | Self::XavierNormal => {
                        (variance.sqrt() * draws.normal()) as f32
                    }
                };
                Some((0..outputs * fan_in).map(draw).collect())
            }
            [len] if tensor.name.ends_with("bias") => Some(vec![0.0; *len]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_stated_deviation_and_biases_are_zero() {
        let tensor = |name: &str, shape: &[usize]| TensorInfo {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let kaiming = (2.0_f64 / 300.0).sqrt();
        let xavier = (2.0_f64 / 500.0).sqrt();
        for (init, expected) in [
            (Init::KaimingUniform, kaiming),
            (Init::KaimingNormal, kaiming),
            (Init::XavierUniform, xavier),
            (Init::XavierNormal, xavier),
        ] {
            let values = init.draw(Seed(1), 0, &tensor("0.weight", &[200, 300])).unwrap();
            let square =
                values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
            assert!(
                (square.sqrt() / expected - 1.0).abs() < 0.01,
                "{init:?}: {} for {expected}",
                square.sqrt()
            );
        }
        assert_eq!(Init::default().draw(Seed(1), 1, &tensor("0.bias", &[3])), Some(vec![0.0; 3]));
        assert_eq!(Init::default().draw(Seed(1), 1, &tensor("1.gamma", &[3])), None);
    }
}
