//! How one tensor begins.

use trainbook_core::random::{Draws, Seed, Stream, index_of};

use crate::init::{Init, Scheme};

/// How one tensor begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// All elements are this.
    Constant(f32),
    /// Drawn as [`Init`] says.
    Weight {
        /// How many inputs one output is made of.
        fan_in: usize,
        /// How many outputs one input goes into.
        fan_out: usize,
    },
    /// The same, but as [`Scheme::PyTorch`] uniform between −bound and bound: PyTorch's layer has a
    /// rule of its own.
    WeightWithin {
        /// The bound of PyTorch's layer.
        bound: f64,
        /// How many inputs one output is made of.
        fan_in: usize,
        /// How many outputs one input goes into.
        fan_out: usize,
    },
    /// As [`Scheme::PyTorch`] uniform between −1 / √fan_in and 1 / √fan_in; else 0.
    Bias {
        /// How many inputs one output is made of.
        fan_in: usize,
    },
    /// Normal around 0 with this deviation.
    Normal(f64),
    /// Normal around 0 with this deviation, and 0 in one row.
    NormalBut {
        /// The deviation.
        std: f64,
        /// The row.
        row: usize,
    },
    /// Uniform between −bound and bound.
    Uniform(f64),
    /// These values, row-major.
    Values(Vec<f32>),
}

/// What a tensor is drawn by, besides its own [`Begin`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw<'a> {
    pub init: Init,
    /// The gain of the activation that follows.
    pub following: f64,
    pub seed: Seed,
    pub name: &'a str,
    pub shape: &'a [usize],
}

impl Begin {
    /// All elements 0.
    pub const ZEROS: Self = Self::Constant(0.0);
    /// All elements 1.
    pub const ONES: Self = Self::Constant(1.0);

    pub(crate) fn fill(&self, into: &mut [f32], draw: Draw<'_>) {
        // By name and not by number: a layer more redraws only those whose names it changes.
        let mut draws = Stream::new(draw.seed, "weights").at(0, index_of(draw.name));
        let torch = draw.init.scheme == Scheme::PyTorch;
        match *self {
            Self::Constant(value) => into.fill(value),
            Self::Values(ref values) => into.copy_from_slice(values),
            Self::Normal(std) => normal(into, std, &mut draws),
            Self::NormalBut { std, row } => {
                normal(into, std, &mut draws);
                let width = into.len() / draw.shape.first().copied().unwrap_or(1).max(1);
                into.iter_mut().skip(row * width).take(width).for_each(|v| *v = 0.0);
            }
            Self::Uniform(bound) => uniform(into, bound, &mut draws),
            Self::WeightWithin { bound, .. } if torch && draw.init.gain.is_none() => {
                uniform(into, bound, &mut draws);
            }
            Self::Bias { fan_in } if torch => {
                uniform(into, 1.0 / (fan_in.max(1) as f64).sqrt(), &mut draws);
            }
            Self::Bias { .. } => into.fill(0.0),
            Self::Weight { fan_in, fan_out } | Self::WeightWithin { fan_in, fan_out, .. } => {
                weight(into, draw, fan_in.max(1) as f64, fan_out.max(1) as f64, &mut draws);
            }
        }
    }
}

fn normal(into: &mut [f32], std: f64, draws: &mut Draws) {
    into.iter_mut().for_each(|v| *v = (std * draws.normal()) as f32);
}

fn uniform(into: &mut [f32], bound: f64, draws: &mut Draws) {
    into.iter_mut().for_each(|v| *v = draws.uniform(-bound, bound) as f32);
}

fn weight(into: &mut [f32], draw: Draw<'_>, fan_in: f64, fan_out: f64, draws: &mut Draws) {
    let gain = draw.init.factor(draw.following);
    let of_inputs = gain / fan_in.sqrt();
    let of_both = gain * (2.0 / (fan_in + fan_out)).sqrt();
    // A uniform distribution of deviation 1 is bounded by √3.
    let root = 3.0_f64.sqrt();
    match draw.init.scheme {
        Scheme::PyTorch | Scheme::KaimingUniform | Scheme::LecunUniform => {
            uniform(into, root * of_inputs, draws);
        }
        Scheme::KaimingNormal | Scheme::LecunNormal => normal(into, of_inputs, draws),
        Scheme::XavierUniform => uniform(into, root * of_both, draws),
        Scheme::XavierNormal => normal(into, of_both, draws),
        Scheme::TruncatedNormal => into.iter_mut().for_each(|v| {
            let normal = std::iter::repeat_with(|| draws.normal()).find(|x| x.abs() <= 2.0);
            *v = (gain * 0.02 * normal.unwrap_or(0.0)) as f32;
        }),
        Scheme::Orthogonal => {
            let rows = draw.shape.first().copied().unwrap_or(1).max(1);
            orthogonal(into, rows, gain, &mut || draws.normal());
        }
    }
}

