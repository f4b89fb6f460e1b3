//! Layers of sequences and of normalisation, where fixtures are too small or nothing goes wrong.

use trainbook_core::random::Seed;
use trainbook_nn::layer::{
    AnyLayer, BatchNorm, CategoricalEmbedding, CategoryTable, Embedding, GroupNorm, LayerNorm,
    LearnedPositions, MultiHeadAttention, RmsNorm, Slice, TransformerDecoderLayer,
    TransformerEncoderLayer,
};
use trainbook_nn::trial::Trial;
use trainbook_nn::{Context, Sample};

/// Shapes at which work is divided, and remainders are left: both forms against each other.
#[test]
fn large_batches_are_right_and_the_same_on_any_number_of_threads() {
    let cases: Vec<(AnyLayer, Vec<usize>, usize)> = vec![
        (LayerNorm::new().into(), vec![37, 67], 19),
        (RmsNorm::new().into(), vec![37, 67], 19),
        (GroupNorm::new(3).into(), vec![6, 21, 13], 29),
        (BatchNorm::new().into(), vec![6, 21, 13], 29),
        (BatchNorm::new().into(), vec![150], 257),
        (MultiHeadAttention::new(4).into(), vec![37, 32], 19),
        (MultiHeadAttention::new(2).causal().into(), vec![37, 32], 19),
        (TransformerEncoderLayer::new(4, 64).into(), vec![37, 32], 19),
        (TransformerDecoderLayer::new(4, 64, 13).into(), vec![37, 32], 19),
        (MultiHeadAttention::new(4).memory(21).into(), vec![37, 32], 19),
        (Slice::new(3, -4).into(), vec![37, 32], 19),
    ];
    for (layer, sample, rows) in cases {
        let mut trial = Trial::new(&layer, &Sample::numbers(sample.clone())).unwrap();
        // Like noise, so that no sum cancels; a variance is positive.
        let noise = |i: usize, k: f64| ((i as f64 + 0.5) * k).sin() * 0.2;
        trial.values.iter_mut().enumerate().for_each(|(i, v)| *v = noise(i, 78.233));
        for slot in trial.planned.layout.slots().to_vec() {
            if slot.name.ends_with("running_var") {
                trial.values[slot.range()].iter_mut().for_each(|v| *v = v.abs() + 0.5);
            }
        }
        let len = rows * sample.iter().product::<usize>();
        let input: Vec<f64> = (0..len).map(|i| 5.0 * noise(i, 12.9898)).collect();
        let outputs = rows * trial.planned.root.output.size();
        let upstream: Vec<f64> = (0..outputs).map(|i| noise(i, 39.425)).collect();
        let context = Context { training: true, seed: Seed(1), update: 0, samples: &[] };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| trial.on_host(&input, rows, context, &upstream)).unwrap()
        };
        let host = on(1);
        assert_eq!(host, on(2), "{layer}");
        assert_eq!(host, on(5), "{layer}");
        let dfdx = trial.on_dfdx::<f64>(&input, rows, context, &upstream).unwrap();
        let close = |what: &str, a: &[f64], b: &[f64]| {
            assert_eq!(a.len(), b.len());
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                let off = (a - b).abs();
                assert!(off < 2e-5 * (1.0 + b.abs()), "{layer}, {what} {i}: {a}, and in f64 {b}");
            }
        };
        close("output", &host.output, &dfdx.output);
        close("input", &host.input_gradient, &dfdx.input_gradient);
        close("gradient", &host.gradients, &dfdx.gradients);
        for (a, b) in host.buffers.iter().zip(&dfdx.buffers) {
            assert_eq!(a.0, b.0);
            close("buffer", &a.1, &b.1);
        }
    }
}

#[test]
fn an_index_outside_the_table_is_named() {
    let trial = Trial::new(&Embedding::new(5, 3).into(), &Sample::indices([2])).unwrap();
    let upstream = [0.0; 6];
    let context = Context::EVALUATION;
    let host = trial.on_host(&[4.0, 7.0], 1, context, &upstream).unwrap_err();
    let dfdx = trial.on_dfdx::<f64>(&[4.0, 7.0], 1, context, &upstream).unwrap_err();
    for error in [host, dfdx] {
        let error = error.to_string();
        assert!(error.contains("index 7 is not in its table of 5 rows"), "{error}");
    }
}

