//! Data in order, of which nothing may be said that is worse than a note.

use super::*;

fn is_clean(data: &Dataset) {
    let report = data.check();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn digits() {
    let data = Dataset::csv(shipped("digits.csv.gz")).unwrap().target(Column::last()).unwrap();
    let data = data.normalize(Normalize::divide_by(16.0)).unwrap();
    let data = data.split(Split::stratified(0.8, 0.1, 0.1), Seed(0)).unwrap();
    is_clean(&data);
    is_clean(&data.image(1, 8, 8).unwrap());
}

#[test]
fn mnist() {
    let data = Dataset::csv(shipped("mnist-5k.csv.gz")).unwrap().target(Column::last()).unwrap();
    let data = data.normalize(Normalize::divide_by(255.0)).unwrap();
    let data = data.split(Split::stratified(0.8, 0.1, 0.1), Seed(0)).unwrap();
    is_clean(&data);
    is_clean(&data.image(1, 28, 28).unwrap());
}

#[test]
fn hamlet() {
    let data = Dataset::text(shipped("hamlet.txt.gz")).unwrap().characters(32, 32).unwrap();
    is_clean(&data.split(Split::in_order(0.8, 0.1, 0.1), Seed(0)).unwrap());
}

#[test]
fn cars() {
    let table = Dataset::csv(shipped("auto-mpg.csv")).unwrap().ignore("name").unwrap();
    let data = table.target_values("mpg").unwrap().normalize(Normalize::standard()).unwrap();
    for seed in 0..4 {
        let data = data.clone().split(Split::random(0.8, 0.1, 0.1), Seed(seed)).unwrap();
        is_clean(&data);
        is_clean(&data.scale_targets(TargetScaling::Standard).unwrap());
    }
}

#[test]
fn waves() {
    let mut draws = draws(1);
    let mut wave = |at: usize| (at as f64 * 0.1).sin() + 0.05 * draws.normal();
    let values: Vec<f32> = (0..1200).map(|at| wave(at) as f32).collect();
    let array = Array { shape: vec![1200, 1], numbers: Numbers::F32(values) };
    let data = Dataset::windows("waves", array, crate::WindowOptions::new(24, 1)).unwrap();
    is_clean(&data.split(Split::in_order(0.8, 0.1, 0.1), Seed(0)).unwrap());
}

#[test]
fn gaussians() {
    for seed in 0..8 {
        let data = divided(Plain::new(20 + seed).data());
        is_clean(&data);
        // Not even as a note.
        lacks(&data.check(), "drift from");
    }
}

#[test]
fn a_line_with_noise() {
    let mut draws = draws(2);
    let x: Vec<f32> = (0..300).map(|at| at as f32 / 100.0).collect();
    let y = x.iter().map(|x| 2.0 * x - 1.0 + 0.3 * draws.normal() as f32).collect();
    is_clean(&divided(Dataset::from_rows("line", 1, x, Targets::Values(y)).unwrap()));
}

#[test]
fn three_to_one() {
    let mut plain = Plain::new(3);
    for (row, label) in plain.features.chunks_mut(WIDTH).zip(&mut plain.labels) {
        *label = u32::from(row[0] > 0.7);
        row[1] += *label as f32;
    }
    let report = divided(plain.data());
    // Its first feature says it all, and that is a leak by the numbers.
    the(&report.check(), "column \"0\" alone");
    let mut plain = Plain::new(3);
    let mut draws = draws(4);
    for (row, label) in plain.features.chunks_mut(WIDTH).zip(&mut plain.labels) {
        *label = u32::from(f64::from(row[0]) + 0.4 * draws.normal() > 0.7);
    }
    is_clean(&divided(plain.data()));
}

#[test]
fn a_series_split_in_time() {
    let mut draws = draws(5);
    let mut level = 0.0_f64;
    let series: Vec<f32> = (0..803)
        .map(|_| {
            level = 0.7 * level + draws.normal();
            level as f32
        })
        .collect();
    let features = series.windows(4).flat_map(|w| w[..3].to_vec()).collect();
    let targets = series.windows(4).map(|w| w[3]).collect();
    let data = Dataset::from_rows("series", 3, features, Targets::Values(targets)).unwrap();
    let times = (0..data.len()).map(|at| at as f64).collect();
    let data = data.times(times).unwrap();
    is_clean(&data.split(Split::in_time(0.7, 0.15, 0.15), Seed(0)).unwrap());
}

#[test]
fn smooth_waves() {
    let values: Vec<f32> = (0..1200).map(|at| (at as f32 * 0.01).sin()).collect();
    let array = Array { shape: vec![1200], numbers: Numbers::F32(values) };
    let data = Dataset::windows("waves", array, crate::WindowOptions::new(24, 1)).unwrap();
    is_clean(&data.split(Split::in_order(0.8, 0.1, 0.1), Seed(0)).unwrap());
}

#[test]
fn a_line_without_noise() {
    let x: Vec<f32> = (0..300).map(|at| at as f32 / 100.0).collect();
    let y = x.iter().map(|x| 2.0 * x - 1.0).collect();
    is_clean(&divided(Dataset::from_rows("line", 1, x, Targets::Values(y)).unwrap()));
}

#[test]
fn a_strong_feature() {
    let mut noise = draws(6);
    let value = |row: &[f32]| row[0] + 0.1 * noise.normal() as f32;
    is_clean(&divided(Plain::new(6).values(value)));
}

#[test]
fn three_classes_of_which_one_is_apart() {
    let mut plain = Plain::new(7);
    let mut draws = draws(8);
    for (row, label) in plain.features.chunks_mut(WIDTH).zip(&mut plain.labels) {
        *label = draws.below(3) as u32;
        // The first lies apart, as setosa does among irises, and the others overlap.
        row[0] += [-9.0, 0.0, 2.5][*label as usize];
    }
    is_clean(&divided(plain.data().normalize(Normalize::standard()).unwrap()));
}

#[test]
fn yes_and_no() {
    let mut draws = draws(9);
    let features: Vec<f32> = (0..600 * 16).map(|_| draws.below(2) as f32).collect();
    let label = |row: &[f32]| u32::from(row[..8].iter().sum::<f32>() > 4.0);
    let labels = features.chunks(16).map(label).collect();
    let data = Dataset::from_rows("bits", 16, features, Targets::Classes(labels)).unwrap();
    let report = divided(data).check();
    // A few rows are equal by chance, and many differ in one bit, which says nothing.
    lacks(&report, "but for one");
    lacks(&report, "nearly the same");
}
