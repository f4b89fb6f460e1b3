//! Making room: runs that are no longer wanted, and files that nobody refers to.
//!
//! Everything happens in two steps. A *plan* says what would go and why, and changes nothing;
//! carrying it out deletes, and checks again what may have changed in between. Deleting a run
//! removes its journal, and with it the run: the index drops what has no journal. Its objects then
//! are garbage, unless another run refers to them, and garbage is collected by a plan of its own.

mod deletion;
mod garbage;
pub(crate) mod references;
mod retention;

pub use deletion::{Deleted, DeletionPlan, PlannedRun};
pub(crate) use garbage::MARGIN;
pub use garbage::{Collected, CollectionPlan, Garbage, GarbageKind};
pub use retention::Retention;
