//! Windows of series, and how they are divided.

use crate::{
    Array, Batch, Batches, Dataset, Loader, Normalize, Part, Split, Targets, WindowOptions,
};
use trainbook_core::random::Seed;

/// Channel c at position p is 100·c + p.
fn series(positions: usize) -> Array {
    let numbers = (0..positions).flat_map(|p| [p as f32, 100.0 + p as f32]).collect();
    Array::f32([positions, 2], numbers)
}

#[test]
fn a_row_is_followed_by_its_targets() {
    let options = WindowOptions::new(3, 2).stride(2).targets([1, 0]);
    let data = Dataset::windows("waves", series(10), options).unwrap();
    assert_eq!((data.len(), data.shape()), (3, &[2, 3][..]));
    assert_eq!(data.targets_per_row(), 4);
    let mut batch = Batch::default();
    let mut loader = Loader::new(&data, Part::Train, 8, None);
    loader.start(0);
    assert!(loader.next(&mut batch).unwrap());
    assert_eq!(batch.input.shape, [3, 2, 3]);
    assert_eq!(batch.input.floats()[6..12], [2.0, 3.0, 4.0, 102.0, 103.0, 104.0]);
    let Targets::Values(targets) = &batch.targets else { panic!("classes") };
    assert_eq!(targets[4..8], [105.0, 106.0, 5.0, 6.0]);

    let one = Dataset::windows(
        "one",
        Array::f32([4], vec![1.0, 2.0, 3.0, 4.0]),
        WindowOptions::new(3, 1),
    );
    let one = one.unwrap();
    assert_eq!((one.len(), one.shape(), one.targets_per_row()), (1, &[1, 3][..], 1));
    assert_eq!(one.targets(), Some(&Targets::Values(vec![4.0])));
}

#[test]
fn no_window_reaches_over_a_cut() {
    let (length, horizon) = (4, 3);
    for stride in 1..6 {
        let options = WindowOptions::new(length, horizon).stride(stride);
        let data = Dataset::windows("waves", series(200), options).unwrap();
        let data = data.split(Split::in_order(0.6, 0.25, 0.15), Seed(1)).unwrap();
        for (part, (begin, end)) in Part::ALL.into_iter().zip([(0, 120), (120, 170), (170, 200)]) {
            let starts: Vec<usize> = data.part(part).iter().map(|row| row * stride).collect();
            assert!(!starts.is_empty());
            assert!(starts.iter().all(|&at| at >= begin && at + length + horizon <= end));
            if part == Part::Train {
                assert_eq!(starts.len(), (120 - length - horizon) / stride + 1);
            } else {
                assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= horizon), "{starts:?}");
                let step = stride * horizon.div_ceil(stride);
                assert_eq!(
                    starts.len(),
                    (end - begin.next_multiple_of(stride) - length - horizon) / step + 1
                );
            }
        }
    }
}

#[test]
fn normalisation_is_fitted_to_what_is_trained_on() {
    let data = Dataset::windows("waves", series(100), WindowOptions::new(2, 1)).unwrap();
    let data = data.normalize(Normalize::standard()).unwrap();
    let before = data.normalization().offset.clone();
    let data = data.split(Split::in_order(0.5, 0.25, 0.25), Seed(1)).unwrap();
    assert_ne!(data.normalization().offset, before);
    // The windows of 0..50 begin at 0 to 47, 23.5 in the mean.
    let mut batch = Batch::default();
    let mut loader = Loader::new(&data, Part::Train, 100, None);
    loader.start(0);
    loader.next(&mut batch).unwrap();
    let mean = batch.input.floats().iter().sum::<f32>();
    assert!(mean.abs() < 1e-3, "{mean}");
}

#[test]
fn what_makes_no_window_is_refused() {
    let refused = |values: Array, options: WindowOptions, expected: &str| {
        let error = Dataset::windows("waves", values, options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(series(4), WindowOptions::new(3, 2), "4 positions, which do not make a window of 3");
    refused(series(4), WindowOptions::new(usize::MAX, 2), "do not make a window");
    refused(series(9), WindowOptions::new(0, 2), "length of a window to 0");
    refused(series(9), WindowOptions::new(3, 0), "horizon of a window to 0");
    refused(series(9), WindowOptions::new(3, 1).stride(0), "stride of windows to 0");
    refused(series(9), WindowOptions::new(3, 1).targets([2]), "less than 2");
    refused(Array::i64([9], vec![0; 9]), WindowOptions::new(3, 1), "write them as floats");
    refused(Array::f32([3, 2], vec![0.0; 5]), WindowOptions::new(1, 1), "[positions, channels]");
    let mut gap = series(9);
    let crate::Numbers::F32(numbers) = &mut gap.numbers else { panic!("integers") };
    numbers[5] = f32::NAN;
    refused(gap, WindowOptions::new(3, 1), "channel 1 of waves is NaN at position 2");

    let data = Dataset::windows("waves", series(40), WindowOptions::new(5, 1)).unwrap();
    let random = data.clone().split(Split::random(0.8, 0.1, 0.1), Seed(1)).unwrap_err().to_string();
    assert!(random.contains("use Split::in_order"), "{random}");
    let short = data.split(Split::in_order(0.8, 0.1, 0.1), Seed(1)).unwrap_err().to_string();
    assert!(short.contains("no window falls to validation"), "{short}");
}

#[test]
fn a_text_is_divided_by_the_same_rule() {
    let text: String = ('a'..='z').cycle().take(300).collect();
    let data = Dataset::text_of("letters", &text).characters(7, 2).unwrap();
    let data = data.split(Split::in_order(0.5, 0.3, 0.2), Seed(1)).unwrap();
    let starts = |part| data.part(part).iter().map(|row| row * 2).collect::<Vec<_>>();
    assert_eq!(starts(Part::Train), (0..=142).step_by(2).collect::<Vec<_>>());
    assert_eq!(starts(Part::Validation), (150..=232).step_by(8).collect::<Vec<_>>());
    assert_eq!(starts(Part::Test), (240..=292).step_by(8).collect::<Vec<_>>());
    let random = data.split(Split::random(0.8, 0.1, 0.1), Seed(1)).unwrap_err().to_string();
    assert!(random.contains("use Split::in_order"), "{random}");
}
