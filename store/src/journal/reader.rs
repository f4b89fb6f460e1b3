//! Reading a journal while it may be growing, from its start or from where the last reading ended.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FormatVersion;
use super::frame::{self, Chain, FrameError};
use crate::event::Entry;

/// Where a whole record ends, and what the next one's check builds on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// In bytes from the start of the file; 0 is before the header.
    pub(crate) offset: u64,
    chain: Chain,
}

/// What a journal holds behind some position, at one moment.
#[derive(Debug)]
pub(crate) struct Part {
    /// The records, in the order in which they were written.
    pub(crate) entries: Vec<Entry>,
    /// Where the last of them ends.
    pub(crate) end: Position,
    /// How long the file was, in bytes.
    pub(crate) length: u64,
    /// Whether the writer still holds the journal.
    pub(crate) live: bool,
    /// Why the records end where they do, if the file does not end there too.
    pub(crate) damage: Option<String>,
}

#[cfg(test)]
thread_local! {
    static OPENS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What `ask` gives, and how often this thread opened a journal for it.
#[cfg(test)]
pub(crate) fn count_opens<T>(ask: impl FnOnce() -> T) -> (T, usize) {
    let before = OPENS.with(std::cell::Cell::get);
    let answer = ask();
    (answer, OPENS.with(std::cell::Cell::get) - before)
}

/// Reads a journal. `None` when its writer has not written the first record yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Part>> {
    read_from(path, Position::default())
}

/// Reads what is behind a position that an earlier reading gave. A file that has become shorter
/// than that is an error of the kind `InvalidData`: it is not the journal that it was.
pub(crate) fn read_from(path: &Path, from: Position) -> io::Result<Option<Part>> {
    #[cfg(test)]
    OPENS.with(|opens| opens.set(opens.get() + 1));
    let mut file = File::open(path)?;
    // The order of these three steps is what makes the answer true. The writer locks the empty file
    // before it writes, so once there are bytes a free lock means that the writer is gone, and what
    // is read after that is all there will ever be. Reading first would call a run crashed that
    // ended in between.
    let length = file.metadata()?.len();
    if length == 0 && from.offset == 0 {
        return Ok(None);
    }
    if length < from.offset {
        let message = format!("it has {length} bytes and had {} before", from.offset);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let live = is_locked(&file)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from.offset))?;
    file.read_to_end(&mut bytes)?;
    let part = decode_from(&bytes, from, live);
    if live && part.end.offset == 0 && part.damage.is_none() {
        return Ok(None);
    }
    Ok(Some(part))
}

/// Whether a writer holds the journal.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The records at the start of `bytes`, which are a whole file. `live` says whether its writer
/// still held it before they were read.
pub(crate) fn decode(bytes: &[u8], live: bool) -> Part {
    decode_from(bytes, Position::default(), live)
}

/// The records in `bytes`, which lie behind `from`, and what is wrong behind the records. A record
/// that is still being written is no damage.
fn decode_from(bytes: &[u8], from: Position, live: bool) -> Part {
    let length = from.offset + bytes.len() as u64;
    let mut part = Part { entries: Vec::new(), end: from, length, live, damage: None };
    let mut at = 0;
    if from.offset == 0 {
        match frame::read_header(bytes) {
            Ok(chain) => part.end.chain = chain,
            Err(error) => {
                part.damage = explain(error, 0, length, live);
                return part;
            }
        }
        at = frame::HEADER;
    }
    while at < bytes.len() {
        let offset = from.offset + at as u64;
        let (payload, size, next) = match frame::read_frame(part.end.chain, &bytes[at..]) {
            Ok(frame) => frame,
            Err(error) => {
                part.damage = explain(error, offset, length, live);
                return part;
            }
        };
        // The start record ends behind the header, never at 0.
        let first = part.end.offset == 0;
        match rmp_serde::from_slice::<Entry>(payload) {
            Ok(entry) if is_in_place(&entry, first) => part.entries.push(entry),
            Ok(_) => {
                part.damage =
                    Some(format!("the record at byte {offset} is not one that belongs there"));
                return part;
            }
            Err(error) => {
                part.damage =
                    Some(format!("the record at byte {offset} has an unknown form: {error}"));
                return part;
            }
        }
        at += size;
        part.end = Position { offset: from.offset + at as u64, chain: next };
    }
    part
}

fn is_in_place(entry: &Entry, first: bool) -> bool {
    match entry {
        Entry::Start { .. } => first,
        Entry::Metrics(block) => !first && block.is_whole(),
        Entry::Event(_) | Entry::End { .. } => !first,
    }
}

fn explain(error: FrameError, at: u64, length: u64, live: bool) -> Option<String> {
    let rest = length - at;
    match error {
        FrameError::Short if live => None,
        FrameError::Short => Some(format!(
            "the last {rest} bytes are not a whole record; what was recorded ends at byte {at}"
        )),
        FrameError::Damaged => Some(format!(
            "the record at byte {at} is damaged; it and the {rest} bytes from there on are not shown"
        )),
        FrameError::Newer(found) => Some(format!(
            "it has format {found}, this trainbook reads up to {}; use a newer trainbook",
            FormatVersion::NEWEST.0
        )),
    }
}

#[cfg(test)]
mod tests;
