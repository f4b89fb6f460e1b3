//! What a pull came to.

use std::fmt;

use serde::Serialize;

use crate::amount::{count, size};
use crate::object_id::ObjectId;
use crate::run_id::RunId;

/// What a [pull](crate::Store::pull) came to. As text, a line with the counts and one for each thing
/// that was left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pulled {
    /// The runs that are new here, oldest first.
    pub runs: Vec<RunId>,
    /// The runs that were here and about which more is known now: what was recorded after their end,
    /// such as exports.
    pub grown: Vec<RunId>,
    /// How many runs were here already, whole.
    pub known: usize,
    /// How many objects were copied.
    pub objects: usize,
    /// How much was copied, in bytes: objects and journals.
    pub bytes: u64,
    /// The runs that were left out.
    pub left_out: Vec<LeftOut>,
    /// The objects that were left out; their runs are here without them.
    pub left_objects: Vec<LeftObject>,
    /// The new runs that went on with one that this store does not have.
    pub missing_parents: Vec<MissingParent>,
}

/// A run that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The run.
    pub run: RunId,
    /// Why.
    pub why: String,
}

/// An object that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftObject {
    /// The object.
    pub object: ObjectId,
    /// The run that refers to it.
    pub run: RunId,
    /// What it is to the run.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A run whose parent this store does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingParent {
    /// The run.
    pub run: RunId,
    /// The run on which it went on.
    pub parent: RunId,
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = match self.known {
            0 => String::new(),
            1 => "; 1 was here already".to_owned(),
            known => format!("; {known} were here already"),
        };
        if self.runs.is_empty() && self.grown.is_empty() && self.objects == 0 {
            write!(f, "nothing new{here}")?;
        } else {
            let (runs, objects) = (count(self.runs.len(), "run"), count(self.objects, "object"));
            write!(f, "pulled {runs} and {objects}, {}{here}", size(self.bytes))?;
        }
        if !self.grown.is_empty() {
            write!(f, "; {} had grown", self.grown.len())?;
        }
        self.left_out.iter().try_for_each(|left| write!(f, "\n{left}"))?;
        self.left_objects.iter().try_for_each(|left| write!(f, "\n{left}"))?;
        self.missing_parents.iter().try_for_each(|missing| write!(f, "\n{missing}"))
    }
}
