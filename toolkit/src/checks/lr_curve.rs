//! Reading a curve of loss over learning rate. Pure functions; the finder fills the curve.

use serde::Serialize;
use trainbook_core::quantile::quantile;

use super::lr_finder::NAME;
use crate::Error;
use crate::data::Targets;
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::{self, Bundle};

/// Loss over learning rate, with what it suggests.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LrCurve {
    points: Vec<LrPoint>,
    suggestions: LrSuggestions,
    /// Whether the loss was seen to rise behind where it is least.
    rises: bool,
    diverged: bool,
    /// What is odd about the targets, if something is.
    remark: Option<String>,
    /// The exponential average, not yet corrected.
    #[serde(skip)]
    average: f64,
    /// The least mean of [`RECENT`] losses.
    #[serde(skip)]
    best: f64,
}

/// One batch of the search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LrPoint {
    /// The learning rate.
    pub learning_rate: f64,
    /// The batch's mean loss before its update.
    pub loss: f64,
    /// The bias-corrected exponential average of the loss, β = 0.98: for looking at, since it lags
    /// behind.
    pub smoothed: f64,
}

/// Four ways of reading the curve. All work on a centred smoothing, which does not lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LrSuggestions {
    /// Where the loss falls fastest per decade of learning rate.
    pub steepest: f64,
    /// Two thirds into the longest fall.
    pub valley: f64,
    /// A tenth of where the loss is least.
    pub minimum_tenth: f64,
    /// Half of where the loss is least.
    pub minimum_half: f64,
}

const BETA: f64 = 0.98;
/// Losses whose mean says whether the search has diverged. The exponential average would say so a
/// decade too late: by then a network of ReLUs may be dead and its loss flat again.
const RECENT: usize = 5;
/// The fall has begun where the loss stays below its first value by so much of the whole fall, and is
/// over where it is above its least value by as much.
const BEGUN: f64 = 0.05;
/// Targets that are so many times larger or smaller than 1 are remarked on.
const FAR: f64 = 30.0;
/// The loss must fall to this share of where it began, or the curve says nothing.
const CLEAR_FALL: f64 = 0.9;

impl LrCurve {
    /// Adds a point; false when the search should end because the loss diverged.
    pub(super) fn push(&mut self, learning_rate: f64, loss: f64, diverged: f64) -> bool {
        self.average = BETA * self.average + (1.0 - BETA) * loss;
        let smoothed = self.average / (1.0 - BETA.powi(self.points.len() as i32 + 1));
        if loss.is_finite() {
            self.points.push(LrPoint { learning_rate, loss, smoothed });
            let recent = self.points.iter().rev().take(RECENT).map(|p| p.loss);
            let recent = recent.sum::<f64>() / self.points.len().min(RECENT) as f64;
            self.best = if self.points.len() == 1 { recent } else { self.best.min(recent) };
            self.diverged = recent - self.best > (diverged - 1.0) * self.size();
        } else {
            self.diverged = true;
        }
        !self.diverged
    }

    /// By what the search measures how far a loss has gone above the least one: that itself, as fastai
    /// does, or a tenth of the fall so far where that is more; of losses below 0, which have no such
    /// measure, the fall so far.
    fn size(&self) -> f64 {
        let first = self.points.first().map_or(0.0, |point| point.loss);
        let fall = (first - self.best).abs();
        match self.best > 0.0 {
            true => self.best.max(0.1 * fall),
            false => fall.max(0.3 * first.abs()).max(1e-3),
        }
    }

    /// Remarks on targets whose size is far from 1, of which every reading suffers.
    pub(super) fn remark_on(&mut self, targets: &Targets) {
        let Targets::Values(values) = targets else { return };
        let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let size = (square / values.len().max(1) as f64).sqrt();
        if size > 0.0 && !(1.0 / FAR..=FAR).contains(&size) {
            self.remark = Some(format!(
                "the targets are of the size {size:.3e}, far from 1; scale them by \
                 `.scale_targets(…)` and search again"
            ));
        }
    }

    /// The finished curve, read.
    pub(super) fn concluded(mut self) -> Result<Self, Error> {
        self.conclude()?;
        Ok(self)
    }

