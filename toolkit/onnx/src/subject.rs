//! What a comparison is about, and what it finds.

use std::collections::BTreeSet;
use std::path::Path;

use super::array::Array;
use super::engine::Engine;
use super::graph::Graph;
use crate::Error;

/// Who gave a number.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Trainer,
    Engine(Engine),
}

impl Side {
    pub fn name(self) -> String {
        match self {
            Self::Trainer => "the trainer".to_owned(),
            Self::Engine(engine) => engine.name(),
        }
    }
}

/// The number that is farthest outside its margin.
pub(super) struct Worst {
    pub side: Side,
    pub kind: String,
    pub inputs: Vec<Array>,
    pub output: usize,
    pub at: usize,
    pub found: f64,
    pub exact: f64,
    pub margin: f64,
    pub excess: f64,
}

/// A file to be proved.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// What its bytes encode.
    pub graph: &'a Graph,
    pub bytes: &'a [u8],
    /// How many rows the bytes take, if they fix that.
    pub batch: Option<usize>,
    /// The values between nodes by which the bytes can be looked into; `None` if the graph encodes
    /// to the bytes.
    pub values: Option<&'a BTreeSet<String>>,
    /// For messages.
    pub path: &'a Path,
    /// The first decides, the others are second opinions.
    pub engines: &'a [Engine],
    /// Makes an error of a reason.
    pub refuse: &'a dyn Fn(String) -> Error,
}
