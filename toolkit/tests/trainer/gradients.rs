//! What a task says about gradients, against finite differences and against what it hands out.

use trainbook::callbacks::Snapshot;
use trainbook::data::Batch;
use trainbook::nn::{Around, Describe};
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::task::{Loss, Task};

use crate::support::{batches, clouds, task, task_of};

/// Each weight is moved by this much to both sides.
const STEP: f32 = 1e-3;

/// The batch's mean loss with these weights, all of it in f64 and none of it dfdx's.
fn loss_on_host(task: &mut dyn Task, weights: &Snapshot, batch: &Batch) -> f64 {
    task.restore(weights).unwrap();
    let graph = task.model().graph("outputs", Around::default()).unwrap();
    let features: Vec<f64> = batch.input.floats().iter().map(|x| f64::from(*x)).collect();
    let outputs = graph.evaluate_f64(&features, batch.len()).unwrap();
    let rows = outputs.chunks_exact(task.model().planned().root.output.size());
    let sum: f64 = match &batch.targets {
        Targets::Classes(classes) => {
            let loss = |row: &[f64], class: u32| {
                row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[class as usize]
            };
            rows.zip(classes).map(|(row, class)| loss(row, *class)).sum()
        }
        Targets::Values(values) => {
            rows.zip(values).map(|(row, value)| (row[0] - f64::from(*value)).powi(2)).sum()
        }
    };
    sum / batch.len() as f64
}

/// A copy of the gradients.
fn read(task: &mut dyn Task) -> Vec<Vec<f32>> {
    let mut gradients = Vec::new();
    task.edit(&mut |_, values| gradients.push(values.to_vec())).unwrap();
    gradients
}

