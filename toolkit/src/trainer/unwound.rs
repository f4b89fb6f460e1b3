//! Panics of what the loop calls.

use std::panic::{AssertUnwindSafe, catch_unwind};

use trainbook_callbacks::seam::panic_message;

use crate::Error;

/// Runs `f` and turns a panic into an error.
pub(super) fn unwound<R>(f: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|panic| Err(Error::Panicked(panic_message(&*panic))))
}
