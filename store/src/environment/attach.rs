//! Attaching bytes to an environment, and putting them into a store.

use std::sync::Arc;

use super::attachments::Attached;
use super::facts::Environment;
use crate::object_id::ObjectId;
use crate::objects::Objects;

impl Environment {
    pub(super) fn attach(&mut self, what: Attached, bytes: Vec<u8>) {
        *self.field(what) = Some(ObjectId::of(&bytes));
        self.attachments.0.push((what, Arc::new(bytes)));
    }

    /// Puts the attachments into the store. One that cannot be stored becomes unknown: a run starts
    /// nevertheless.
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
