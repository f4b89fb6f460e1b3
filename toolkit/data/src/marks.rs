//! What is known of rows beside features and targets.

use super::DataError;

/// What is known of rows beside features and targets: by what they may be divided and drawn. Each
/// list has one entry for every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowMarks {
    /// What belongs together, such as the patient that a picture is of: rows of one number are of
    /// one group.
    pub groups: Option<Vec<u32>>,
    /// When a row was taken, in any unit; finite.
    pub times: Option<Vec<f64>>,
    /// How often a row is drawn, in proportion; finite and at least 0.
    pub weights: Option<Vec<f32>>,
}

/// Checks one of the lists.
pub(super) fn check<T: std::fmt::Debug>(
    what: &str,
    rows: usize,
    list: &[T],
    good: impl Fn(&T) -> bool,
) -> Result<(), DataError> {
    let refuse = |reason| Err(DataError::Refused { action: "mark", reason });
    if list.len() != rows {
        return refuse(format!(
            "{} {what} for {rows} rows; there must be one for each row",
            list.len()
        ));
    }
    match list.iter().position(|mark| !good(mark)) {
        None => Ok(()),
        Some(row) => refuse(format!(
            "the {what} say {:?} for row {row}; it must be a finite number{}",
            list[row],
            if what == "weights" { " of at least 0" } else { "" }
        )),
    }
}