#[test]
fn what_is_no_category_is_zeros_and_an_error_in_training() {
    let layer = CategoricalEmbedding::new([(1, 3)]);
    let mut trial = Trial::new(&layer.into(), &Sample::numbers([2])).unwrap();
    let weights: Vec<f64> = (1..=9).map(f64::from).collect();
    trial.values.copy_from_slice(&weights);
    // A category is the nearest whole number, and half-way there is none.
    let rows = [
        (0.0, [1.0, 2.0, 3.0]),
        (1.9, [7.0, 8.0, 9.0]),
        (-0.4, [1.0, 2.0, 3.0]),
        (-1.0, [0.0; 3]),
        (3.0, [0.0; 3]),
        (1.5, [0.0; 3]),
        (1e30, [0.0; 3]),
    ];
    let input: Vec<f64> = rows.iter().flat_map(|(x, _)| [0.25, *x]).collect();
    let expected: Vec<f64> =
        rows.iter().flat_map(|(_, row)| [&row[..], &[0.25]].concat()).collect();
    let upstream = vec![1.0; expected.len()];
    let count = rows.len();
    let host = trial.on_host(&input, count, Context::EVALUATION, &upstream).unwrap();
    let dfdx = trial.on_dfdx::<f64>(&input, count, Context::EVALUATION, &upstream).unwrap();
    for outcome in [&host, &dfdx] {
        assert_eq!(outcome.output, expected);
        assert_eq!(outcome.gradients, [2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }
    let graph = trial.graph().unwrap();
    assert_eq!(graph.evaluate_f64(&input, count).unwrap(), expected);

    let training = Context { training: true, ..Context::EVALUATION };
    for x in ["-0.7", "3", "0.25"] {
        let input = [0.0, x.parse().unwrap()];
        let host = trial.on_host(&input, 1, training, &upstream[..4]).unwrap_err();
        let dfdx = trial.on_dfdx::<f64>(&input, 1, training, &upstream[..4]).unwrap_err();
        for error in [host, dfdx] {
            let error = error.to_string();
            assert!(error.contains(&format!("feature 1 is {x},")), "{error}");
            assert!(error.contains("0 to 2"), "{error}");
        }
    }
}

#[test]
fn rows_of_tables_have_the_sizes_of_fastai() {
    let dim = |categories| CategoryTable::new(0, categories).embedding_dim;
    assert_eq!([1, 2, 7, 50, 1000, 1_000_000].map(dim), [2, 2, 5, 14, 77, 600]);
}

#[test]
fn what_does_not_fit_is_said() {
    let misfit =
        |layer: AnyLayer, sample: Sample| Trial::new(&layer, &sample).unwrap_err().to_string();
    let numbers = |shape: &[usize]| Sample::numbers(shape);
    let cases = [
        (
            LearnedPositions::new(8).into(),
            numbers(&[9, 4]),
            "max_length is 8, and the sequence has 9",
        ),
        (Embedding::new(5, 3).into(), numbers(&[2]), "takes indices"),
        (MultiHeadAttention::new(3).into(), numbers(&[5, 4]), "num_heads, 3, must divide the 4"),
        (
            MultiHeadAttention::new(2).memory(5).into(),
            numbers(&[5, 4]),
            "memory of 5 positions leaves none of the 5",
        ),
        (
            MultiHeadAttention::new(2).memory(2).causal().into(),
            numbers(&[5, 4]),
            "has a memory, whose positions are not those of the sequence",
        ),
        (
            TransformerDecoderLayer::new(2, 8, 0).into(),
            numbers(&[5, 4]),
            "memory must be at least 1 and leave something of the 5 positions, and is 0",
        ),
        (CategoricalEmbedding::new([]).into(), numbers(&[4]), "at least one table"),
        (CategoricalEmbedding::new([(0, 2)]).into(), numbers(&[5, 4]), "[features]"),
        (CategoricalEmbedding::new([(0, 2), (4, 3)]).into(), numbers(&[4]), "no feature 4"),
        (CategoricalEmbedding::new([(1, 2), (1, 3)]).into(), numbers(&[4]), "must ascend"),
        (CategoricalEmbedding::new([(1, 0)]).into(), numbers(&[4]), "feature 1 must be 1 to"),
        (Slice::new(2, 2).into(), numbers(&[5, 4]), "its 2..2 of dimension 0 must be inside"),
        (Slice::new(-6, None).into(), numbers(&[5, 4]), "its -6.. of dimension 0 must be inside"),
        (Slice::new(0, 2).dim(2).into(), numbers(&[5, 4]), "its 0..2 of dimension 2 must be"),
        (GroupNorm::new(4).into(), numbers(&[6, 2]), "num_groups, 4, must divide the 6"),
        (BatchNorm::new().momentum(1.5).into(), numbers(&[6]), "from 0 to 1, not 1.5"),
        (LayerNorm::new().eps(-1.0).into(), numbers(&[6]), "0 or more, not -1"),
    ];
    for (layer, sample, says) in cases {
        let error = misfit(layer, sample);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_batch_of_one_number_a_channel_has_no_variance() {
    let trial = Trial::new(&BatchNorm::new().into(), &Sample::numbers([3])).unwrap();
    let context = Context { training: true, ..Context::EVALUATION };
    let host = trial.on_host(&[1.0; 3], 1, context, &[0.0; 3]).unwrap_err().to_string();
    let dfdx = trial.on_dfdx::<f64>(&[1.0; 3], 1, context, &[0.0; 3]).unwrap_err().to_string();
    assert_eq!(host, dfdx);
    assert!(host.contains("at least 2 numbers for each channel; this batch has 1"), "{host}");
}
