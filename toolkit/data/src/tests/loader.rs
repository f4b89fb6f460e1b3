use super::*;
use crate::{Batch, DataError, Loader, Part, Source, TargetScaling};
use trainbook_core::random::Stream;

fn epoch(loader: &mut Loader, number: u64) -> Vec<Batch> {
    loader.start(number);
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while loader.next(&mut batch).unwrap() {
        all.push(batch.clone());
    }
    assert!(!loader.next(&mut batch).unwrap(), "an epoch that has ended stays ended");
    all
}

fn samples(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.samples.clone()).collect()
}

fn shuffled(data: &Dataset, batch_size: usize) -> Loader {
    Loader::new(data, Part::Train, batch_size, Some(Stream::new(Seed(7), "shuffle")))
}

#[test]
fn without_a_stream_rows_come_in_order_and_the_last_batch_is_kept() {
    let data = prepared(digits(), 7);
    for (part, size, count, last) in [
        (Part::Train, 32, 45, 29),
        (Part::Test, 64, 3, 52),
        (Part::Test, 180, 1, 180),
        (Part::Test, 999, 1, 180),
    ] {
        let mut loader = Loader::new(&data, part, size, None);
        let batches = epoch(&mut loader, 3);
        assert_eq!((batches.len(), loader.batches_per_epoch()), (count, count));
        assert!(batches[..count - 1].iter().all(|batch| batch.len() == size));
        assert_eq!(batches[count - 1].len(), last);
        assert_eq!(samples(&batches), data.part(part));
    }
}

#[test]
fn an_epochs_order_follows_from_its_number_alone_and_has_every_row_once() {
    let data = prepared(digits(), 7);
    let mut loader = shuffled(&data, 32);
    let orders: Vec<Vec<usize>> =
        (0..4).map(|number| samples(&epoch(&mut loader, number))).collect();
    for (i, order) in orders.iter().enumerate() {
        assert!(orders[..i].iter().all(|earlier| earlier != order));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, data.part(Part::Train));
    }
    let mut resumed = shuffled(&data, 32);
    assert!(!resumed.next(&mut Batch::default()).unwrap(), "no batch before the first epoch");
    assert_eq!(samples(&epoch(&mut resumed, 3)), orders[3]);
    resumed.start(1);
    resumed.next(&mut Batch::default()).unwrap();
    assert_eq!(
        samples(&epoch(&mut resumed, 2)),
        orders[2],
        "an epoch that was left early leaves no trace"
    );
    let other = samples(&epoch(&mut shuffled(&data, 50), 1));
    assert_eq!(other, orders[1], "the order does not depend on the batch size");
    // the promise of the documentation, by hand
    let mut by_hand = data.part(Part::Train).to_vec();
    Stream::new(Seed(7), "shuffle").at(2, 0).shuffle(&mut by_hand);
    assert_eq!(by_hand, orders[2]);
}

#[test]
fn batches_hold_the_normalised_features_and_the_targets_of_their_rows() {
    let (features, labels) = digits_raw();
    let data = prepared(digits(), 7);
    for batch in epoch(&mut shuffled(&data, 32), 0) {
        assert_eq!(
            (&*batch.input.shape, batch.input.len()),
            (&[batch.len(), 64][..], batch.len() * 64)
        );
        let Targets::Classes(classes) = &batch.targets else { panic!("no classes") };
        for (i, &row) in batch.samples.iter().enumerate() {
            assert_eq!(classes[i], labels[row]);
            for (x, raw) in batch.input.floats()[i * 64..][..64].iter().zip(&features[row * 64..]) {
                assert_eq!(x.to_bits(), (raw / 16.0).to_bits());
            }
        }
    }
    let values =
        Dataset::from_rows("test", 1, vec![1.0, -0.0], Targets::Values(vec![0.5, 1.5])).unwrap();
    let mut batch = epoch(&mut shuffled(&data, 32), 0).remove(0);
    let mut loader = Loader::new(&values, Part::Train, 0, None);
    loader.start(0);
    assert!(
        loader.next(&mut batch).unwrap() && loader.next(&mut batch).unwrap(),
        "batch size 0 counts as 1"
    );
    let bits: Vec<u32> = batch.input.floats().iter().map(|x| x.to_bits()).collect();
    assert_eq!(
        (bits, batch.targets, batch.samples),
        (vec![(-0.0_f32).to_bits()], Targets::Values(vec![1.5]), vec![1])
    );
}

