//! The bytes of a frame and of the header: pure functions, tested on every possible damage.

use serde::{Deserialize, Serialize};

use super::FormatVersion;

const MAGIC: &[u8; 8] = b"trnbook\n";

/// Length of the header in bytes.
pub(crate) const HEADER: usize = 16;

/// Length in bytes of what precedes a payload.
const PREFIX: usize = 8;

/// No payload is longer, in bytes. A longer length in a file is damage, and nothing is allocated
/// for it.
pub(crate) const MAX_PAYLOAD: usize = 16 << 20;

/// The check of the newest frame; the next frame's check builds on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain(u32);

/// Why there is no frame where one was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The bytes end before the frame does.
    Short,
    /// The bytes are not those that were written.
    Damaged,
    /// The header names a format that is newer than this crate.
    Newer(u32),
}

/// The header, and the chain that the first frame builds on.
pub(crate) fn header() -> ([u8; HEADER], Chain) {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FormatVersion::NEWEST.0.to_le_bytes());
    let check = crc32c::crc32c(&bytes[..12]);
    bytes[12..].copy_from_slice(&check.to_le_bytes());
    (bytes, Chain(check))
}

/// Reads the header at the start of `bytes`.
pub(crate) fn read_header(bytes: &[u8]) -> Result<Chain, FrameError> {
    let head = bytes.get(..HEADER).ok_or(FrameError::Short)?;
    let (version, check) = (u32_at(head, 8)?, u32_at(head, 12)?);
    if &head[..8] != MAGIC || crc32c::crc32c(&head[..12]) != check {
        Err(FrameError::Damaged)
    } else if version > FormatVersion::NEWEST.0 {
        Err(FrameError::Newer(version))
    } else {
        Ok(Chain(check))
    }
}

/// Appends one frame to `out`. The caller keeps the payload within [`MAX_PAYLOAD`].
pub(crate) fn write_frame(chain: Chain, payload: &[u8], out: &mut Vec<u8>) -> Chain {
    let length = (payload.len() as u32).to_le_bytes();
    let check = chain_check(chain, length, payload);
    out.extend_from_slice(&length);
    out.extend_from_slice(&check.0.to_le_bytes());
    out.extend_from_slice(payload);
    check
}

/// The payload of the frame at the start of `bytes`, how many bytes the frame takes, and the chain
/// behind it.
pub(crate) fn read_frame(chain: Chain, bytes: &[u8]) -> Result<(&[u8], usize, Chain), FrameError> {
    let length = u32_at(bytes, 0)?;
    if length as usize > MAX_PAYLOAD {
        return Err(FrameError::Damaged);
    }
    let check = Chain(u32_at(bytes, 4)?);
    let end = PREFIX + length as usize;
    let payload = bytes.get(PREFIX..end).ok_or(FrameError::Short)?;
    if chain_check(chain, length.to_le_bytes(), payload) != check {
        return Err(FrameError::Damaged);
    }
    Ok((payload, end, check))
}

fn chain_check(chain: Chain, length: [u8; 4], payload: &[u8]) -> Chain {
    let check = crc32c::crc32c_append(crc32c::crc32c(&chain.0.to_le_bytes()), &length);
    Chain(crc32c::crc32c_append(check, payload))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, FrameError> {
    let bytes = bytes.get(at..at + 4).ok_or(FrameError::Short)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_is_as_documented() {
        let (bytes, chain) = header();
        assert_eq!(&bytes[..12], b"trnbook\n\x03\0\0\0");
        assert_eq!(read_header(&bytes), Ok(chain));
        for at in 0..HEADER {
            let mut flipped = bytes;
            flipped[at] ^= 1;
            assert_eq!(read_header(&flipped), Err(FrameError::Damaged), "byte {at}");
            assert_eq!(read_header(&bytes[..at]), Err(FrameError::Short), "{at} bytes");
        }
        let mut newer = bytes;
        newer[8] = 4;
        let check = crc32c::crc32c(&newer[..12]);
        newer[12..].copy_from_slice(&check.to_le_bytes());
        assert_eq!(read_header(&newer), Err(FrameError::Newer(4)));
    }

    #[test]
    fn a_frame_left_out_repeated_or_swapped_breaks_the_chain() {
        let (_, start) = header();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let middle = write_frame(start, b"same", &mut one);
        write_frame(middle, b"same", &mut two);
        assert!(read_frame(start, &one).is_ok() && read_frame(middle, &two).is_ok());
        assert_eq!(read_frame(start, &two), Err(FrameError::Damaged));
        assert_eq!(read_frame(middle, &one), Err(FrameError::Damaged));
    }

    #[test]
    fn a_huge_length_is_damage() {
        let (_, chain) = header();
        assert_eq!(read_frame(chain, &[0xff; 64]), Err(FrameError::Damaged));
    }

    proptest! {
        #[test]
        fn frames_come_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let (_, start) = header();
            let (mut bytes, mut chain) = (Vec::new(), start);
            for payload in &payloads {
                chain = write_frame(chain, payload, &mut bytes);
            }
            let (mut at, mut chain) = (0, start);
            for payload in &payloads {
                let (read, length, next) = read_frame(chain, &bytes[at..]).unwrap();
                prop_assert_eq!(read, &payload[..]);
                (at, chain) = (at + length, next);
            }
            prop_assert_eq!(read_frame(chain, &bytes[at..]), Err(FrameError::Short));
        }

        #[test]
        fn noise_is_no_frame(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read_header(&bytes).is_err());
            prop_assert!(read_frame(header().1, &bytes).is_err());
        }
    }
}
