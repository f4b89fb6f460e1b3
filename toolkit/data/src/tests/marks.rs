//! What is known of rows beside features: weights, groups, times.

use super::*;
use crate::{Batch, RowMarks};

#[test]
fn rows_count_by_their_weights_where_it_is_said() {
    let text = "w,x,y\n2,5,0\n0.5,6,1\n0,7,1\n";
    let (_folder, plain) = kept(text);
    let plain = plain.weights("w").unwrap().target("y").unwrap();
    let weighed = plain.clone().weigh_rows().unwrap();
    let weights = |data: &Dataset| {
        let mut batch = Batch::default();
        data.read(&[2, 0], &mut batch).unwrap();
        batch.weights
    };
    assert_eq!((weights(&plain), weights(&weighed)), (None, Some(vec![0.0, 2.0])));
    assert_ne!(plain.fingerprint().unwrap().hash, weighed.fingerprint().unwrap().hash);
    let recipe = weighed.recipe();
    assert!(recipe.weigh_rows && !plain.recipe().weigh_rows);
    made_again(&weighed);
    // They may be said anew, and what is read into again has none left.
    let other = weighed.weights(vec![1.0, 2.0, 3.0]).unwrap();
    assert_eq!(weights(&other), Some(vec![3.0, 1.0]));
    let mut batch = Batch::default();
    other.read(&[0], &mut batch).unwrap();
    plain.read(&[0], &mut batch).unwrap();
    assert_eq!(batch.weights, None);
    let none = table("x,y\n1,0\n2,1\n").target("y").unwrap();
    assert!(refused(none.clone().weigh_rows()).contains("they have no weights"));
    let nothing = none.weights(vec![0.0, 0.0]).unwrap();
    assert!(refused(nothing.weigh_rows()).contains("no weight is above 0"));
}

#[test]
fn marks_are_kept_beside_the_features() {
    let text =
        "w,who,when,x,y\n1,a,2026-11-28,5,0\n0.5,b,2026-11-27 12:00,6,1\n2,a,2026-11-29,7,1\n";
    let marked = |text: &str| {
        table(text).weights("w").unwrap().group("who").unwrap().time("when").unwrap().target("y")
    };
    let data = marked(text).unwrap();
    assert_eq!(data.feature_names(), ["x"]);
    assert_eq!(
        *data.marks(),
        RowMarks {
            groups: Some(vec![0, 1, 0]),
            times: Some(vec![1_795_824_000.0, 1_795_780_800.0, 1_795_910_400.0]),
            weights: Some(vec![1.0, 0.5, 2.0]),
        }
    );
    assert_eq!(
        refused(marked(&text.replace("0.5", "-1"))),
        "read FILE line 3, column \"w\": weight -1 is not a finite number of at least 0"
    );
    assert_eq!(
        refused(marked(&text.replace("2026-11-29", "soon"))),
        "read FILE line 4, column \"when\": \"soon\" is no time; write numbers, or dates such as \
         2026-11-28 or 2026-11-28 13:05"
    );
    assert_eq!(
        refused(table(text).weights("y").unwrap().target("y")),
        "read FILE column \"y\": it is a target, and weights, groups or times; it can be one of them"
    );
}
