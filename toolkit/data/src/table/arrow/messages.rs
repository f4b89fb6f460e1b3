//! Where the parts of a file are.

use std::ops::Range;
use std::sync::Arc;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::{Footer, Message, MessageHeader, MetadataVersion, Schema as StoredSchema};
use arrow_schema::SchemaRef;

use super::super::input::ARROW_CONTINUATION;
use super::super::typed::Wrong;

/// The first and the last bytes of a file that is no stream.
const MAGIC: [u8; 6] = *b"ARROW1";

/// The parts of a file.
pub(super) struct Messages {
    pub schema: SchemaRef,
    /// Dictionaries and batches of rows; a dictionary stands before whoever needs it.
    pub places: Vec<Place>,
}

/// The bytes of a message.
pub(super) struct Place {
    /// What it says of itself, a flat buffer.
    metadata: Range<usize>,
    pub body: Range<usize>,
}

impl Messages {
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Wrong> {
        match bytes.starts_with(&MAGIC) {
            true => Self::of_file(bytes),
            false => Self::of_stream(bytes),
        }
    }

    /// A file ends with its parts' places, the length of those, and what it began with.
    fn of_file(bytes: &[u8]) -> Result<Self, Wrong> {
        let rest = bytes.strip_suffix(&MAGIC).ok_or_else(too_early)?;
        let (rest, length) = rest.split_last_chunk().ok_or_else(too_early)?;
        let length = usize::try_from(i32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let start = rest.len().checked_sub(length).ok_or_else(too_early)?;
        let footer: Footer<'_> = arrow_ipc::root_as_footer(&rest[start..]).map_err(no_message)?;
        let dictionaries = footer.dictionaries().into_iter().flatten();
        let batches = footer.recordBatches().into_iter().flatten();
        let places = dictionaries.chain(batches).map(|block| {
            let start = usize::try_from(block.offset()).map_err(|_| too_early())?;
            let metadata = metadata(bytes, start)?;
            let length = i64::from(block.metaDataLength());
            let body = within(bytes, within(bytes, start, length)?.end, block.bodyLength())?;
            Ok(Place { metadata, body })
        });
        let places = places.collect::<Result<_, Wrong>>()?;
        Ok(Self { schema: schema(footer.schema(), footer.version())?, places })
    }

    /// In a stream one message follows another, up to one without a length.
    fn of_stream(bytes: &[u8]) -> Result<Self, Wrong> {
        let (mut known, mut places, mut at) = (None, Vec::new(), 0);
        loop {
            if at == bytes.len() {
                let reason = "it is a stream without the mark of its end: it was cut off, or is \
                              still being written; fetch it again, or close what writes it";
                return Err(Wrong::Refused(reason.to_owned()));
            }
            let metadata = metadata(bytes, at)?;
            if metadata.is_empty() {
                at = metadata.end;
                break;
            }
            let message = arrow_ipc::root_as_message(&bytes[metadata.clone()]);
            let message = message.map_err(no_message)?;
            let body = within(bytes, metadata.end, message.bodyLength())?;
            at = body.end;
            match (&known, message.header_type()) {
                (None, MessageHeader::Schema) => {
                    known = Some(schema(message.header_as_schema(), message.version())?);
                }
                (None, _) | (Some(_), MessageHeader::Schema) => {
                    let reason = "its columns are not said once, at its beginning";
                    return Err(Wrong::Damaged(reason.to_owned()));
                }
                (Some(_), _) => places.push(Place { metadata, body }),
            }
        }
        if at < bytes.len() {
            let more = bytes.len() - at;
            return Err(Wrong::Damaged(format!("{more} bytes follow its end")));
        }
        let schema = known.ok_or_else(|| Wrong::Damaged("it has no columns".to_owned()))?;
        Ok(Self { schema, places })
    }
}

impl Place {
    pub(super) fn message<'a>(&self, bytes: &'a [u8]) -> Result<Message<'a>, Wrong> {
        arrow_ipc::root_as_message(&bytes[self.metadata.clone()]).map_err(no_message)
    }
}

fn schema(stored: Option<StoredSchema<'_>>, version: MetadataVersion) -> Result<SchemaRef, Wrong> {
    let stored = stored.ok_or_else(|| Wrong::Damaged("it has no columns".to_owned()))?;
    if version < MetadataVersion::V4 {
        let reason = "it is of a version before 2017; write it with a newer program";
        return Err(Wrong::Refused(reason.to_owned()));
    }
    if !stored.endianness().equals_to_target_endianness() {
        let reason = "its numbers have their bytes in another order than this machine's; write it \
                      on a machine like this one";
        return Err(Wrong::Refused(reason.to_owned()));
    }
    Ok(Arc::new(try_fb_to_schema(stored)?))
}

/// Where the metadata of the message is that begins here: behind its length, before which newer
/// programs write four bytes more.
fn metadata(bytes: &[u8], mut at: usize) -> Result<Range<usize>, Wrong> {
    let mut word = |length| -> Result<[u8; 4], Wrong> {
        let place = within(bytes, at, length)?;
        at = place.end;
        bytes[place].try_into().map_err(|_| too_early())
    };
    let mut length = word(4)?;
    if length == ARROW_CONTINUATION {
        length = word(4)?;
    }
    within(bytes, at, i64::from(i32::from_le_bytes(length)))
}

/// The place of so many bytes from here on.
fn within(bytes: &[u8], start: usize, length: i64) -> Result<Range<usize>, Wrong> {
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    match end.filter(|&end| end <= bytes.len()) {
        Some(end) => Ok(start..end),
        None => Err(too_early()),
    }
}

fn too_early() -> Wrong {
    Wrong::Damaged("it ends too early".to_owned())
}

fn no_message(error: impl std::fmt::Display) -> Wrong {
    // Its place within the buffer is told in further lines.
    let why = error.to_string();
    Wrong::Damaged(why.lines().next().unwrap_or_default().to_owned())
}
