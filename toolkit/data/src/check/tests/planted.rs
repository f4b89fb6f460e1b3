//! Faults, each planted by itself.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{Batch, DataError, Missing, Source};

#[test]
fn targets_far_from_0() {
    let mut noise = draws(30);
    let far = |row: &[f32]| 520.0 + 310.0 * (row[0] + 0.2 * noise.normal() as f32);
    let data = divided(Plain::new(30).values(far));
    let report = data.check();
    let finding = the(&report, "targets have mean 5");
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.cure.as_deref(), Some(".scale_targets(TargetScaling::Standard)"));
    assert!((finding.evidence["mean"] - 520.0).abs() < 40.0, "{report}");
    assert!((finding.evidence["std"] - 316.0).abs() < 30.0, "{report}");
    lacks(&data.scale_targets(TargetScaling::Standard).unwrap().check(), "targets have mean");
}

#[test]
fn a_constant_target() {
    let report = divided(Plain::new(31).values(|_| 4.5)).check();
    assert_eq!(the(&report, "targets are all 4.5").severity, Severity::Error);
}

#[test]
fn a_heavy_tail() {
    let report = divided(Plain::new(32).values(|row| (2.0 * row[0]).exp())).check();
    let finding = the(&report, "heavy tail");
    assert!(finding.cure.as_deref().unwrap().contains("TargetScaling::Log1p"), "{report}");
    assert!(!finding.rows.is_empty());
    lacks(&divided(Plain::new(32).values(|row| row[0])).check(), "heavy tail");
    // What it says mends it; below -1 there is no logarithm, and none for a tail to the left.
    let data = divided(Plain::new(32).values(|row| (2.0 * row[0]).exp()));
    let report = data.scale_targets(TargetScaling::Log1p).unwrap().check();
    lacks(&report, "heavy tail");
    assert!(report.to_string().contains("real numbers, scaled by ln(1 + y)"), "{report}");
    let report = divided(Plain::new(32).values(|row| (2.0 * row[0]).exp() - 2.0)).check();
    assert!(!the(&report, "heavy tail").cure.as_deref().unwrap().contains("Log1p"), "{report}");
}

#[test]
fn a_feature_that_is_the_class() {
    let mut plain = Plain::new(33);
    let mut draws = draws(34);
    for (row, &label) in plain.features.chunks_mut(WIDTH).zip(&plain.labels) {
        row[4] = 3.0 - 5.0 * label as f32 + draws.unit() as f32;
    }
    let report = divided(plain.data()).check();
    let finding = the(&report, "column \"4\" alone gives the target away (area under the curve");
    assert_eq!(finding.evidence["area_under_the_curve"], 1.0);
    assert_eq!(report.findings.iter().filter(|f| f.text.contains("gives the")).count(), 1);
}

#[test]
fn a_code_of_the_class() {
    let mut plain = Plain::new(35);
    let mut draws = draws(36);
    for (row, label) in plain.features.chunks_mut(WIDTH).zip(&mut plain.labels) {
        *label = draws.below(4) as u32;
        // 8 codes, two for each class, in no order
        row[2] = ((*label as u64 + 4 * draws.below(2)) * 5 % 8) as f32;
    }
    let report = divided(plain.data()).check();
    let finding = the(&report, "column \"2\" alone gives the target away (map from values");
    assert_eq!(finding.cure.as_deref(), Some(".ignore(\"2\")"));
}

#[test]
fn thresholds_of_three_classes() {
    let mut plain = Plain::new(37);
    let mut draws = draws(38);
    for (row, label) in plain.features.chunks_mut(WIDTH).zip(&mut plain.labels) {
        *label = draws.below(3) as u32;
        row[5] = ((*label + 1) % 3) as f32 + draws.unit() as f32;
    }
    the(&divided(plain.data()).check(), "column \"5\" alone gives the target away (thresholds");
}

#[test]
fn a_feature_that_is_the_value() {
    let mut plain = Plain::new(39);
    // what follows from the target without being it
    plain.features.chunks_mut(WIDTH).for_each(|row| row[3] = (row[0] - row[1]).powi(3));
    let report = divided(plain.values(|row| row[0] - row[1])).check();
    the(&report, "column \"3\" alone gives the target away (rank correlation 1.0000");
}

