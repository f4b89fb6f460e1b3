//! Which objects a journal refers to.

use std::collections::HashSet;

use crate::object_id::ObjectId;

/// As many digits as an id has.
const DIGITS: usize = 64;

/// Every object that the journal with these bytes may refer to: every run of 64 hexadecimal digits
/// in it, whichever record and field it stands in.
///
/// So no field can be forgotten, not even one that only a later version of this crate knows. That a
/// text which merely looks like an id (the hash of a data set) counts too keeps at worst a file
/// that has that very hash.
pub(super) fn references(journal: &[u8], found: &mut HashSet<ObjectId>) {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    for digits in journal.split(|byte| !is_digit(byte)).filter(|digits| digits.len() >= DIGITS) {
        // A byte before or after the id, a length for instance, may look like a digit.
        for id in digits.windows(DIGITS) {
            found.extend(std::str::from_utf8(id).ok().and_then(|id| id.parse::<ObjectId>().ok()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DataFingerprint, Metric, RunEvent, RunStart};
    use crate::{EndState, Environment, RunEnd, Store};

    /// Every id that stands anywhere in a value.
    fn ids(value: &serde_json::Value, found: &mut HashSet<ObjectId>) {
        match value {
            serde_json::Value::String(text) => found.extend(text.parse::<ObjectId>().ok()),
            serde_json::Value::Array(values) => values.iter().for_each(|value| ids(value, found)),
            serde_json::Value::Object(values) => {
                values.values().for_each(|value| ids(value, found))
            }
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_a_record_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = |text: &str| ObjectId::of(text.as_bytes());
        let environment = Environment {
            git_diff: Some(id("diff")),
            notebook_file: Some(id("notebook")),
            notebook_cell: Some(id("cell")),
            ..Environment::default()
        };
        let tags = [("resumed_from".into(), id("resumed").to_string())].into();
        let data = DataFingerprint { hash: "0".repeat(70), ..DataFingerprint::default() };
        let run =
            store.start_run(RunStart { environment, tags, data, ..RunStart::default() }).unwrap();
        for step in 0..300 {
            run.log(step, &[Metric::new("loss", 0.1 * step as f64)]);
        }
        for label in ["best", "last"] {
            let object = id(label);
            run.event(RunEvent::Checkpoint {
                label: label.into(),
                step: 1,
                epoch: 1,
                object,
                metric: None,
            });
        }
        run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();

        let mut found = HashSet::new();
        let path = store.journals().path(run.id());
        references(&std::fs::read(path).unwrap(), &mut found);
        for text in ["diff", "notebook", "cell", "resumed", "best", "last"] {
            assert!(found.contains(&id(text)), "{text}");
        }
        assert!(found.contains(&"0".repeat(64).parse().unwrap()) && !found.contains(&id("other")));
        let mut listed = HashSet::new();
        ids(&serde_json::to_value(store.run(run.id().as_str()).unwrap()).unwrap(), &mut listed);
        assert!(listed.len() >= 6 && listed.is_subset(&found), "{listed:?}");
    }
}
