//! The name of an object.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The blake3 hash of an object's bytes; as text, 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(blake3::Hash);

impl ObjectId {
    /// The id that these bytes have.
    pub fn of(bytes: &[u8]) -> ObjectId {
        ObjectId(blake3::hash(bytes))
    }

    /// The id of the bytes that have this hash.
    pub(crate) fn new(hash: blake3::Hash) -> ObjectId {
        ObjectId(hash)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl FromStr for ObjectId {
    type Err = BadObjectId;

    fn from_str(text: &str) -> Result<ObjectId, BadObjectId> {
        blake3::Hash::from_hex(text)
            .map(ObjectId)
            .map_err(|_| BadObjectId { text: text.to_owned() })
    }
}

impl TryFrom<String> for ObjectId {
    type Error = BadObjectId;

    fn try_from(text: String) -> Result<ObjectId, BadObjectId> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> String {
        id.to_string()
    }
}

/// A text that should be an object id is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {text:?} as an object id: it should be 64 hexadecimal digits")]
pub struct BadObjectId {
    /// The text.
    pub text: String,
}