#[test]
fn rows_nearly_alike_in_two_parts() {
    let (train, test) = parts(|data| (data.part(Part::Train)[7], data.part(Part::Test)[5]));
    let mut plain = Plain::new(40);
    plain.features.copy_within(train * WIDTH..(train + 1) * WIDTH, test * WIDTH);
    plain.features[test * WIDTH..][..WIDTH].iter_mut().for_each(|x| *x += 0.004);
    let report = divided(plain.data()).check();
    let finding = the(&report, "1 rows of test have nearly the same features");
    assert_eq!(finding.rows, [test]);
    assert!(finding.text.contains(&format!("row {test} those of row {train}")), "{report}");
    lacks(&report, "but for one");
}

#[test]
fn rows_alike_but_for_one_number() {
    let wide = |copy: Option<(usize, usize)>| {
        let mut draws = draws(41);
        let mut features: Vec<f32> = (0..400 * 20).map(|_| draws.normal() as f32).collect();
        let labels = (0..400).map(|row| u32::from(features[row * 20] > 0.1)).collect();
        if let Some((from, to)) = copy {
            features.copy_within(from * 20..(from + 1) * 20, to * 20);
            features[to * 20 + 13] += 2.5;
        }
        let targets = Targets::Classes(labels);
        divided(Dataset::from_rows("wide", 20, features, targets).unwrap())
    };
    let data = wide(None);
    let (train, validation) = (data.part(Part::Train)[9], data.part(Part::Validation)[4]);
    lacks(&data.check(), "but for one");
    let report = wide(Some((train, validation))).check();
    let finding = the(&report, "1 rows of validation have the features of rows of train but");
    assert_eq!(finding.rows, [validation]);
}

/// What a split of plain data says.
fn parts<T>(of: impl FnOnce(&Dataset) -> T) -> T {
    of(&divided(Plain::new(40).data()))
}

#[test]
fn groups_in_two_parts() {
    let groups = (0..ROWS).map(|row| row as u32 / 3).collect();
    let data = Plain::new(42).data().groups(groups).unwrap();
    let report = divided(data.clone()).check();
    let finding = the(&report, "groups are in train and in validation");
    assert!(finding.cure.as_deref().unwrap().contains("Split::grouped"));
    assert_eq!(finding.rows.len(), 10);
    let data = data.split(Split::grouped(0.7, 0.15, 0.15), Seed(3)).unwrap();
    lacks(&data.check(), "groups are");
}

#[test]
fn training_on_the_future() {
    let times = (0..ROWS).map(|row| row as f64).collect();
    let data = Plain::new(43).data().times(times).unwrap();
    let report = divided(data.clone()).check();
    let finding = the(&report, "rows of test are earlier than the last row of train");
    assert!(finding.cure.as_deref().unwrap().contains("Split::in_time"));
    let data = data.split(Split::in_time(0.7, 0.15, 0.15), Seed(3)).unwrap();
    lacks(&data.check(), "earlier than");
}

#[test]
fn drift_of_one_feature() {
    let test = parts(|data| data.part(Part::Test).to_vec());
    let mut plain = Plain::new(44);
    test.iter().for_each(|row| plain.features[row * WIDTH + 2] += 1.5);
    let report = divided(plain.data()).check();
    let finding = the(&report, "drift from train to test: \"2\" (distance 0.");
    assert_eq!((finding.severity, finding.evidence["features"]), (Severity::Warning, 1.0));
    assert!((0.4..0.7).contains(&finding.evidence["ks_distance"]), "{report}");
    lacks(&report, "train to validation");
}

#[test]
fn metres_and_millimetres() {
    let validation = parts(|data| data.part(Part::Validation).to_vec());
    let mut plain = Plain::new(45);
    plain.features.chunks_mut(WIDTH).for_each(|row| row[1] = 1.7 + 0.1 * row[1]);
    validation.iter().for_each(|row| plain.features[row * WIDTH + 1] *= 1000.0);
    let report = divided(plain.data()).check();
    let finding = the(&report, "feature \"1\" seems to be in another unit in validation");
    assert!((800.0..1250.0).contains(&finding.evidence["factor"]), "{report}");
    lacks(&report, "drift");
}

