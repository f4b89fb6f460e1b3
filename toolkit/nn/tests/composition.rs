//! Layers of layers against their parts, applied by hand, in both forms.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use std::collections::BTreeMap;

use trainbook_nn::layer::{
    AnyLayer, Combine, Flatten, Gelu, Identity, Kinds, Linear, Parallel, Relu, Repeat, Reshape,
    Residual, Sequential, Slice, Tanh, TransformerDecoderLayer, Upsample,
};
use trainbook_nn::trial::{Outcome, Trial};
use trainbook_nn::{Context, NnError, Planned, Sample};

#[derive(Clone, Copy, Debug)]
enum Form {
    Host,
    Dfdx,
}

const FORMS: [Form; 2] = [Form::Host, Form::Dfdx];

/// Numbers between −1 and 1 that look random.
fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 37 + seed * 101 + 11) % 97) as f64 / 48.5 - 1.0).collect()
}

/// The layer with values that depend on the names of its tensors alone.
fn trial(layer: impl Into<AnyLayer>, sample: &[usize]) -> Trial {
    filled(Trial::new(&layer.into(), &Sample::numbers(sample)).unwrap())
}

fn filled(mut trial: Trial) -> Trial {
    for slot in trial.planned.layout.slots() {
        let seed = slot.name.bytes().map(usize::from).sum();
        trial.values[slot.range()].copy_from_slice(&numbers(slot.len(), seed));
    }
    trial
}

/// The same values for a part alone: those of the whole under `prefix`.
fn part(whole: &Trial, prefix: &str, layer: impl Into<AnyLayer>, sample: &[usize]) -> Trial {
    let mut part = Trial::new(&layer.into(), &Sample::numbers(sample)).unwrap();
    let of_whole = by_name(whole, &whole.values);
    for slot in part.planned.layout.slots() {
        let dot = if slot.name.is_empty() { "" } else { "." };
        let name = format!("{prefix}{dot}{}", slot.name);
        part.values[slot.range()].copy_from_slice(&of_whole[&name]);
    }
    part
}

fn by_name(trial: &Trial, values: &[f64]) -> BTreeMap<String, Vec<f64>> {
    let slots = trial.planned.layout.slots().iter();
    slots.map(|slot| (slot.name.clone(), values[slot.range()].to_vec())).collect()
}

fn run(trial: &Trial, form: Form, x: &[f64], rows: usize, upstream: &[f64]) -> Outcome {
    match form {
        Form::Host => trial.on_host(x, rows, Context::EVALUATION, upstream),
        Form::Dfdx => trial.on_dfdx::<f64>(x, rows, Context::EVALUATION, upstream),
    }
    .unwrap()
}

fn close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{what}, element {i}: {a}, not {b}");
    }
}

