//! The parts of a file as arrays.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use arrow_ipc::{CompressionType, MessageHeader, RecordBatch as StoredBatch};

use super::super::typed::Wrong;
use super::messages::Messages;

/// All rows of these columns.
pub(super) fn read(
    bytes: &Buffer,
    messages: &Messages,
    columns: &[usize],
) -> Result<Vec<RecordBatch>, Wrong> {
    let schema = &messages.schema;
    let (mut dictionaries, mut batches) = (HashMap::new(), Vec::new());
    for place in &messages.places {
        let message = place.message(bytes)?;
        let (version, body) = (message.version(), place.body.clone());
        let body = bytes.slice_with_length(body.start, body.len());
        match message.header_type() {
            MessageHeader::DictionaryBatch => {
                let batch = message.header_as_dictionary_batch().ok_or_else(unreadable)?;
                check(batch.data().ok_or_else(unreadable)?, &body)?;
                read_dictionary(&body, batch, schema, &mut dictionaries, &version)?;
            }
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(unreadable)?;
                check(batch, &body)?;
                let schema = schema.clone();
                let columns = Some(columns);
                let batch =
                    read_record_batch(&body, batch, schema, &dictionaries, columns, &version)?;
                batches.push(batch);
            }
            _ => return Err(unreadable()),
        }
    }
    Ok(batches)
}

fn unreadable() -> Wrong {
    Wrong::Damaged("a part is neither rows nor a dictionary".to_owned())
}

/// LZ4 makes at most so many bytes of one
/// ([format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)).
const LZ4_MOST: usize = 255;

/// Refuses what is packed in a way for which nothing is built in, and what says that it has more
/// bytes than can be: the crate would panic, or ask for memory that is not there.
fn check(batch: StoredBatch<'_>, body: &[u8]) -> Result<(), Wrong> {
    let codec = batch.compression().map(|how| how.codec());
    match codec {
        None | Some(CompressionType::LZ4_FRAME) => {}
        Some(CompressionType::ZSTD) => {
            let reason = "it is packed with Zstandard; write it with LZ4 or not packed";
            return Err(Wrong::Refused(reason.to_owned()));
        }
        Some(_) => return Err(Wrong::Damaged("it is packed in an unknown way".to_owned())),
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let packed = usize::try_from(buffer.offset()).ok().and_then(|start| body.get(start..));
        let length = usize::try_from(buffer.length()).ok();
        let packed = packed.zip(length).and_then(|(packed, length)| packed.get(..length));
        let packed = packed.ok_or_else(|| Wrong::Damaged("it ends too early".to_owned()))?;
        let (Some(_), Some((plain, packed))) = (codec, packed.split_first_chunk()) else {
            continue;
        };
        // −1 says that it is not packed.
        let plain = usize::try_from(i64::from_le_bytes(*plain)).unwrap_or_default();
        if plain > packed.len().saturating_mul(LZ4_MOST) {
            let reason = format!("{} bytes cannot become {plain}", packed.len());
            return Err(Wrong::Damaged(reason));
        }
    }
    Ok(())
}
