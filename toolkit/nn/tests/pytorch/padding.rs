//! Padding: what of it PyTorch has no numbers for.

use trainbook_core::array::Array as CoreArray;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::Seed;
use trainbook_nn::layer::{
    AnyLayer, Combine, Conv1d, Embedding, Layer, Linear, Lstm, MultiHeadAttention, Parallel,
    Sequential, Slice, TransformerDecoderLayer, TransformerEncoderLayer,
};
use trainbook_nn::task::{Loss, Recipe};
use trainbook_nn::trial::{Outcome, Trial};
use trainbook_nn::{Context, Network, PaddingIndex, Sample};
use trainbook_onnx::{Array, Numbers};

use super::layers::compare;

/// What stands for nothing.
const NOTHING: usize = 2;

fn embedding() -> Sequential {
    Sequential::new().with(Embedding::new(7, 6).padding_index(NOTHING))
}

/// The network on sequences so long, with values that look random.
fn trial(network: Sequential, length: usize) -> Trial {
    let mut trial = Trial::new(&network.into(), &Sample::indices([length])).unwrap();
    let values = (0..trial.values.len()).map(|i| ((i * 37 + 11) % 97) as f64 / 48.5 - 1.0);
    trial.values = values.collect();
    trial
}

/// In dfdx's operations and f64, after the other forms have given the same.
fn run(trial: &Trial, tokens: &[usize], length: usize) -> Outcome {
    let rows = tokens.len() / length;
    let input: Vec<f64> = tokens.iter().map(|token| *token as f64).collect();
    let size = rows * trial.planned.root.output.size();
    let upstream: Vec<f64> = (0..size).map(|i| (i as f64 * 0.7).cos()).collect();
    let context = Context::EVALUATION;
    let exact = trial.on_dfdx::<f64>(&input, rows, context, &upstream).unwrap();
    assert!(exact.output.iter().chain(&exact.gradients).all(|v| v.is_finite()));
    let host = trial.on_host(&input, rows, context, &upstream).unwrap();
    compare("output on the host", &host.output, &exact.output, 1e-5);
    compare("gradients on the host", &host.gradients, &exact.gradients, 1e-5);
    let indices = Numbers::I64(tokens.iter().map(|token| *token as i64).collect());
    let array = Array { shape: vec![rows, length], numbers: indices };
    let graph = trial.graph().unwrap().evaluate_f64_on(&[array]).unwrap();
    compare("output in ONNX", &graph[0], &exact.output, 1e-6);
    exact
}

#[test]
fn where_all_keys_are_padding_the_values_are_0_and_nothing_is_nan() {
    for attention in [MultiHeadAttention::new(2), MultiHeadAttention::new(2).causal()] {
        let trial = trial(embedding().with(attention), 3);
        let outcome = run(&trial, &[NOTHING, NOTHING, NOTHING, 1, NOTHING, 4], 3);
        let slots = trial.planned.layout.slots();
        let bias = slots.iter().find(|slot| slot.name == "1.out_proj.bias").unwrap();
        for position in outcome.output[..18].chunks_exact(6) {
            compare("position", position, &trial.values[bias.range()], 1e-12);
        }
    }
    for pool in [embedding().position_avg_pool(), embedding().position_max_pool()] {
        let outcome = run(&trial(pool, 2), &[NOTHING, NOTHING, NOTHING, 5], 2);
        compare("of nothing", &outcome.output[..6], &[0.0; 6], 0.0);
        assert!(outcome.output[6..].iter().all(|v| *v != 0.0));
    }
}

#[test]
fn behind_padding_a_position_sees_neither_it_nor_what_comes() {
    let trial = trial(embedding().with(MultiHeadAttention::new(3).causal()), 4);
    let one = run(&trial, &[NOTHING, NOTHING, 1, 3], 4);
    let other = run(&trial, &[NOTHING, NOTHING, 1, 6], 4);
    assert_eq!(one.output[..18], other.output[..18]);
    assert_ne!(one.output[18..], other.output[18..]);
}

fn classifier(length: usize) -> Trial {
    let block = || TransformerEncoderLayer::new(2, 5);
    let network = embedding().with(block()).with(block().norm_first()).position_avg_pool();
    trial(network.linear(3), length)
}

#[test]
fn sequences_mean_the_same_however_far_they_are_filled_up() {
    let (short, long) = (classifier(3), classifier(5));
    let expected = run(&short, &[1, 4, 0], 3);
    let found = run(&long, &[1, 4, 0, NOTHING, NOTHING], 5);
    compare("filled up", &found.output, &expected.output, 1e-12);
    compare("gradients", &found.gradients, &expected.gradients, 1e-12);
    // Without the index it is not so.
    let plain = Sequential::new().embedding(7, 6).with(MultiHeadAttention::new(2));
    let plain = |length| trial(plain.clone().position_avg_pool(), length);
    let (short, long) = (plain(3), plain(5));
    let expected = run(&short, &[1, 4, 0], 3).output;
    assert_ne!(run(&long, &[1, 4, 0, NOTHING, NOTHING], 5).output, expected);
}

