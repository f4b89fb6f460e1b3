//! What dropout draws. Nobody else's numbers can confirm a mask, but its properties can be counted.

use trainbook_core::random::Seed;
use trainbook_nn::layer::{AnyLayer, ChannelDropout, Dropout, Sequential, TransformerEncoderLayer};
use trainbook_nn::trial::Trial;
use trainbook_nn::{Context, Sample};

fn training(seed: u64, update: u64, samples: &[usize]) -> Context<'_> {
    Context { training: true, seed: Seed(seed), update, samples }
}

/// The mask of a layer: what it makes of ones. Both forms must give the same, to the bit, and going
/// backward they multiply by it again.
fn mask(
    layer: impl Into<AnyLayer>,
    sample: &[usize],
    rows: usize,
    context: Context<'_>,
) -> Vec<f64> {
    let trial = Trial::new(&layer.into(), &Sample::numbers(sample)).unwrap();
    let ones = vec![1.0; rows * sample.iter().product::<usize>()];
    let host = trial.on_host(&ones, rows, context, &ones).unwrap();
    let dfdx = trial.on_dfdx::<f32>(&ones, rows, context, &ones).unwrap();
    assert_eq!(host, dfdx);
    assert_eq!(host.output, host.input_gradient);
    host.output
}

#[test]
fn drops_its_share_and_keeps_the_mean() {
    for p in [0.1, 0.5, 0.8] {
        let mask = mask(Dropout::new(p), &[5_000], 8, training(1, 0, &[]));
        let n = mask.len() as f64;
        let dropped = mask.iter().filter(|m| **m == 0.0).count() as f64 / n;
        // Five deviations.
        let off = 5.0 * (p * (1.0 - p) / n).sqrt();
        assert!((dropped - p).abs() < off, "{p}: {dropped}");
        let mean = mask.iter().sum::<f64>() / n;
        assert!((mean - 1.0).abs() < off / (1.0 - p), "{p}: mean {mean}");
        let kept = f64::from((1.0 / (1.0 - p)) as f32);
        assert!(mask.iter().all(|m| *m == 0.0 || *m == kept));
    }
}

#[test]
fn the_key_decides_and_the_batch_does_not() {
    let of = |context| mask(Dropout::new(0.5), &[64], 3, context);
    let first = of(training(1, 2, &[10, 11, 12]));
    assert_eq!(first, of(training(1, 2, &[10, 11, 12])));
    assert_ne!(first, of(training(2, 2, &[10, 11, 12])), "another seed");
    assert_ne!(first, of(training(1, 3, &[10, 11, 12])), "another update");
    assert_ne!(first[..64], first[64..128], "another sample");
    // The same samples in another order, and in other company.
    let turned = of(training(1, 2, &[12, 10, 7]));
    assert_eq!(first[..64], turned[64..128]);
    assert_eq!(first[128..], turned[..64]);
    // A second layer draws for itself.
    let two = mask(Sequential::new().dropout(0.5).dropout(0.5), &[64], 1, training(1, 2, &[10]));
    assert!(!two.contains(&2.0) && two.contains(&4.0), "{two:?}");
    assert!(two.iter().filter(|m| **m == 4.0).count() < 32);
}

#[test]
fn channels_are_dropped_whole() {
    let mask = mask(ChannelDropout::new(0.4), &[50, 3, 4], 40, training(3, 0, &[]));
    let channels: Vec<&[f64]> = mask.chunks(12).collect();
    assert!(channels.iter().all(|c| c.iter().all(|m| *m == c[0])));
    let dropped = channels.iter().filter(|c| c[0] == 0.0).count() as f64 / 2000.0;
    assert!((dropped - 0.4).abs() < 0.055, "{dropped}");
    assert_ne!(mask[..600], mask[600..1200], "another sample");
}

#[test]
fn evaluation_and_probability_0_change_nothing() {
    let ones = vec![1.0; 2 * 12];
    assert_eq!(mask(Dropout::new(0.9), &[12], 2, Context::EVALUATION), ones);
    assert_eq!(mask(ChannelDropout::new(0.9), &[4, 3], 2, Context::EVALUATION), ones);
    assert_eq!(mask(Dropout::new(0.0), &[12], 2, training(1, 0, &[])), ones);
}

#[test]
fn a_probability_is_from_0_to_below_1() {
    for p in [-0.1, 1.0, f64::NAN] {
        for layer in [AnyLayer::new(Dropout::new(p)), AnyLayer::new(ChannelDropout::new(p))] {
            let error = Trial::new(&layer, &Sample::numbers([4, 3])).unwrap_err().to_string();
            assert!(
                error.contains(&format!("its p must be from 0 to below 1, not {p}")),
                "{error}"
            );
        }
    }
}

/// The parts of a transformer draw alike in both forms.
#[test]
fn an_encoder_layer_drops_alike_in_both_forms() {
    let layer = TransformerEncoderLayer::new(2, 16).dropout(0.3);
    for layer in [layer.clone(), layer.norm_first().causal()] {
        let mut trial = Trial::new(&layer.into(), &Sample::numbers([5, 8])).unwrap();
        let wave = |i: usize| (i as f64 * 0.7).sin() * 0.5;
        trial.values.iter_mut().enumerate().for_each(|(i, v)| *v = wave(i));
        let input: Vec<f64> = (0..3 * 40).map(|i| wave(i * 3 + 1)).collect();
        let upstream: Vec<f64> = (0..3 * 40).map(|i| wave(i * 5 + 2)).collect();
        let context = training(4, 1, &[5, 2, 9]);
        let host = trial.on_host(&input, 3, context, &upstream).unwrap();
        let dfdx = trial.on_dfdx::<f64>(&input, 3, context, &upstream).unwrap();
        let none = trial.on_host(&input, 3, Context::EVALUATION, &upstream).unwrap();
        assert_ne!(host.output, none.output);
        let close = |a: &[f64], b: &[f64]| {
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a}, and in f64 {b}");
            }
        };
        close(&host.output, &dfdx.output);
        close(&host.input_gradient, &dfdx.input_gradient);
        close(&host.gradients, &dfdx.gradients);
    }
}
