//! The journal of a run: an append-only file of checked records, the truth about the run.
//!
//! ```text
//! header   magic "trnbook\n" · u32 format version · u32 crc32c of the twelve bytes before
//! frame    u32 payload length · u32 check · payload (one Entry in MessagePack)
//! frame    …
//! ```
//!
//! All integers are little endian. `check` is crc32c over the check of the frame before (the
//! header's crc for the first), the length and the payload. Because the checks form a chain, a
//! frame that was changed, left out, repeated or moved breaks it. A reader stops at the first frame
//! that is not whole and right, so what it shows is always a prefix of what was written.
//!
//! Rejected: resynchronising after a damaged frame (the part behind it could then be shown without
//! the part that explains it), a checksum per file (says nothing about a file that is still
//! growing), a database file (one writer at a time over all runs, and one damaged page may take
//! every run with it).

pub(crate) mod block;
pub(crate) mod frame;
pub(crate) mod reader;
pub(crate) mod writer;

/// The version of the journal's format that this crate writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FormatVersion(pub(crate) u32);

impl FormatVersion {
    /// The newest version; older ones can be read.
    ///
    /// 1: as described above. 2: the event `released`. 3: the event `callback_costs`. Who reads only
    /// older ones would take such an event for damage and hide what stands behind it; the version
    /// lets it ask for a newer trainbook.
    pub(crate) const NEWEST: FormatVersion = FormatVersion(3);
}
