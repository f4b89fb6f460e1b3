//! Ways to divide rows that came after the first ones: groups, times, quantiles, folds, given parts.

use proptest::prelude::*;
use serde_json::Value;

use super::hooked::Hooked;
use super::*;
use crate::{DataRecipe, KFold, Part};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn fixture(name: &str) -> Vec<Value> {
    let all: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/splits.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn list<T: serde::de::DeserializeOwned>(case: &Value, name: &str) -> Vec<T> {
    serde_json::from_value(case[name].clone()).unwrap()
}

fn number(case: &Value, name: &str) -> usize {
    serde_json::from_value(case[name].clone()).unwrap()
}

/// Rows with nothing to them but targets.
fn with(targets: Targets) -> Dataset {
    Dataset::from_rows("test", 1, (0..targets.len()).map(|row| row as f32).collect(), targets)
        .unwrap()
}

fn values(rows: usize) -> Dataset {
    with(Targets::Values((0..rows).map(|row| ((row * 7919) % 101) as f32).collect()))
}

fn sizes(data: &Dataset) -> [usize; 3] {
    Part::ALL.map(|part| data.part(part).len())
}

fn refused<T: std::fmt::Debug>(result: Result<T, crate::DataError>) -> String {
    result.unwrap_err().to_string()
}

/// Fingerprints from before there were other ways to divide rows.
const GOLD: [&str; 3] = [
    "8909971d1f6141fe969a5eb87bbef3cd7398abf73d57f333dce6bc112ade3707",
    "1e70516de51a32fac0c431dd4dae2c4090b4a3ccd0573bc2632463bbc632a090",
    "6de98ee271019440072f442292c44ec48f1c1b57b271a3b6bf923a3cbc5f1169",
];

#[test]
fn the_first_splits_give_what_they_always_did() {
    for (split, hash, json) in [
        (
            Split::stratified(0.8, 0.1, 0.1),
            GOLD[0],
            r#"{"fractions":[0.8,0.1,0.1],"how":"stratified"}"#,
        ),
        (Split::random(0.7, 0.2, 0.1), GOLD[1], r#"{"fractions":[0.7,0.2,0.1],"how":"random"}"#),
        (
            Split::in_order(0.6, 0.3, 0.1),
            GOLD[2],
            r#"{"fractions":[0.6,0.3,0.1],"how":"in_order"}"#,
        ),
    ] {
        let data = digits().normalize(Normalize::standard()).unwrap();
        let data = data.split(split, Seed(7)).unwrap();
        assert_eq!(data.fingerprint().unwrap().hash, hash, "{json}");
        assert_eq!(serde_json::to_string(&split).unwrap(), json);
        assert_eq!(serde_json::from_str::<Split>(json).unwrap(), split);
    }
}

#[test]
fn quantiles_are_those_of_pandas() {
    for case in fixture("bins") {
        let targets: Vec<f32> = list(&case, "values");
        let codes: Vec<usize> = list(&case, "codes");
        let bins = number(&case, "bins");
        // As classes the bins are strata with the same rows, so that shares must agree with them.
        for seed in 0..3 {
            let split = Split::stratified_values(0.5, 0.3, 0.2, bins);
            let data = with(Targets::Values(targets.clone())).split(split, Seed(seed)).unwrap();
            let labels = with(Targets::Classes(codes.iter().map(|&code| code as u32).collect()));
            for code in 0..labels.classes().unwrap() {
                let all = codes.iter().filter(|&&other| other == code).count() as f64;
                for (part, fraction) in Part::ALL.iter().zip([0.5, 0.3, 0.2]) {
                    let found = data.part(*part).iter().filter(|&&row| codes[row] == code).count();
                    assert!((found as f64 - all * fraction).abs() <= 1.0 + 1e-9, "{case}");
                }
            }
        }
        let found = crate::split::quantile_bins(&targets, bins);
        // pandas drops empty bins, we leave them empty.
        let mut used = found.clone();
        used.sort_unstable();
        used.dedup();
        let found: Vec<usize> = found.iter().map(|bin| used.binary_search(bin).unwrap()).collect();
        assert_eq!(found, codes, "{bins} bins");
    }
}

#[test]
fn grouped_folds_are_as_large_as_those_of_scikit_learn() {
    for case in fixture("grouped") {
        let groups: Vec<u32> = list(&case, "groups");
        let data = values(groups.len()).groups(groups).unwrap();
        let folds = data.folds(&KFold::new(number(&case, "k")).grouped(), Seed(3)).unwrap();
        let mut found: Vec<usize> =
            folds.iter().map(|fold| fold.part(Part::Validation).len()).collect();
        found.sort_unstable();
        assert_eq!(found, list::<usize>(&case, "sizes"));
    }
}

#[test]
fn stratified_folds_have_as_many_of_each_class_as_those_of_scikit_learn() {
    for case in fixture("stratified") {
        let labels: Vec<u32> = list(&case, "labels");
        let data = with(Targets::Classes(labels.clone()));
        let folds = data.folds(&KFold::new(number(&case, "k")).stratified(), Seed(3)).unwrap();
        for (class, expected) in list::<Vec<usize>>(&case, "by_class").iter().enumerate() {
            let count = |fold: &Dataset| {
                let rows = fold.part(Part::Validation).iter();
                rows.filter(|&&row| labels[row] as usize == class).count()
            };
            let mut found: Vec<usize> = folds.iter().map(count).collect();
            found.sort_unstable();
            assert_eq!(&found, expected, "class {class}");
        }
    }
}

#[test]
fn the_gap_is_that_of_scikit_learn() {
    for case in fixture("in_order") {
        let (rows, test, gap) =
            (number(&case, "rows"), number(&case, "test"), number(&case, "gap"));
        let fraction = test as f64 / rows as f64;
        let gap = gap as f64;
        let in_order = Split::in_order(1.0 - fraction, fraction, 0.0).gap(gap);
        let in_time = Split::in_time(1.0 - fraction, fraction, 0.0).gap(gap * 0.5);
        let times = (0..rows).map(|row| 100.0 + row as f64 * 0.5).collect();
        for data in [
            values(rows).split(in_order, Seed(1)).unwrap(),
            values(rows).times(times).unwrap().split(in_time, Seed(2)).unwrap(),
        ] {
            assert_eq!(data.part(Part::Train), list::<usize>(&case, "train"));
            assert_eq!(data.part(Part::Validation), list::<usize>(&case, "last"));
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn no_group_is_in_two_parts(
        groups in proptest::collection::vec(0_u32..25, 30..200), seed: u64, skewed: bool,
    ) {
        let groups: Vec<u32> =
            groups.iter().map(|&group| if skewed { group * group / 24 } else { group }).collect();
        let rows = groups.len();
        let data = values(rows).groups(groups.clone()).unwrap();
        let fractions = [0.6, 0.25, 0.15];
        let split = Split::grouped(0.6, 0.25, 0.15);
        let distinct: std::collections::BTreeSet<u32> = groups.iter().copied().collect();
        let data = data.split(split, Seed(seed));
        if distinct.len() < 3 {
            prop_assert!(data.is_err());
            return Ok(());
        }
        let data = data.unwrap();
        let mut part_of = std::collections::BTreeMap::new();
        let mut seen = 0;
        for part in Part::ALL {
            prop_assert!(data.part(part).is_sorted() && !data.part(part).is_empty());
            for &row in data.part(part) {
                seen += 1;
                prop_assert_eq!(*part_of.entry(groups[row]).or_insert(part), part);
            }
        }
        prop_assert_eq!(seen, rows);
        // No move of one group brings the sizes nearer, but for the last group of a part. Sizes are
        // compared with the fractions' whole numbers, hence the row of slack.
        let lack: Vec<f64> = Part::ALL.iter().zip(fractions)
            .map(|(&part, fraction)| rows as f64 * fraction - data.part(part).len() as f64).collect();
        let square = |lack: &[f64]| lack.iter().map(|x| x * x).sum::<f64>();
        for (group, &from) in &part_of {
            if part_of.values().filter(|&&part| part == from).count() == 1 {
                continue;
            }
            let size = groups.iter().filter(|&other| other == group).count() as f64;
            for to in Part::ALL.iter().filter(|&&to| to != from) {
                let mut moved = lack.clone();
                moved[from as usize] += size;
                moved[*to as usize] -= size;
                prop_assert!(square(&moved) + 4.0 * size > square(&lack));
            }
        }
    }

    #[test]
    fn every_row_is_validated_on_once_in_each_repeat(
        labels in proptest::collection::vec(0_u32..4, 60..150),
        k in 2_usize..6, repeats in 1_usize..3, how in 0..4, tenth in 0..3, seed: u64,
    ) {
        // Six rows of each class at least, so that none is missing anywhere.
        let labels: Vec<u32> = (0..24).map(|row| row % 4).chain(labels).collect();
        let groups: Vec<u32> = (0..labels.len()).map(|row| (row * row % 31) as u32).collect();
        let test = f64::from(tenth) / 10.0;
        let folds = KFold::new(k).repeated(repeats).test(test);
        let (data, folds) = match how {
            0 => (with(Targets::Classes(labels.clone())), folds.stratified()),
            1 => (values(labels.len()).groups(groups.clone()).unwrap(), folds.grouped()),
            2 => (values(labels.len()), folds.stratified_values(5)),
            _ => (values(labels.len()), folds),
        };
        let rows = labels.len();
        let data = data.folds(&folds, Seed(seed)).unwrap();
        prop_assert_eq!(data.len(), k * repeats);
        let tested = data[0].part(Part::Test);
        if how != 1 {
            prop_assert!((tested.len() as f64 - rows as f64 * test).abs() < 1.0);
        }
        for repeat in data.chunks(k) {
            let mut validated = vec![0; rows];
            for fold in repeat {
                prop_assert_eq!(fold.part(Part::Test), tested);
                fold.part(Part::Validation).iter().for_each(|&row| validated[row] += 1);
                let mut all: Vec<usize> =
                    Part::ALL.iter().flat_map(|&part| fold.part(part)).copied().collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
                if how == 1 {
                    let of = |part| fold.part(part).iter().map(|&row| groups[row]);
                    let trained: std::collections::BTreeSet<u32> = of(Part::Train).collect();
                    prop_assert!(
                        of(Part::Validation).chain(of(Part::Test)).all(|g| !trained.contains(&g))
                    );
                }
            }
            for (row, times) in validated.iter().enumerate() {
                prop_assert_eq!(*times, usize::from(tested.binary_search(&row).is_err()));
            }
            let spread = |of: &dyn Fn(usize) -> bool| {
                let counts = repeat.iter().map(|fold| {
                    fold.part(Part::Validation).iter().filter(|&&row| of(row)).count()
                });
                counts.clone().max().unwrap() - counts.min().unwrap()
            };
            if how != 1 {
                prop_assert!(spread(&|_| true) <= 1);
            }
            if how == 0 {
                for class in 0..4 {
                    prop_assert!(spread(&|row| labels[row] == class) <= 1);
                }
            }
        }
        // Groups are few and drawn whole, so two repeats of them can be alike.
        if repeats > 1 && how != 1 {
            prop_assert_ne!(data[0].part(Part::Validation), data[k].part(Part::Validation));
        }
    }

    #[test]
    fn nothing_is_trained_on_that_is_nearer_to_the_future_than_the_gap(
        times in proptest::collection::vec(0_u8..200, 40..120), gap in 0.0..15.0, seed: u64,
    ) {
        let times: Vec<f64> = times.into_iter().map(f64::from).collect();
        let data = values(times.len()).times(times.clone()).unwrap();
        let split = Split::in_time(0.5, 0.3, 0.2).gap(gap);
        let Ok(data) = data.split(split, Seed(seed)) else { return Ok(()) };
        let of = |part| data.part(part).iter().map(|&row| times[row]);
        let max = |part| of(part).fold(f64::NEG_INFINITY, f64::max);
        let min = |part| of(part).fold(f64::INFINITY, f64::min);
        prop_assert!(min(Part::Validation) - max(Part::Train) > gap);
        prop_assert!(min(Part::Test) - max(Part::Validation) > gap);
        // What is left out is what is too near, and nothing else.
        let cuts = [min(Part::Validation), min(Part::Test)];
        for (row, &time) in times.iter().enumerate() {
            let kept = Part::ALL.iter().any(|&part| data.part(part).binary_search(&row).is_ok());
            prop_assert_eq!(kept, !cuts.iter().any(|cut| (0.0..=gap).contains(&(cut - time)) && time < *cut));
        }
    }
}

#[test]
fn repeats_of_grouped_folds_differ() {
    let groups = (0..300).map(|row| row / 3).collect();
    let folds = KFold::new(5).grouped().repeated(2);
    let data = values(300).groups(groups).unwrap().folds(&folds, Seed(1)).unwrap();
    assert_ne!(data[0].part(Part::Validation), data[5].part(Part::Validation));
}

#[test]
fn each_fold_is_normalised_by_its_own_training_part() {
    let data = digits().normalize(Normalize::standard()).unwrap();
    let folds = data.folds(&KFold::new(3).stratified(), Seed(7)).unwrap();
    for fold in &folds {
        let parts = Part::ALL.map(|part| fold.part(part).to_vec());
        let by_hand = digits().with_parts(parts).unwrap().normalize(Normalize::standard()).unwrap();
        assert_eq!(fold.normalization(), by_hand.normalization());
    }
    assert_ne!(folds[0].normalization(), folds[1].normalization());
}

#[test]
fn each_fold_fits_the_source_to_its_own_training_part() {
    let data = Hooked::fitted(values(50));
    for (number, folds) in [(0, KFold::new(3)), (1, KFold::new(7).test(0.1))] {
        for fold in data.folds(&folds, Seed(number)).unwrap() {
            let trained = fold.part(Part::Train).len() as f32;
            assert_eq!(fold.raw(&[4]).unwrap().floats(), [4.0 - trained]);
        }
    }
}

#[test]
fn a_recipe_makes_the_same_parts_again() {
    let again = |data: &Dataset| {
        let json = serde_json::to_string(&data.recipe()).unwrap();
        let recipe: DataRecipe = serde_json::from_str(&json).unwrap();
        assert_eq!(recipe, data.recipe());
        let made = recipe.make().unwrap();
        assert_eq!(made.fingerprint().unwrap(), data.fingerprint().unwrap(), "{json}");
        assert_eq!(made.recipe(), recipe);
        json
    };
    let data = digits().normalize(Normalize::standard()).unwrap();
    for fold in data.folds(&KFold::new(3).stratified().repeated(2).test(0.1), Seed(7)).unwrap() {
        assert!(!again(&fold).contains("parts"), "a fold follows from its number");
    }
    let groups = (0..1797).map(|row| row / 10).collect();
    let data = data.groups(groups).unwrap().times((0..1797).map(f64::from).collect()).unwrap();
    for split in [
        Split::grouped(0.8, 0.1, 0.1),
        Split::in_time(0.8, 0.1, 0.1).gap(5.0),
        Split::in_order(0.8, 0.1, 0.1).gap(5.0),
        Split::random(0.8, 0.1, 0.1),
    ] {
        again(&data.clone().split(split, Seed(1)).unwrap());
    }
    let named = [(0..900).collect(), (1000..1500).rev().collect(), vec![1600, 950]];
    let named = data.with_parts(named).unwrap();
    assert!(again(&named).contains(r#""parts":"900t50-e49-500v100-e196-""#));
    assert_eq!(named.part(Part::Test), [950, 1600]);
    assert_eq!(named.part(Part::Validation), (1000..1500).collect::<Vec<_>>());
    again(&named.clone().first_rows(20));
    let text = r#""parts":"900t50-""#;
    let json = again(&named).replace(r#""parts":"900t50-e49-500v100-e196-""#, text);
    let short: DataRecipe = serde_json::from_str(&json).unwrap();
    assert!(refused(short.make()).contains("says the part of 950 rows, and there are 1797"));
    for wrong in ["9", "3x", "t4", "99999999999t", "99999999999999999999999t"] {
        let error = serde_json::from_str::<crate::GivenParts>(&format!("{wrong:?}")).unwrap_err();
        assert!(error.to_string().starts_with("the parts of rows"), "{error}");
    }
}

#[test]
fn what_cannot_be_divided_is_refused() {
    let data = values(20);
    let split = |data: &Dataset, split| refused(data.clone().split(split, Seed(1)));
    assert!(split(&data, Split::grouped(0.8, 0.1, 0.1)).contains("give them with Dataset::groups"));
    assert!(split(&data, Split::in_time(0.8, 0.1, 0.1)).contains("give them with Dataset::times"));
    let few = data.clone().groups((0..20).map(|row| row / 10).collect()).unwrap();
    let error = split(&few, Split::grouped(0.6, 0.2, 0.2));
    assert!(error.contains("2 groups leave none for"), "{error}");
    let error = refused(few.folds(&KFold::new(3).grouped(), Seed(1)));
    assert!(error.contains("2 groups do not make fold 0 of 3"), "{error}");
    for (gap, expected) in [(f64::NAN, "a finite"), (-1.0, "a finite"), (0.5, "a whole number")] {
        let error = split(&data, Split::in_order(0.8, 0.1, 0.1).gap(gap));
        assert!(
            error.starts_with("set the split's gap to ") && error.contains(expected),
            "{error}"
        );
    }
    assert!(split(&data, Split::random(0.8, 0.1, 0.1).gap(1.0)).contains("it must be 0 unless"));
    let error = split(&data, Split::in_order(0.8, 0.1, 0.1).gap(2.0));
    assert!(
        error.contains("20 rows with a gap of 2 between parts leave none for validation"),
        "{error}"
    );
    let same = data.clone().times(vec![1.0; 20]).unwrap();
    assert!(split(&same, Split::in_time(0.8, 0.2, 0.0)).contains("leave none for train"));
    assert!(split(&data, Split::stratified_values(0.8, 0.1, 0.1, 1)).contains("at least 2"));
    let error = split(&digits(), Split::stratified_values(0.8, 0.1, 0.1, 5));
    assert!(error.contains("the targets are classes; use Split::stratified"), "{error}");
    let text = Dataset::text_of("text", "to be or not to be").characters(4, 1).unwrap();
    assert!(split(&text, Split::in_order(0.5, 0.5, 0.0).gap(1.0)).contains("0 for windows"));
    assert!(split(&text, Split::grouped(0.5, 0.5, 0.0)).contains("use Split::in_order"));

    let fold = |folds| refused(data.folds(&folds, Seed(1)));
    assert!(fold(KFold::new(1)).contains("at least 2, for example 5"));
    assert!(fold(KFold::new(2).repeated(0)).contains("at least 1"));
    assert!(fold(KFold::new(2).test(1.0)).contains("from 0 to less than 1"));
    assert!(fold(KFold::new(2).test(f64::NAN)).contains("from 0 to less than 1"));
    assert!(fold(KFold::new(21)).contains("20 rows do not make fold 0 of 21"));
    assert!(fold(KFold::new(2).test(0.01)).contains("leave none for test"));
    let rare = with(Targets::Classes(vec![0, 0, 0, 0, 0, 1]));
    assert!(
        refused(rare.folds(&KFold::new(2).stratified(), Seed(1)))
            .contains("(1 of them) falls to train")
    );

    let parts = |parts| refused(data.clone().with_parts(parts));
    assert!(parts([vec![0], vec![20], vec![]]).contains("row 20 of validation does not exist"));
    assert!(
        parts([vec![0, 1], vec![2], vec![1]]).contains("row 1 is named for train and for test")
    );
    assert!(parts([vec![], vec![2], vec![1]]).contains("no row is named for train"));
    let error = refused(digits().with_parts([vec![0], vec![1], vec![]]));
    assert!(error.contains("falls to train"), "{error}");

    assert!(refused(data.clone().groups(vec![0; 19])).contains("19 groups for 20 rows"));
    let mut times = vec![0.0; 20];
    times[3] = f64::INFINITY;
    assert!(refused(data.clone().times(times)).contains("the times say inf for row 3"));
    let error = refused(data.clone().weights(vec![-1.0; 20]));
    assert!(
        error.contains("the weights say -1.0 for row 0; it must be a finite number of at least 0")
    );
    assert_eq!(sizes(&data), [20, 0, 0]);
}
