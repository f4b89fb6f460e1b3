//! However rows are cut into batches, the number is the same.

use proptest::prelude::*;
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_metrics::{
    Average, CohenKappa, Distance, F1, LabelRocAuc, Measure, MedianAbsolute, Metric, RocAuc,
};

use crate::all;
use crate::fixture::measured;

/// The library's, each once by default, and some options that count otherwise.
fn several() -> Vec<Metric> {
    let mut metrics = all();
    metrics.push(F1 { average: Average::Micro }.into());
    metrics.push(RocAuc { average: Average::Weighted }.into());
    metrics.push(LabelRocAuc { average: Average::Micro }.into());
    metrics.push(CohenKappa { distance: Distance::Quadratic }.into());
    metrics
}

fn targets_of(metric: &Metric, classes: &[u32], width: usize) -> Targets {
    match metric.measure().takes() {
        TargetKind::Classes => Targets::Classes(classes.to_vec()),
        TargetKind::Values => {
            let each = classes.iter().flat_map(|&class| {
                (0..width).map(move |at| f32::from(u8::from(at == class as usize % width)))
            });
            Targets::Values(each.collect())
        }
    }
}

/// The width, outputs with classes, and a weight for each output or none.
type Drawn = (usize, (Vec<f32>, Vec<u32>), Option<Vec<f32>>);

fn some_rows() -> impl Strategy<Value = Drawn> {
    // Halves, so that there are ties.
    let output = || (-9_i8..9).prop_map(|half| f32::from(half) / 2.0);
    let weight = || (0_u8..4).prop_map(f32::from);
    (1_usize..6, 1_usize..40).prop_flat_map(move |(width, rows)| {
        let outputs = prop::collection::vec(output(), rows * width);
        let classes = prop::collection::vec(0..width as u32, rows);
        let weights = prop::option::of(prop::collection::vec(weight(), rows * width));
        (Just(width), (outputs, classes), weights)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same(
        (width, (outputs, classes), weights) in some_rows(),
        batches in prop::collection::vec(1_usize..9, 1..5),
    ) {
        for metric in several() {
            let targets = targets_of(&metric, &classes, width);
            let weights = weights.as_ref().map(|weights| &weights[..targets.len()]);
            let outputs = (&outputs[..], width);
            let whole = measured(&metric, outputs, &targets, weights, &[outputs.0.len()]);
            let cut = measured(&metric, outputs, &targets, weights, &batches);
            // To the bit: the rows are added one after the other.
            let same = whole.to_bits() == cut.to_bits();
            prop_assert!(same, "{}: {whole} and {cut}", metric.name());
        }
    }

    #[test]
    fn a_weight_is_how_often_a_row_comes(
        (width, (outputs, classes), weights) in some_rows(),
    ) {
        let weights = weights.unwrap_or_else(|| vec![2.0; classes.len()]);
        let weights = weights.iter().take(classes.len()).map(|weight| *weight as u8);
        let weights: Vec<u8> = weights.collect();
        for metric in several() {
            let targets = targets_of(&metric, &classes, width);
            let per_row = targets.len() / classes.len();
            let each = weights.iter().flat_map(|&weight| vec![f32::from(weight); per_row]);
            let each: Vec<f32> = each.collect();
            let again: Vec<usize> = weights
                .iter()
                .enumerate()
                .flat_map(|(row, &weight)| vec![row; weight.into()])
                .collect();
            if again.is_empty() {
                continue;
            }
            let rows = again.iter().flat_map(|row| &outputs[row * width..(row + 1) * width]);
            let repeated: Vec<f32> = rows.copied().collect();
            let mut of = Targets::default();
            of.gather(&targets, &again, per_row);
            let weighted = measured(&metric, (&outputs, width), &targets, Some(&each), &[99]);
            let repeated = measured(&metric, (&repeated, width), &of, None, &[99]);
            // Of one row that comes twice the variance is defined, and of one of weight two it is
            // not.
            let same = (weighted - repeated).abs() < 1e-9 * (1.0 + repeated.abs())
                || weighted.is_nan() && (repeated.is_nan() || metric.name() == "r2");
            prop_assert!(same, "{}: {} and {}", metric.name(), weighted, repeated);
        }
    }
}

#[test]
fn nothing_says_nothing() {
    for metric in several() {
        let empty = metric.measure().begin(3).value();
        assert!(empty.is_nan(), "{}: {empty}", metric.name());
    }
    assert!(MedianAbsolute.begin(0).value().is_nan());
}