#[test]
fn buffers_are_used_again() {
    let data = prepared(digits(), 7);
    let mut loader = shuffled(&data, 32);
    let mut batch = Batch::default();
    let mut addresses = |loader: &mut Loader, number| {
        let mut seen = Vec::new();
        loader.start(number);
        while loader.next(&mut batch).unwrap() {
            let Targets::Classes(classes) = &batch.targets else { panic!("no classes") };
            seen.push((
                batch.input.floats().as_ptr().addr(),
                classes.as_ptr().addr(),
                batch.samples.as_ptr().addr(),
            ));
        }
        seen
    };
    let first = addresses(&mut loader, 0)[0];
    assert!(
        (1..4).flat_map(|number| addresses(&mut loader, number)).all(|address| address == first)
    );
}

#[test]
fn standard_is_fitted_on_the_training_part_only() {
    let (features, _) = digits_raw();
    let data = digits()
        .normalize(Normalize::standard())
        .unwrap()
        .split(Split::stratified(0.5, 0.25, 0.25), Seed(3))
        .unwrap();
    let other_way = digits()
        .split(Split::stratified(0.5, 0.25, 0.25), Seed(3))
        .unwrap()
        .normalize(Normalize::standard())
        .unwrap();
    assert_eq!(data.normalization(), other_way.normalization());
    assert_eq!(data.fingerprint().unwrap(), other_way.fingerprint().unwrap());
    let rows = data.part(Part::Train);
    for column in [0, 1, 20, 36, 63] {
        // the one-pass formula, exact here because pixels are small integers
        let pixels = || rows.iter().map(|&row| f64::from(features[row * 64 + column]));
        let n = rows.len() as f64;
        let (sum, squares) = (pixels().sum::<f64>(), pixels().map(|x| x * x).sum::<f64>());
        let (mean, std) = (sum / n, (squares / n - (sum / n).powi(2)).sqrt());
        let expected = if std == 0.0 { 1.0 } else { 1.0 / std };
        assert!(
            (f64::from(data.normalization().offset[column]) - mean).abs() < 1e-6 * (1.0 + mean)
        );
        assert!(
            (f64::from(data.normalization().scale[column]) / expected - 1.0).abs() < 1e-6,
            "column {column}"
        );
    }
    assert_ne!(
        data.normalization(),
        digits().normalize(Normalize::standard()).unwrap().normalization()
    );
    assert!(!data.normalization().is_identity());
    assert!(data.normalize(Normalize::None).unwrap().normalization().is_identity());
}

#[test]
fn normalisations_that_make_no_sense() {
    for divisor in [0.0, f32::NAN, f32::INFINITY, 1e-45] {
        let error = digits().normalize(Normalize::divide_by(divisor)).unwrap_err().to_string();
        assert!(
            error.starts_with("set Normalize::divide_by to ")
                && error.contains("it must be a number other than 0"),
            "{error}"
        );
    }
    let huge = |x| {
        Dataset::from_rows("test", 2, vec![0.0, 1.0, 0.0, x], Targets::Classes(vec![0, 1])).unwrap()
    };
    let error = huge(3e38).normalize(Normalize::divide_by(0.5)).unwrap_err().to_string();
    assert!(
        error.starts_with("normalise the data: feature 1 of row 1, 3e38")
            || error.contains("leaves the range of f32"),
        "{error}"
    );
    // a constant that f64 cannot sum exactly is still a constant
    let constant =
        Dataset::from_rows("test", 1, vec![0.1; 3001], Targets::Values(vec![0.0; 3001])).unwrap();
    let constant = constant.normalize(Normalize::standard()).unwrap();
    assert_eq!((constant.normalization().scale[0], constant.normalization().offset[0]), (1.0, 0.1));
}

