//! Appending to a journal, on storage that may fail.
//!
//! Three things can go wrong, and each has its answer. **An append fails half way**: the file is
//! cut back to the last whole frame, at once or, if that fails too, before the next append. **A
//! sync fails**: the system may have thrown the bytes away and may say so only once, so asking
//! again proves nothing; everything since the last good sync is kept in memory, cut off, written
//! again and synced. **The disk is full**: a little room behind the end of the file is reserved
//! beforehand, and the records that say what is missing and how the run ended go there.

use std::fs::File;
use std::io::{self, Write};

use super::frame::{self, Chain, MAX_PAYLOAD};
use crate::event::Entry;

/// How much room for the last words is kept behind the end of the file, in bytes.
const RESERVE: u64 = 64 << 10;

/// How many bytes may wait for a disk that does not confirm.
const MAX_UNSYNCED: usize = 64 << 20;

/// What a journal is written to. A file, or in a test something that breaks.
pub(crate) trait Storage: Send {
    /// Adds bytes at the end; after an error, some of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts off what lies behind the first `length` bytes, reserved room included.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Returns once everything is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Sees to it that the first `length` bytes have room on the disk, without making the file
    /// longer. Storage that cannot do so says that it did.
    fn reserve(&mut self, length: u64) -> io::Result<()>;
}

/// A file that was opened for appending.
impl Storage for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(&*self, FallocateFlags::KEEP_SIZE, 0, length).map_err(io::Error::from) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Err(error)
            }
            // Not every file system can.
            _ => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }
}

/// The writing end of a journal.
pub(crate) struct JournalWriter {
    storage: Box<dyn Storage>,
    /// Where the last good frame ends.
    length: u64,
    chain: Chain,
    /// The frames at the end of the journal that no sync has confirmed yet.
    unsynced: Vec<u8>,
    /// Whether the storage may hold something else than the journal behind the last confirmed byte.
    doubtful: bool,
    /// How far room is reserved.
    reserved: u64,
}

impl JournalWriter {
    /// Writes header and first record to empty storage, in one piece, and syncs.
    pub(crate) fn create(storage: Box<dyn Storage>, start: &[u8]) -> io::Result<JournalWriter> {
        let (header, chain) = frame::header();
        let mut bytes = header.to_vec();
        let chain = frame::write_frame(chain, start, &mut bytes);
        let mut writer = JournalWriter {
            storage,
            length: 0,
            chain,
            unsynced: Vec::new(),
            doubtful: false,
            reserved: 0,
        };
        writer.make_room(bytes.len())?;
        writer.storage.append(&bytes)?;
        writer.length = bytes.len() as u64;
        writer.storage.sync()?;
        Ok(writer)
    }

    /// Appends the records, all or none: after an error the journal is as it was. Keeps the
    /// reserved room free.
    pub(crate) fn append<'a>(
        &mut self,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        self.write(payloads, false)
    }

    /// As [`append`](JournalWriter::append), and may use the reserved room: for what must be said
    /// on a full disk.
    pub(crate) fn append_last_words<'a>(
        &mut self,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        self.write(payloads, true)
    }

    fn write<'a>(
        &mut self,
        payloads: impl IntoIterator<Item = &'a [u8]>,
        last_words: bool,
    ) -> io::Result<()> {
        let (start, mut chain) = (self.unsynced.len(), self.chain);
        if start > MAX_UNSYNCED {
            return Err(io::Error::other(format!(
                "the disk has not confirmed the {start} bytes before"
            )));
        }
        for payload in payloads {
            chain = frame::write_frame(chain, payload, &mut self.unsynced);
        }
        let written = self.write_from(start, last_words);
        match written {
            Ok(()) => {
                self.length += (self.unsynced.len() - start) as u64;
                self.chain = chain;
            }
            Err(_) => self.unsynced.truncate(start),
        }
        written
    }

    /// Writes what `unsynced` holds from `start` on, behind what is there.
    fn write_from(&mut self, start: usize, last_words: bool) -> io::Result<()> {
        if !last_words {
            self.make_room(self.unsynced.len() - start)?;
        }
        if self.doubtful {
            // Another frame behind half a frame would never be read.
            let confirmed = self.length - start as u64;
            self.storage.truncate(confirmed)?;
            self.storage.append(&self.unsynced)?;
            self.doubtful = false;
            return Ok(());
        }
        let written = self.storage.append(&self.unsynced[start..]);
        if written.is_err() {
            self.doubtful = self.storage.truncate(self.length).is_err();
            self.reserved = self.length;
            // Cutting off gave the reserved room back. Nothing is lost if there is none to be had.
            let _ = self.make_room(0);
        }
        written
    }

    /// Returns once everything that was appended is on disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let synced =
            if self.doubtful { Err(io::ErrorKind::Other.into()) } else { self.storage.sync() };
        let synced = synced.or_else(|_: io::Error| self.write_again_and_sync());
        match synced {
            Ok(()) => self.unsynced.clear(),
            Err(_) => self.doubtful = true,
        }
        synced
    }

    fn write_again_and_sync(&mut self) -> io::Result<()> {
        self.storage.truncate(self.length - self.unsynced.len() as u64)?;
        self.reserved = 0;
        self.storage.append(&self.unsynced)?;
        self.storage.sync()?;
        self.doubtful = false;
        self.make_room(0).or(Ok(()))
    }

    /// Reserves room for so many bytes more and for the last words.
    fn make_room(&mut self, more: usize) -> io::Result<()> {
        let wanted = self.length + more as u64 + RESERVE;
        if wanted > self.reserved {
            // A few batches at once, or else just what is needed.
            let ahead = wanted + RESERVE;
            self.reserved = match self.storage.reserve(ahead) {
                Ok(()) => ahead,
                Err(_) => self.storage.reserve(wanted).map(|()| wanted)?,
            };
        }
        Ok(())
    }
}

/// Gives back the room that was not used.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        if !self.doubtful {
            // If this fails, a few kilobytes are wasted.
            let _ = self.storage.truncate(self.length);
        }
    }
}

/// The bytes of a record. The error says why it cannot be a record.
pub(crate) fn encode(entry: &Entry) -> Result<Vec<u8>, String> {
    let payload = rmp_serde::to_vec_named(entry).map_err(|error| error.to_string())?;
    if payload.len() > MAX_PAYLOAD {
        return Err(format!("it takes {} bytes, and {MAX_PAYLOAD} is the most", payload.len()));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests;
