//! What rows have beside inputs and targets.

/// What the rows of a source have beside inputs and targets: one entry a row each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowMarks {
    /// Rows of one group belong together, such as those of one patient.
    pub groups: Option<Vec<u32>>,
    /// When a row was taken; only the order matters.
    pub times: Option<Vec<f64>>,
    /// How much a row counts; at least 0.
    pub weights: Option<Vec<f32>>,
}
