//! Where a loader stands.

use serde::{Deserialize, Serialize};

/// Where a loader stands: enough to go on with the same batches, given the same data, stream and
/// options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderPosition {
    /// The epoch's number.
    pub epoch: u64,
    /// How many of its batches have been handed out.
    pub batch: u64,
}
