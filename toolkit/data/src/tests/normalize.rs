//! Features on a common scale, as scikit-learn and numpy compute them.

use serde_json::Value;

use super::{
    Dataset, Normalize, Split, Targets, auto_mpg_path, close, digits, fixture, made_again,
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
        let data = rows(&[0.1; 301]).normalize(normalize).unwrap();
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
    ] {
        assert_eq!(serde_json::to_string(&normalize).unwrap(), json);
        assert_eq!(serde_json::from_str::<Normalize>(json).unwrap(), normalize);
    }
}
