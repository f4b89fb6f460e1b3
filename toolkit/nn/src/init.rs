//! How weights begin.

use serde::{Deserialize, Serialize};
use trainbook_core::random::{Seed, Stream, index_of};

/// How the weights of a network are drawn, where a layer does not say otherwise. Biases begin at
/// zero; scales and shifts of normalisation layers begin at one and zero.
///
/// With fan-in and fan-out the numbers of inputs and outputs of a unit, drawn from the stream
/// `weights`, keyed by the tensor's name:
///
/// | | bound of the uniform | deviation of the normal | source |
/// |---|---|---|---|
/// | Kaiming | √(6 / fan-in) | √(2 / fan-in) | He et al. 2015, arXiv:1502.01852, gain √2 for ReLU |
/// | Xavier | √(6 / (fan-in + fan-out)) | √(2 / (fan-in + fan-out)) | Glorot and Bengio 2010 |
/// | LeCun | √(3 / fan-in) | √(1 / fan-in) | LeCun et al. 1998, "Efficient BackProp" |
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
    /// For networks of SELU, and layers without an activation behind them.
    LecunUniform,
    /// For networks of SELU, and layers without an activation behind them.
    LecunNormal,
    /// Rows (or columns, where there are more rows) that are orthogonal to each other and of length
    /// 1 (Saxe et al. 2014, arXiv:1312.6120).
    Orthogonal,
    /// Normal with deviation 0.02, cut off at two deviations: for transformers (BERT, GPT-2).
    TruncatedNormal,
}

/// How one tensor begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// All elements are this.
    Constant(f32),
    /// Drawn as the network's [`Init`] says.
    Weight {
        /// How many inputs one output is made of.
        fan_in: usize,
        /// How many outputs one input goes into.
        fan_out: usize,
    },
    /// Normal around 0 with this deviation.
    Normal(f64),
    /// Uniform between −bound and bound.
    Uniform(f64),
    /// These values, row-major.
    Values(Vec<f32>),
}

impl Begin {
    /// All elements 0.
    pub const ZEROS: Self = Self::Constant(0.0);
    /// All elements 1.
    pub const ONES: Self = Self::Constant(1.0);

    pub(crate) fn fill(
        &self,
        into: &mut [f32],
        init: Init,
        seed: Seed,
        name: &str,
        shape: &[usize],
    ) {
        // By name and not by number: a layer more redraws only those whose names it changes.
        let mut draws = Stream::new(seed, "weights").at(0, index_of(name));
        match *self {
            Self::Constant(value) => into.fill(value),
            Self::Values(ref values) => into.copy_from_slice(values),
            Self::Normal(std) => into.iter_mut().for_each(|v| *v = (std * draws.normal()) as f32),
            Self::Uniform(bound) => {
                into.iter_mut().for_each(|v| *v = draws.uniform(-bound, bound) as f32)
            }
            Self::Weight { fan_in, fan_out } => {
                let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
                let variance = match init {
                    Init::KaimingUniform | Init::KaimingNormal => 2.0 / fan_in,
                    Init::XavierUniform | Init::XavierNormal => 2.0 / (fan_in + fan_out),
                    Init::LecunUniform | Init::LecunNormal => 1.0 / fan_in,
                    Init::Orthogonal | Init::TruncatedNormal => 0.0,
                };
                let (std, bound) = (variance.sqrt(), (3.0 * variance).sqrt());
                match init {
                    Init::KaimingUniform | Init::XavierUniform | Init::LecunUniform => {
                        into.iter_mut().for_each(|v| *v = draws.uniform(-bound, bound) as f32);
                    }
                    Init::KaimingNormal | Init::XavierNormal | Init::LecunNormal => {
                        into.iter_mut().for_each(|v| *v = (std * draws.normal()) as f32);
                    }
                    Init::TruncatedNormal => into.iter_mut().for_each(|v| {
                        let normal =
                            std::iter::repeat_with(|| draws.normal()).find(|x| x.abs() <= 2.0);
                        *v = (0.02 * normal.unwrap_or(0.0)) as f32;
                    }),
                    Init::Orthogonal => {
                        let rows = shape.first().copied().unwrap_or(1).max(1);
                        orthogonal(into, rows, &mut || draws.normal());
                    }
                }
            }
        }
    }
}

/// Fills a matrix of so many rows with orthonormal rows, or columns where there are more rows than
/// columns, by Gram and Schmidt's method, applied twice to each vector so that rounding does not
/// spoil it.
fn orthogonal(into: &mut [f32], rows: usize, normal: &mut dyn FnMut() -> f64) {
    let columns = into.len() / rows;
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..len).map(|_| normal()).collect();
        for _ in 0..2 {
            for other in &basis {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 1e-6 {
            vector.iter_mut().for_each(|v| *v /= norm);
            basis.push(vector);
        }
    }
    for row in 0..rows {
        for column in 0..columns {
            let value = if rows <= columns { basis[row][column] } else { basis[column][row] };
            into[row * columns + column] = value as f32;
        }
    }
}