    fn conclude(&mut self) -> Result<(), Error> {
        let remark = self.remark.as_ref().map_or(String::new(), |remark| format!("; {remark}"));
        let refuse = |reason: String| {
            Err(Error::Diagnostic { diagnostic: NAME, reason: format!("{reason}{remark}") })
        };
        let losses = centred(&self.points.iter().map(|p| p.loss).collect::<Vec<_>>());
        let Some(lowest) = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))
        else {
            return refuse(
                "the loss is not a number from the first batch on; look for NaN in the data"
                    .to_owned(),
            );
        };
        let first = beginning(&losses);
        if first - losses[lowest] < (1.0 - CLEAR_FALL) * first.abs() {
            return refuse(format!(
                "the loss fell from {first:.4} to no less than {:.4} at any rate, too little to tell rates apart; check the data and \
                 whether the network can overfit a few rows",
                losses[lowest]
            ));
        }
        let slope = |i: usize| losses[i + 1] - losses[i - 1];
        // Before it falls for good it only wavers, which is steep too where losses are large.
        let still_up = |loss: &f64| *loss > first - BEGUN * (first - losses[lowest]);
        let begun = losses[..lowest].iter().rposition(still_up).unwrap_or(0).max(1);
        let Some(steepest) = (begun..lowest).min_by(|&a, &b| slope(a).total_cmp(&slope(b))) else {
            return refuse("the loss only rose; begin with smaller weights".to_owned());
        };
        let fall = longest_fall(&losses[..=lowest]);
        let rate = |i: usize| self.points[i].learning_rate;
        self.suggestions = LrSuggestions {
            steepest: rate(steepest),
            valley: rate(fall[fall.len() * 2 / 3]),
            minimum_tenth: rate(lowest) / 10.0,
            minimum_half: rate(lowest) / 2.0,
        };
        // By more than noise, or beyond all numbers.
        let up = losses[lowest] + BEGUN * (first - losses[lowest]);
        self.rises = self.diverged || losses[lowest..].iter().any(|loss| *loss > up);
        Ok(())
    }

    /// Every batch of the search, by rising learning rate.
    pub fn points(&self) -> &[LrPoint] {
        &self.points
    }

    /// All readings of the curve.
    pub fn suggestions(&self) -> LrSuggestions {
        self.suggestions
    }

    /// The suggested learning rate: half of where the loss is least.
    ///
    /// Beside real sweeps over twelve constant rates, on five problems from a quadratic to a
    /// transformer, it was within a factor of 3 of the best rate for each of five seeds (of the
    /// transformer two), and the other readings, which are the literature's, 2 to 30 times too low
    /// (`cargo run --release -p trainbook --example lr_sweep`; the book's figures).
    ///
    /// Where the loss was not seen to rise again, the middle one of the other three.
    pub fn suggestion(&self) -> f64 {
        let s = self.suggestions;
        if self.rises {
            return s.minimum_half;
        }
        let mut all = [s.steepest, s.valley, s.minimum_tenth];
        all.sort_by(f64::total_cmp);
        all[1]
    }

    /// What is odd about the targets, if something is.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Whether the search ended because the loss diverged, as it should.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// The curve as a notebook shows it.
    pub fn view(&self) -> Bundle {
        let points = |value: fn(&LrPoint) -> f64| {
            self.points.iter().map(|p| (p.learning_rate, value(p))).collect()
        };
        let s = self.suggestions;
        let panel = Panel::new(Axis::log("learning rate"), Axis::linear("loss"))
            .with("each batch", Style::Faint, points(|p| p.loss))
            .with("smoothed", Style::Line, points(|p| p.smoothed))
            .mark(s.steepest, "steepest")
            .mark(s.valley, "valley")
            .mark(s.minimum_tenth, "minimum / 10")
            .mark(s.minimum_half, "minimum / 2");
        display::chart(&Chart::single("Learning-rate finder", panel), &self.to_string())
    }

    /// Shows the curve as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl std::fmt::Display for LrCurve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = self.suggestions;
        let LrSuggestions { steepest, valley, minimum_tenth, minimum_half } = s;
        write!(
            f,
            "suggested learning rate {:.2e} (steepest {steepest:.2e}, valley {valley:.2e}, minimum/10 {minimum_tenth:.2e}, minimum/2 {minimum_half:.2e}; {} batches{})",
            self.suggestion(),
            self.points.len(),
            match (self.diverged, self.rises) {
                (true, _) => ", then the loss diverged",
                (false, true) => "",
                (false, false) => "; no rate was seen at which the loss rises",
            }
        )?;
        self.remark.as_ref().map_or(Ok(()), |remark| write!(f, "\n{remark}"))
    }
}

/// A moving average with a triangular window over a sixteenth of the curve to each side; unlike an
/// exponential average it does not shift features towards higher rates. Near the ends the window
/// shrinks, symmetrically.
fn centred(values: &[f64]) -> Vec<f64> {
    let reach = (values.len() / 16).max(1);
    let at = |i: usize| {
        let reach = reach.min(i).min(values.len() - 1 - i) as isize;
        let weight = |d: isize| (reach + 1 - d.abs()) as f64;
        let sum: f64 = (-reach..=reach).map(|d| weight(d) * values[i.wrapping_add_signed(d)]).sum();
        sum / (-reach..=reach).map(weight).sum::<f64>()
    };
    (0..values.len()).map(at).collect()
}

