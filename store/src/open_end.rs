//! The end of a journal that is not sealed, and how it is sealed.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Result, StoreError};
use crate::fold::{Fold, Series};
use crate::index::block::{self, Block};
use crate::index::{Blocks, IndexProblem, Sealed, Session};
use crate::journal::reader::{self, Part, Position};
use crate::run_id::RunId;

/// How much of a journal may be unsealed, in bytes. So much is read in a millisecond or two.
pub(crate) const UNSEALED: u64 = 1 << 20;

/// The end of a journal that is not sealed, and what the whole journal adds up to.
pub(crate) struct OpenEnd {
    pub(crate) fold: Fold,
    /// Where the last whole record ends.
    pub(crate) end: Position,
    /// How long the file was, in bytes.
    pub(crate) length: u64,
    /// Whether a writer holds it.
    pub(crate) live: bool,
    pub(crate) damage: Option<String>,
    /// The sealed blocks that there are.
    pub(crate) blocks: Blocks,
    /// The points behind them.
    pub(crate) points: Series,
    /// Whether reading sealed something, which is not on disk yet.
    pub(crate) sealed: bool,
}

impl OpenEnd {
    /// Reads the journal of `id` from where it is sealed. `None` if it says nothing yet.
    pub(crate) fn read(id: &RunId, path: &Path, sealed: Option<Sealed>) -> Result<Option<OpenEnd>> {
        let position = sealed.as_ref().map(|sealed| sealed.position).unwrap_or_default();
        let part = reader::read_from(path, position).map_err(StoreError::io("read", path))?;
        let Some(Part { entries, end, length, live, damage }) = part else { return Ok(None) };
        let mut entries = entries.into_iter();
        let (mut fold, blocks) = match sealed {
            Some(Sealed { fold, blocks, .. }) => (fold, blocks),
            None => (Fold::begin(id, path, entries.next(), damage.as_deref())?.0, Blocks::new()),
        };
        let mut points = Series::new();
        entries.for_each(|entry| {
            fold.apply(&entry, |name, step, value| points.push(name, step, value))
        });
        Ok(Some(OpenEnd { fold, end, length, live, damage, blocks, points, sealed: false }))
    }

    /// The same from where the index has it sealed; if what is not sealed is much, it is sealed.
    /// The outer error is the index's, the inner one the journal's.
    pub(crate) fn read_and_seal(
        session: &Session,
        id: &RunId,
        path: &Path,
    ) -> Result<Result<Option<OpenEnd>>, IndexProblem> {
        let sealed = session.sealed(id)?;
        let position = sealed.as_ref().map(|sealed| sealed.position).unwrap_or_default();
        let mut open = match OpenEnd::read(id, path, sealed) {
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::InvalidData => {
                // Another journal under this name.
                session.forget(id.as_str())?;
                return OpenEnd::read_and_seal(session, id, path);
            }
            open => open,
        };
        if let Ok(Some(open)) = &mut open
            && open.end.offset - position.offset > UNSEALED
        {
            open.seal(session, id)?;
        }
        Ok(open)
    }

    fn seal(&mut self, session: &Session, id: &RunId) -> Result<(), IndexProblem> {
        let mut sealed = Vec::new();
        for (metric, points) in std::mem::take(&mut self.points).into_map() {
            let count = self.blocks.entry(metric.clone()).or_default();
            for points in points.chunks(block::POINTS) {
                let block = Block::seal(points).map_err(IndexProblem::Unavailable)?;
                sealed.push((metric.clone(), *count, block));
                *count += 1;
            }
        }
        let state =
            Sealed { position: self.end, fold: self.fold.clone(), blocks: self.blocks.clone() };
        session.seal(id, &state, &sealed)?;
        self.sealed = true;
        Ok(())
    }
}