#[test]
fn the_fingerprint_sees_every_change_and_nothing_else() {
    let base = prepared(digits(), 7);
    assert_eq!(base.fingerprint().unwrap(), prepared(digits(), 7).fingerprint().unwrap());
    assert_eq!(
        (base.fingerprint().unwrap().rows, base.fingerprint().unwrap().hash.len()),
        (1797, 64)
    );
    let (features, labels) = digits_raw();
    let build = |features: Vec<f32>, labels: Vec<u32>| {
        prepared(
            Dataset::from_rows("elsewhere", 64, features, Targets::Classes(labels)).unwrap(),
            7,
        )
        .fingerprint()
        .unwrap()
        .hash
    };
    assert_eq!(
        build(features.clone(), labels.clone()),
        base.fingerprint().unwrap().hash,
        "where it comes from is not what it is"
    );
    let mut one_bit = features.clone();
    one_bit[100_000] = f32::from_bits(one_bit[100_000].to_bits() ^ 1);
    let mut relabelled = labels.clone();
    relabelled.swap(0, 1);
    let changed = [
        build(one_bit, labels.clone()),
        build(features, relabelled),
        digits().fingerprint().unwrap().hash,
        base.clone().normalize(Normalize::None).unwrap().fingerprint().unwrap().hash,
        base.clone()
            .split(Split::stratified(0.8, 0.1, 0.1), Seed(8))
            .unwrap()
            .fingerprint()
            .unwrap()
            .hash,
    ];
    assert!(changed.iter().all(|hash| *hash != base.fingerprint().unwrap().hash));
}

#[test]
fn the_fingerprint_sees_weights_and_scales_whenever_they_are_said() {
    let hash = |data: &Dataset| data.fingerprint().unwrap().hash;
    let values = Targets::Values((0..20).map(|row| row as f32).collect());
    let features = (0..40).map(|at| (at as f32).sin()).collect();
    let data = Dataset::from_rows("values", 2, features, values).unwrap();
    let plain = hash(&data);
    let weighted = |weight: f32| data.clone().weights(vec![weight; 20]).unwrap();
    // Asked for before or after, of a copy or not: the answer is that of the data.
    assert_ne!(hash(&weighted(1.0)), plain);
    assert_ne!(hash(&weighted(2.0)), hash(&weighted(1.0)));
    assert_eq!(hash(&data), plain);
    let scaled = data.clone().scale_targets(TargetScaling::Standard).unwrap();
    assert_ne!(hash(&scaled), plain);
    let other = data.clone().scale_targets(TargetScaling::MinMax).unwrap();
    assert_ne!(hash(&other), hash(&scaled));
    assert_eq!(hash(&data), plain);
}

/// Rows and targets that nobody has in memory.
#[derive(Debug)]
struct Computed {
    indices: bool,
    first: i64,
}

impl Source for Computed {
    fn len(&self) -> usize {
        3
    }
    fn name(&self) -> &str {
        "computed"
    }
    fn shape(&self) -> &[usize] {
        &[1]
    }
    fn is_of_indices(&self) -> bool {
        self.indices
    }
    fn feature_names(&self) -> &[String] {
        static ONE: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["x".into()]);
        if self.indices { &[] } else { &*ONE }
    }
    fn class_names(&self) -> Option<&[String]> {
        None
    }
    fn targets(&self) -> Option<&Targets> {
        None
    }
    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        match self.indices {
            true => batch.input.refill_i64([rows.len(), 1]).fill(self.first),
            false => batch.input.refill_f32([rows.len(), 1]).fill(0.5),
        }
        batch.targets = Targets::Values(vec![self.first as f32; rows.len()]);
        Ok(())
    }
}

#[test]
fn the_fingerprint_sees_what_a_source_computes() {
    for indices in [false, true] {
        let hash = |first| {
            let data = Dataset::from_source(Computed { indices, first }).unwrap();
            data.fingerprint().unwrap().hash
        };
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2), "{indices}");
    }
}