#[test]
fn labels_that_are_wrong() {
    let mut plain = Plain::new(46);
    let mut draws = draws(47);
    for (at, row) in plain.features.chunks_mut(WIDTH).enumerate() {
        plain.labels[at] = draws.below(3) as u32;
        row[plain.labels[at] as usize] += 8.0;
    }
    let rows = parts(|data| [3, 50, 200].map(|at| data.part(Part::Train)[at]));
    rows.iter().for_each(|&row| plain.labels[row] = (plain.labels[row] + 1) % 3);
    let report = divided(plain.data()).check();
    let finding = the(&report, "3 of 420 rows have a label with which no neighbour agrees");
    let mut found = finding.rows.clone();
    found.sort_unstable();
    assert_eq!((found.as_slice(), finding.severity), (rows.as_slice(), Severity::Note));
    assert!((250.0..300.0).contains(&finding.evidence["expected_by_chance"]), "{report}");
}

#[test]
fn nearly_constant() {
    let mut features = Plain::new(48).features.repeat(4);
    features.chunks_mut(WIDTH).enumerate().for_each(|(at, row)| {
        row[3] = if at == 17 { 1.0 } else { 7.0 };
        row[4] = 2.0;
    });
    let labels = Plain::new(48).labels.repeat(4);
    let data = Dataset::from_rows("plain", WIDTH, features, Targets::Classes(labels)).unwrap();
    let report = data.check();
    let finding = the(&report, "nearly constant: features \"3\" have");
    assert_eq!(finding.evidence["least_other_rows"], 1.0);
    the(&report, "constant in train, so nothing can be learnt from them: features \"4\"");
}

#[test]
fn an_index() {
    let mut plain = Plain::new(49);
    plain.features.chunks_mut(WIDTH).enumerate().for_each(|(at, row)| row[0] = at as f32);
    assert_eq!(the(&plain.data().check(), "feature \"0\" is an index").severity, Severity::Note);
    let report = table(|row, color| format!("{row},{color},{}", row % 7 * (row % 3)), "id,color,y");
    let finding = the(&report, "feature \"id\" is an index");
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.cure.as_deref(), Some(".ignore(\"id\")"));
}

#[test]
fn a_category_of_one_part() {
    let report = table(|row, color| format!("{},{color},{}", row % 11, row % 5), "x,color,y");
    lacks(&report, "categories of");
    let late = |row: usize, color: &str| {
        let color = if row < 120 { "violet" } else { color };
        format!("{},{color},{}", row % 11, row % 5)
    };
    let report = table(late, "x,color,y");
    let finding = the(&report, "categories of \"color\" that no row of validation has");
    assert!(finding.text.contains("violet"), "{report}");
    assert_eq!(finding.severity, Severity::Warning);
}

/// Of a table with a column of colours, divided in order.
fn table(line: impl Fn(usize, &str) -> String, header: &str) -> DataReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let lines: Vec<String> =
        (0..400).map(|row| line(row, ["red", "green", "blue"][row % 3])).collect();
    std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let table = Dataset::csv(&path).unwrap();
    let table = match header.contains("color") {
        true => table.categories("color", Categories::one_hot()).unwrap(),
        false => table,
    };
    let data = table.target_values("y").unwrap();
    data.split(Split::in_order(0.7, 0.15, 0.15), Seed(0)).unwrap().check()
}

#[test]
fn what_tells_of_gaps_is_no_category() {
    // Colours are ordinal, gaps stand in the first part alone, and the target follows from them.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let mut text = "x,color,y\n".to_owned();
    for row in 0..400_usize {
        let color = ["red", "green", "blue"][row % 3];
        let is_gap = row < 280 && row % 5 == 0;
        let x = (row * 37) % 101;
        text += &format!("{x},{},{}\n", if is_gap { "" } else { color }, u8::from(is_gap));
    }
    std::fs::write(&path, text).unwrap();
    let table = Dataset::csv(&path).unwrap().categories("color", Categories::ordinal()).unwrap();
    let gaps = Missing::MostFrequent.with_indicator();
    let data = table.missing("color", gaps).unwrap().target_values("y").unwrap();
    assert_eq!(data.feature_names(), ["x", "color", "color_missing"]);
    let report = data.split(Split::in_order(0.7, 0.15, 0.15), Seed(0)).unwrap().check();
    lacks(&report, "categories of");
    let finding = the(&report, "column \"color_missing\" alone gives the target away");
    assert_eq!(finding.cure.as_deref(), Some(".ignore(\"color\")"));
}

