//! The points of one metric, thinned out for a picture.

use serde::{Deserialize, Serialize};

/// The points of one metric of a run, or as many of them as were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// How many points there are.
    pub total: u64,
    /// Those that are kept, as (step, value) in the order of logging.
    pub points: Vec<(u64, f64)>,
}

impl History {
    /// Keeps at most `at_most` points of a series in the order of logging.
    ///
    /// All, if that is enough. Else the first and the last, and of each of `(at_most − 2) / 3`
    /// equal stretches of the points between the least, the greatest and the first NaN. So a peak
    /// of a single step stays visible, and so does a single NaN; averaging would hide both. With
    /// less than five points to keep, only the first and as many as fit from the end.
    pub fn of(points: Vec<(u64, f64)>, at_most: usize) -> History {
        let total = points.len() as u64;
        if points.len() <= at_most {
            return History { total, points };
        }
        let stretches = at_most.saturating_sub(2) / 3;
        let kept = match points.as_slice() {
            [first, inner @ .., last] if stretches > 0 => {
                let mut kept = Vec::with_capacity(at_most);
                kept.push(*first);
                for stretch in 0..stretches {
                    let bound = |at: usize| inner.len() * at / stretches;
                    kept.extend(extremes(&inner[bound(stretch)..bound(stretch + 1)]));
                }
                kept.push(*last);
                kept
            }
            all => {
                let tail = all.len() - at_most.saturating_sub(1).min(all.len());
                all.iter().take(at_most.min(1)).chain(&all[tail..]).copied().collect()
            }
        };
        History { total, points: kept }
    }
}

/// The least, the greatest and the first NaN among the points, in their order.
fn extremes(points: &[(u64, f64)]) -> impl Iterator<Item = (u64, f64)> {
    let mut kept: [Option<usize>; 3] = [None; 3];
    for (at, (_, value)) in points.iter().enumerate() {
        if value.is_nan() {
            kept[2].get_or_insert(at);
            continue;
        }
        if kept[0].is_none_or(|least: usize| *value < points[least].1) {
            kept[0] = Some(at);
        }
        if kept[1].is_none_or(|greatest: usize| *value > points[greatest].1) {
            kept[1] = Some(at);
        }
    }
    kept.sort_unstable();
    let repeated = |at: usize| at > 0 && kept[at] == kept[at - 1];
    let distinct: Vec<usize> =
        (0..3).filter(|at| !repeated(*at)).filter_map(|at| kept[at]).collect();
    distinct.into_iter().map(|at| points[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(points: &[(u64, f64)]) -> Vec<(u64, u64)> {
        points.iter().map(|(step, value)| (*step, value.to_bits())).collect()
    }

    proptest! {
        #[test]
        fn it_keeps_order_ends_extremes_and_nan(
            values in prop::collection::vec(prop_oneof![4 => -5.0..5.0, 1 => Just(f64::NAN)], 0..400),
            at_most in 0..60_usize,
        ) {
            let points: Vec<(u64, f64)> = values.iter().zip(1..).map(|(value, step)| (step, *value)).collect();
            let history = History::of(points.clone(), at_most);
            let kept = bits(&history.points);
            prop_assert_eq!(history.total as usize, points.len());
            prop_assert!(kept.len() <= at_most, "{} of {at_most}", kept.len());
            prop_assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0), "order");
            prop_assert!(kept.iter().all(|point| bits(&points).contains(point)));
            if points.len() <= at_most {
                prop_assert_eq!(kept, bits(&points));
            } else if at_most >= 5 {
                let all = bits(&points);
                prop_assert_eq!((kept.first(), kept.last()), (all.first(), all.last()));
                let least = |points: &[(u64, f64)]| points.iter().map(|point| point.1).fold(f64::NAN, f64::min).to_bits();
                let greatest = |points: &[(u64, f64)]| points.iter().map(|point| point.1).fold(f64::NAN, f64::max).to_bits();
                prop_assert_eq!(least(&history.points), least(&points));
                prop_assert_eq!(greatest(&history.points), greatest(&points));
                let nan = |points: &[(u64, f64)]| points.iter().any(|point| point.1.is_nan());
                prop_assert_eq!(nan(&history.points), nan(&points));
            }
        }
    }

    #[test]
    fn as_many_as_there_are_is_all() {
        for count in 0..60 {
            let points: Vec<(u64, f64)> = (0..count).map(|step| (step, step as f64)).collect();
            for at_most in [count, count + 1] {
                let history = History::of(points.clone(), at_most as usize);
                assert_eq!((history.total, &history.points), (count, &points), "{at_most}");
            }
        }
    }

    /// Of equal values the first is kept.
    #[test]
    fn the_first_of_equal_extremes_is_kept() {
        let values = [5.0, 1.0, 9.0, 9.0, 1.0, 3.0, f64::NAN, f64::NAN, 5.0];
        let points: Vec<(u64, f64)> = (0..).zip(values).collect();
        let steps: Vec<u64> = History::of(points, 5).points.iter().map(|point| point.0).collect();
        assert_eq!(steps, [0, 1, 2, 6, 8]);
    }

    #[test]
    fn a_single_peak_among_a_million_stays() {
        let mut points: Vec<(u64, f64)> = (0..1_000_000).map(|step| (step, 0.5)).collect();
        points[543_210].1 = 9.0;
        points[700_000].1 = f64::INFINITY;
        let history = History::of(points, 2000);
        assert!(history.points.len() <= 2000 && history.points.len() > 600);
        assert!(
            history.points.contains(&(543_210, 9.0))
                && history.points.contains(&(700_000, f64::INFINITY))
        );
    }
}
