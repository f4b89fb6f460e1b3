//! The journal on storage that fails at operation k, for every k, in every way, and then loses its
//! power.

use std::sync::{Arc, Mutex};

use super::*;
use crate::event::{RunEvent, RunStart, TimedEvent};
use crate::journal::reader::decode;
use crate::run_id::RunId;

/// A disk as a program sees it and as it would be found after a power cut.
#[derive(Default)]
struct Disk {
    /// What reads give: the cache of the system.
    seen: Vec<u8>,
    /// For each byte of `seen`, whether the next good sync writes it out. A failed sync makes all
    /// of them clean, which is what Linux does.
    dirty: Vec<bool>,
    /// What is there after a power cut.
    durable: Vec<u8>,
    /// How many operations there were.
    operations: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Half of the bytes are written.
    ShortWrite,
    /// No room: neither reserving nor appending works.
    Full,
    /// Whatever it is, it fails, and an append leaves half of its bytes.
    Broken,
    /// Only syncs fail.
    Sync,
}

/// Fails from operation `from` to before operation `to`.
struct Faulty {
    disk: Arc<Mutex<Disk>>,
    operation: usize,
    fault: Fault,
    from: usize,
    to: usize,
}

impl Faulty {
    fn fails(&mut self, at: &[Fault]) -> bool {
        self.operation += 1;
        self.disk.lock().unwrap().operations = self.operation;
        (self.from..self.to).contains(&(self.operation - 1)) && at.contains(&self.fault)
    }
}

impl Storage for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let part = match (self.fails(&[Fault::ShortWrite, Fault::Full, Fault::Broken]), self.fault)
        {
            (false, _) => bytes.len(),
            (true, Fault::Full) => 0,
            (true, _) => bytes.len() / 2,
        };
        let mut disk = self.disk.lock().unwrap();
        disk.seen.extend_from_slice(&bytes[..part]);
        disk.dirty.extend(vec![true; part]);
        if part == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.fails(&[Fault::Broken]) {
            return Err(io::ErrorKind::Other.into());
        }
        let mut disk = self.disk.lock().unwrap();
        disk.seen.truncate(length as usize);
        disk.dirty.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let fails = self.fails(&[Fault::Sync, Fault::Broken]);
        let disk = &mut *self.disk.lock().unwrap();
        if !fails {
            disk.durable.resize(disk.seen.len(), 0);
            for (at, dirty) in disk.dirty.iter().enumerate() {
                if *dirty {
                    disk.durable[at] = disk.seen[at];
                }
            }
        }
        disk.dirty.fill(false);
        if fails { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }

    fn reserve(&mut self, _length: u64) -> io::Result<()> {
        if self.fails(&[Fault::Full, Fault::Broken]) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

fn start_record() -> Vec<u8> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    encode(&Entry::Start { id: RunId::draw(at), at, start: Box::new(RunStart::default()) }).unwrap()
}

fn note(number: usize) -> Vec<u8> {
    let event = RunEvent::Note { text: number.to_string() };
    encode(&Entry::Event(TimedEvent { at: jiff::Timestamp::UNIX_EPOCH, event })).unwrap()
}

/// The numbers of the notes in a journal.
fn notes(bytes: &[u8]) -> Vec<usize> {
    let number = |entry: &Entry| match entry {
        Entry::Event(TimedEvent { event: RunEvent::Note { text }, .. }) => text.parse().ok(),
        _ => None,
    };
    decode(bytes, false).entries.iter().filter_map(number).collect()
}

/// Records of the script. With their syncs they are more than 200 operations of the storage.
const RECORDS: usize = 160;

