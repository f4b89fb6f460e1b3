//! The name that somebody may have meant.

/// The one of `names` that is written most like `name`, upper and lower case alike (Jaro and
/// Winkler's measure); the last of equals, `None` where there are no names.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &wanted);
    names.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(nearest("pwer", ["price", "Power", "origin"]), Some("Power"));
        assert_eq!(nearest("x", []), None);
    }
}
