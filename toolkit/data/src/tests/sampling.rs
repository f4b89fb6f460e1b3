//! What a loader draws, where it stands, and what a thread reads ahead for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hooked::{Hook, Hooked};
use super::*;
use crate::{
    Augment, Batch, DataError, LastBatch, Loader, LoaderPosition, Part, Prefetch, Sampling,
};
use trainbook_core::random::Stream;

/// So many rows of class 0, 1, …, one feature that is the row's number.
fn with_classes(counts: &[usize]) -> Dataset {
    let labels: Vec<u32> = counts
        .iter()
        .enumerate()
        .flat_map(|(class, &rows)| std::iter::repeat_n(class as u32, rows))
        .collect();
    let features = (0..labels.len()).map(|row| row as f32).collect();
    Dataset::from_rows("test", 1, features, Targets::Classes(labels)).unwrap()
}

fn loader(data: &Dataset, batch_size: usize) -> Loader {
    Loader::new(data, Part::Train, batch_size, Some(Stream::new(Seed(7), "shuffle")))
}

fn rest(loader: &mut Loader) -> Vec<Batch> {
    let mut batch = Batch::default();
    std::iter::from_fn(|| loader.next(&mut batch).unwrap().then(|| batch.clone())).collect()
}

fn rest_ahead(loader: &mut Prefetch) -> Vec<Batch> {
    let mut batch = Batch::default();
    std::iter::from_fn(|| loader.next(&mut batch).unwrap().then(|| batch.clone())).collect()
}

fn epoch(loader: &mut Loader, number: u64) -> Vec<Batch> {
    loader.start(number);
    rest(loader)
}

fn rows(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.samples.clone()).collect()
}

/// (found − expected)² / expected, summed.
fn chi_square(found: &[usize], expected: &[f64]) -> f64 {
    found.iter().zip(expected).map(|(&found, exact)| (found as f64 - exact).powi(2) / exact).sum()
}

#[test]
fn balanced_epochs_have_every_class_equally_often() {
    let data = with_classes(&[900, 90, 8, 2]);
    let mut loader = loader(&data, 64).sampling(Sampling::Balanced).unwrap();
    let mut counts = [0; 8];
    for number in 0..40 {
        let drawn = rows(&epoch(&mut loader, number));
        assert_eq!(drawn.len(), 1000, "as many as the part has");
        let mut classes = [0; 4];
        drawn.iter().for_each(|&row| classes[super::classes(&data)[row] as usize] += 1);
        assert_eq!(classes, [250; 4]);
        drawn.iter().filter(|row| (990..998).contains(*row)).for_each(|row| counts[row - 990] += 1);
    }
    // 7 degrees of freedom: 99.99 % below 29.9
    assert!(chi_square(&counts, &[1250.0; 8]) < 29.9, "{counts:?}");
    // 10 rows among 4 classes: which have one more is drawn, too.
    let data = with_classes(&[7, 1, 1, 1]);
    let mut loader = self::loader(&data, 64).sampling(Sampling::Balanced).unwrap();
    let mut more = [0; 4];
    for number in 0..400 {
        let mut classes = [0; 4];
        rows(&epoch(&mut loader, number))
            .iter()
            .for_each(|&row| classes[super::classes(&data)[row] as usize] += 1);
        assert!(classes.iter().all(|count| (2..=3).contains(count)), "{classes:?}");
        classes.iter().zip(&mut more).for_each(|(count, more)| *more += count - 2);
    }
    assert!(chi_square(&more, &[200.0; 4]) < 21.1, "{more:?}");
    // A class that the part lacks is left out.
    let parts = [vec![0, 1, 7, 8, 9], vec![2, 3], vec![]];
    let data = data.with_parts(parts).unwrap();
    let valid = Loader::new(&data, Part::Validation, 9, Some(Stream::new(Seed(7), "shuffle")));
    let drawn = rows(&epoch(&mut valid.sampling(Sampling::Balanced).unwrap(), 0));
    assert!(drawn.len() == 2 && drawn.iter().all(|row| [2, 3].contains(row)));
}

#[test]
fn weighted_epochs_have_rows_in_proportion_to_their_weights() {
    let weights = [0.0, 1.0, 2.0, 3.0, 0.0, 4.0, 0.0];
    let data = with_classes(&[3, 4]).weights(weights.to_vec()).unwrap();
    let mut loader = loader(&data, 3).sampling(Sampling::Weighted).unwrap();
    let mut counts = [0; 7];
    for number in 0..2000 {
        let drawn = rows(&epoch(&mut loader, number));
        assert_eq!(drawn.len(), 7);
        drawn.iter().for_each(|&row| counts[row] += 1);
    }
    assert_eq!([counts[0], counts[4], counts[6]], [0; 3]);
    let found = [counts[1], counts[2], counts[3], counts[5]];
    // 3 degrees of freedom: 99.99 % below 21.1
    let chi = chi_square(&found, &[1400.0, 2800.0, 4200.0, 5600.0]);
    assert!(chi < 21.1, "{counts:?}");
}

