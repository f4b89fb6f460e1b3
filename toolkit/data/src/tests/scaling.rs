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
