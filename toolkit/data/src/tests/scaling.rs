//! Targets on a common scale.

use super::*;
use crate::{Batch, Loader, Part, TargetScaling};

#[test]
fn targets_are_scaled_as_by_pandas_and_back() {
    let expected = &fixture()["auto_mpg"];
    let number = |key: &str| expected[key].as_f64().unwrap();
    let data = Dataset::csv(auto_mpg_path()).unwrap().ignore("name").unwrap();
    let data = data.target_values("mpg").unwrap();
    let plain = data.fingerprint().unwrap().hash;
    let Some(Targets::Values(raw)) = data.targets().cloned() else { panic!() };
    for (scaling, offset, spread) in [
        (TargetScaling::Standard, number("mpg_mean"), number("mpg_std")),
        (TargetScaling::MinMax, number("mpg_min"), number("mpg_max") - number("mpg_min")),
    ] {
        let data = data
            .clone()
            .scale_targets(scaling)
            .unwrap()
            .split(Split::in_order(0.8, 0.1, 0.1), Seed(0))
            .unwrap();
        assert_eq!(data.targets(), Some(&Targets::Values(raw.clone())));
        let fitted = data.target_scaling().unwrap().clone();
        assert!(close(f64::from(fitted.offset[0]), offset), "{fitted:?}");
        assert!(close(1.0 / f64::from(fitted.scale[0]), spread), "{fitted:?}");
        let mut loader = Loader::new(&data, Part::Test, 1000, None);
        let mut batch = Batch::default();
        loader.start(0);
        assert!(loader.next(&mut batch).unwrap());
        let Targets::Values(mut scaled) = batch.targets.clone() else { panic!() };
        let first = data.part(Part::Test)[0];
        assert!(close(f64::from(scaled[0]), (f64::from(raw[first]) - offset) / spread));
        fitted.invert(&mut scaled);
        assert!(scaled.iter().zip(&raw[first..]).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_ne!(data.fingerprint().unwrap().hash, plain);
        made_again(&data);
    }
    let classes = table("a,l\n1,0\n2,1\n").target("l").unwrap();
    assert_eq!(
        refused(classes.scale_targets(TargetScaling::Standard)),
        "scale the targets of the data: they are classes; only real numbers have a scale"
    );
}

#[test]
fn logarithms_of_targets_are_those_of_numpy_and_undone() {
    let expected = &fixture()["auto_mpg"];
    let number = |key: &str| expected[key].as_f64().unwrap();
    let data = Dataset::csv(auto_mpg_path()).unwrap().ignore("name").unwrap();
    let data = data.target_values("mpg").unwrap();
    let Some(Targets::Values(raw)) = data.targets().cloned() else { panic!() };
    let data = data.scale_targets(TargetScaling::Log1p).unwrap();
    let data = data.split(Split::in_order(0.8, 0.1, 0.1), Seed(0)).unwrap();
    let fitted = data.target_scaling().unwrap();
    let (mean, std) = (number("mpg_log1p_mean"), number("mpg_log1p_std"));
    assert!(fitted.log1p && close(f64::from(fitted.offset[0]), mean), "{fitted:?}");
    assert!(close(1.0 / f64::from(fitted.scale[0]), std), "{fitted:?}");
    let rows = data.part(Part::Test);
    let Targets::Values(mut scaled) = data.batch(rows).unwrap().targets else { panic!() };
    for (scaled, &row) in scaled.iter().zip(rows) {
        let expected = (f64::from(raw[row]).ln_1p() - mean) / std;
        assert!((f64::from(*scaled) - expected).abs() < 1e-5, "{scaled} {expected}");
    }
    fitted.invert(&mut scaled);
    assert!(scaled.iter().zip(rows).all(|(y, &row)| (y - raw[row]).abs() < 1e-4 * raw[row]));
    made_again(&data);
    let json = serde_json::to_string(&data.recipe()).unwrap();
    assert!(json.contains(r#""scale_targets":"log1p""#), "{json}");
    // Records from before there were logarithms.
    let old: crate::FittedScaling =
        serde_json::from_str(r#"{"offset":[1.0],"scale":[2.0]}"#).unwrap();
    assert!(!old.log1p);
    assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"offset":[1.0],"scale":[2.0]}"#);
    // No prediction is infinite, and NaN is not hidden.
    let mut far = [1e30, -1e30, f32::NAN];
    fitted.invert(&mut far);
    assert!(far[0].is_finite() && far[0] > 1e38 && far[1] == -1.0 && far[2].is_nan(), "{far:?}");
}

#[test]
fn targets_without_a_logarithm_are_refused_with_row_and_line() {
    let one = table("a,y\n1,0\n2,-1\n3,-4\n").target_values("y").unwrap();
    assert_eq!(
        refused(one.scale_targets(TargetScaling::Log1p)),
        "scale the targets of the data: that of row 1 (line 3) is -1, and ln(1 + y) needs more than \
         -1; use TargetScaling::Standard, or leave the row out"
    );
    let two = table("a,y,z\n1,0,1\n2,5,-3\n").target_values(["y", "z"]).unwrap();
    let error = refused(two.scale_targets(TargetScaling::Log1p));
    assert!(error.contains("target 1 of row 1 (line 3) is -3"), "{error}");
    // Of a constant one nothing is left.
    let same = table("a,y\n1,3\n2,3\n").target_values("y").unwrap();
    let same = same.scale_targets(TargetScaling::Log1p).unwrap();
    assert_eq!(same.batch(&[0]).unwrap().targets, Targets::Values(vec![0.0]));
}
