//! Steps with fixed parameters against numpy, scipy, Pillow and colorsys, and what the value promises.

use serde::Deserialize;
use serde_json::Value;
use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::{Seed, Stream};

use super::image::{
    Affine, ColourJitter, Crop, FlipHorizontal, FlipVertical, Placement, blur, brighten, contrast,
    crop, saturate, turn_hue, warp,
};
use super::series::{curve, permute, shift, slice, warp_time};
use super::{Augment, Change};
use crate::Dataset;

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/augment.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn of<T: for<'de> Deserialize<'de>>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn near(name: &str, ours: &[f32], expected: &Value) {
    let expected: Vec<f64> = of(expected);
    assert_eq!(ours.len(), expected.len(), "{name}");
    for (at, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        assert!((f64::from(*ours) - expected).abs() < 2e-6, "{name} {at}: {ours}, {expected}");
    }
}

/// The fixture's image or series after a change, for each entry of a kind.
fn compare(input: &str, kind: &str, change: impl Fn(&mut [f32], &Value)) {
    let fixture = fixture();
    let entries = fixture[kind].as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        let mut row: Vec<f32> = of(&fixture[input]["numbers"]);
        change(&mut row, entry);
        near(kind, &row, &entry["expected"]);
    }
}

const SIZE: [usize; 2] = [7, 9];
const AREA: usize = 63;
const LENGTH: usize = 23;

#[test]
fn images_are_those_of_scipy_and_pillow() {
    compare("image", "affine", |row, entry| {
        warp(row, SIZE, &of::<Placement>(&entry["placement"]).inverse());
    });
    compare("image", "crop", |row, entry| {
        let kind = Crop { padding: of(&entry["padding"]), fill: of(&entry["fill"]) };
        crop(row, SIZE, kind, of(&entry["top"]), of(&entry["left"]));
    });
    compare("image", "blur", |row, entry| {
        blur(row, SIZE, of(&entry["kernel"]), of(&entry["sigma"]));
    });
    compare("image", "brighten", |row, entry| brighten(row, of(&entry["factor"])));
    compare("image", "contrast", |row, entry| contrast(row, AREA, of(&entry["factor"])));
    compare("image", "saturate", |row, entry| saturate(row, AREA, of(&entry["factor"])));
    compare("image", "turn_hue", |row, entry| turn_hue(row, AREA, of(&entry["factor"])));
    let fixture = fixture();
    let mut draws = Stream::new(Seed(1), "augment").at(0, 0);
    let mut row: Vec<f32> = of(&fixture["image"]["numbers"]);
    FlipHorizontal {}.change(&mut row, &[3, 7, 9], &mut draws);
    near("flip_horizontal", &row, &fixture["flip_horizontal"]);
    let mut row: Vec<f32> = of(&fixture["image"]["numbers"]);
    FlipVertical {}.change(&mut row, &[3, 7, 9], &mut draws);
    near("flip_vertical", &row, &fixture["flip_vertical"]);
}

#[test]
fn series_are_those_of_numpy_and_scipy() {
    let fixture = fixture();
    for entry in fixture["curves"].as_array().unwrap() {
        let ours = curve(&of::<Vec<f64>>(&entry["knots"]), LENGTH);
        for (ours, expected) in ours.iter().zip(of::<Vec<f64>>(&entry["curve"])) {
            assert!((ours - expected).abs() < 1e-12, "{ours}, {expected}");
        }
        let mut row: Vec<f32> = of(&fixture["series"]["numbers"]);
        warp_time(&mut row, LENGTH, &ours);
        near("warped", &row, &entry["warped"]);
    }
    compare("series", "slice", |row, entry| {
        slice(row, LENGTH, of(&entry["begin"]), of(&entry["window"]));
    });
    compare("series", "permute", |row, entry| {
        permute(row, LENGTH, &of::<Vec<usize>>(&entry["order"]));
    });
    compare("series", "shift", |row, entry| shift(row, LENGTH, of(&entry["by"])));
}

/// Every step for images.
fn images() -> Augment {
    let affine = Affine { translate: [0.1; 2], scale: [0.8, 1.2], shear: [5.0; 2], degrees: 5.0 };
    let colours = ColourJitter { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };
    Augment::images()
        .crop(2)
        .crop_reflect(1)
        .flip_horizontal(0.5)
        .flip_vertical(0.5)
        .rotate(10.0)
        .affine(affine)
        .colour_jitter(colours)
        .blur(3)
        .erase(0.5)
}