#[test]
fn last_batches() {
    let data = with_classes(&[10]);
    let order = rows(&epoch(&mut loader(&data, 4), 1));
    for (last, sizes) in [
        (LastBatch::Keep, vec![4, 4, 2]),
        (LastBatch::Drop, vec![4, 4]),
        (LastBatch::Fill, vec![4, 4, 4]),
    ] {
        let mut loader = loader(&data, 4).last_batch(last);
        let batches = epoch(&mut loader, 1);
        assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), sizes);
        assert_eq!(loader.batches_per_epoch(), sizes.len());
        let expected: Vec<usize> =
            order.iter().chain(&order).copied().take(sizes.iter().sum()).collect();
        assert_eq!(rows(&batches), expected);
    }
    // Fewer rows than a batch: they come several times, or never.
    let fill = epoch(&mut loader(&data, 25).last_batch(LastBatch::Fill), 1);
    let expected: Vec<usize> = order.iter().cycle().copied().take(25).collect();
    assert_eq!(rows(&fill), expected);
    assert!(epoch(&mut loader(&data, 25).last_batch(LastBatch::Drop), 1).is_empty());
}

/// Loaders with every option.
fn loaders(data: &Dataset) -> Vec<Loader> {
    let mut all = Vec::new();
    for sampling in [Sampling::Shuffled, Sampling::Balanced, Sampling::Weighted] {
        for last in [LastBatch::Keep, LastBatch::Drop, LastBatch::Fill] {
            all.push(loader(data, 100).sampling(sampling).unwrap().last_batch(last));
        }
    }
    all.push(Loader::new(data, Part::Test, 50, None));
    all
}

fn weighted_digits() -> Dataset {
    let weights = (0..1797).map(|row| (row % 7) as f32).collect();
    prepared(digits().weights(weights).unwrap(), 7)
}

#[test]
fn a_loader_goes_on_where_it_stood() {
    let data = weighted_digits();
    for (mut whole, mut resumed) in loaders(&data).into_iter().zip(loaders(&data)) {
        assert_eq!(whole.position(), LoaderPosition::default());
        let batches = epoch(&mut whole, 3);
        for stop in 0..=batches.len() {
            whole.start(3);
            let mut batch = Batch::default();
            (0..stop).for_each(|_| assert!(whole.next(&mut batch).unwrap()));
            let position = whole.position();
            assert_eq!(position, LoaderPosition { epoch: 3, batch: stop as u64 });
            let json = serde_json::to_string(&position).unwrap();
            resumed.resume(serde_json::from_str(&json).unwrap()).unwrap();
            assert_eq!(resumed.position(), position);
            assert_eq!(rest(&mut resumed), batches[stop..]);
        }
        let beyond = LoaderPosition { epoch: 3, batch: batches.len() as u64 + 1 };
        let error = resumed.resume(beyond).unwrap_err().to_string();
        assert!(error.contains(&format!("whose epochs have {} batches", batches.len())), "{error}");
        let error = resumed.prefetch(1).unwrap().resume(beyond).unwrap_err().to_string();
        assert!(error.contains("set the loader's position to batch "), "{error}");
    }
}

#[test]
fn batches_read_ahead_are_the_same() {
    let data = weighted_digits();
    for ahead in [0, 1, 3, 100] {
        for (mut plain, other) in loaders(&data).into_iter().zip(loaders(&data)) {
            let mut fetched = other.prefetch(ahead).unwrap();
            assert!(!fetched.next(&mut Batch::default()).unwrap(), "no batch before an epoch");
            assert_eq!(fetched.batches_per_epoch(), plain.batches_per_epoch());
            for number in [0, 5, 1] {
                fetched.start(number);
                assert_eq!(rest_ahead(&mut fetched), epoch(&mut plain, number));
                assert_eq!(fetched.position(), plain.position());
                assert!(!fetched.next(&mut Batch::default()).unwrap(), "it stays ended");
            }
            // An epoch that is left early leaves nothing behind, and neither does one never asked.
            fetched.start(2);
            fetched.next(&mut Batch::default()).unwrap();
            assert_eq!(fetched.position(), LoaderPosition { epoch: 2, batch: 1 });
            fetched.start(4);
            let position = LoaderPosition { epoch: 3, batch: 2 };
            fetched.resume(position).unwrap();
            plain.resume(position).unwrap();
            assert_eq!(rest_ahead(&mut fetched), rest(&mut plain));
        }
    }
}

