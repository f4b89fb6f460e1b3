//! The name of a number.

use smol_str::SmolStr;

/// The name of a metric, a parameter or a tag, for example `val_loss`. Up to 23 bytes it is copied
/// without an allocation and lies in the map that holds it, where a query over thousands of runs
/// finds it without a further look into memory.
pub type Name = SmolStr;
