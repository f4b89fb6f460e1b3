//! How often each class, or label, is predicted rightly.

use crate::counting::Counted;
use crate::measure::{Tally, largest};
use crate::rows::Rows;

/// Of a class, or label, the weight of its rows, of what is taken for it, and of what is so
/// rightly.
pub(crate) type Hits = [f64; 3];

/// Of what is taken for a class the share that is so rightly: `right / taken`, 0 where nothing is.
pub(crate) fn precision([_, taken, right]: Hits) -> f64 {
    share(right, taken)
}

/// Of the rows of a class the share that is taken for it: `right / rows`, 0 where there are none.
pub(crate) fn recall([rows, _, right]: Hits) -> f64 {
    share(right, rows)
}

/// The harmonic mean of precision and recall, recall counting β² as much:
/// `(1 + β²)·right / (β²·rows + taken)`, 0 for a class that neither occurs nor is predicted.
pub(crate) fn f_beta([rows, taken, right]: Hits, beta: f64) -> f64 {
    share((1.0 + beta * beta) * right, beta * beta * rows + taken)
}

fn share(part: f64, whole: f64) -> f64 {
    if part > 0.0 { part / whole } else { 0.0 }
}

/// Begins to count the hits of each class; `value` is what they come to, NaN without rows.
pub(crate) fn class_hits(width: usize, value: impl Fn(&[Hits]) -> f64 + 'static) -> Box<dyn Tally> {
    let add = move |hits: &mut [Hits], rows: Rows<'_>| {
        let mut any = false;
        for (row, class, weight) in rows.classes(width) {
            let taken = largest(row);
            if let Some(hit) = hits.get_mut(class) {
                any = true;
                count(hit, weight, [true, false, taken == Some(class)]);
                if let Some(taken) = taken {
                    count(&mut hits[taken], weight, [false, true, false]);
                }
            }
        }
        any
    };
    counted(width, add, value)
}

/// Begins to count the hits of each label, which is predicted by a logit above 0; `value` is what
/// they come to, NaN without rows.
pub(crate) fn label_hits(width: usize, value: impl Fn(&[Hits]) -> f64 + 'static) -> Box<dyn Tally> {
    let add = |hits: &mut [Hits], rows: Rows<'_>| {
        let mut any = false;
        for (label, x, y, weight) in rows.columns(hits.len()) {
            any = true;
            let (holds, taken) = (y > 0.5, x > 0.0);
            count(&mut hits[label], weight, [holds, taken, holds && taken]);
        }
        any
    };
    counted(width.max(1), add, value)
}

fn count(hits: &mut Hits, weight: f64, which: [bool; 3]) {
    for (sum, counts) in hits.iter_mut().zip(which) {
        *sum += if counts { weight } else { 0.0 };
    }
}

/// `add` says whether there was anything to add.
fn counted(
    width: usize,
    add: impl Fn(&mut [Hits], Rows<'_>) -> bool + 'static,
    value: impl Fn(&[Hits]) -> f64 + 'static,
) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: (vec![[0.0; 3]; width], false),
        add: move |(hits, any): &mut (Vec<Hits>, bool), rows: Rows<'_>| *any |= add(hits, rows),
        value: move |(hits, any): &(Vec<Hits>, bool)| if *any { value(hits) } else { f64::NAN },
    })
}