/// Every step for series.
fn series() -> Augment {
    Augment::series()
        .jitter(0.05)
        .scale(0.1)
        .magnitude_warp(0.2)
        .time_warp(0.2)
        .window_slice(0.9)
        .permute(3)
        .time_shift(4)
}

fn batch(shape: &[usize], samples: &[usize]) -> Batch {
    let size: usize = shape.iter().product();
    let row = |&sample: &usize| (0..size).map(move |at| ((sample * size + at) as f32).sin());
    let numbers = samples.iter().flat_map(row).collect();
    let shape: Vec<usize> = std::iter::once(samples.len()).chain(shape.iter().copied()).collect();
    Batch {
        input: Array::f32(shape, numbers),
        targets: Targets::Classes(vec![0; samples.len()]),
        samples: samples.to_vec(),
        weights: None,
        mixed: None,
    }
}

/// The rows of a batch after it was augmented.
fn rows(augment: &Augment, shape: &[usize], samples: &[usize], epoch: u64) -> Vec<Vec<f32>> {
    let mut batch = batch(shape, samples);
    augment.apply(&mut batch, &Stream::new(Seed(3), "augment"), epoch);
    let size = shape.iter().product();
    batch.input.floats().chunks_exact(size).map(<[f32]>::to_vec).collect()
}

#[test]
fn a_row_looks_the_same_in_any_batch_at_any_place_and_on_any_number_of_threads() {
    for (augment, shape) in [(images(), &[3, 8, 10][..]), (series(), &[2, 30])] {
        augment.check(shape, false).unwrap();
        let together = rows(&augment, shape, &[0, 1, 2, 3, 4, 5, 6, 7], 4);
        let plain = batch(shape, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let size = together[0].len();
        for (row, plain) in together.iter().zip(plain.input.floats().chunks_exact(size)) {
            assert_ne!(row, plain);
            assert!(row.iter().all(|x| x.is_finite()));
        }
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let other = pool.install(|| rows(&augment, shape, &[6, 1, 3], 4));
            assert_eq!(other, [together[6].clone(), together[1].clone(), together[3].clone()]);
        }
        assert_ne!(rows(&augment, shape, &[1], 5)[0], together[1], "another epoch");
    }
}

