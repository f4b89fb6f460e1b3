//! The statistics against those of SciPy, see `tests/python/make_check_fixtures.py`.

use crate::check::statistics::{auc, correlation, ks_distance, ks_p_value, moments, ranks};

fn floats(case: &serde_json::Value, name: &str) -> Vec<f32> {
    case[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

#[test]
fn they_are_those_of_scipy() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/statistics.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for (at, case) in cases.iter().enumerate() {
        let close = |name: &str, ours: f64| {
            let theirs = case[name].as_f64().unwrap();
            let limit = 1e-9 * theirs.abs().max(1e-3);
            assert!((ours - theirs).abs() <= limit, "case {at}, {name}: {ours}, not {theirs}");
        };
        let (a, b) = (floats(case, "a"), floats(case, "b"));
        let both: Vec<f32> = a.iter().chain(&b).copied().collect();
        close("auc", auc(&ranks(&both), |at| at >= a.len()));
        let all: Vec<f64> =
            case["ranks"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert_eq!(ranks(&a), all, "case {at}");
        let pairs = a.len().min(b.len());
        close("spearman", correlation(&ranks(&a[..pairs]), &ranks(&b[..pairs])));
        let (mean, std, skew) = moments(&a);
        close("mean", mean);
        close("std", std);
        close("skew", skew);
        let sorted = |mut list: Vec<f32>| {
            list.sort_unstable_by(f32::total_cmp);
            list
        };
        let (a, b) = (sorted(a), sorted(b));
        let distance = ks_distance(&a, &b);
        close("ks", distance);
        close("ks_p", ks_p_value(distance, a.len(), b.len()));
    }
}

#[test]
fn of_nothing_and_of_constants_they_are_finite() {
    assert_eq!((ks_distance(&[], &[1.0]), ks_p_value(0.0, 3, 3)), (0.0, 1.0));
    assert_eq!(auc(&ranks(&[1.0, 2.0]), |_| true), 0.5);
    assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    assert_eq!(moments(&[0.1; 7]).2, 0.0);
    assert_eq!(moments(&[]), (0.0, 0.0, 0.0));
}
