//! From logits to probabilities.

/// The logarithms of the probabilities of all classes, `x − log Σ exp x`, in f64, into `logs`. They
/// are exact to the last digits however far the logits are apart: the most likely class's is
/// `−log(1 + Σ exp(x − max))` over the others, which does not vanish beside 1. The sum is over
/// sorted numbers, so that rows of the same numbers in another order tie. All are NaN where a logit
/// is NaN or +∞, or all are −∞.
pub(crate) fn log_softmax(row: &[f32], logs: &mut Vec<f64>) {
    logs.clear();
    let (best, max) = likeliest(row);
    logs.extend(others(row, best, max));
    logs.sort_by(f64::total_cmp);
    let rest = logs.iter().sum::<f64>().ln_1p();
    logs.clear();
    logs.extend(row.iter().map(|x| f64::from(*x) - max - rest));
}

/// The probabilities of all classes under the softmax of a row of logits, in f64; all NaN where one of
/// them is no number.
pub fn probabilities(row: &[f32]) -> Vec<f64> {
    let mut logs = Vec::with_capacity(row.len());
    log_softmax(row, &mut logs);
    logs.iter_mut().for_each(|log| *log = log.exp());
    logs
}

/// The probability of `class` under the softmax of a row of logits, in f64; NaN where there is no such
/// class or a logit is no number.
pub fn probability(row: &[f32], class: usize) -> f64 {
    log_probability(row, class).exp()
}

/// The logarithm of the probability of `class`; NaN where there is no such class.
pub(crate) fn log_probability(row: &[f32], class: usize) -> f64 {
    let (best, max) = likeliest(row);
    let rest = others(row, best, max).sum::<f64>().ln_1p();
    row.get(class).map_or(f64::NAN, |x| f64::from(*x) - max - rest)
}

/// Where the largest logit is, and what it is; NaN unless it is finite.
fn likeliest(row: &[f32]) -> (usize, f64) {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let best = best.filter(|(_, max)| max.is_finite());
    best.map_or((0, f64::NAN), |(best, max)| (best, f64::from(*max)))
}

/// `exp(x − max)` of all logits but the largest.
fn others(row: &[f32], best: usize, max: f64) -> impl Iterator<Item = f64> {
    let others = row.iter().enumerate().filter(move |(at, _)| *at != best);
    others.map(move |(_, x)| (f64::from(*x) - max).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_beside_one() {
        let mut logs = Vec::new();
        log_softmax(&[60.0, 0.0], &mut logs);
        assert!((logs[0] + (-60.0_f64).exp()).abs() < 1e-40, "{logs:?}");
        assert_eq!(logs[1], -60.0);
        log_softmax(&[f32::NEG_INFINITY, 3.0], &mut logs);
        assert_eq!(logs, [f64::NEG_INFINITY, 0.0]);
        for row in [[f32::NAN, 1.0], [f32::INFINITY, 1.0], [-f32::NAN, 1.0]] {
            log_softmax(&row, &mut logs);
            assert!(logs.iter().all(|log| log.is_nan()), "{row:?}: {logs:?}");
        }
        log_softmax(&[f32::NEG_INFINITY; 2], &mut logs);
        assert!(logs.iter().all(|log| log.is_nan()));
    }

    #[test]
    fn one_alone_is_the_same() {
        let (row, mut logs) = ([0.1, 0.7, -30.0, 55.5], Vec::new());
        log_softmax(&row, &mut logs);
        for (class, log) in logs.iter().enumerate() {
            assert!((log_probability(&row, class) - log).abs() <= 1e-15 * log.abs());
            assert_eq!(probabilities(&row)[class], log.exp());
        }
        assert!((probabilities(&row).iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!(log_probability(&row, 4).is_nan());
    }

    #[test]
    fn the_order_of_classes_does_not_matter() {
        let row: Vec<f32> = (0..9).map(|i| ((i * i * 37) % 23) as f32 / 7.0).collect();
        let (mut first, mut turned) = (Vec::new(), Vec::new());
        log_softmax(&row, &mut first);
        for by in 1..row.len() {
            log_softmax(&[&row[by..], &row[..by]].concat(), &mut turned);
            turned.rotate_right(by);
            assert_eq!(first, turned);
        }
    }
}
