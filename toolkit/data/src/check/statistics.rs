//! What two lists of numbers have in common.

/// The distance of Kolmogorov and Smirnov of two ascending samples, sup |F(x) − G(x)|, from 0 to 1;
/// 0 if one is empty. As `scipy.stats.ks_2samp`.
pub(super) fn ks_distance(a: &[f32], b: &[f32]) -> f64 {
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let x = a[i].min(b[j]);
        i += a[i..].iter().take_while(|&&y| y <= x).count();
        j += b[j..].iter().take_while(|&&y| y <= x).count();
        distance = distance.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    distance
}

/// How likely a distance at least as large is for samples of `a` and `b` numbers of one continuous
/// distribution: Kolmogorov's limit 2 Σ (−1)^(k−1) exp(−2 k² λ²) at λ = d √(ab / (a + b)), as
/// `scipy.special.kolmogorov`. With ties it is too large, so on the safe side.
pub(super) fn ks_p_value(distance: f64, a: usize, b: usize) -> f64 {
    let (a, b) = (a as f64, b as f64);
    let lambda = distance * (a * b / (a + b)).sqrt();
    // Below it the series alternates for long, and the value is 1 to ten digits.
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let k = f64::from(k);
        (-2.0 * k * k * lambda * lambda).exp() * if k % 2.0 == 1.0 { 2.0 } else { -2.0 }
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// The rank of each number, counted from 1; equal ones share the mean of their ranks. As
/// `scipy.stats.rankdata`.
pub(super) fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = before as f64 + (ties.len() + 1) as f64 / 2.0;
        ties.iter().for_each(|&at| ranks[at] = rank);
        before += ties.len();
    }
    ranks
}

/// Pearson's correlation; 0 if one of the lists does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |each: fn(f64, f64) -> f64| {
        a.iter().zip(b).map(|(x, y)| each(x - mean_a, y - mean_b)).sum::<f64>()
    };
    let spread = (sum(|x, _| x * x) * sum(|_, y| y * y)).sqrt();
    if spread > 0.0 { sum(|x, y| x * y) / spread } else { 0.0 }
}

/// The area under the curve of Receiver Operating Characteristics: how often a number that is
/// `positive` has a higher rank than one that is not, ties counted half. 0.5 if there is only one
/// kind. As `sklearn.metrics.roc_auc_score`.
pub(super) fn auc(ranks: &[f64], positive: impl Fn(usize) -> bool) -> f64 {
    let (mut count, mut sum) = (0.0, 0.0);
    for (_, rank) in ranks.iter().enumerate().filter(|(at, _)| positive(*at)) {
        count += 1.0;
        sum += rank;
    }
    let others = ranks.len() as f64 - count;
    if count == 0.0 || others == 0.0 {
        return 0.5;
    }
    (sum - count * (count + 1.0) / 2.0) / (count * others)
}

/// Mean, standard deviation (of the population) and skewness (third standardised moment; 0 of what
/// does not vary). As `scipy.stats.skew`.
pub(super) fn moments(values: &[f32]) -> (f64, f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&y| f64::from(y)).sum::<f64>() / count;
    let central =
        |power| values.iter().map(|&y| (f64::from(y) - mean).powi(power)).sum::<f64>() / count;
    let std = central(2).sqrt();
    let varies = std > mean.abs() * f64::from(f32::EPSILON);
    (mean, std, if varies { central(3) / std.powi(3) } else { 0.0 })
}
