//! Which objects a journal refers to.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use crate::claims::Claims;
use crate::event::{RunEvent, TimedEvent};
use crate::journal::frame;
use crate::object_id::ObjectId;

/// As many digits as an id has.
const DIGITS: usize = 64;

/// The objects that checkpoints of a journal referred to and that it has released since, with the
/// time of the last release of each.
pub(crate) type Released = HashMap<ObjectId, SystemTime>;

/// An [`Entry`](crate::event::Entry) of which only an event is read.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    event: Option<TimedEvent>,
}

/// Every object that the journal with these bytes may refer to: every run of 64 hexadecimal digits
/// in it, whichever record and field it stands in, but for checkpoints that were released and the
/// releases themselves.
///
/// So no field can be forgotten, not even one that only a later version of this crate knows. That a
/// text which merely looks like an id (the hash of a data set) counts too keeps at worst a file
/// that has that very hash. What is not a whole record counts as it stands.
pub(crate) fn references(journal: &[u8], found: &mut HashSet<ObjectId>) -> Released {
    let (mut claims, mut released) = (Claims::default(), Released::new());
    let mut records = Vec::new();
    let mut rest = journal;
    if let Ok(mut chain) = frame::read_header(journal) {
        rest = &journal[frame::HEADER..];
        while let Ok((payload, length, next)) = frame::read_frame(chain, rest) {
            (rest, chain) = (&rest[length..], next);
            let Ok(Record { event }) = rmp_serde::from_slice(payload) else {
                // The reader goes no further either, and what it does not read releases nothing.
                records.push(Some(payload));
                break;
            };
            let mut referring = Some(payload);
            if let Some(event) = event {
                let taken_back = claims.note(&event.event, records.len());
                if let Some(checkpoint) = taken_back.and_then(|place| records.get_mut(place)) {
                    *checkpoint = None;
                }
                if let RunEvent::Released { object, .. } = event.event {
                    referring = None;
                    if taken_back.is_some() {
                        released.insert(object, system_time(event.at));
                    }
                }
            }
            records.push(referring);
        }
    }
    records.into_iter().flatten().chain([rest]).for_each(|bytes| ids_in(bytes, found));
    released
}

/// To the second.
pub(super) fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default())
}

/// Every id in these bytes.
fn ids_in(bytes: &[u8], found: &mut HashSet<ObjectId>) {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    for digits in bytes.split(|byte| !is_digit(byte)).filter(|digits| digits.len() >= DIGITS) {
        // A byte before or after the id, a length for instance, may look like a digit.
        for id in digits.windows(DIGITS) {
            found.extend(std::str::from_utf8(id).ok().and_then(|id| id.parse::<ObjectId>().ok()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        /// However checkpoints and releases follow each other, a journal refers to what its record
        /// lists, and not to what was taken back.
        #[test]
        fn a_journal_refers_to_what_its_record_lists(
            operations in prop::collection::vec((any::<bool>(), 0..2_u8, 0..3_u8), 0..24),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let run = store.start_run(RunStart::default()).unwrap();
            let mut kept: Vec<(String, ObjectId)> = Vec::new();
            let mut once = HashSet::new();
            for (step, (is_kept, label, object)) in (0..).zip(operations) {
                let (label, object) = (format!("label {label}"), ObjectId::of(&[object]));
                let key = (label.clone(), object);
                if is_kept {
                    kept.push(key);
                    let metric = None;
                    run.event(RunEvent::Checkpoint { label, step, epoch: 0, object, metric });
                } else {
                    if let Some(at) = kept.iter().position(|other| *other == key) {
                        kept.remove(at);
                        once.insert(object);
                    }
                    run.release(label, object);
                }
            }
            run.flush().unwrap();
            let id = run.id().clone();
            drop(run);
            let mut found = HashSet::new();
            let bytes = std::fs::read(store.journals().path(&id)).unwrap();
            let released = references(&bytes, &mut found);
            let expected: HashSet<ObjectId> = kept.iter().map(|(_, object)| *object).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(released.into_keys().collect::<HashSet<_>>(), once);
            let events = store.run(id.as_str()).unwrap().events;
            let listed: Vec<_> = events
                .into_iter()
                .map(|event| match event.event {
                    RunEvent::Checkpoint { label, object, .. } => Some((label, object)),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(listed, kept.into_iter().map(Some).collect::<Vec<_>>());
        }
    }

    /// Fields and events of a later version, and what is not a whole record, release nothing.
    #[test]
    fn what_is_not_understood_refers_to_what_it_names() {
        let [one, two, three, four] = ["one", "two", "three", "four"].map(|text| {
            let id = ObjectId::of(text.as_bytes());
            (id, id.to_string())
        });
        let at = Timestamp::UNIX_EPOCH.to_string();
        let event = |event: serde_json::Value| {
            let timed = serde_json::json!({"event": {"at": &at, "event": event}});
            rmp_serde::to_vec_named(&timed).unwrap()
        };
        let checkpoint = |object: &str| {
            let fields = serde_json::json!({
                "label": "last", "step": 1, "epoch": 1, "object": object, "metric": null,
                "kept_beside": &two.1,
            });
            event(serde_json::json!({"checkpoint": fields}))
        };
        let release = |object: &str| {
            let fields = serde_json::json!({"label": "last", "object": object});
            event(serde_json::json!({"released": fields}))
        };
        let journal = |payloads: &[Vec<u8>]| {
            let (header, mut chain) = frame::header();
            let mut bytes = header.to_vec();
            for payload in payloads {
                chain = frame::write_frame(chain, payload, &mut bytes);
            }
            bytes
        };
        let found = |bytes: &[u8]| {
            let mut found = HashSet::new();
            let released = references(bytes, &mut found);
            (found, released.into_keys().collect::<Vec<_>>())
        };
        let kept = checkpoint(&one.1);
        assert_eq!(found(&journal(std::slice::from_ref(&kept))), ([one.0, two.0].into(), vec![]));
        let both = [kept.clone(), release(&one.1)];
        assert_eq!(found(&journal(&both)), ([].into(), vec![one.0]));
        let later = event(serde_json::json!({"moved": {"from": &three.1, "to": &four.1}}));
        let all = [one.0, two.0, three.0, four.0].into();
        let unknown = [kept.clone(), later, release(&one.1)];
        assert_eq!(found(&journal(&unknown)), (all, vec![]));
        let mut torn = journal(&both);
        torn.truncate(torn.len() - 1);
        assert_eq!(found(&torn), ([one.0, two.0].into(), vec![]));
        let mut damaged = journal(&both);
        damaged[frame::HEADER + 4] ^= 1;
        assert_eq!(found(&damaged), ([one.0, two.0].into(), vec![]));
        assert_eq!(found(one.1.as_bytes()), ([one.0].into(), vec![]), "no journal at all");
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