#[test]
fn rows_epochs_and_seeds_draw_apart() {
    // From zeros all that is left is what was drawn.
    let noise = Augment::series().own("zero", |row, _, _| row.fill(0.0)).jitter(1.0);
    let mut all = Vec::new();
    for epoch in 0..3 {
        all.extend(rows(&noise, &[1, 2], &(0..50).collect::<Vec<_>>(), epoch));
    }
    let mut other = batch(&[1, 2], &[0]);
    noise.apply(&mut other, &Stream::new(Seed(4), "augment"), 0);
    all.push(other.input.floats().to_vec());
    all.sort_by(|a, b| a[0].total_cmp(&b[0]));
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn probabilities_are_those_that_were_asked_for() {
    let samples: Vec<usize> = (0..2000).collect();
    let plain = rows(&Augment::images(), &[1, 2, 2], &samples, 0);
    for probability in [0.0, 0.3, 1.0] {
        let augment = Augment::images().flip_horizontal(probability);
        let changed = rows(&augment, &[1, 2, 2], &samples, 0);
        let flipped = plain.iter().zip(&changed).filter(|(a, b)| a != b).count();
        assert!((flipped as f64 / 2000.0 - probability).abs() < 0.04, "{flipped}");
    }
}

#[test]
fn steps_are_applied_in_order() {
    let add = |row: &mut [f32], by: f32| row.iter_mut().for_each(|x| *x += by);
    let augment = Augment::series()
        .own("add", move |row, _, _| add(row, 1.0))
        .own("double", |row, _, _| row.iter_mut().for_each(|x| *x *= 2.0));
    let plain = rows(&Augment::series(), &[1, 5], &[3], 0);
    let expected: Vec<f32> = plain[0].iter().map(|x| (x + 1.0) * 2.0).collect();
    assert_eq!(rows(&augment, &[1, 5], &[3], 0)[0], expected);
}

#[test]
fn it_is_written_and_read_again() {
    for augment in [images(), series().with_probability(0.25)] {
        let written = serde_json::to_string(&augment).unwrap();
        assert_eq!(serde_json::from_str::<Augment>(&written).unwrap(), augment, "{written}");
    }
    let written = serde_json::to_string(&Augment::images().flip_horizontal(0.5).crop(4)).unwrap();
    let expected = r#"{"of":"images","steps":[{"probability":0.5,"step":"flip_horizontal"},{"step":"crop","padding":4,"fill":"zeros"}]}"#;
    assert_eq!(written, expected);
    for wrong in [
        r#"{"of":"images","steps":[{"step":"crop","paddin":4}]}"#,
        r#"{"of":"images","steps":[{"step":"crop","padding":4,"more":1}]}"#,
        r#"{"of":"images","steps":[{"step":"krop"}]}"#,
    ] {
        assert!(serde_json::from_str::<Augment>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_step_of_ones_own_is_missing_where_it_is_read() {
    let double = |row: &mut [f32], _: &[usize], _: &mut _| row.iter_mut().for_each(|x| *x *= 2.0);
    let own = Augment::series().own("double", double);
    let read: Augment = serde_json::from_str(&serde_json::to_string(&own).unwrap()).unwrap();
    let error = read.check(&[1, 5], false).unwrap_err().to_string();
    assert!(error.contains("does not have the step double"), "{error}");
    assert!(read.clone().provide("triple", double).check(&[1, 5], false).is_err());
    let given = read.provide("double", double);
    given.check(&[1, 5], false).unwrap();
    assert_eq!(rows(&given, &[1, 5], &[1], 0), rows(&own, &[1, 5], &[1], 0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |augment: Augment, shape: &[usize], expected: &str| {
        let error = augment.check(shape, false).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let image = &[1, 8, 8][..];
    refused(Augment::images(), &[64], "`.image(channels, height, width)`");
    refused(Augment::series(), image, "the steps are for series");
    refused(Augment::images().jitter(0.1), image, "is not for images");
    refused(Augment::images().crop(0), image, "from 1 to 8 pixels");
    refused(Augment::images().crop_reflect(8), image, "from 1 to 7 pixels");
    refused(Augment::images().flip_vertical(1.5), image, "a number from 0 to 1");
    refused(Augment::images().rotate(f64::NAN), image, "a number from 0 to 180");
    refused(Augment::images().blur(4), image, "an odd number of at most 15");
    let colours = ColourJitter { hue: 0.1, ..ColourJitter::default() };
    refused(Augment::images().colour_jitter(colours), image, "need 3 channels");
    let affine = Affine { scale: [1.2, 0.8], ..Affine::default() };
    refused(Augment::images().affine(affine), image, "the smaller one first");
    refused(Augment::series().jitter(0.0), &[1, 8], "above 0");
    refused(Augment::series().time_warp(0.2), &[1, 5], "at most the length");
    refused(Augment::series().window_slice(1.0), &[1, 8], "above 0 and below 1");
    refused(Augment::series().permute(1), &[1, 8], "from 2 to 8");
    refused(Augment::series().time_shift(8), &[1, 8], "less than the length, 8");
    let error = Augment::series().check(&[1, 8], true).unwrap_err().to_string();
    assert!(error.contains("indices"), "{error}");
}

#[test]
fn a_preview_shows_what_training_sees() {
    let data = Dataset::from_arrays(
        "waves",
        batch(&[2, 30], &[0, 1, 2]).input,
        Array::i64([3], vec![0, 1, 0]),
    )
    .unwrap();
    let preview = data.preview_augmented(2, &series(), Seed(3), 4).unwrap();
    assert_eq!(preview.shape, [5, 2, 30]);
    let forms: Vec<&[f32]> = preview.floats().chunks_exact(60).collect();
    assert_eq!(forms[0], rows(&Augment::series(), &[2, 30], &[2], 0)[0]);
    for epoch in 0..4 {
        assert_eq!(forms[epoch + 1], rows(&series(), &[2, 30], &[2], epoch as u64)[0]);
    }
    let error = data.preview_augmented(3, &series(), Seed(3), 4).unwrap_err().to_string();
    assert!(error.contains("no row 3"), "{error}");
}

/// What a step makes of one row, epoch after epoch.
fn drawn(augment: &Augment, shape: &[usize], row: &[f32], epochs: u64) -> Vec<Vec<f32>> {
    let shape = [&[1], shape].concat();
    augment.check(&shape[1..], false).unwrap();
    let one = |epoch| {
        let mut batch = Batch {
            input: Array::f32(&shape[..], row.to_vec()),
            targets: Targets::Classes(vec![0]),
            samples: vec![3],
            weights: None,
            mixed: None,
        };
        augment.apply(&mut batch, &Stream::new(Seed(2), "augment"), epoch);
        batch.input.floats().to_vec()
    };
    (0..epochs).map(one).collect()
}

/// Where what is in the middle comes from, seen from there: rows and columns, of a picture that has
/// its own pixels' numbers.
fn moves(augment: &Augment, height: usize, width: usize) -> std::collections::BTreeSet<(i32, i32)> {
    let row: Vec<f32> = (0..height * width).map(|at| at as f32 + 1.0).collect();
    let shape: &[usize] = if height > 1 { &[1, height, width] } else { &[1, width] };
    let middle = (height / 2) * width + width / 2;
    let from = |row: Vec<f32>| {
        let at = row[middle].round() as usize - 1;
        let seen = |at: usize, side: usize| at as i32 - (side / 2) as i32;
        (seen(at / width, height), seen(at % width, width))
    };
    drawn(augment, shape, &row, 3000).into_iter().map(from).collect()
}

#[test]
fn places_are_drawn_as_far_as_was_said() {
    let all = |y: i32, x: i32| {
        (-y..=y).flat_map(|down| (-x..=x).map(move |right| (down, right))).collect()
    };
    assert_eq!(moves(&Augment::images().crop(3), 9, 9), all(3, 3));
    assert_eq!(moves(&Augment::series().time_shift(4), 1, 21), all(0, 4));
    // A fifth of 15 columns, and of 5 rows.
    let moved = Affine { degrees: 0.0, translate: [0.2; 2], scale: [1.0; 2], shear: [0.0; 2] };
    assert_eq!(moves(&Augment::images().affine(moved), 5, 15), all(1, 3));

    // On a slope, what stands 3 below the middle comes from 3 sin(angle) beside it.
    let slope: Vec<f32> = (0..81).map(|at| (at % 9) as f32 - 4.0).collect();
    let turned = drawn(&Augment::images().rotate(10.0), &[1, 9, 9], &slope, 3000);
    let widest = turned.iter().map(|row| row[7 * 9 + 4].abs()).fold(0.0, f32::max);
    let most = 3.0 * 10.0_f32.to_radians().sin();
    assert!((0.97..1.001).contains(&(widest / most)), "{widest}, {most}");
}

#[test]
fn sizes_are_drawn_as_wide_as_was_said() {
    let spread = |augment: Augment, value: f32| {
        let all = drawn(&augment, &[1, 16], &[value; 16], 2000).concat();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        let squares = all.iter().map(|x| (x - mean).powi(2)).sum::<f32>();
        (mean, (squares / all.len() as f32).sqrt())
    };
    let near = |(mean, std): (f32, f32), expected: (f32, f32)| {
        assert!((mean - expected.0).abs() < 0.03, "{mean}, {expected:?}");
        assert!((std / expected.1 - 1.0).abs() < 0.1, "{std}, {expected:?}");
    };
    near(spread(Augment::series().jitter(0.5), 0.0), (0.0, 0.5));
    near(spread(Augment::series().scale(0.3), 1.0), (1.0, 0.3));
    let [narrow, wide] =
        [0.1, 0.4].map(|sigma| spread(Augment::series().magnitude_warp(sigma), 1.0).1);
    assert!((wide / narrow - 4.0).abs() < 0.4, "{narrow} {wide}");
    let slope: Vec<f32> = (0..16).map(|at| at as f32).collect();
    let [narrow, wide] = [0.05, 0.2].map(|sigma| {
        let rows = drawn(&Augment::series().time_warp(sigma), &[1, 16], &slope, 2000);
        rows.iter().map(|row| (row[8] - 8.0).abs()).sum::<f32>() / 2000.0
    });
    assert!((wide / narrow - 4.0).abs() < 0.8, "{narrow} {wide}");

    let none = ColourJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };
    let factors = |jitter: ColourJitter, of: fn(&[f32]) -> f32| {
        let augment = Augment::images().colour_jitter(jitter);
        let rows = drawn(&augment, &[1, 1, 2], &[1.0, 3.0], 2000);
        let all = rows.iter().map(|row| of(row));
        (all.clone().fold(f32::INFINITY, f32::min), all.fold(f32::NEG_INFINITY, f32::max))
    };
    let (low, high) = factors(ColourJitter { brightness: 0.4, ..none }, |row| row[0]);
    assert!((0.6..0.61).contains(&low) && (1.39..=1.4).contains(&high), "{low} {high}");
    let contrast = ColourJitter { contrast: 0.3, ..none };
    let (low, high) = factors(contrast, |row| (row[1] - row[0]) / 2.0);
    assert!((0.699..0.71).contains(&low) && (1.29..1.301).contains(&high), "{low} {high}");
}
