//! The name of a run.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

/// The name of a run: when it started (UTC) and six hexadecimal digits, for example
/// `20261123-230412-7f3a9c`.
///
/// Ids sort by the second in which their run started. Uniqueness does not rest on the digits: the
/// journal's file is made with "create new", and a taken id is drawn again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(SmolStr);

impl RunId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id for a run that starts at `at`. Two calls give different ids, but for one case in 16
    /// million.
    pub(crate) fn draw(at: Timestamp) -> RunId {
        // The standard library seeds each `RandomState` differently, in this process and in any
        // other.
        let digits =
            RandomState::new().hash_one((std::process::id(), at.as_nanosecond())) & 0xff_ffff;
        RunId(format_smolstr!("{}-{digits:06x}", at.strftime("%Y%m%d-%H%M%S")))
    }

    /// The second that the id names; 1970 if there is no such date.
    pub(crate) fn started_at(&self) -> Timestamp {
        let text = self.0.rsplit_once('-').map_or("", |(time, _)| time);
        let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", text);
        time.and_then(|time| jiff::tz::TimeZone::UTC.to_timestamp(time))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl AsRef<str> for RunId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<RunId, BadRunId> {
        const SHAPE: &[u8] = b"dddddddd-dddddd-xxxxxx";
        let fits = text.len() == SHAPE.len()
            && text.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                _ => byte == *shape,
            });
        if fits {
            Ok(RunId(SmolStr::new_inline(text)))
        } else {
            Err(BadRunId { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = BadRunId;

    fn try_from(text: String) -> Result<RunId, BadRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0.into()
    }
}

/// A text that should be a run id is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {text:?} as a run id: it should look like 20260131-235959-0a1b2c")]
pub struct BadRunId {
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_ids_read_back_sort_by_time_and_differ() {
        let early: Timestamp = "2026-11-23T23:04:12.9Z".parse().unwrap();
        let late: Timestamp = "2026-11-23T23:04:13Z".parse().unwrap();
        let (a, b, c) = (RunId::draw(early), RunId::draw(early), RunId::draw(late));
        assert!(a.as_str().starts_with("20261123-230412-"), "{a}");
        assert_eq!(a.as_str().parse::<RunId>().unwrap(), a);
        assert_ne!(a, b);
        assert!(a < c && b < c);
        assert_eq!(c.started_at(), late);
    }

    #[test]
    fn an_id_is_never_a_path() {
        for text in [
            "",
            "../../etc/passwd",
            "20261123-230412-7f3a9",
            "20261123-230412-7F3A9C",
            "20261123/230412-7f3a9c",
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
