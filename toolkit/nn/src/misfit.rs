//! What a layer says when it cannot: it does not fit, or its device failed.

use std::fmt::{Debug, Display};

/// Why a layer does not fit what it is given. Finishes the sentence "failed to fit Conv2d (layer 3)
/// to samples of shape [64]: …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    pub(crate) reason: String,
    /// The layer, its place and the sample's shape, once they are known.
    pub(crate) place: Option<(String, String, String)>,
}

impl Misfit {
    /// With this reason: what would be right.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), place: None }
    }
}

/// Why a layer could not compute. Made by `?` from every error that can be displayed; the engine
/// adds which layer it was.
#[derive(Debug)]
pub struct Fault {
    pub(crate) reason: String,
    pub(crate) place: Option<String>,
}

impl Fault {
    /// With this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), place: None }
    }

    pub(crate) fn at(mut self, kind: &str, path: &str) -> Self {
        self.place.get_or_insert_with(|| place(kind, path));
        self
    }
}

// `Fault` itself must not implement `Display`, or this would contradict `From<T> for T`.
impl<E: Display> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// "Linear 2", or "the network" at the root.
pub(crate) fn place(kind: &str, path: &str) -> String {
    if path.is_empty() { format!("{kind} (the network itself)") } else { format!("{kind} {path}") }
}
