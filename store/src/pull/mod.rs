//! Taking the finished runs of another store into this one, with all that they refer to.
//!
//! **The other store is only read.** Its journals are read as any reader does: whether somebody
//! holds one is asked for first, with a lock that lasts for an instant and is not written anywhere.
//! Neither its index nor its lock files are opened, so it may be a read-only file system, or a
//! folder of another machine that is mounted (sshfs, NFS). Over such a mount the lock of a writer
//! elsewhere may not be seen; that is why a run counts as finished when its journal has an end
//! record, and not because nobody seems to hold it.
//!
//! **Into this store**, each run goes in this order: its objects, each under its name only when its
//! hash is that name; then its journal, every frame of which was checked, by a rename; then the
//! index. So whatever ends a pull in the middle leaves runs that are here whole and others that are
//! not here, and the next pull goes on. Objects whose run did not follow are garbage, and those that
//! the next pull needs are found and not copied again. The collection of garbage spares what was put
//! within the last minute ([`MARGIN`](crate::cleanup::MARGIN)). So the objects are made young again
//! right before the journal gets its name, and copied again if they are gone.
//!
//! **Nothing here is overwritten.** A run that is here already is compared byte for byte. The one
//! journal that is replaced is one that the other's continues: events that were recorded after the
//! first pull. Its old content is the beginning of the new.
//!
//! Rejected: taking crashed runs. On a mount that does not show locks, a run that is being recorded
//! looks like one; a later pull would find it changed. One on which a later run went on is over,
//! whatever it looks like, and comes with that.

mod carry_out;
mod pulled;
mod source;
mod wanted;

pub use pulled::{LeftObject, LeftOut, MissingParent, Pulled};
pub use wanted::Wanted;
