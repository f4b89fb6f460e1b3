use super::*;
use crate::Part;

fn check_partition(data: &Dataset) {
    let mut all = Vec::new();
    for part in Part::ALL {
        assert!(data.part(part).is_sorted());
        all.extend_from_slice(data.part(part));
    }
    all.sort_unstable();
    assert_eq!(all, (0..data.len()).collect::<Vec<_>>(), "disjoint, and together everything");
}

fn sizes(data: &Dataset) -> [usize; 3] {
    Part::ALL.map(|part| data.part(part).len())
}

/// A data set with the given number of rows of each class, in an order that mixes them.
fn with_classes(counts: &[usize]) -> Dataset {
    let mut labels: Vec<u32> =
        counts.iter().enumerate().flat_map(|(class, &n)| vec![class as u32; n]).collect();
    let rows = labels.len();
    (0..rows).for_each(|i| labels.swap(i, (i * 7919 + 13) % rows));
    Dataset::from_rows("test", 1, vec![0.0; rows], Targets::Classes(labels)).unwrap()
}

#[test]
fn before_a_split_everything_is_train() {
    assert_eq!(sizes(&digits()), [1797, 0, 0]);
    check_partition(&digits());
}

#[test]
fn sizes_are_the_fractions_by_largest_remainder() {
    let seeds = 0..8;
    for seed in seeds {
        for split in [Split::stratified, Split::random] {
            let data = digits().split(split(0.8, 0.1, 0.1), Seed(seed)).unwrap();
            check_partition(&data);
            // 1437.6, 179.7, 179.7: the two largest remainders are validation's and test's
            assert_eq!(sizes(&data), [1437, 180, 180]);
        }
    }
    let of = |rows, split| sizes(&with_classes(&[rows]).split(split, Seed(1)).unwrap());
    assert_eq!(of(100, Split::random(0.29, 0.42, 0.29)), [29, 42, 29]);
    assert_eq!(of(10, Split::random(1.0, 0.0, 0.0)), [10, 0, 0]);
    assert_eq!(of(10, Split::random(0.75, 0.25, 0.0)), [8, 2, 0]);
    assert_eq!(of(10, Split::random(1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0)), [4, 3, 3]);
}

#[test]
fn stratified_parts_have_each_class_within_one_row_of_its_share() {
    let uneven: Vec<usize> = (1..40).map(|i| 3 + (i * i) % 37).collect();
    let fractions = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.34, 0.33, 0.33], [0.9, 0.0, 0.1]];
    for data in
        [digits(), with_classes(&uneven), with_classes(&[5; 50]), with_classes(&[1000, 7, 3])]
    {
        for [train, validation, test] in fractions {
            for seed in 0..4 {
                let split = data
                    .clone()
                    .split(Split::stratified(train, validation, test), Seed(seed))
                    .unwrap();
                check_partition(&split);
                assert_eq!(
                    sizes(&split),
                    sizes(
                        &data
                            .clone()
                            .split(Split::random(train, validation, test), Seed(90))
                            .unwrap_or(split.clone())
                    )
                );
                for class in 0..data.classes().unwrap() as u32 {
                    let count = |rows: &[usize]| {
                        rows.iter().filter(|&&row| classes(&data)[row] == class).count() as f64
                    };
                    let all = count(&(0..data.len()).collect::<Vec<_>>());
                    for (part, fraction) in Part::ALL.iter().zip([train, validation, test]) {
                        let (found, exact) = (count(split.part(*part)), all * fraction);
                        assert!(
                            (found - exact).abs() <= 1.0 + 1e-9,
                            "class {class} of {all} in {part}: {found}, exactly {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_share_that_is_a_whole_number_is_met_exactly() {
    // 0.29 · 100 is 28.999999999999996
    for other in 3..60 {
        let data = with_classes(&[100, other]);
        let split = data.clone().split(Split::stratified(0.29, 0.42, 0.29), Seed(1)).unwrap();
        let count = |part| split.part(part).iter().filter(|&&row| classes(&data)[row] == 0).count();
        assert_eq!(Part::ALL.map(count), [29, 42, 29], "beside {other}");
    }
}

#[test]
fn a_split_follows_from_the_seed_alone() {
    for split in [Split::stratified(0.8, 0.1, 0.1), Split::random(0.8, 0.1, 0.1)] {
        let under = |seed| digits().split(split, Seed(seed)).unwrap();
        assert_eq!(under(7).fingerprint().unwrap(), under(7).fingerprint().unwrap());
        assert_ne!(under(7).part(Part::Test), under(8).part(Part::Test));
        assert_ne!(under(7).fingerprint().unwrap().hash, under(8).fingerprint().unwrap().hash);
        // a second split starts from all rows again
        assert_eq!(
            under(8).split(split, Seed(7)).unwrap().part(Part::Test),
            under(7).part(Part::Test)
        );
        // over some seeds every row is in the test part at some time: no row is favoured by its
        // place
        let mut tested = vec![false; 1797];
        (0..80).for_each(|seed| {
            under(seed).part(Part::Test).iter().for_each(|&row| tested[row] = true)
        });
        assert!(tested.iter().filter(|&&tested| !tested).count() < 5);
    }
}

#[test]
fn splits_that_make_no_sense() {
    let refused = |data: Dataset, split| data.split(split, Seed(1)).unwrap_err().to_string();
    for [train, validation, test] in [
        [0.0, 0.5, 0.5],
        [1.2, -0.1, -0.1],
        [0.8, 0.1, 0.2],
        [f64::NAN, 0.5, 0.5],
        [0.8, 0.1, 0.09999],
    ] {
        let error = refused(digits(), Split::random(train, validation, test));
        let start = format!(
            "set the split's fractions to {train}, {validation}, {test}: it must be more than 0 for train"
        );
        assert!(error.starts_with(&start), "{error}");
    }
    assert!(digits().split(Split::random(0.8, 0.1, 0.1 + 1e-7), Seed(1)).is_ok());
    let error = refused(with_classes(&[3]), Split::random(0.8, 0.1, 0.1));
    assert!(error.contains("3 rows leave none for validation, whose fraction is 0.1"), "{error}");
    let values =
        Dataset::from_rows("test", 1, vec![0.0; 10], Targets::Values(vec![0.5; 10])).unwrap();
    assert!(
        refused(values.clone(), Split::stratified(0.8, 0.1, 0.1)).contains("use Split::random")
    );
    assert!(values.split(Split::random(0.8, 0.1, 0.1), Seed(1)).is_ok());
    let error = refused(with_classes(&[1; 10]), Split::stratified(0.5, 0.5, 0.0));
    assert!(error.contains("(1 of them) falls to train; add rows of it"), "{error}");
    // a rare class among large ones still reaches train
    for seed in 0..20 {
        assert!(
            with_classes(&[101, 1, 77]).split(Split::stratified(0.6, 0.2, 0.2), Seed(seed)).is_ok()
        );
    }
}