fn compare_with_finite_differences<N: Describe>(loss: Loss, batch: &Batch) {
    let mut task = task_of::<N>(5, loss, AdamW::default());
    // Away from the first weights, where biases are 0 and scales are 1.
    let mut draws = Stream::new(Seed(5), "test").at(0, 0);
    let mut weights = task.snapshot().unwrap();
    weights.0.iter_mut().flatten().for_each(|w| *w += 0.3 * draws.normal() as f32);
    task.restore(&weights).unwrap();

    let value = f64::from(task.loss_of(batch).unwrap());
    let gradients = read(&mut *task);
    assert_eq!(task.tensors(), task.model().tensors());
    let on_host = loss_on_host(&mut *task, &weights, batch);
    assert!((value - on_host).abs() < 1e-6 * on_host, "loss {value}, on the host {on_host}");

    let largest = gradients.iter().flatten().map(|g| g.abs()).fold(0.0, f32::max);
    for (tensor, gradient) in gradients.iter().enumerate() {
        for (element, gradient) in gradient.iter().enumerate() {
            let mut at = |by: f32| {
                let mut moved = weights.clone();
                moved.0[tensor][element] += by;
                (loss_on_host(&mut *task, &moved, batch), f64::from(moved.0[tensor][element]))
            };
            let ((up, high), (down, low)) = (at(STEP), at(-STEP));
            let slope = (up - down) / (high - low);
            let allowed = 1e-3 * f64::from(gradient.abs().max(0.01 * largest));
            let off = (f64::from(*gradient) - slope).abs();
            assert!(
                off < allowed,
                "tensor {tensor}, element {element}: gradient {gradient}, difference quotient {slope}"
            );
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let classes = &batches(&clouds(), 1, 0)[0];
    compare_with_finite_differences::<(Linear<4, 5>, ReLU, Linear<5, 3>)>(
        Loss::cross_entropy(),
        classes,
    );
    compare_with_finite_differences::<(Linear<4, 5>, Tanh, Linear<5, 3>)>(
        Loss::cross_entropy(),
        classes,
    );
    compare_with_finite_differences::<(Linear<4, 5>, LayerNorm1D<5>, Tanh, Linear<5, 3>)>(
        Loss::cross_entropy(),
        classes,
    );
    let values = Targets::Values(
        classes.input.floats().chunks(4).map(|row| row[0] - row[1] * row[2]).collect(),
    );
    let values = Batch { targets: values, ..classes.clone() };
    compare_with_finite_differences::<(Linear<4, 5>, Sigmoid, Linear<5, 1>)>(
        Loss::mean_squared_error(),
        &values,
    );
}

#[test]
fn a_second_batch_counts_as_much_as_the_first() {
    let batch = &batches(&clouds(), 1, 0)[0];
    let mut task = task(1, AdamW::default());
    task.forward_backward(batch).unwrap();
    let once = read(&mut *task);
    task.forward_backward(batch).unwrap();
    let twice = read(&mut *task);
    for (once, twice) in once.iter().flatten().zip(twice.iter().flatten()) {
        // Not to the bit: rows are added one by one to what is there.
        assert!((once - twice).abs() <= 1e-6 * twice.abs().max(0.01), "{once}, then {twice}");
    }
}

/// The norm that the task states, after asserting that it is that of the gradients it hands out.
fn checked_norm(task: &mut dyn Task) -> f64 {
    let stated = task.global_norm().unwrap();
    let square: f64 = read(task).iter().flatten().map(|v| f64::from(*v).powi(2)).sum();
    // what `sum_of_squares` promises
    assert!(
        (stated - square.sqrt()).abs() <= 2.0_f64.powi(-19) * stated,
        "stated {stated}, is {}",
        square.sqrt()
    );
    task.global_norm().unwrap() // `read` itself may have changed something, for all the task knows
}

#[test]
fn every_change_shows_in_the_norm() {
    let data = clouds();
    let batches = batches(&data, 1, 0);
    let mut task = task(1, AdamW::default());
    assert_eq!(checked_norm(&mut *task), 0.0);
    let mut norms = Vec::new();
    let mut note = |task: &mut dyn Task| {
        let norm = checked_norm(task);
        assert!(norms.last() != Some(&norm), "{norms:?}, then {norm}");
        norms.push(norm);
    };
    task.forward_backward(&batches[0]).unwrap();
    note(&mut *task);
    task.forward_backward(&batches[1]).unwrap();
    note(&mut *task);
    task.scale(0.5).unwrap();
    note(&mut *task);
    task.clamp(0.01).unwrap();
    note(&mut *task);
    task.edit(&mut |_, values| values.fill(1.0)).unwrap();
    note(&mut *task);
    task.clear_gradients().unwrap();
    note(&mut *task);
    task.forward_backward(&batches[0]).unwrap();
    note(&mut *task);
    task.update(&1e-3.into()).unwrap();
    note(&mut *task);
    task.forward_backward(&batches[0]).unwrap();
    note(&mut *task);
    let state = task.state().unwrap();
    task.load_state(&state).unwrap();
    note(&mut *task);
    assert_eq!([norms[5], norms[7], norms[9]], [0.0; 3]);
}

#[test]
fn scale_and_clamp_do_to_every_element_what_they_say() {
    let batch = &batches(&clouds(), 1, 0)[0];
    let mut task = task(1, AdamW::default());
    task.forward_backward(batch).unwrap();
    let raw = read(&mut *task);
    let limit = 0.05;
    assert!(
        raw.iter().flatten().any(|v| v.abs() > 3.0 * limit)
            && raw.iter().flatten().any(|v| v.abs() < limit)
    );
    task.scale(3.0).unwrap();
    let scaled: Vec<Vec<f32>> = raw.iter().map(|g| g.iter().map(|v| v * 3.0).collect()).collect();
    assert_eq!(read(&mut *task), scaled);
    task.clamp(limit).unwrap();
    let clamped: Vec<Vec<f32>> = scaled
        .iter()
        .map(|g| g.iter().map(|v| if v.abs() > limit { limit.copysign(*v) } else { *v }).collect())
        .collect();
    assert_eq!(read(&mut *task), clamped);
    task.edit(&mut |_, values| values[0] = f32::NAN).unwrap();
    task.clamp(limit).unwrap();
    assert!(read(&mut *task).iter().all(|g| g[0].is_nan()), "NaN must stay NaN");
    assert!(task.global_norm().unwrap().is_nan());
}

#[test]
fn stats_are_of_each_tensor() {
    let mut task = task(1, AdamW::default());
    let mut value = 0.0;
    task.edit(&mut |_, values| {
        values.fill(0.0);
        value += 1.0;
        (values[0], values[1]) = (3.0 * value, -4.0 * value);
    })
    .unwrap();
    let shapes: Vec<Vec<usize>> = task.tensors().iter().map(|t| t.shape.clone()).collect();
    assert_eq!(shapes, [vec![8, 4], vec![8], vec![3, 8], vec![3]]);
    let stats = task.stats().unwrap();
    let seen: Vec<_> =
        stats.iter().map(|s| (s.len, s.norm, s.max_abs, s.zeros, s.nans, s.infs)).collect();
    let expected = [
        (32, 5.0, 4.0, 30, 0, 0),
        (8, 10.0, 8.0, 6, 0, 0),
        (24, 15.0, 12.0, 22, 0, 0),
        (3, 20.0, 16.0, 1, 0, 0),
    ];
    assert_eq!(seen, expected);
    task.edit(&mut |info, values| {
        if info.shape == [3] {
            (values[0], values[1]) = (f32::NAN, f32::NEG_INFINITY);
        }
    })
    .unwrap();
    let last = task.stats().unwrap()[3];
    assert_eq!((last.nans, last.infs, last.max_abs), (1, 1, f32::INFINITY));
    assert!(last.norm.is_nan());
}

#[test]
fn the_activation_monitor_sees_what_the_step_computes() {
    use std::sync::{Arc, Mutex};
    use trainbook::callbacks::Moment;

    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    // Mean, deviation and share of zeros of the hidden layer, computed by hand.
    let by_hand = Arc::new(Mutex::new(Vec::<[f64; 3]>::new()));
    let (write, rows) = (Arc::clone(&by_hand), data.clone());
    let look = crate::support::probe(move |moment| {
        if let Moment::RawGradients(step) = moment {
            let Snapshot(tensors) = step.weights.snapshot()?;
            let batch = rows.batch(step.samples).unwrap();
            let hidden = batch.input.floats().chunks(4).flat_map(|row| {
                tensors[0].chunks(4).zip(&tensors[1]).map(move |(weights, bias)| {
                    let sum: f32 = weights.iter().zip(row).map(|(w, x)| w * x).sum();
                    f64::from((sum + bias).max(0.0))
                })
            });
            let hidden: Vec<f64> = hidden.collect();
            let share = |of: &dyn Fn(f64) -> f64| {
                hidden.iter().map(|h| of(*h)).sum::<f64>() / hidden.len() as f64
            };
            let mean = share(&|h| h);
            let std = share(&|h| (h - mean).powi(2)).sqrt();
            write.lock().unwrap().push([mean, std, share(&|h| f64::from(u8::from(h == 0.0)))]);
        }
        Ok(Flow::Continue)
    });
    let net = Sequential::new().linear(8).relu().linear(3);
    let mut trainer = Trainer::classifier(&data, net)
        .seed(1)
        .batch_size(16)
        .quiet()
        .store(&store)
        .with(ActivationMonitor::new())
        .with(look)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let series = store.run(run.id().unwrap()).unwrap().series.clone();
    let names = ["activation_mean/1", "activation_std/1", "flat_share/1"];
    let by_hand = by_hand.lock().unwrap();
    assert_eq!(by_hand.len(), 10);
    for (at, name) in names.into_iter().enumerate() {
        assert_eq!(series[name].len(), by_hand.len());
        for ((_, seen), expected) in series[name].iter().zip(by_hand.iter()) {
            assert!((seen - expected[at]).abs() < 1e-6, "{name}: {seen}, not {}", expected[at]);
        }
    }
    assert_eq!(series["dead_units/1"].len(), 2);
}

#[test]
fn the_noise_scale_is_that_of_the_gradients_of_single_rows() {
    // Values behind a line, with noise: every row's gradient is known.
    let mut draws = Stream::new(Seed(0), "line").at(0, 0);
    let features: Vec<f32> = (0..4096).map(|_| draws.normal() as f32).collect();
    let values = features.iter().map(|x| 0.3 * x + draws.normal() as f32).collect();
    let data = Dataset::from_rows("line", 1, features, Targets::Values(values)).unwrap();
    let data = data.split(Split::random(1.0, 0.0, 0.0), Seed(1)).unwrap();
    let build = |batch| {
        let net = Sequential::new().linear(1);
        Trainer::regressor(&data, net).seed(1).batch_size(batch).quiet().build().unwrap()
    };
    let trainer = build(32);
    let before = trainer.state_hash().unwrap();
    let found = trainer.gradient_noise().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    assert_eq!(found.batches, (64, 32));

    // 2 (w x + b − y) x, and without x for the bias.
    let weights = trainer.predict(&[0.0, 1.0], 2).unwrap();
    let (b, w) = (f64::from(weights[0]), f64::from(weights[1] - weights[0]));
    let rows = data.batch(data.part(Part::Train)).unwrap();
    let Targets::Values(targets) = &rows.targets else { panic!("values") };
    let gradients: Vec<[f64; 2]> = (rows.input.floats().iter().zip(targets))
        .map(|(x, y)| {
            let (x, y) = (f64::from(*x), f64::from(*y));
            let off = 2.0 * (w * x + b - y);
            [off * x, off]
        })
        .collect();
    let mean = |of: &dyn Fn(&[f64; 2]) -> f64| {
        gradients.iter().map(of).sum::<f64>() / gradients.len() as f64
    };
    let centre = [mean(&|g| g[0]), mean(&|g| g[1])];
    let noise = mean(&|g| (g[0] - centre[0]).powi(2) + (g[1] - centre[1]).powi(2));
    let scale = noise / (centre[0].powi(2) + centre[1].powi(2));
    let (low, high) = found.interval;
    assert!(low < scale && scale < high, "{found}, and it is {scale}");
    assert!(high < 3.0 * low, "{found}");
    assert!((found.noise / noise - 1.0).abs() < 0.25, "{found:?}, {noise}");
    // It does not depend on how many rows a batch has.
    let other = build(8).gradient_noise().unwrap();
    assert!(other.interval.0 < scale && scale < other.interval.1, "{other}, and it is {scale}");

    let net = Sequential::new().linear(1);
    let three = Trainer::regressor(&data, net).seed(1).batch_size(32).accumulate(3).quiet();
    let three = three.build().unwrap().gradient_noise().unwrap();
    assert_eq!((three.own, three.batches, three.scale), (96, found.batches, found.scale));
    let says =
        |own: usize| GradientNoise { own, interval: (80.0, 120.0), ..found.clone() }.to_string();
    assert!(says(39).contains("far below it; twice the rows"), "{}", says(39));
    assert!(says(41).contains("are near it") && says(239).contains("are near it"));
    assert!(says(241).contains("far above it; fewer rows"), "{}", says(241));
    let error = build(1000).gradient_noise().unwrap_err().to_string();
    assert!(error.contains("4 whole batches of 1000 rows; it takes 8"), "{error}");
}