#[test]
fn rows_of_a_table_are_found_by_their_lines() {
    let copied = |row: usize, color: &str| {
        let from = if row == 390 { 3 } else { row };
        format!("{from}.25,{color},{}", (from * 37) % 101)
    };
    let report = table(copied, "x,color,y");
    let finding = report.findings.iter().find(|finding| finding.rows == [390]).unwrap();
    assert_eq!(finding.places, ["line 392"]);
    let shown = report.to_string();
    assert!(shown.contains("rows 390\n             at   line 392\n"), "{shown}");
}

#[test]
fn black_images_and_channels_at_the_end() {
    let images = |shape: [usize; 3]| {
        let mut draws = draws(50);
        let mut pixels: Vec<f32> = (0..40 * 192).map(|_| draws.unit() as f32).collect();
        [4, 31].iter().for_each(|row| pixels[row * 192..][..192].fill(0.0));
        let labels = (0..40).map(|row| row % 2).collect();
        let data = Dataset::from_rows("images", 192, pixels, Targets::Classes(labels)).unwrap();
        data.image(shape[0], shape[1], shape[2]).unwrap().check()
    };
    let report = images([3, 8, 8]);
    let finding = the(&report, "2 of 40 images are of one colour");
    assert_eq!(finding.rows, [4, 31]);
    lacks(&report, "channels");
    let report = images([8, 8, 3]);
    the(&report, "images of 8 channels, 8 × 3: they have 1 to 4 channels; the channels seem");
}

#[test]
fn values_of_other_rows() {
    let mut values: Vec<f32> =
        Plain::new(51).features.chunks(WIDTH).map(|row| row[0] + 0.5 * row[1]).collect();
    let data = |values| {
        let features = Plain::new(51).features;
        divided(Dataset::from_rows("plain", WIDTH, features, Targets::Values(values)).unwrap())
    };
    lacks(&data(values.clone()).check(), "may not belong");
    draws(52).shuffle(&mut values);
    let report = data(values).check();
    the(&report, "targets may not belong to their rows");
}

#[test]
fn an_image_stored_again() {
    let read = || Dataset::csv(shipped("mnist-5k.csv.gz")).unwrap().target(Column::last()).unwrap();
    let split = |data: Dataset| data.split(Split::random(0.8, 0.1, 0.1), Seed(5)).unwrap();
    let data = split(read());
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut pixels = data.raw(&rows).unwrap().floats().to_vec();
    let Some(Targets::Classes(labels)) = data.targets().cloned() else { panic!() };
    let copies: Vec<(usize, usize)> = (0..20)
        .map(|at| (data.part(Part::Train)[90 * at], data.part(Part::Test)[20 * at]))
        .collect();
    let mut draws = draws(53);
    for &(from, to) in &copies {
        pixels.copy_within(from * 784..(from + 1) * 784, to * 784);
        pixels[to * 784..][..784].iter_mut().for_each(|x| *x += 2.0 * draws.normal() as f32);
    }
    let data = Dataset::from_rows("images", 784, pixels, Targets::Classes(labels)).unwrap();
    let report = split(data.image(1, 28, 28).unwrap()).check();
    let finding = the(&report, "rows of test have nearly the same features as rows of train");
    assert!((15.0..=20.0).contains(&finding.evidence["rows"]), "{report}");
    assert!(finding.rows.iter().all(|row| copies.iter().any(|copy| copy.1 == *row)), "{report}");
    lacks(&report, "rows of validation have nearly");
}

/// A source that hands out another number every time.
#[derive(Debug)]
struct Restless {
    names: Vec<String>,
    targets: Targets,
    reads: AtomicU32,
}

impl Source for Restless {
    fn len(&self) -> usize {
        self.targets.len()
    }

    fn name(&self) -> &str {
        "restless"
    }

    fn shape(&self) -> &[usize] {
        &[1]
    }

    fn feature_names(&self) -> &[String] {
        &self.names
    }

    fn class_names(&self) -> Option<&[String]> {
        None
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed) as f32;
        batch.samples = rows.to_vec();
        let numbers = Numbers::F32(vec![read; rows.len()]);
        batch.input = Array { shape: vec![rows.len(), 1], numbers };
        batch.targets = Targets::Values(rows.iter().map(|&row| row as f32).collect());
        Ok(())
    }
}

#[test]
fn two_passes_that_differ() {
    let targets = Targets::Values((0..20).map(|row| row as f32).collect());
    let names = vec!["x".to_owned()];
    let data = Dataset::from_source(Restless { names, targets, reads: AtomicU32::new(0) }).unwrap();
    assert_eq!(the(&data.check(), "two passes over the data differ").severity, Severity::Error);
}
