//! Appending to a journal, on storage that may fail.

use std::fs::File;
use std::io::{self, Write};

use super::frame::{self, Chain, MAX_PAYLOAD};
use crate::event::Entry;

/// What a journal is written to. A file, or in a test something that breaks.
pub(crate) trait Storage: Send {
    /// Adds bytes at the end; after an error, some of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts off what lies behind the first `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Returns once everything is on disk.
    fn sync(&mut self) -> io::Result<()>;
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
}

/// The writing end of a journal.
pub(crate) struct JournalWriter {
    storage: Box<dyn Storage>,
    /// Where the last good frame ends.
    length: u64,
    chain: Chain,
    /// Whether there may be part of a frame behind `length`.
    torn: bool,
    buffer: Vec<u8>,
}

impl JournalWriter {
    /// Writes header and first record to empty storage, in one piece, and syncs.
    pub(crate) fn create(storage: Box<dyn Storage>, start: &[u8]) -> io::Result<JournalWriter> {
        let (header, chain) = frame::header();
        let mut writer = JournalWriter { storage, length: 0, chain, torn: false, buffer: header.to_vec() };
        writer.chain = frame::write_frame(chain, start, &mut writer.buffer);
        writer.storage.append(&writer.buffer)?;
        writer.length = writer.buffer.len() as u64;
        writer.storage.sync()?;
        Ok(writer)
    }

    /// Appends the records, all or none: after an error the journal is as it was.
    pub(crate) fn append<'a>(&mut self, payloads: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        if self.torn {
            self.storage.truncate(self.length)?;
            self.torn = false;
        }
        self.buffer.clear();
        let mut chain = self.chain;
        for payload in payloads {
            chain = frame::write_frame(chain, payload, &mut self.buffer);
        }
        if let Err(error) = self.storage.append(&self.buffer) {
            // Another frame behind half a frame would never be read.
            self.torn = self.storage.truncate(self.length).is_err();
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.chain = chain;
        Ok(())
    }

    /// Returns once everything that was appended is on disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.storage.sync()
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
