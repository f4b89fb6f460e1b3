//! Reading a journal while it may be growing.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::Path;

use super::FormatVersion;
use super::frame::{self, FrameError};
use crate::event::Entry;

/// What a journal holds at one moment.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The records, in the order in which they were written.
    pub(crate) entries: Vec<Entry>,
    /// How many bytes were read.
    pub(crate) length: u64,
    /// Whether the writer still holds the journal.
    pub(crate) live: bool,
    /// Why the records end where they do, if the file does not end there too.
    pub(crate) damage: Option<String>,
}

/// Reads a journal. `None` when its writer has not written the first record yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Journal>> {
    let mut file = File::open(path)?;
    // The order of these three steps is what makes the answer true. The writer locks the empty file before it writes, so
    // once there are bytes a free lock means that the writer is gone, and what is read after that is all there will ever
    // be. Reading first would call a run crashed that ended in between.
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    let live = is_locked(&file)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (entries, damage) = decode(&bytes, live);
    if live && entries.is_empty() && damage.is_none() {
        return Ok(None);
    }
    Ok(Some(Journal { entries, length: bytes.len() as u64, live, damage }))
}

fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The records at the start of `bytes`, and what is wrong behind them. A record that is still being written is no damage.
fn decode(bytes: &[u8], live: bool) -> (Vec<Entry>, Option<String>) {
    let mut entries = Vec::new();
    let mut chain = match frame::read_header(bytes) {
        Ok(chain) => chain,
        Err(error) => return (entries, explain(error, 0, bytes.len(), live)),
    };
    let mut at = frame::HEADER;
    while at < bytes.len() {
        let (payload, length, next) = match frame::read_frame(chain, &bytes[at..]) {
            Ok(frame) => frame,
            Err(error) => return (entries, explain(error, at, bytes.len(), live)),
        };
        match rmp_serde::from_slice::<Entry>(payload) {
            Ok(entry) if is_in_place(&entry, entries.len()) => entries.push(entry),
            Ok(_) => return (entries, Some(format!("the record at byte {at} is not one that belongs there"))),
            Err(error) => return (entries, Some(format!("the record at byte {at} has an unknown form: {error}"))),
        }
        (at, chain) = (at + length, next);
    }
    (entries, None)
}

fn is_in_place(entry: &Entry, position: usize) -> bool {
    match entry {
        Entry::Start { .. } => position == 0,
        Entry::Metrics(block) => position > 0 && block.is_whole(),
        Entry::Event(_) | Entry::End { .. } => position > 0,
    }
}

fn explain(error: FrameError, at: usize, length: usize, live: bool) -> Option<String> {
    let rest = length - at;
    match error {
        FrameError::Short if live => None,
        FrameError::Short => {
            Some(format!("the last {rest} bytes are not a whole record; what was recorded ends at byte {at}"))
        }
        FrameError::Damaged => {
            Some(format!("the record at byte {at} is damaged; it and the {rest} bytes from there on are not shown"))
        }
        FrameError::Newer(found) => Some(format!(
            "it has format {found}, this trainbook reads up to {}; use a newer trainbook",
            FormatVersion::NEWEST.0
        )),
    }
}
