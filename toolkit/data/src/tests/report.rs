use super::*;
use crate::{DataReport, Part, Severity, SharedRows};
use trainbook_core::random::Stream;

fn found(report: &DataReport, severity: Severity, text: &str) -> bool {
    report
        .findings
        .iter()
        .any(|finding| finding.severity == severity && finding.text.contains(text))
}

fn sabotaged(change: impl FnOnce(&mut Vec<f32>, &mut Vec<u32>)) -> DataReport {
    let (mut features, mut labels) = digits_raw();
    change(&mut features, &mut labels);
    prepared(Dataset::from_rows("sabotage", 64, features, Targets::Classes(labels)).unwrap(), 7)
        .check()
}

#[test]
fn the_digits_are_in_order() {
    for seed in 0..6 {
        let report = prepared(digits(), seed).check();
        assert!(report.is_ok(), "{report}");
        let probe = report.probe.unwrap();
        assert!(probe.accuracy > 0.8 && (0.02..0.25).contains(&probe.shuffled_mean), "{probe:?}");
    }
    let report = prepared(digits(), 7).check();
    assert_eq!(report.parts, [1437, 180, 180]);
    assert_eq!((report.duplicates, report.shared.len(), report.deterministic), (0, 0, true));
    // counted with sort and uniq
    let counts: Vec<usize> = report.classes.iter().map(|class| class.rows).collect();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(report.imbalance, Some(183.0 / 174.0));
    assert!(
        found(
            &report,
            Severity::Note,
            "constant in train, so nothing can be learnt from them: features \"0\", \"32\", \"39\""
        ),
        "{report}"
    );
    let pixel = &report.features[20];
    assert_eq!(
        (pixel.min, pixel.max, pixel.normalized_max, pixel.constant),
        (0.0, 16.0, 1.0, false)
    );
    assert_eq!(report, prepared(digits(), 7).check());
}

#[test]
fn the_text_is_aligned_and_json_has_the_same() {
    let report = prepared(digits(), 7).check();
    let text = report.to_string();
    for line in [
        "rows         1797: train 1437, validation 180, test 180",
        "  raw        0 to 16",
        "classes      10, imbalance 1.05",
        "verdict      ok",
    ] {
        assert!(text.lines().any(|l| l == line), "no {line:?} in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.trim_end() == line
            && (line.starts_with("  ") || line.as_bytes()[12] == b' ')),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["parts"], serde_json::json!([1437, 180, 180]));
    assert_eq!(json["findings"][0]["severity"], "note");
    assert_eq!(json["features"].as_array().unwrap().len(), 64);
}

#[test]
fn labels_of_other_rows_are_noticed() {
    for seed in 0..6 {
        let shuffled =
            sabotaged(|_, labels| Stream::new(Seed(seed), "sabotage").at(0, 0).shuffle(labels));
        assert!(
            found(&shuffled, Severity::Warning, "labels may not belong to their rows"),
            "seed {seed}: {shuffled}"
        );
        assert!(!shuffled.is_ok());
    }
    // The file's rows come in runs 0, 1, 2, …, so the next row's label is not chance; what it says
    // is weak.
    let shifted = sabotaged(|_, labels| labels.rotate_left(1));
    assert!(found(&shifted, Severity::Note, "or some belong to other rows"), "{shifted}");
    assert!(!found(&sabotaged(|_, _| ()), Severity::Note, "belong to other rows"));
}

#[test]
fn rows_that_leak_between_parts_are_counted() {
    let data = prepared(digits(), 7);
    let (train, validation, test) =
        (data.part(Part::Train), data.part(Part::Validation), data.part(Part::Test));
    // labels stay, so the split stays as well
    let copies = [
        (train[0], validation[3]),
        (train[0], validation[5]),
        (train[9], test[1]),
        (train[20], train[21]),
    ];
    let report = sabotaged(|features, _| {
        for (from, to) in copies {
            features.copy_within(from * 64..(from + 1) * 64, to * 64);
        }
    });
    assert_eq!(report.duplicates, 4);
    let leaks = [(Part::Validation, 2), (Part::Test, 1)].map(|(part, rows)| SharedRows {
        part,
        rows,
        also_in: Part::Train,
    });
    assert_eq!(report.shared, leaks);
    assert!(
        found(
            &report,
            Severity::Warning,
            "2 rows of validation have the same features as rows of train"
        ),
        "{report}"
    );
    assert!(found(&report, Severity::Note, "4 rows have the same features as an earlier row"));
    assert!(!report.is_ok());
}

#[test]
fn features_out_of_scale_or_constant_are_named() {
    let report = digits().split(Split::stratified(0.8, 0.1, 0.1), Seed(7)).unwrap().check();
    assert!(
        found(&report, Severity::Warning, "unscaled features: ") && !report.is_ok(),
        "{report}"
    );
    let constant =
        sabotaged(|features, _| features.iter_mut().skip(20).step_by(64).for_each(|x| *x = 0.1));
    assert!(found(&constant, Severity::Note, "\"0\", \"20\", \"32\", \"39\""), "{constant}");
    assert!(constant.is_ok() && constant.features[20].constant);
    let far = sabotaged(|features, _| features[20] = 16.0 * 101.0);
    assert!(found(&far, Severity::Warning, "unscaled features: \"20\" ("), "{far}");
}

#[test]
fn classes_are_counted() {
    let rare = sabotaged(|_, labels| {
        let mut kept = 0;
        for label in labels.iter_mut().filter(|label| **label == 3) {
            kept += 1;
            *label = if kept > 17 { 4 } else { 3 };
        }
    });
    assert!(
        found(
            &rare,
            Severity::Warning,
            "the largest class has 20.4 times the rows of the smallest"
        ),
        "{rare}"
    );
    let one = Dataset::from_rows("test", 1, vec![0.0, 1.0], Targets::Classes(vec![0, 0]))
        .unwrap()
        .check();
    assert!(found(&one, Severity::Error, "only one class") && !one.is_ok(), "{one}");
}

#[test]
fn what_cannot_be_checked_is_said() {
    let report = digits().normalize(Normalize::divide_by(16.0)).unwrap().check();
    assert!(
        report.probe.is_none()
            && found(&report, Severity::Note, "no validation part")
            && report.is_ok(),
        "{report}"
    );
    let values: Vec<f32> = (0..20).map(|i| i as f32 / 10.0).collect();
    let data = Dataset::from_rows("test", 1, values.clone(), Targets::Values(values)).unwrap();
    let report = data.split(Split::random(0.5, 0.5, 0.0), Seed(1)).unwrap().check();
    assert!(report.probe.is_none() && report.imbalance.is_none(), "{report}");
    assert!(report.value_probe.is_some_and(|probe| probe.shuffled_mean < 0.5), "{report}");
}

#[test]
fn rows_of_no_part_are_shared_with_none() {
    // Row 0 is in no part, and row 3 is like it.
    let features = vec![1.0, 2.0, 3.0, 1.0, 5.0, 2.0];
    let data = Dataset::from_rows("few", 1, features, Targets::Values(vec![0.0; 6])).unwrap();
    let data = data.with_parts([vec![1, 2], vec![3, 4], vec![5]]).unwrap();
    let report = data.check();
    assert_eq!(report.duplicates, 2);
    let shared = SharedRows { part: Part::Test, rows: 1, also_in: Part::Train };
    assert_eq!(report.shared, [shared]);
}