#[test]
fn the_row_of_padding_counts_for_nothing_and_gets_no_gradient() {
    let trial = classifier(4);
    let tokens = [1, NOTHING, 5, NOTHING, 3, 0, 6, NOTHING];
    let expected = run(&trial, &tokens, 4);
    let table = trial.planned.layout.slots()[0].range();
    let row = table.start + 6 * NOTHING..table.start + 6 * (NOTHING + 1);
    assert!(expected.gradients[row.clone()].iter().all(|g| *g == 0.0));
    let mut other = trial.clone();
    other.values[row].iter_mut().for_each(|v| *v = 7.0 - 3.0 * *v);
    compare("another row", &run(&other, &tokens, 4).output, &expected.output, 1e-12);
}

#[test]
fn padding_goes_as_far_as_the_positions() {
    let known = Some(PaddingIndex { index: NOTHING, num_embeddings: 7, positions: 4, first: 0 });
    let after = |layer: AnyLayer| {
        let network = embedding().with(layer);
        Trial::new(&network.into(), &Sample::indices([4])).unwrap().planned.root.output.padding
    };
    let both = |other: Embedding| {
        let both = Parallel::new(Combine::Add).with(Embedding::new(7, 6).padding_index(NOTHING));
        let both = AnyLayer::new(both.with(other));
        Trial::new(&both, &Sample::indices([4])).unwrap().planned.root.output.padding
    };
    let keep: [AnyLayer; 8] = [
        Linear::new(3).into(),
        Sequential::new().layer_norm().relu().dropout(0.1).into(),
        Sequential::new().residual(Linear::new(6)).into(),
        MultiHeadAttention::new(2).into(),
        TransformerEncoderLayer::new(2, 5).into(),
        Lstm::new(3).into(),
        Sequential::new().concat_of([Linear::new(2), Linear::new(2)]).into(),
        Sequential::new().sum_of([Linear::new(6), Linear::new(6)]).into(),
    ];
    for layer in keep {
        let name = layer.to_string();
        let found = after(layer);
        // Branches behind each other lie along the positions.
        let expected = if name.contains("concat") { None } else { known };
        assert_eq!(found, expected, "{name}");
    }
    // Some positions behind each other are still the network's, and so are all of them again.
    let left = |first| known.map(|known| PaddingIndex { first, ..known });
    assert_eq!(after(Slice::new(1, 3).into()), left(1));
    assert_eq!(after(Slice::new(0, 2).dim(1).into()), known);
    assert_eq!(after(MultiHeadAttention::new(2).memory(3).into()), left(3));
    let halves = |a: Slice, b: Slice| {
        after(Parallel::new(Combine::Concat).with(Sequential::new().with(a)).with(b).into())
    };
    assert_eq!(halves(Slice::new(0, 3), Slice::new(3, None)), known);
    assert_eq!(halves(Slice::new(1, 3), Slice::new(3, None)), left(1));
    assert_eq!(halves(Slice::new(2, None), Slice::new(0, 2)), None);
    assert_eq!(after(TransformerDecoderLayer::new(2, 5, 2).into()), known);
    let drop: [AnyLayer; 4] = [
        Sequential::new().flatten().into(),
        Lstm::new(3).last().into(),
        Conv1d::new(4, 3).into(),
        Sequential::new().global_avg_pool().into(),
    ];
    for layer in drop {
        let name = layer.to_string();
        assert_eq!(after(layer), None, "{name}");
    }
    assert_eq!(both(Embedding::new(9, 6)), known);
    assert_eq!(both(Embedding::new(9, 6).padding_index(3)), None);
}

#[test]
fn an_index_beyond_the_table_is_refused() {
    let layer = AnyLayer::new(Embedding::new(7, 6).padding_index(7));
    let error = Trial::new(&layer, &Sample::indices([4])).unwrap_err().to_string();
    assert!(error.contains("its padding_index must be below its num_embeddings, 7, not 7"));
    assert_eq!(Layer::note(&Embedding::new(7, 6).padding_index(0)), "7 → 6, padding 0");
}

#[test]
fn the_row_of_padding_begins_at_0_and_stays_there() {
    let recipe = Recipe {
        seed: Seed(3),
        ..Recipe::new(
            Network::from(embedding().flatten().linear(3)),
            Sample::indices([4]),
            Loss::cross_entropy(),
        )
    };
    let batch = Batch {
        input: CoreArray::i64(vec![2, 4], vec![1, 2, 2, 5, 0, 3, 6, 2]),
        targets: Targets::Classes(vec![0, 2]),
        samples: vec![0, 1],
        weights: None,
        mixed: None,
    };
    for mut task in [recipe.task().unwrap(), recipe.task_on_dfdx().unwrap()] {
        for _ in 0..3 {
            let table = &task.model().weights().0[0];
            for (index, row) in table.chunks_exact(6).enumerate() {
                assert_eq!(row.iter().all(|v| *v == 0.0), index == NOTHING, "{index}");
            }
            task.forward_backward(&batch).unwrap();
            task.update(&0.1.into()).unwrap();
        }
    }
}
