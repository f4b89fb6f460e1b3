//! How much there is of something, as text.

/// A count as a whole number; a sum of weights, which need not be whole, to four digits.
pub(crate) fn amount(count: f64) -> String {
    if count.fract() == 0.0 { count.to_string() } else { format!("{count:.4}") }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn counts_are_whole_and_weights_need_not_be() {
        let sum = f64::from(0.1_f32) + f64::from(0.2_f32);
        assert_eq!([3.0, 0.0, sum].map(amount), ["3", "0", "0.3000"]);
    }
}