/// Whether the whole has the gradients that its part has.
fn gradients_of(whole: &Trial, outcome: &Outcome, prefix: &str, part: &Trial, own: &Outcome) {
    let of_whole = by_name(whole, &outcome.gradients);
    for (name, gradient) in by_name(part, &own.gradients) {
        close(&name, &of_whole[&format!("{prefix}.{name}")], &gradient);
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn names(trial: &Trial) -> Vec<&str> {
    trial.planned.layout.slots().iter().map(|slot| slot.name.as_str()).collect()
}

fn misfit(layer: impl Into<AnyLayer>, sample: &[usize]) -> String {
    match Planned::new(&layer.into(), &Sample::numbers(sample)) {
        Err(error @ NnError::Misfit { .. }) => error.to_string(),
        other => panic!("it should not fit: {other:?}"),
    }
}

#[test]
fn a_sum_is_that_of_its_branches() {
    let (one, other) = (Linear::new(4), Sequential::new().linear(4).tanh());
    let whole = trial(
        Parallel::new(Combine::Add)
            .with(one)
            .with(other.clone())
            .named("shortcut", Linear::new(4).no_bias()),
        &[3],
    );
    assert_eq!(names(&whole), ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "shortcut.weight"]);
    let (x, g) = (numbers(6, 1), numbers(8, 2));
    for form in FORMS {
        let found = run(&whole, form, &x, 2, &g);
        let parts = [
            ("0", part(&whole, "0", one, &[3])),
            ("1", part(&whole, "1", other.clone(), &[3])),
            ("shortcut", part(&whole, "shortcut", Linear::new(4).no_bias(), &[3])),
        ];
        let (mut y, mut dx) = (vec![0.0; 8], vec![0.0; 6]);
        for (name, alone) in &parts {
            let own = run(alone, form, &x, 2, &g);
            (y, dx) = (sum(&y, &own.output), sum(&dx, &own.input_gradient));
            gradients_of(&whole, &found, name, alone, &own);
        }
        close("output", &found.output, &y);
        close("gradient in the input", &found.input_gradient, &dx);
    }
}

/// Puts rows of these widths behind each other.
fn behind(rows: usize, parts: &[(&[f64], usize)]) -> Vec<f64> {
    let row = |i: usize| parts.iter().flat_map(move |(values, w)| &values[i * w..(i + 1) * w]);
    (0..rows).flat_map(row).copied().collect()
}

#[test]
fn branches_stand_behind_each_other() {
    // Along channels, and along the last dimension: the second branch has another width there.
    for (dim, sample, widths) in [(0, [3, 2], [6, 6]), (-1, [3, 2], [4, 2]), (1, [3, 2], [4, 2])] {
        let first: AnyLayer = if dim == 0 { Tanh.into() } else { Linear::new(4).into() };
        let whole = trial(
            Parallel::new(Combine::Concat).with(first.clone()).with(Gelu::tanh()).dim(dim),
            &sample,
        );
        let out = if dim == 0 { vec![6, 2] } else { vec![3, 6] };
        assert_eq!(whole.planned.root.output, Sample::numbers(out));
        // In each branch so many rows; the first dimension is not divided.
        let rows = if dim == 0 { 2 } else { 6 };
        let (a, b) = (rows * widths[0], rows * widths[1]);
        let x = numbers(12, 1);
        let (ga, gb) = (numbers(a, 2), numbers(b, 3));
        let g = behind(rows, &[(&ga, widths[0]), (&gb, widths[1])]);
        for form in FORMS {
            let found = run(&whole, form, &x, 2, &g);
            let alone = part(&whole, "0", first.clone(), &sample);
            let own = run(&alone, form, &x, 2, &ga);
            let other = run(&part(&whole, "1", Gelu::tanh(), &sample), form, &x, 2, &gb);
            close(
                "output",
                &found.output,
                &behind(rows, &[(&own.output, widths[0]), (&other.output, widths[1])]),
            );
            close("input", &found.input_gradient, &sum(&own.input_gradient, &other.input_gradient));
            gradients_of(&whole, &found, "0", &alone, &own);
        }
    }
}

#[test]
fn repetitions_have_their_own_parameters() {
    let block = Sequential::new().named("inner", Linear::new(3)).tanh();
    let whole = trial(Repeat::new(3, block.clone()), &[3]);
    assert_eq!(
        names(&whole),
        [
            "0.inner.weight",
            "0.inner.bias",
            "1.inner.weight",
            "1.inner.bias",
            "2.inner.weight",
            "2.inner.bias"
        ]
    );
    let (x, g) = (numbers(6, 1), numbers(6, 2));
    for form in FORMS {
        let found = run(&whole, form, &x, 2, &g);
        let parts: Vec<Trial> =
            (0..3).map(|i| part(&whole, &i.to_string(), block.clone(), &[3])).collect();
        let mut xs = vec![x.clone()];
        for part in &parts {
            xs.push(run(part, form, &xs[xs.len() - 1], 2, &g).output);
        }
        close("output", &found.output, &xs[3]);
        let mut dx = g.clone();
        for (i, part) in parts.iter().enumerate().rev() {
            let own = run(part, form, &xs[i], 2, &dx);
            gradients_of(&whole, &found, &i.to_string(), part, &own);
            dx = own.input_gradient;
        }
        close("gradient in the input", &found.input_gradient, &dx);
    }
    let nothing = trial(Repeat::new(0, block), &[3]);
    assert_eq!(
        run(&nothing, Form::Host, &x, 2, &g).output,
        run(&trial(Identity, &[3]), Form::Host, &x, 2, &g).output
    );
}

/// What comes of `x` by `f` must be what comes of it by each of these pairs.
#[test]
fn a_branch_may_give_what_it_gets() {
    let (x, g) = (numbers(6, 1), numbers(6, 2));
    let double: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    let double_g: Vec<f64> = g.iter().map(|g| 2.0 * g).collect();
    let layers: [AnyLayer; 3] = [
        Residual::new(Identity).into(),
        Parallel::new(Combine::Add).with(Identity).with(Identity).into(),
        Parallel::new(Combine::Add).with(Sequential::new()).with(Repeat::new(2, Identity)).into(),
    ];
    for layer in layers {
        let whole = trial(layer, &[3]);
        for form in FORMS {
            let found = run(&whole, form, &x, 2, &g);
            close("output", &found.output, &double);
            close("gradient in the input", &found.input_gradient, &double_g);
        }
    }
    let both = trial(Parallel::new(Combine::Concat).with(Identity).with(Identity), &[3]);
    for form in FORMS {
        let found = run(&both, form, &x, 2, &numbers(12, 4));
        close("output", &found.output, &behind(2, &[(&x, 3), (&x, 3)]));
    }
}

/// In a network nothing in front of which is trained, a branch stops where its first trained layer
/// is. What is in front of that must not get in the way of the other branches.
#[test]
fn branches_may_stop_early() {
    let branch = || Sequential::new().with(Flatten).tanh().linear(4).relu();
    let layers: [AnyLayer; 2] = [
        Residual::new(branch()).shortcut(branch()).into(),
        Parallel::new(Combine::Add).with(branch()).with(branch()).into(),
    ];
    for layer in layers {
        let sample = Sample::numbers([3, 2]);
        let behind = filled(Trial::new(&layer, &sample).unwrap());
        let planned = Planned::new(&layer, &sample).unwrap();
        let in_front = Trial { planned, ..behind.clone() };
        let (x, g) = (numbers(12, 1), numbers(8, 2));
        let expected = run(&behind, Form::Dfdx, &x, 2, &g);
        let found = run(&in_front, Form::Host, &x, 2, &g);
        close("gradients", &found.gradients, &expected.gradients);
        assert!(found.input_gradient.is_empty());
    }
}

#[test]
fn shapes_follow() {
    let planned = |layer: AnyLayer, sample: &[usize]| {
        Planned::new(&layer, &Sample::numbers(sample)).unwrap().root.output.shape
    };
    assert_eq!(planned(Reshape::new([3, -1]).into(), &[2, 6]), [3, 4]);
    assert_eq!(planned(Reshape::new([12]).into(), &[2, 6]), [12]);
    assert_eq!(planned(Reshape::new([-1]).into(), &[2, 6]), [12]);
    let (x, g) = (numbers(24, 1), numbers(24, 2));
    let whole = trial(Reshape::new([3, -1, 2]), &[2, 6]);
    for form in FORMS {
        let found = run(&whole, form, &x, 2, &g);
        assert_eq!(found.shape, [2, 3, 2, 2]);
        close("output", &found.output, &x);
        close("gradient in the input", &found.input_gradient, &g);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let twice = Parallel::new(Combine::Add).named("a", Relu).named("a", Relu);
    assert!(misfit(twice, &[3]).contains("two of its parts are called `a`"));
    let twice = Sequential::new().named("1", Relu).with(Relu);
    assert!(misfit(twice, &[3]).contains("two of its parts are called `1`"));
    let named = Repeat::new(2, AnyLayer::new(Relu).named("block"));
    assert!(misfit(named, &[3]).contains("must have no name of its own, not `block`"));
    assert!(misfit(Parallel::new(Combine::Add), &[3]).contains("at least one branch"));
    let unlike = |combine| Parallel::new(combine).with(Linear::new(4)).with(Identity);
    assert!(misfit(unlike(Combine::Add), &[2, 3]).contains("must be alike"));
    assert!(misfit(unlike(Combine::Concat), &[2, 3]).contains("in one dimension only"));
    assert!(misfit(unlike(Combine::Concat).dim(2), &[2, 3]).contains("one of the 2 dimensions"));
    assert!(misfit(unlike(Combine::Concat).dim(-3), &[2, 3]).contains("one of the 2 dimensions"));
    assert!(misfit(Reshape::new([5, -1]), &[2, 3]).contains("hold the 6 numbers"));
    assert!(misfit(Reshape::new([-1, -1]), &[2, 3]).contains("one dimension may be -1"));
    assert!(misfit(Reshape::new([0, 6]), &[2, 3]).contains("hold the 6 numbers"));
    assert!(misfit(Upsample::nearest(0), &[1, 3, 3]).contains("at least 1"));
    assert!(misfit(Upsample::nearest(2).align_corners(), &[1, 3, 3]).contains("bilinear"));
    assert!(misfit(Upsample::bilinear(2), &[1, 3]).contains("[channels, height, width]"));
}

#[test]
fn they_are_written_and_read_alike() {
    let layers: [AnyLayer; 4] = [
        Parallel::new(Combine::Concat).with(Linear::new(4)).named("x", Identity).dim(-1).into(),
        Repeat::new(2, Sequential::new().linear(3).repeat(2, Relu)).into(),
        Reshape::new([3, -1]).into(),
        Identity.into(),
    ];
    for layer in layers {
        let json = serde_json::to_value(&layer).unwrap();
        assert_eq!(Kinds::standard().layer(json).unwrap(), layer);
    }
    let short = serde_json::json!({"layer": "Parallel", "branches": [{"layer": "Identity"}]});
    let expected: AnyLayer = Parallel::new(Combine::Add).with(Identity).into();
    assert_eq!(Kinds::standard().layer(short).unwrap(), expected);
}

#[test]
fn their_onnx_forms_compute_the_same() {
    let layers: [AnyLayer; 4] = [
        Parallel::new(Combine::Add).with(Linear::new(2)).with(Identity).into(),
        Repeat::new(2, Sequential::new().linear(2).tanh()).into(),
        Reshape::new([2, -1]).into(),
        Sequential::new().reshape([2, 3]).with(Identity).into(),
    ];
    for layer in layers {
        let whole = trial(layer.clone(), &[3, 2]);
        let x = numbers(12, 1).iter().map(|v| f64::from(*v as f32)).collect::<Vec<_>>();
        let whole =
            Trial { values: whole.values.iter().map(|v| f64::from(*v as f32)).collect(), ..whole };
        let expected = run(&whole, Form::Dfdx, &x, 2, &numbers(12, 2));
        let array = trainbook_onnx::Array {
            shape: vec![2, 3, 2],
            numbers: trainbook_onnx::Numbers::F32(x.iter().map(|v| *v as f32).collect()),
        };
        let found = whole.graph().unwrap().evaluate_f64_on(&[array]).unwrap().remove(0);
        close(&layer.to_string(), &found, &expected.output);
    }
}

/// On dfdx a slice must not put its gradient in place of that of others who use the tensor.
#[test]
fn a_tensor_that_is_cut_may_have_other_uses() {
    let both = |combine| Parallel::new(combine);
    let layers: [AnyLayer; 5] = [
        both(Combine::Concat).with(Slice::new(0, 3)).with(Slice::new(2, None)).into(),
        both(Combine::Concat).with(Slice::new(0, 3)).with(Linear::new(4)).into(),
        both(Combine::Concat).with(Linear::new(4)).with(Slice::new(1, 3)).into(),
        both(Combine::Add).with(Slice::new(0, None)).with(Gelu::tanh()).into(),
        Residual::new(TransformerDecoderLayer::new(2, 6, 2).dropout(0.0)).into(),
    ];
    for layer in layers {
        let whole = trial(layer.clone(), &[5, 4]);
        let (x, g) = (numbers(40, 1), numbers(2 * whole.planned.root.output.size(), 2));
        let [host, dfdx] = FORMS.map(|form| run(&whole, form, &x, 2, &g));
        let name = layer.to_string();
        close(&name, &host.output, &dfdx.output);
        close(&name, &dfdx.input_gradient, &host.input_gradient);
        close(&name, &dfdx.gradients, &host.gradients);
    }
}
