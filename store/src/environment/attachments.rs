//! The bytes that belong to an environment and become objects.

use std::sync::Arc;

use super::Environment;
use crate::object_id::ObjectId;
use crate::objects::Objects;

/// Bytes that a captured [`Environment`] refers to by their ids and that are not in a store yet.
///
/// Equal to any other: they say nothing that the ids do not say.
#[derive(Debug, Clone, Default)]
pub struct Attachments(Vec<(Attached, Arc<Vec<u8>>)>);

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
    fn name(self) -> &'static str {
        match self {
            Attached::GitDiff => "git_diff",
            Attached::NotebookFile => "notebook_file",
            Attached::NotebookCell => "notebook_cell",
        }
    }
}

impl Environment {
    pub(super) fn attach(&mut self, what: Attached, bytes: Vec<u8>) {
        *self.field(what) = Some(ObjectId::of(&bytes));
        self.attachments.0.push((what, Arc::new(bytes)));
    }

    /// Puts the attachments into the store. One that cannot be stored becomes unknown: a run starts nevertheless.
    pub(crate) fn store_attachments(&mut self, objects: &Objects) {
        for (what, bytes) in std::mem::take(&mut self.attachments).0 {
            if let Err(error) = objects.put(&bytes) {
                *self.field(what) = None;
                self.is_unknown(what.name(), format!("failed to {error}"));
            }
        }
    }

    fn field(&mut self, what: Attached) -> &mut Option<ObjectId> {
        match what {
            Attached::GitDiff => &mut self.git_diff,
            Attached::NotebookFile => &mut self.notebook_file,
            Attached::NotebookCell => &mut self.notebook_cell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_become_objects_or_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = Environment::default();
        environment.attach(Attached::GitDiff, b"- one".to_vec());
        let mut homeless = environment.clone();

        let objects = Objects::new(folder.path());
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        environment.store_attachments(&objects);
        assert_eq!(objects.get(&environment.git_diff.unwrap()).unwrap(), b"- one");
        assert!(environment.unknown.is_empty() && environment.attachments.0.is_empty());

        std::fs::write(folder.path().join("file"), "").unwrap();
        homeless.store_attachments(&Objects::new(&folder.path().join("file")));
        assert_eq!(homeless.git_diff, None);
        assert!(homeless.unknown["git_diff"].contains("file"), "{:?}", homeless.unknown);
    }
}