/// Where the curve begins: the median of its first tenth, of which no single batch decides.
fn beginning(losses: &[f64]) -> f64 {
    let mut first = losses[..(losses.len() / 10).max(1)].to_vec();
    first.sort_by(f64::total_cmp);
    quantile(&first, 0.5).unwrap_or(f64::NAN)
}

/// The indices of the longest decreasing subsequence, which need not be contiguous; of equally long
/// ones, the one that ends first.
fn longest_fall(values: &[f64]) -> Vec<usize> {
    // for each index, the length of the longest fall that ends there and the index before it
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(values.len());
    for to in 0..values.len() {
        let before = (0..to)
            .filter(|&from| values[from] > values[to])
            .max_by_key(|&from| (best[from].0, std::cmp::Reverse(from)));
        best.push((before.map_or(1, |from| best[from].0 + 1), before));
    }
    let end = (0..values.len()).max_by_key(|&i| (best[i].0, std::cmp::Reverse(i)));
    let mut fall: Vec<usize> = std::iter::successors(end, |&i| best[i].1).collect();
    fall.reverse();
    fall
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve as networks give it: flat, a sigmoid fall centred at `centre`, then a blow-up past
    /// `edge`.
    fn curve(centre: f64, edge: f64, noise: f64) -> LrCurve {
        let mut curve = LrCurve::default();
        let mut draws = crate::random::Stream::new(crate::random::Seed(3), "test").at(0, 0);
        for i in 0..200 {
            let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
            let x = (rate / centre).log10();
            let blow_up = (rate / edge).powi(2);
            let loss = 0.3 + 2.0 / (1.0 + (3.0 * x).exp()) + blow_up + noise * draws.normal();
            if !curve.push(rate, loss, 4.0) {
                break;
            }
        }
        curve
    }

    #[test]
    fn the_steepest_point_is_found_where_it_was_put() {
        for centre in [1e-4, 1e-3, 1e-2] {
            let mut curve = curve(centre, centre * 300.0, 0.0);
            curve.conclude().unwrap();
            let off = (curve.suggestions().steepest / centre).log10().abs();
            assert!(off < 0.1, "{centre}: {:?}", curve.suggestions());
            assert!(curve.suggestions().steepest < curve.suggestions().minimum_tenth * 10.0);
            assert!(curve.diverged());
        }
    }

    #[test]
    fn what_wavers_before_the_fall_is_not_its_steepest_part() {
        // Losses in the tens of thousands, which waver more than they fall later on.
        let mut curve = LrCurve::default();
        for i in 0..200 {
            let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
            let waver = if i < 40 { 3_000.0 * (f64::from(i) * 0.5).sin() } else { 0.0 };
            // The very first batch is worse than any other.
            let waver = if i == 0 { 20_000.0 } else { waver };
            let fall = 50_000.0 / (1.0 + (2.0 * (rate / 1e-2).log10()).exp());
            if !curve.push(rate, 30_000.0 + fall + waver + 1e6 * rate.powi(2), 4.0) {
                break;
            }
        }
        curve.conclude().unwrap();
        assert!(curve.suggestions().steepest > 1e-4, "{:?}", curve.suggestions());
    }

    #[test]
    fn losses_below_0_are_read_as_others_are() {
        // From 1 through 0 to −12, as those of counts fall, and from −12 on.
        for (high, low) in [(1.0, -12.0), (-12.0, -14.0)] {
            let mut curve = LrCurve::default();
            for i in 0..200 {
                let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
                let fall = (high - low) / (1.0 + (-3.0 * (rate / 1e-3).log10()).exp());
                let noise = 0.05 * f64::from(i % 3 - 1);
                if !curve.push(rate, high - fall + noise + (rate / 0.3).powi(4), 4.0) {
                    break;
                }
            }
            curve.conclude().unwrap();
            assert!(curve.diverged(), "{high}");
            let off = (curve.suggestions().steepest / 1e-3).log10().abs();
            assert!(off < 0.5, "{high}: {:?}", curve.suggestions());
        }
    }

    #[test]
    fn targets_far_from_1_are_remarked_on() {
        let mut curve = curve(1e-3, 0.3, 0.0);
        curve.remark_on(&Targets::Values(vec![500.0, 520.0]));
        curve.conclude().unwrap();
        assert!(curve.to_string().ends_with("scale them by `.scale_targets(…)` and search again"));
        let mut small = LrCurve::default();
        small.remark_on(&Targets::Values(vec![1.5, -0.2]));
        small.remark_on(&Targets::Classes(vec![100]));
        assert_eq!(small.remark(), None);
        (0..100).for_each(|i| assert!(small.push(1e-7 * 1.2_f64.powi(i), 2.3, 4.0)));
        small.remark_on(&Targets::Values(vec![1e-4]));
        let error = small.conclude().unwrap_err().to_string();
        assert!(error.contains("of the size 1.000e-4, far from 1"), "{error}");
    }

    #[test]
    fn noise_does_not_lead_it_far_astray() {
        let found = |noise| curve(1e-3, 0.3, noise).concluded().unwrap();
        let (quiet, noisy) = (found(0.0), found(0.1));
        // By hand: about 2 (10⁻³ / x)^1.303 + (x / 0.3)², which is least at 0.0343.
        assert!((quiet.suggestions().minimum_half / 0.01715).log10().abs() < 0.1, "{quiet}");
        assert_eq!(quiet.suggestion(), quiet.suggestions().minimum_half);
        let off = (noisy.suggestion() / quiet.suggestion()).log10().abs();
        assert!(off < 0.3, "{noisy}");
        let off = (noisy.suggestions().valley / 1e-3).log10().abs();
        assert!(off < 1.0, "{noisy}");
    }

    #[test]
    fn where_the_loss_never_rises_it_stays_with_the_careful_readings() {
        // The fall is over long before the end, and the loss sinks on.
        let mut curve = LrCurve::default();
        for i in 0..200 {
            let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
            let loss = 0.3 + 2.0 / (1.0 + (3.0 * (rate / 1e-3).log10()).exp());
            assert!(curve.push(rate, loss - 1e-4 * f64::from(i), 4.0));
        }
        curve.conclude().unwrap();
        let s = curve.suggestions();
        assert!(s.minimum_half > 1.0 && curve.suggestion() < 0.1, "{curve}");
        let careful = [s.steepest, s.valley, s.minimum_tenth];
        assert!(careful.contains(&curve.suggestion()), "{curve}");
        assert!(
            curve.to_string().ends_with("no rate was seen at which the loss rises)"),
            "{curve}"
        );
        // On a noisy plateau the least loss may be anywhere.
        for seed in 0..20 {
            let mut draws = crate::random::Stream::new(crate::random::Seed(seed), "test").at(0, 0);
            let mut curve = LrCurve::default();
            for i in 0..200 {
                let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
                let loss = 0.3 + 2.0 / (1.0 + (3.0 * (rate / 1e-3).log10()).exp());
                assert!(curve.push(rate, loss + 0.03 * draws.normal(), 4.0));
            }
            let curve = curve.concluded().unwrap();
            assert!(curve.suggestion() < 0.1, "seed {seed}: {curve}");
        }
    }

    #[test]
    fn the_longest_fall_skips_what_rises() {
        assert_eq!(longest_fall(&[5.0, 6.0, 4.0, 4.5, 3.0, 9.0, 2.0]), [0, 2, 4, 6]);
        assert_eq!(longest_fall(&[1.0]), [0]);
    }

    #[test]
    fn a_dead_network_after_the_blow_up_is_not_a_valley() {
        // falls, explodes, and lies flat and slowly falling ever after, as dead ReLUs do
        let mut curve = LrCurve::default();
        for i in 0..200 {
            let rate = 1e-7 * 1e8_f64.powf(f64::from(i) / 199.0);
            let loss = match rate {
                r if r < 1e-2 => 0.3 + 2.0 / (1.0 + (3.0 * (r / 1e-3).log10()).exp()),
                r if r < 0.1 => 10.0,
                r => 2.3 - 0.01 * r,
            };
            if !curve.push(rate, loss, 4.0) {
                break;
            }
        }
        curve.conclude().unwrap();
        assert!(curve.diverged());
        assert!(curve.suggestions().valley < 1e-2, "{:?}", curve.suggestions());
    }

    #[test]
    fn a_flat_curve_is_refused_with_the_reason() {
        let mut curve = LrCurve::default();
        (0..100).for_each(|i| assert!(curve.push(1e-7 * 1.2_f64.powi(i), 2.3, 4.0)));
        let error = curve.conclude().unwrap_err().to_string();
        assert!(error.contains("fell from 2.3000 to no less than 2.3000"), "{error}");
        let mut curve = LrCurve::default();
        assert!(!curve.push(1e-7, f64::NAN, 4.0));
        assert!(curve.conclude().unwrap_err().to_string().contains("not a number"));
    }

    #[test]
    fn the_average_for_looking_at_is_unbiased_at_its_start() {
        let mut curve = LrCurve::default();
        (0..5).for_each(|_| assert!(curve.push(1e-3, 2.0, 4.0)));
        assert!(curve.points().iter().all(|p| (p.smoothed - 2.0).abs() < 1e-12));
    }
}
