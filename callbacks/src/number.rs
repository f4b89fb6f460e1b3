//! Numbers for people.

/// Four decimals where that shows at least two digits that mean something, else three significant
/// digits: `0.0312`, `12.5000`, `3.00e-3`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !value.is_finite() || (0.01..1e5).contains(&size) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn every_size_is_readable() {
        let shown = [0.0, -0.0, 1.0, 0.03125, -12.5, 0.003, 123456.0, f64::NAN, f64::NEG_INFINITY]
            .map(short);
        assert_eq!(
            shown,
            ["0", "0", "1.0000", "0.0312", "-12.5000", "3.00e-3", "1.23e5", "NaN", "-inf"]
        );
    }
}
