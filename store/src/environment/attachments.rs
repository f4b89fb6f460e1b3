//! The bytes that belong to an environment and become objects.

use std::sync::Arc;

/// Bytes that a captured [`Environment`](super::Environment) refers to by their ids and that are
/// not in a store yet.
///
/// Equal to any other: they say nothing that the ids do not say.
#[derive(Debug, Clone, Default)]
pub struct Attachments(pub(super) Vec<(Attached, Arc<Vec<u8>>)>);

impl PartialEq for Attachments {
    fn eq(&self, _: &Attachments) -> bool {
        true
    }
}

/// The field that holds the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attached {
    GitDiff,
    NotebookFile,
    NotebookCell,
}

impl Attached {
    pub(super) fn name(self) -> &'static str {
        match self {
            Attached::GitDiff => "git_diff",
            Attached::NotebookFile => "notebook_file",
            Attached::NotebookCell => "notebook_cell",
        }
    }
}
