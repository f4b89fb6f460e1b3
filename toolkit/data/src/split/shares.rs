//! Whole numbers in given proportions.

/// The whole part of a share. A hair is added, because 0.29 · 100 is 28.999999999999996 in f64.
fn whole(rows: usize, fraction: f64) -> usize {
    (rows as f64 * fraction + 1e-9).floor() as usize
}

/// Whole numbers in the proportions of `fractions` that sum to `rows` (Hamilton's method): each
/// share is rounded down, and what is left goes to the largest remainders, the earlier part first
/// where they are equal.
pub(super) fn largest_remainder(rows: usize, fractions: [f64; 3]) -> [usize; 3] {
    let mut sizes = fractions.map(|fraction| whole(rows, fraction));
    let remainder =
        |part: usize| rows as f64 * fractions[part] - whole(rows, fractions[part]) as f64;
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    let left = rows.saturating_sub(sizes.iter().sum());
    order.into_iter().take(left).for_each(|part| sizes[part] += 1);
    sizes
}

/// How many rows of each group go to each part, such that the parts' totals are `sizes` and no
/// group is more than 1 away from its exact share.
///
/// Rounding each group by itself would give other totals. Instead each share is rounded down, and
/// the rows left of a group (at most 2) go to the parts that still lack most, at most one to each:
/// Ryser's construction of a 0-1 matrix with given row and column sums (Canad. J. Math. 9, 1957),
/// which always succeeds here. Small groups choose first, so that a rare class reaches train.
pub(super) fn share_out(
    groups: &[usize],
    fractions: [f64; 3],
    sizes: [usize; 3],
) -> Vec<[usize; 3]> {
    let mut shares: Vec<[usize; 3]> =
        groups.iter().map(|&rows| fractions.map(|fraction| whole(rows, fraction))).collect();
    let mut lacking: [usize; 3] = std::array::from_fn(|part| {
        sizes[part].saturating_sub(shares.iter().map(|share| share[part]).sum())
    });
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&group| groups[group]);
    for group in order {
        let left = groups[group].saturating_sub(shares[group].iter().sum());
        let mut parts = [0, 1, 2];
        parts.sort_by_key(|&part| std::cmp::Reverse(lacking[part]));
        for part in parts.into_iter().take(left) {
            shares[group][part] += 1;
            lacking[part] = lacking[part].saturating_sub(1);
        }
    }
    shares
}
