//! The name that was probably meant.

/// The candidate that takes the fewest edits to reach from `name`, letters of either case being
/// equal.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .min_by_key(|candidate| strsim::damerau_levenshtein(&name, &candidate.to_lowercase()))
}