/// Data whose rows fail or panic once, and how many more can be read before that; and how many
/// batches have been read.
fn moody(panics: bool) -> (Dataset, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (left, read) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
    let (left_there, read_there) = (Arc::clone(&left), Arc::clone(&read));
    let hook: Hook = Arc::new(move |rows: &[usize]| {
        let left = left_there.load(Ordering::SeqCst);
        if left < rows.len() {
            left_there.store(usize::MAX, Ordering::SeqCst);
            assert!(!panics, "out of rows");
            return Err(DataError::Refused { action: "read", reason: "out of rows".to_owned() });
        }
        left_there.store(left - rows.len(), Ordering::SeqCst);
        read_there.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    (Hooked::dataset(with_classes(&[40, 60]), hook), left, read)
}

#[test]
fn errors_and_panics_arrive_and_reading_goes_on_behind_them() {
    for panics in [false, true] {
        let (data, left, _) = moody(panics);
        let expected = epoch(&mut loader(&with_classes(&[40, 60]), 10), 1);
        let mut fetched = loader(&data, 10).prefetch(3).unwrap();
        left.store(45, Ordering::SeqCst);
        fetched.start(1);
        let mut batch = Batch::default();
        for expected in &expected[..4] {
            assert!(fetched.next(&mut batch).unwrap());
            assert_eq!(&batch, expected);
        }
        let error = fetched.next(&mut batch).unwrap_err().to_string();
        let text =
            ["read the data: out of rows", "read the data: its source panicked: out of rows"];
        assert_eq!(error, text[usize::from(panics)]);
        assert_eq!(fetched.position().batch, 4);
        assert_eq!(rest_ahead(&mut fetched), expected[4..]);
    }
}

#[test]
fn it_reads_ahead_as_far_as_it_may_and_ends_when_dropped() {
    let (data, _, read) = moody(false);
    let mut fetched = loader(&data, 10).prefetch(3).unwrap();
    fetched.start(0);
    let wait_for = |count| {
        let begun = std::time::Instant::now();
        while read.load(Ordering::SeqCst) < count && begun.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        read.load(Ordering::SeqCst)
    };
    // Three wait in the channel, the fourth to be put there.
    assert_eq!(wait_for(4), 4);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(read.load(Ordering::SeqCst), 4);
    fetched.next(&mut Batch::default()).unwrap();
    assert_eq!(wait_for(5), 5);
    let counted = Arc::strong_count(&read);
    drop(fetched);
    // The thread's data is gone with it, and ours remains.
    assert_eq!(Arc::strong_count(&read), counted);
    drop(data);
    assert_eq!(Arc::strong_count(&read), 1, "the thread has ended");
}

#[test]
fn buffers_go_round() {
    let data = with_classes(&[400]);
    let mut fetched = loader(&data, 10).prefetch(2).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut batch = Batch::default();
    for number in 0..5 {
        fetched.start(number);
        while fetched.next(&mut batch).unwrap() {
            seen.insert(batch.input.floats().as_ptr().addr());
        }
    }
    // 200 batches: two wait, one is being put there, one is ours, one is on its way back.
    assert!(seen.len() <= 8, "{}", seen.len());
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let data = with_classes(&[5, 5]);
    let values =
        Dataset::from_rows("test", 1, vec![0.0; 4], Targets::Values(vec![0.5; 4])).unwrap();
    let refused = |loader: Loader, sampling| loader.sampling(sampling).unwrap_err().to_string();
    let error = refused(loader(&values, 2), Sampling::Balanced);
    assert!(error.contains("Sampling::Balanced needs one class for each row"), "{error}");
    let error = refused(loader(&data, 2), Sampling::Weighted);
    assert!(error.contains("give them with Dataset::weights"), "{error}");
    let zero = data.clone().weights(vec![0.0; 10]).unwrap();
    let error = refused(loader(&zero, 2), Sampling::Weighted);
    assert!(error.contains("every row of train has the weight 0"), "{error}");
    let error = refused(Loader::new(&data, Part::Train, 2, None), Sampling::Balanced);
    assert!(error.contains("give the loader a stream to draw by"), "{error}");
    assert!(Loader::new(&data, Part::Train, 2, None).sampling(Sampling::Shuffled).is_ok());
}

#[test]
fn a_row_that_an_epoch_sees_again_is_augmented_otherwise() {
    let values: Vec<f32> = (0..12 * 8).map(|at| at as f32).collect();
    let classes = (0..12).map(|row| u32::from(row == 5)).collect();
    let data = Dataset::from_rows("rare", 8, values, Targets::Classes(classes)).unwrap();
    let data = data.series(1, 8).unwrap();
    let seen = |sampling| {
        let mut loader = Loader::new(&data, Part::Train, 12, Some(Stream::new(Seed(1), "shuffle")))
            .sampling(sampling)
            .unwrap()
            .augment(Augment::series().jitter(0.1), Stream::new(Seed(1), "augment"))
            .unwrap();
        loader.start(0);
        let mut batch = Batch::default();
        assert!(loader.next(&mut batch).unwrap());
        let rows = batch.samples.iter().zip(batch.input.floats().chunks(8));
        let rare: Vec<Vec<u32>> = rows
            .filter(|(row, _)| **row == 5)
            .map(|(_, x)| x.iter().map(|x| x.to_bits()).collect())
            .collect();
        rare
    };
    let drawn = seen(Sampling::Balanced);
    assert_eq!(drawn.len(), 6);
    let different: std::collections::BTreeSet<_> = drawn.iter().collect();
    assert_eq!(different.len(), 6);
    // The first time it looks as if it were seen once.
    assert_eq!(seen(Sampling::Shuffled)[0], drawn[0]);
}