/// Fills a matrix of so many rows with orthogonal rows of length `gain`, or columns where there are
/// more rows than columns, by Gram and Schmidt's method, applied twice to each vector so that
/// rounding does not spoil it.
fn orthogonal(into: &mut [f32], rows: usize, gain: f64, normal: &mut dyn FnMut() -> f64) {
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
            into[row * columns + column] = (gain * value) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::init::Gain;
    use crate::layer::{AnyLayer, Kinds, Layer};
    use crate::plan::Planned;
    use crate::sample::Sample;
    use crate::task::{Loss, Recipe};
    use crate::{Network, NnError};

    /// Mean, deviation and largest magnitude of a weight of 64 outputs and 100 inputs.
    fn moments(init: Init, begin: &Begin, following: f64) -> [f64; 3] {
        let mut values = vec![0.0; 64 * 100];
        let shape = [64, 100];
        let draw = Draw { init, following, seed: Seed(1), name: "w", shape: &shape };
        begin.fill(&mut values, draw);
        let n = values.len() as f64;
        let values = values.iter().map(|v| f64::from(*v));
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.clone().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        [mean, variance.sqrt(), values.fold(0.0, |max: f64, v| max.max(v.abs()))]
    }

    #[test]
    fn weights_have_the_moments_of_their_formula() {
        let (fan_in, fan_out) = (100, 28);
        let begin = Begin::Weight { fan_in, fan_out };
        let within = Begin::WeightWithin { bound: 0.07, fan_in, fan_out };
        let root = |x: f64| x.sqrt();
        let third = 1.0 / root(3.0);
        // The deviation, and the bound of what is uniform.
        let cases = [
            (Init::default(), &begin, 0.1 * third, Some(0.1)),
            (Init::default(), &within, 0.07 * third, Some(0.07)),
            (Init::default(), &Begin::Bias { fan_in: 25 }, 0.2 * third, Some(0.2)),
            (Init::default().gain(2.0), &begin, 0.2, Some(0.2 * root(3.0))),
            (Init::default().gain(2.0), &within, 0.2, Some(0.2 * root(3.0))),
            (Init::kaiming_uniform(), &begin, root(0.02), Some(root(0.06))),
            (Init::kaiming_uniform(), &within, root(0.02), Some(root(0.06))),
            (Init::kaiming_normal(), &begin, root(0.02), None),
            (Init::kaiming_normal().gain(1.0), &begin, 0.1, None),
            (Init::kaiming_normal().gain(Gain::Following), &begin, 0.3, None),
            (Init::xavier_uniform(), &begin, 0.125, Some(root(6.0 / 128.0))),
            (Init::xavier_normal(), &begin, 0.125, None),
            (Init::xavier_normal().gain(5.0 / 3.0), &begin, 0.125 * 5.0 / 3.0, None),
            (Init::lecun_uniform(), &begin, 0.1, Some(root(0.03))),
            (Init::lecun_normal(), &begin, 0.1, None),
            // Of a normal cut off at two deviations, the variance is 1 − 4 φ(2) / (2 Φ(2) − 1).
            (Init::truncated_normal(), &begin, 0.02 * 0.879_626, None),
            (Init::truncated_normal().gain(3.0), &begin, 0.06 * 0.879_626, None),
            (Init::xavier_uniform(), &Begin::Uniform(0.3), 0.3 * third, Some(0.3)),
            (Init::xavier_uniform(), &Begin::Normal(0.5), 0.5, None),
        ];
        for (init, begin, deviation, bound) in cases {
            let [mean, found, max] = moments(init, begin, 3.0);
            // Four deviations of the estimates.
            assert!(mean.abs() < 4.0 * deviation / 80.0, "{init}, {begin:?}: mean {mean}");
            let off = (found / deviation - 1.0).abs();
            assert!(off < 4.0 / (2.0 * 6400.0_f64).sqrt(), "{init}, {begin:?}: {found}");
            if let Some(bound) = bound {
                assert!(max <= bound && max > 0.99 * bound, "{init}, {begin:?}: {max} of {bound}");
            }
        }
        let [_, _, max] = moments(Init::truncated_normal(), &begin, 1.0);
        assert!(max <= 0.04 && max > 0.038, "{max}");
        assert_eq!(moments(Init::kaiming_uniform(), &Begin::Bias { fan_in }, 1.0), [0.0; 3]);
    }

    #[test]
    fn orthogonal_rows_or_columns_have_the_gain_for_their_length() {
        for [rows, columns] in [[3, 7], [7, 3], [5, 5]] {
            let mut values = vec![0.0; rows * columns];
            let init = Init::orthogonal().gain(1.5);
            let shape = [rows, columns];
            let draw = Draw { init, following: 1.0, seed: Seed(2), name: "w", shape: &shape };
            Begin::Weight { fan_in: columns, fan_out: rows }.fill(&mut values, draw);
            let line = |i: usize, k: usize| -> f64 {
                f64::from(if rows <= columns {
                    values[i * columns + k]
                } else {
                    values[k * columns + i]
                })
            };
            for i in 0..rows.min(columns) {
                for j in 0..rows.min(columns) {
                    let product: f64 =
                        (0..rows.max(columns)).map(|k| line(i, k) * line(j, k)).sum();
                    let expected = if i == j { 2.25 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-6, "{i}, {j}: {product}");
                }
            }
        }
    }

    fn slots(layer: serde_json::Value, input: &Sample) -> Vec<(String, f64)> {
        let layer = Kinds::standard().layer(layer).unwrap();
        let planned = Planned::new(&layer, input).unwrap();
        let slots = planned.layout.slots().iter().filter(|slot| slot.decays());
        slots.map(|slot| (slot.name.clone(), slot.following)).collect()
    }

    #[test]
    fn the_gain_is_that_of_the_activation_that_follows() {
        let root = std::f64::consts::SQRT_2;
        let linear = json!({"layer": "Linear", "out_features": 4});
        let found = slots(
            json!({"layer": "Sequential", "layers": [
                linear, {"layer": "BatchNorm"}, {"layer": "Dropout"}, {"layer": "Relu"},
                linear, linear, {"layer": "Tanh"},
                {"layer": "Residual",
                 "f": {"layer": "Sequential", "layers": [linear, {"layer": "Selu"}, linear]}},
                {"layer": "LeakyRelu", "negative_slope": 2.0},
                {"layer": "Repeat", "times": 2,
                 "f": {"layer": "Sequential", "layers": [{"layer": "Silu"}, linear]}},
                {"layer": "Parallel", "branches": [{"layer": "Relu"}, {"layer": "Sigmoid"}]},
                linear,
            ]}),
            &Sample::numbers([4]),
        );
        let expected = [
            ("0.weight", root),
            ("4.weight", 1.0),
            ("5.weight", 5.0 / 3.0),
            ("7.f.0.weight", 0.75),
            ("7.f.2.weight", (2.0_f64 / 5.0).sqrt()),
            ("9.0.1.weight", root),
            ("9.1.1.weight", 1.0),
            ("11.weight", 1.0),
        ];
        assert_eq!(found, expected.map(|(name, gain)| (name.to_owned(), gain)));
        let block =
            json!({"layer": "TransformerEncoderLayer", "num_heads": 2, "activation": "gelu"});
        let found = slots(block, &Sample::numbers([3, 4]));
        let gains: Vec<f64> = found.iter().map(|(_, gain)| *gain).collect();
        assert_eq!(gains, [1.0, 1.0, root, 1.0], "{found:?}");
    }

    #[test]
    fn pytorchs_table_of_gains() {
        let gain = |json: serde_json::Value| {
            let layer: AnyLayer = serde_json::from_value(json).unwrap();
            layer.layer().gain()
        };
        assert_eq!(gain(json!({"layer": "Sigmoid"})), Some(1.0));
        assert_eq!(gain(json!({"layer": "Tanh"})), Some(5.0 / 3.0));
        assert_eq!(gain(json!({"layer": "Relu"})), Some(2.0_f64.sqrt()));
        assert_eq!(
            gain(json!({"layer": "LeakyRelu", "negative_slope": 0.2})),
            Some((2.0_f64 / 1.04).sqrt())
        );
        assert_eq!(gain(json!({"layer": "Selu"})), Some(0.75));
        assert_eq!(gain(json!({"layer": "Linear", "out_features": 2})), None);
        assert_eq!(Layer::gain(&crate::layer::PRelu::default()), Some((2.0_f64 / 1.0625).sqrt()));
    }

    fn begun(network: &Network, init: Init) -> Vec<(String, Vec<f32>)> {
        let planned = network.plan(&Sample::numbers([6, 8])).unwrap();
        let values = planned.layout.begin(init, Seed(3)).unwrap();
        let slots = planned.layout.slots().iter();
        slots.map(|slot| (slot.name.clone(), values[slot.range()].to_vec())).collect()
    }

    #[test]
    fn attention_begins_as_pytorchs() {
        let network = Network::from(crate::layer::TransformerEncoderLayer::new(2, 32));
        for (name, values) in begun(&network, Init::default()) {
            let max = values.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
            let bound = match name.as_str() {
                "self_attn.in_proj_weight" => (6.0_f32 / 32.0).sqrt(),
                "self_attn.in_proj_bias" | "self_attn.out_proj.bias" => 0.0,
                "norm1.bias" | "norm2.bias" => 0.0,
                "norm1.weight" | "norm2.weight" => 1.0,
                "linear2.weight" | "linear2.bias" => 1.0 / 32.0_f32.sqrt(),
                _ => 1.0 / 8.0_f32.sqrt(),
            };
            // Of many numbers the largest is close to the bound.
            let near = if values.len() > 50 { 0.95 } else { 0.5 };
            assert!(max <= bound && max >= near * bound, "{name}: {max} of {bound}");
        }
    }

    #[test]
    fn a_layers_own_way_holds_for_its_parts_and_no_further() {
        let read = |text: &str| Network::from_json(text).unwrap();
        let plain = r#"{"layer": "Sequential", "layers": [{"layer": "Linear", "out_features": 5},
            {"layer": "Sequential", "layers": [{"layer": "Linear", "out_features": 4},
                                              {"layer": "Linear", "out_features": 3}]}]}"#;
        let own = plain.replacen(
            r#"{"layer": "Sequential", "layers": [{"layer": "Linear", "out_features": 4}"#,
            r#"{"layer": "Sequential", "init": {"scheme": "kaiming_normal", "gain": 0.5}, "layers":
                [{"layer": "Linear", "init": "xavier_normal", "out_features": 4}"#,
            1,
        );
        let (plain, own) = (read(plain), read(&own));
        assert_eq!(read(&own.to_json().unwrap()), own);
        assert_ne!(plain, own);
        let of = |network, init: Init, name: &str| {
            let all = begun(network, init);
            all.into_iter().find(|(found, _)| found == name).unwrap().1
        };
        let lecun = Init::lecun_uniform();
        let half = Init::kaiming_normal().gain(0.5);
        for (name, init) in
            [("0.weight", lecun), ("1.0.weight", Init::xavier_normal()), ("1.1.weight", half)]
        {
            assert_eq!(of(&own, lecun, name), of(&plain, init, name), "{name}");
            assert_eq!(of(&own, lecun, name) == of(&plain, lecun, name), name == "0.weight");
        }
    }

    #[test]
    fn a_gain_that_is_no_positive_number_is_refused() {
        let network = |init: Option<Init>| {
            let layer = AnyLayer::new(crate::layer::Linear::new(2));
            Network::from(match init {
                Some(init) => layer.init(init),
                None => layer,
            })
        };
        for gain in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let init = Init::orthogonal().gain(gain);
            let error = network(Some(init)).plan(&Sample::numbers([3])).unwrap_err().to_string();
            assert!(error.contains("gain of its weights must be a positive number"), "{error}");
            let recipe = Recipe {
                init,
                ..Recipe::new(network(None), Sample::numbers([3]), Loss::mean_squared_error())
            };
            assert!(matches!(recipe.task().err(), Some(NnError::Setting { .. })), "{gain}");
            assert!(matches!(recipe.task_on_dfdx().err(), Some(NnError::Setting { .. })));
        }
    }

    #[test]
    fn both_devices_begin_with_the_same_bits_under_the_same_names() {
        let network = Network::from(
            crate::layer::Sequential::new().linear(7).relu().with(crate::layer::LayerNorm::new()),
        );
        let recipe = Recipe {
            init: Init::kaiming_normal().gain(Gain::Following),
            seed: Seed(5),
            ..Recipe::new(network, Sample::numbers([3]), Loss::mean_squared_error())
        };
        let (host, dfdx) = (recipe.task().unwrap(), recipe.task_on_dfdx().unwrap());
        assert_eq!(host.model().weights(), dfdx.model().weights());
    }

    #[test]
    fn json_of_before_is_read_and_what_is_no_scheme_is_refused() {
        for (text, init) in [
            (json!("kaiming_uniform"), Init::kaiming_uniform()),
            (json!("truncated_normal"), Init::truncated_normal()),
            (json!("pytorch"), Init::default()),
            (
                json!({"scheme": "xavier_normal", "gain": "following"}),
                Init::xavier_normal().gain(Gain::Following),
            ),
            (json!({"scheme": "orthogonal", "gain": 1.5}), Init::orthogonal().gain(1.5)),
        ] {
            assert_eq!(serde_json::from_value::<Init>(text.clone()).unwrap(), init);
            assert_eq!(serde_json::to_value(init).unwrap(), text);
        }
        for wrong in [json!("he"), json!({"scheme": "orthogonal", "gains": 1}), json!(3)] {
            let error = serde_json::from_value::<Init>(wrong).unwrap_err().to_string();
            assert!(error.contains("\"kaiming_uniform\""), "{error}");
        }
    }
}
