use proptest::prelude::*;

use super::*;
use crate::event::{EndState, Metric, RunEnd, RunEvent, RunStart, TimedEvent};
use crate::journal::block::{Block, Point};
use crate::journal::writer::encode;
use crate::run_id::RunId;

/// A small journal with every kind of record, and where each record ends.
fn journal() -> (Vec<u8>, Vec<usize>) {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let point = |step: u64| Point { name: "loss".into(), step, value: 1.0 / step as f64 };
    let entries = [
        Entry::Start { id: RunId::draw(at), at, start: Box::new(RunStart::default()) },
        Entry::Metrics(Block::new(&[point(1), point(2)])),
        Entry::Event(TimedEvent { at, event: RunEvent::Note { text: "half".into() } }),
        Entry::Event(TimedEvent {
            at,
            event: RunEvent::Evaluation {
                part: "test".into(),
                metrics: vec![Metric::new("accuracy", 0.5)],
            },
        }),
        Entry::Metrics(Block::new(&[point(3)])),
        Entry::End { at, seconds: 1.5, end: RunEnd::new(EndState::Finished, 3, 1) },
    ];
    let (header, mut chain) = frame::header();
    let (mut bytes, mut ends) = (header.to_vec(), Vec::new());
    for entry in &entries {
        chain = frame::write_frame(chain, &encode(entry).unwrap(), &mut bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

#[test]
fn reading_in_parts_gives_what_reading_at_once_does() {
    let (bytes, ends) = journal();
    let whole = decode(&bytes, false).entries;
    assert_eq!(whole.len(), ends.len());
    for first in 0..=bytes.len() {
        let before = decode(&bytes[..first], true);
        assert_eq!(before.damage, None, "a record that is still being written is no damage");
        let after = decode_from(&bytes[before.end.offset as usize..], before.end, true);
        assert_eq!([before.entries, after.entries].concat(), whole, "{first} bytes first");
        assert_eq!(after.end.offset, bytes.len() as u64);
    }
}

#[test]
fn a_journal_that_was_replaced_by_a_shorter_one_is_noticed() {
    let (bytes, _) = journal();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    std::fs::write(&path, &bytes).unwrap();
    let end = read(&path).unwrap().unwrap().end;
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(read_from(&path, end).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

/// What can become of bytes on a bad disk or in a bad program.
#[derive(Debug, Clone)]
enum Harm {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    use prop::sample::Index;
    prop_oneof![
        6 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        1 => any::<Index>().prop_map(Harm::Cut),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Harm::Repeat(from, to)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

fn apply(harm: &Harm, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    if length == 0 {
        return;
    }
    match harm {
        Harm::Set(at, byte) => bytes[at.index(length)] = *byte,
        Harm::Cut(at) => bytes.truncate(at.index(length)),
        Harm::Repeat(from, to) => {
            let (from, to) = (from.index(length), to.index(length));
            bytes.extend_from_within(from.min(to)..from.max(to));
        }
        Harm::Insert(at, more) => {
            let at = at.index(length);
            bytes.splice(at..at, more.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    fn a_harmed_journal_shows_a_prefix_and_says_so(harms in prop::collection::vec(harm(), 1..4)) {
        let (whole, ends) = journal();
        // The id in the start record is drawn anew each time.
        let expected = decode(&whole, false).entries;
        let mut bytes = whole.clone();
        harms.iter().for_each(|harm| apply(harm, &mut bytes));
        let part = decode(&bytes, false);
        prop_assert!(expected.starts_with(&part.entries), "{harms:?}");
        // Whoever asks for a run whose journal ends behind the header is told that it has no start.
        let ends_between_records = bytes.len() == frame::HEADER || ends.contains(&bytes.len());
        prop_assert!(part.damage.is_some() || (ends_between_records && whole.starts_with(&bytes)), "{harms:?}");
    }

    /// Frames whose checks are right and whose payloads are anything.
    #[test]
    fn a_right_frame_round_any_payload_is_no_panic(
        payloads in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            // MessagePack that begins as an entry does.
            (0..6_usize, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(which, at, byte)| {
                let (bytes, ends) = journal();
                let start = if which == 0 { frame::HEADER } else { ends[which - 1] };
                let mut payload = bytes[start + 8..ends[which]].to_vec();
                let at = at.index(payload.len());
                payload[at] = byte;
                payload
            }),
        ], 0..5),
    ) {
        let (header, mut chain) = frame::header();
        let mut bytes = header.to_vec();
        for payload in &payloads {
            chain = frame::write_frame(chain, payload, &mut bytes);
        }
        let part = decode(&bytes, false);
        prop_assert!(part.entries.len() <= payloads.len());
        prop_assert!(part.damage.is_some() || part.entries.len() == payloads.len());
    }
}
