//! Batches of sequences of like length.

use trainbook_core::array::{Array, Numbers};
use trainbook_core::random::{Seed, Stream};

use super::table;
use crate::{Batch, Batches, Buckets, Dataset, Loader, LoaderPosition, Missing, Part, Words};

const POSITIONS: usize = 40;

/// 203 rows of 1 to 40 times one word, another one in each. One of them has none.
fn rows() -> Dataset {
    let mut draws = Stream::new(Seed(0), "rows").at(0, 0);
    let mut text = "label,text\n".to_owned();
    for row in 0..203 {
        let length = if row == 77 { 0 } else { 1 + draws.below(POSITIONS as u64) as usize };
        let words = vec![format!("w{row}"); length].join(" ");
        text += &format!("{},{words}\n", ["a", "b"][row % 2]);
    }
    let table = table(&text).words("text", Words::new(POSITIONS)).unwrap();
    table.missing("text", Missing::Text(String::new())).unwrap().target("label").unwrap()
}

fn loader(buckets: Buckets) -> Loader {
    let stream = Stream::new(Seed(7), "shuffle");
    let loader = Loader::new(&rows(), Part::Train, 10, Some(stream));
    loader.bucket_by_length(0, buckets).unwrap()
}

fn epoch(loader: &mut impl Batches, epoch: u64) -> Vec<Batch> {
    let (mut batches, mut batch) = (Vec::new(), Batch::default());
    loader.start(epoch);
    while loader.next(&mut batch).unwrap() {
        batches.push(batch.clone());
    }
    batches
}

fn indices(batch: &Batch) -> &[i64] {
    match &batch.input.numbers {
        Numbers::I64(indices) => indices,
        Numbers::F32(_) => panic!("these are indices"),
    }
}

/// Positions that hold padding.
fn padding(batches: &[Batch]) -> usize {
    batches.iter().flat_map(indices).filter(|index| **index == 0).count()
}

#[test]
fn rows_of_like_length_come_together_each_once_and_cut() {
    let buckets = Buckets::default();
    let all = epoch(&mut loader(buckets), 3);
    assert_eq!(all.len(), 21);
    let mut seen: Vec<usize> = all.iter().flat_map(|batch| batch.samples.clone()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..203).collect::<Vec<_>>());
    let raw = rows().raw(&seen).unwrap();
    for batch in &all {
        let &[rows, length] = &batch.input.shape[..] else { panic!("{:?}", batch.input.shape) };
        assert_eq!((rows, indices(batch).len()), (batch.samples.len(), rows * length));
        let of_rows = indices(batch).chunks(length).zip(&batch.samples);
        let mut longest = 0;
        for (indices, &row) in of_rows {
            let whole = raw.integers()[row * POSITIONS..(row + 1) * POSITIONS].to_vec();
            assert_eq!(indices, &whole[..length]);
            assert!(whole[length..].iter().all(|index| *index == 0));
            longest = longest.max(whole.iter().filter(|index| **index != 0).count());
        }
        // A batch of padding alone has a position, too.
        assert_eq!(length, longest.max(1));
    }
    // The rows that fill no batch are the last one, and lengths come in no order.
    assert_eq!(all[20].samples.len(), 3);
    let lengths: Vec<usize> = all.iter().map(|batch| batch.input.shape[1]).collect();
    assert!(!lengths[..20].is_sorted(), "{lengths:?}");
    let (sorted, cut) = (padding(&all), epoch(&mut loader(Buckets { batches: 1, ..buckets }), 3));
    let plain = Loader::new(&rows(), Part::Train, 10, Some(Stream::new(Seed(7), "shuffle")));
    let plain = epoch(&mut { plain }, 3);
    assert!(sorted * 8 < padding(&cut) && padding(&cut) < padding(&plain), "{sorted}");
}

#[test]
fn epochs_follow_from_the_seed_and_go_on_anywhere() {
    let buckets = Buckets { batches: 4, at_least: 1 };
    let first = epoch(&mut loader(buckets), 0);
    assert_eq!(epoch(&mut loader(buckets), 0), first);
    assert_ne!(epoch(&mut loader(buckets), 1), first);
    for batch in 0..=21 {
        let mut again = loader(buckets);
        again.resume(LoaderPosition { epoch: 0, batch }).unwrap();
        let (mut rest, mut next) = (Vec::new(), Batch::default());
        while again.next(&mut next).unwrap() {
            rest.push(next.clone());
        }
        assert_eq!(rest, first[batch as usize..]);
    }
    assert_eq!(epoch(&mut loader(buckets).prefetch(3).unwrap(), 0), first);
    // No fewer positions than asked for: the rows are the same ones, and what is behind them padding.
    let long = epoch(&mut loader(Buckets { at_least: 12, ..buckets }), 0);
    assert!(long.iter().all(|batch| batch.input.shape[1] >= 12));
    let samples = |batches: &[Batch]| batches.iter().map(|b| b.samples.clone()).collect::<Vec<_>>();
    assert_eq!(samples(&long), samples(&first));
    // The row without a word.
    assert_eq!((loader(buckets).shortest(), long.len()), (Some((77, 1)), 21));
}

#[test]
fn what_has_no_lengths_is_refused() {
    let error = |data: &Dataset, stream: Option<Stream>, buckets| {
        let loader = Loader::new(data, Part::Train, 10, stream);
        loader.bucket_by_length(0, buckets).unwrap_err().to_string()
    };
    let stream = || Some(Stream::new(Seed(7), "shuffle"));
    let (sequences, buckets) = (rows(), Buckets::default());
    assert!(error(&sequences, None, buckets).contains("give the loader a stream"));
    let none = error(&sequences, stream(), Buckets { batches: 0, ..buckets });
    assert!(none.contains("batches of at least 1"), "{none}");
    let long = error(&sequences, stream(), Buckets { at_least: 41, ..buckets });
    assert!(long.contains("at_least from 1 to 40"), "{long}");
    let targets = || Array::i64([2], vec![0, 1]);
    let numbers = Dataset::from_arrays("n", Array::f32([2, 3], vec![0.5; 6]), targets()).unwrap();
    assert!(error(&numbers, stream(), buckets).contains("its rows are numbers"));
    let grid = Dataset::from_arrays("g", Array::f32([2, 3, 2], vec![1.0; 12]), targets()).unwrap();
    assert!(error(&grid, stream(), buckets).contains("have the shape [3, 2]"));
}