/// Appends the records and syncs after every third; gives the disk, the records that an append
/// took, and how many of them a sync confirmed.
fn play(fault: Fault, from: usize, to: usize) -> Option<(Arc<Mutex<Disk>>, Vec<usize>, usize)> {
    let disk = Arc::new(Mutex::new(Disk::default()));
    let storage = Faulty { disk: Arc::clone(&disk), operation: 0, fault, from, to };
    let mut journal = JournalWriter::create(Box::new(storage), &start_record()).ok()?;
    let (mut taken, mut confirmed) = (Vec::new(), 0);
    for number in 0..RECORDS {
        let payload = note(number);
        if journal.append([payload.as_slice()]).is_ok() {
            taken.push(number);
        }
        if number % 3 == 2 && journal.sync().is_ok() {
            confirmed = taken.len();
        }
        // Only a sync changes what is durable; every fifth look is enough over all the places of
        // the fault.
        if number % 15 != 14 && number + 1 < RECORDS {
            continue;
        }
        let durable = notes(&disk.lock().unwrap().durable);
        assert!(
            taken.starts_with(&durable),
            "{fault:?} {from}..{to} after {number}: {durable:?} of {taken:?}"
        );
        assert!(
            durable.len() >= confirmed,
            "{fault:?} {from}..{to} after {number}: {} of {confirmed}",
            durable.len()
        );
    }
    Some((disk, taken, confirmed))
}

#[test]
fn every_operation_may_fail_and_what_was_confirmed_is_there() {
    let unharmed = play(Fault::Broken, usize::MAX, usize::MAX).unwrap();
    assert_eq!((unharmed.1.len(), unharmed.2), (RECORDS, RECORDS - 1));
    assert!(unharmed.0.lock().unwrap().operations >= 200, "the script is too short");
    let mut lost = 0;
    for fault in [Fault::ShortWrite, Fault::Full, Fault::Broken, Fault::Sync] {
        for from in 0..220 {
            for length in [1, 2, 7, 1000] {
                // A journal whose first record fails is none.
                let Some((disk, taken, confirmed)) = play(fault, from, from + length) else {
                    continue;
                };
                lost += RECORDS - taken.len();
                if length < 1000 && from < 120 {
                    assert!(
                        confirmed > RECORDS - 30,
                        "{fault:?} {from}+{length}: it never recovers, {confirmed} confirmed"
                    );
                    let seen = notes(&disk.lock().unwrap().seen);
                    assert_eq!(seen, taken, "{fault:?} {from}+{length}");
                }
            }
        }
    }
    assert!(lost > 1000, "the faults hit nothing: {lost}");
}

#[test]
fn last_words_fit_on_a_full_disk_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let file = File::options().append(true).create_new(true).open(&path).unwrap();
    let mut journal = JournalWriter::create(Box::new(file), &start_record()).unwrap();
    let whole = journal.length;
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let taken = path.metadata().unwrap().blocks() * 512;
        assert!(taken >= RESERVE, "{taken} bytes are reserved for a file of {whole}");
        drop(journal);
        let given_back = path.metadata().unwrap().blocks() * 512;
        assert!(given_back < RESERVE, "{given_back} bytes are still taken");
        assert_eq!(path.metadata().unwrap().len(), whole);
    }

    let disk = Arc::new(Mutex::new(Disk::default()));
    let storage = FullFrom { disk: Arc::clone(&disk), room: u64::MAX };
    let room = Arc::new(Mutex::new(storage));
    journal = JournalWriter::create(Box::new(Arc::clone(&room)), &start_record()).unwrap();
    let first = [note(1)];
    journal.append(first.iter().map(Vec::as_slice)).unwrap();
    // From now on there is only what is reserved.
    let reserved = journal.reserved;
    room.lock().unwrap().room = reserved;
    let mut number = 2;
    while journal.append([note(number).as_slice()]).is_ok() {
        number += 1;
        assert!(number < 1_000_000, "the disk never fills");
    }
    assert!(journal.append_last_words([note(number).as_slice()]).is_ok());
    journal.sync().unwrap();
    assert_eq!(notes(&disk.lock().unwrap().durable), (1..=number).collect::<Vec<_>>());
}

/// A disk with so much room for the file.
struct FullFrom {
    disk: Arc<Mutex<Disk>>,
    room: u64,
}

impl Storage for Arc<Mutex<FullFrom>> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let this = self.lock().unwrap();
        let mut disk = this.disk.lock().unwrap();
        if (disk.seen.len() + bytes.len()) as u64 > this.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.seen.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.lock().unwrap().disk.lock().unwrap().seen.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let this = self.lock().unwrap();
        let mut disk = this.disk.lock().unwrap();
        disk.durable = disk.seen.clone();
        Ok(())
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        if length > self.lock().unwrap().room {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}
