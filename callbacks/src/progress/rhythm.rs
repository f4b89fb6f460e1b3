//! Which lines a fit writes, so that they stay few however long it is.

use std::time::Duration;

/// A fit of at most so many epochs shows a row for each.
const ALL: u64 = 40;
/// A longer one shows, evenly spaced over the whole of it, at most so many.
const ROWS: u64 = 30;
/// How long the output may be silent; later on, one part in `SHARE` of the fit's time until now.
const SILENCE: Duration = Duration::from_secs(10);
const SHARE: u32 = 4;

/// Whether a fit of so many epochs shows a row for this one of them, counted from 1: for each of the
/// first ten, then for every 10th, behind a hundred for every 100th and so on, until that is as far
/// apart as the rows of the whole fit are.
pub(super) fn shows_row(epoch: u64, epochs: u64) -> bool {
    let of_fit = if epochs <= ALL { 1 } else { spacing(epochs) };
    let so_far = 10_u64.pow(epoch.max(1).ilog10());
    epoch.is_multiple_of(of_fit.min(so_far))
}

/// The least of 1, 2, 5, 10, 20, 50, … that leaves at most [`ROWS`] rows.
fn spacing(epochs: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let all = powers.flat_map(|power| [1, 2, 5].map(|of| power.saturating_mul(of)));
    all.into_iter().find(|every| epochs / every <= ROWS).unwrap_or(u64::MAX)
}

/// How long nothing has been shown at the most, this long after the fit began: 10 seconds, or a
/// quarter of that time where it is more. So an hour has some 20 lines of this kind, and a day 30.
pub(super) fn silence(elapsed: Duration) -> Duration {
    SILENCE.max(elapsed / SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(epochs: u64) -> Vec<u64> {
        (1..=epochs).filter(|&epoch| shows_row(epoch, epochs)).collect()
    }

    #[test]
    fn short_fits_show_every_epoch_and_long_ones_fewer_and_fewer() {
        assert_eq!(rows(40), (1..=40).collect::<Vec<_>>());
        assert_eq!(rows(41)[8..12], [9, 10, 12, 14]);
        let hundred = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20];
        assert_eq!((rows(100).len(), &rows(100)[..12]), (28, &hundred[..]));
        let thousand = rows(1_000);
        assert_eq!(thousand[9..21], [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 150, 200]);
        assert_eq!((thousand.len(), thousand.last()), (37, Some(&1_000)));
        // However many were asked for, those that come to be are few.
        let of_ever = (1..=1_000_000).filter(|&epoch| shows_row(epoch, u64::MAX)).count();
        assert_eq!(of_ever, 10 + 5 * 9);
    }

    #[test]
    fn a_fit_of_more_than_20_epochs_has_20_to_55_rows() {
        for epochs in (20..2_000).chain([9_999, 10_000, 31_000, 99_999, 100_000]) {
            assert!((20..=55).contains(&rows(epochs).len()), "{epochs}: {}", rows(epochs).len());
        }
    }

    #[test]
    fn rows_are_1_2_5_10_20_50_apart() {
        let spacings = [1, 31, 60, 61, 155, 156, 310, 311, 620, 10_000, u64::MAX].map(spacing);
        assert_eq!(spacings, [1, 2, 2, 2, 10, 10, 20, 20, 50, 500, 1_000_000_000_000_000_000]);
        assert!(u64::MAX / spacing(u64::MAX) <= ROWS);
    }

    #[test]
    fn silence_grows_with_the_fit() {
        let seconds = |s| silence(Duration::from_secs(s)).as_secs_f64();
        assert_eq!([0, 40, 44, 3_600].map(seconds), [10.0, 10.0, 11.0, 900.0]);
    }
}
