//! A `tokenizer.json`: its text, as it is kept in records (here), and what the library `tokenizers`
//! makes of it (`loaded`; `absent` stands in where that is not built in).

#[cfg(not(feature = "tokenizers"))]
mod absent;
#[cfg(feature = "tokenizers")]
mod loaded;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(not(feature = "tokenizers"))]
pub(super) use absent::Loaded;
#[cfg(feature = "tokenizers")]
pub(super) use loaded::Loaded;

/// A tokenizer by its file's text, loaded when it is first needed: records are read by programs,
/// too, that were built without the library. Copies share it.
#[derive(Clone)]
pub(super) struct Tokenizer(Arc<Kept>);

struct Kept {
    json: String,
    loaded: OnceLock<Result<Loaded, String>>,
}

impl Tokenizer {
    fn of(json: String) -> Self {
        Self(Arc::new(Kept { json, loaded: OnceLock::new() }))
    }

    /// What its file says, without white space between.
    pub(super) fn json(&self) -> &str {
        &self.0.json
    }

    /// The tokenizer itself, which cuts texts behind `length` tokens: always the same number, that
    /// of the words whose tokenizer it is.
    pub(super) fn loaded(&self, length: usize) -> Result<&Loaded, &str> {
        let Kept { json, loaded } = &*self.0;
        loaded.get_or_init(|| Loaded::of(json, length)).as_ref().map_err(String::as_str)
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("bytes", &self.json().len()).finish_non_exhaustive()
    }
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.json() == other.json()
    }
}

impl Eq for Tokenizer {}

impl Serialize for Tokenizer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.json())
    }
}

impl<'de> Deserialize<'de> for Tokenizer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::of)
    }
}
