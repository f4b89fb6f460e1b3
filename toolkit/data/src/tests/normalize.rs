//! Features on a common scale, as scikit-learn and numpy compute them.

use serde_json::Value;

use super::{
    Dataset, Normalize, Split, Targets, auto_mpg_path, close, digits, fixture, made_again, refused,
    table,
};
use crate::{Array, Part};
use trainbook_core::random::Seed;

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The offsets and spreads of a fixture are those in force; each counts for so many features.
fn same(data: &Dataset, expected: &Value, of: usize) {
    let found = data.normalization();
    let (offset, spread) = (numbers(&expected["offset"]), numbers(&expected["spread"]));
    assert_eq!(found.offset.len(), offset.len() * of);
    for (feature, (&x, &scale)) in found.offset.iter().zip(&found.scale).enumerate() {
        let (offset, spread) = (offset[feature / of], spread[feature / of]);
        assert!(close(f64::from(x), offset), "feature {feature}: {x} and {offset}");
        assert!(close(1.0 / f64::from(scale), spread), "feature {feature}: {scale} and {spread}");
    }
}

#[test]
fn ranges_and_quartiles_are_those_of_scikit_learn() {
    let expected = &fixture()["normalizations"];
    let cars = Dataset::csv(auto_mpg_path()).unwrap().ignore(["name", "origin"]).unwrap();
    let cars = cars.target_values("mpg").unwrap();
    for (normalize, key) in [(Normalize::min_max(), "min_max"), (Normalize::robust(), "robust")] {
        let data = cars.clone().normalize(normalize).unwrap();
        let data = data.split(Split::in_order(0.8, 0.1, 0.1), Seed(0)).unwrap();
        assert_eq!((data.part(Part::Train).len(), data.width()), (314, 6));
        same(&data, &expected[key], 1);
        let json = serde_json::to_string(&data.recipe()).unwrap();
        assert!(json.contains(&format!(r#""normalize":"{key}""#)), "{json}");
        made_again(&data);
    }
}

#[test]
fn places_of_a_channel_have_one_mean_and_deviation() {
    let expected = &fixture()["normalizations"]["per_channel"];
    let whole = digits().image(4, 4, 4).unwrap().normalize(Normalize::per_channel()).unwrap();
    same(&whole, expected, 16);
    let series = digits().series(4, 16).unwrap().normalize(Normalize::per_channel()).unwrap();
    assert_eq!(series.normalization(), whole.normalization());
    // Said before there are channels, other ones, or another part to train on.
    let later = digits().series(64, 1).unwrap().normalize(Normalize::per_channel()).unwrap();
    let columns = digits().normalize(Normalize::standard()).unwrap();
    assert_eq!(later.normalization(), columns.normalization());
    let later = later.image(4, 4, 4).unwrap();
    assert_eq!(later.normalization(), whole.normalization());
    let split = later.split(Split::in_order(0.5, 0.2, 0.3), Seed(0)).unwrap();
    assert_ne!(split.normalization(), whole.normalization());
    let again = split.recipe().make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), split.fingerprint().unwrap());
    assert_eq!(
        digits().normalize(Normalize::per_channel()).unwrap_err().to_string(),
        "normalise the data: rows of 64 features have no channels; say .image(channels, height, \
         width) or .series(channels, length) before, or use Normalize::standard"
    );
}

/// One pass, or single precision, would find no deviation around such a mean.
#[test]
fn a_channel_far_from_zero_has_its_deviation() {
    let places: Vec<f32> = (0..40_000).map(|at| 1e6 + (at % 3) as f32).collect();
    let targets = Array::f32([10, 1], vec![0.0; 10]);
    let data = Dataset::from_arrays("test", Array::f32([10, 2, 2000], places), targets).unwrap();
    let data = data.normalize(Normalize::per_channel()).unwrap();
    let spread = 1.0 / f64::from(data.normalization().scale[3999]);
    // The counts of the three numbers differ by one.
    assert!((spread - (2.0_f64 / 3.0).sqrt()).abs() < 1e-4, "{spread}");
}

#[test]
fn what_does_not_vary_keeps_its_scale() {
    let rows = |values: &[f32]| {
        let targets = Targets::Values(vec![0.0; values.len()]);
        Dataset::from_rows("test", 1, values.to_vec(), targets).unwrap().series(1, 1).unwrap()
    };
    for normalize in [Normalize::min_max(), Normalize::robust(), Normalize::per_channel()] {
        let data = rows(&[0.1; 301]).normalize(normalize.clone()).unwrap();
        let found = data.normalization();
        assert_eq!((found.offset[0], found.scale[0]), (0.1, 1.0), "{normalize:?}");
    }
    // Half is one value.
    let data = rows(&[5.0, 5.0, 5.0, 5.0, 900.0]).normalize(Normalize::robust()).unwrap();
    assert_eq!((data.normalization().offset[0], data.normalization().scale[0]), (5.0, 1.0));
    let range = rows(&[-3e38, 3e38]).normalize(Normalize::min_max()).unwrap_err().to_string();
    assert!(range.contains("leaves the range of f32"), "{range}");
}

#[test]
fn normalisations_are_recorded() {
    for (normalize, json) in [
        (Normalize::None, r#""none""#),
        (Normalize::divide_by(16.0), r#"{"divide_by":16.0}"#),
        (Normalize::standard(), r#""standard""#),
        (Normalize::min_max(), r#""min_max""#),
        (Normalize::robust(), r#""robust""#),
        (Normalize::per_channel(), r#""per_channel""#),
        (Normalize::log1p(), r#""log1p""#),
        (Normalize::log1p_of(["a", "b"]), r#"{"log1p_of":["a","b"]}"#),
    ] {
        assert_eq!(serde_json::to_string(&normalize).unwrap(), json);
        assert_eq!(serde_json::from_str::<Normalize>(json).unwrap(), normalize);
    }
}

/// numpy's log1p, and then scikit-learn's StandardScaler.
#[test]
fn logarithms_are_those_of_numpy_and_scaled_as_by_scikit_learn() {
    let expected = &fixture()["normalizations"]["log1p"];
    let cars = Dataset::csv(auto_mpg_path()).unwrap().ignore(["name", "origin"]).unwrap();
    let cars = cars.target_values("mpg").unwrap();
    let split = Split::in_order(0.8, 0.1, 0.1);
    let all = cars.clone().normalize(Normalize::log1p()).unwrap();
    let all = all.split(split, Seed(0)).unwrap();
    same(&all, &expected["all"], 1);
    assert_eq!(all.normalization().log1p, [true; 6]);
    // Behind both parts, and in a row of the test that no number was fitted to.
    for (row, numbers) in expected["rows"].as_object().unwrap() {
        let batch = all.batch(&[row.parse().unwrap()]).unwrap();
        for (ours, theirs) in batch.input.floats().iter().zip(numbers.as_array().unwrap()) {
            let theirs = theirs.as_f64().unwrap();
            assert!((f64::from(*ours) - theirs).abs() < 2e-5, "row {row}: {ours} {theirs}");
        }
    }
    let named = Normalize::log1p_of(["weight", "displacement"]);
    let some = cars.clone().normalize(named).unwrap().split(split, Seed(0)).unwrap();
    same(&some, &expected["displacement and weight"], 1);
    assert_eq!(some.normalization().log1p, [false, true, false, true, false, false]);
    made_again(&all);
    made_again(&some);
    let hash = |data: &Dataset| data.fingerprint().unwrap().hash;
    let standard = cars.normalize(Normalize::standard()).unwrap().split(split, Seed(0)).unwrap();
    assert!(hash(&all) != hash(&some) && hash(&some) != hash(&standard));
    let report = some.check().to_string();
    assert!(report.contains("ln(1 + x)  2 of 6: displacement, weight"), "{report}");
    assert!(!standard.check().to_string().contains("ln(1 + x)"));
}

/// Of 0 and 1 the logarithm is 0 and ln 2, which deviate as 0 and 1 do.
#[test]
fn zeros_and_categories_go_through_a_logarithm_unharmed() {
    let text = "a,town,y\n0,Ulm,1\n9,Bonn,2\n99,Ulm,3\n999,Bonn,4\n";
    let data = table(text).target_values("y").unwrap();
    let data = data.normalize(Normalize::log1p()).unwrap();
    let row = |row: usize| data.batch(&[row]).unwrap().input.floats().to_vec();
    // ln 1, ln 10, ln 100, ln 1000: equally far from each other.
    let a: Vec<f64> = (0..4).map(|at| f64::from(row(at)[0])).collect();
    for (found, expected) in a.iter().zip([-1.5, -0.5, 0.5, 1.5]) {
        assert!((found - expected / 1.25_f64.sqrt()).abs() < 2e-6, "{a:?}");
    }
    for (at, expected) in [-1.0, 1.0, -1.0, 1.0].into_iter().enumerate() {
        assert!((row(at)[1] - expected).abs() < 1e-6, "{:?}", row(at));
    }
    // Embedded categories stay numbers.
    let towns = table(text).categories("town", crate::Categories::embedded()).unwrap();
    let towns = towns.target_values("y").unwrap().normalize(Normalize::log1p()).unwrap();
    assert_eq!(towns.normalization().log1p, [true, false]);
    assert_eq!(towns.batch(&[0, 1]).unwrap().input.floats()[1..=1], [1.0]);
    let named = table(text).categories("town", crate::Categories::embedded()).unwrap();
    let named = named.target_values("y").unwrap().normalize(Normalize::log1p_of(["town"]));
    assert!(refused(named).contains("leave it out of Normalize::log1p_of"));
}

#[test]
fn what_has_no_logarithm_is_refused_with_feature_row_and_line() {
    let data = || table("a,b,y\n1,5,1\n2,-1,2\n3,-7,3\n").target_values("y").unwrap();
    assert_eq!(
        refused(data().normalize(Normalize::log1p())),
        "normalise the data: feature \"b\" of row 1 (line 3) is -1, and ln(1 + x) needs more than \
         -1; name the features that are to be under a logarithm by Normalize::log1p_of"
    );
    assert_eq!(
        refused(data().normalize(Normalize::log1p_of(["b"]))),
        "normalise the data: feature \"b\" of row 1 (line 3) is -1, and ln(1 + x) needs more than \
         -1; leave it out of Normalize::log1p_of, or leave the row out"
    );
    // Also where the row is of a part that nothing is fitted to.
    let split = data().split(Split::in_order(0.34, 0.33, 0.33), Seed(0)).unwrap();
    assert!(refused(split.normalize(Normalize::log1p())).contains("row 1"));
    let ok = data().normalize(Normalize::log1p_of(["a"])).unwrap();
    assert_eq!(ok.outside(&[0.0, -5.0, -1.0, 0.0]), Some((1, 0)));
    assert_eq!(ok.outside(&[0.0, -5.0, -0.999, 0.0]), None);
    assert_eq!(
        refused(ok.normalize_rows(&mut [0.0, -5.0, -2.5, 0.0])),
        "normalise the data: feature \"a\" of row 1 of what is to be predicted is -2.5, and the \
         network takes ln(1 + x) of it, which needs more than -1"
    );
    assert_eq!(
        refused(data().normalize(Normalize::log1p_of(["A"]))),
        "normalise the data: no feature is called \"A\", as Normalize::log1p_of says; \"a\" is the \
         nearest of 2"
    );
    assert!(refused(data().normalize(Normalize::log1p_of([""; 0]))).contains("name at least one"));
}
