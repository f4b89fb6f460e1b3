//! What callbacks took of a fit, in words.

use std::collections::BTreeMap;

use trainbook_callbacks::Moment;
use trainbook_store::CallbackCost;

/// A callback that takes a larger share of a fit is warned of, in fits that last so many seconds.
const DEAR: f64 = 0.05;
const LONG: f64 = 1.0;
/// A smaller share is not worth a word.
const NAMED: f64 = 1e-3;

/// What each callback took at all of its moments, with that at which it took most.
fn by_callback(costs: &[CallbackCost]) -> Vec<(f64, &CallbackCost)> {
    let mut all: BTreeMap<&str, (f64, &CallbackCost)> = BTreeMap::new();
    for cost in costs {
        let (sum, most) = all.entry(&cost.callback).or_insert((0.0, cost));
        *sum += cost.seconds;
        if cost.seconds > most.seconds {
            *most = cost;
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    all
}

/// "callbacks took 1.3 % of the time: Recorder 0.8 %, Clip 0.5 %", without those below a thousandth;
/// `None` if none is left.
pub(super) fn shares(seconds: f64, costs: &[CallbackCost]) -> Option<String> {
    let share = |of: f64| of / seconds.max(f64::MIN_POSITIVE);
    let all = by_callback(costs);
    let sum: f64 = all.iter().map(|(seconds, _)| seconds).sum();
    let named = all.iter().filter(|(seconds, _)| share(*seconds) >= NAMED);
    let each: Vec<String> = named
        .map(|(seconds, most)| format!("{} {:.1} %", most.callback, 100.0 * share(*seconds)))
        .collect();
    let sum = 100.0 * share(sum);
    (!each.is_empty())
        .then(|| format!("callbacks took {sum:.1} % of the time: {}", each.join(", ")))
}

/// A warning for each callback that takes more than 5 % of a fit of a second or more.
pub(crate) fn warnings(seconds: f64, costs: &[CallbackCost]) -> Vec<String> {
    let all = by_callback(costs).into_iter();
    let dear = all.filter(|(sum, _)| seconds >= LONG && *sum > DEAR * seconds);
    dear.map(|(sum, most)| {
        // Only these `every` passes on less often.
        let of_step = Moment::is_name_of_step(&most.moment);
        let cure = if of_step { "; if it only watches, `every(n, …)` calls it less often" } else { "" };
        format!(
            "{} took {:.1} % of the fit's {seconds:.1} s, most of it in {} ({} calls of {:.1} µs){cure}",
            most.callback,
            100.0 * sum / seconds,
            most.moment,
            most.calls,
            1e6 * most.seconds / most.calls.max(1) as f64
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(callback: &str, moment: &str, seconds: f64) -> CallbackCost {
        CallbackCost { callback: callback.into(), moment: moment.into(), calls: 10, seconds }
    }

    #[test]
    fn what_callbacks_took_is_told_by_callback() {
        let costs = [
            cost("Clip", "change_gradients", 0.1),
            cost("Recorder", "step_end", 0.2),
            cost("Recorder", "epoch_end", 0.1),
            cost("FixSeed", "fit_start", 1e-6),
        ];
        assert_eq!(
            shares(10.0, &costs).unwrap(),
            "callbacks took 4.0 % of the time: Recorder 3.0 %, Clip 1.0 %"
        );
        assert_eq!(shares(10.0, &costs[3..]), None);
    }

    #[test]
    fn what_is_dear_is_warned_of() {
        let costs = [
            cost("Slow", "epoch_end", 0.02),
            cost("Slow", "step_end", 0.10),
            cost("Clip", "change_gradients", 0.05),
        ];
        assert_eq!(
            warnings(2.0, &costs),
            [
                "Slow took 6.0 % of the fit's 2.0 s, most of it in step_end (10 calls of 10000.0 µs); \
                 if it only watches, `every(n, …)` calls it less often"
            ]
        );
        let warning = warnings(2.0, &[cost("Table", "epoch_end", 0.2)]);
        assert!(warning[0].ends_with("in epoch_end (10 calls of 20000.0 µs)"), "{warning:?}");
        // Of a short fit nothing is said, nor of what takes a twentieth.
        assert!(warnings(0.9, &costs).is_empty());
        assert!(warnings(2.4, &costs[1..]).is_empty());
    }
}
