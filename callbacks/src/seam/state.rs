//! A callback's state, as bytes.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::CallbackError;

/// A callback's state in MessagePack, which keeps NaN, infinities and every bit of a float.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackState(#[serde(with = "serde_bytes")] Vec<u8>);

impl CallbackState {
    /// The state of a callback that has none.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Encodes `value`; `callback` names the owner in an error.
    pub fn of<T: Serialize>(callback: &str, value: &T) -> Result<Self, CallbackError> {
        rmp_serde::to_vec_named(value).map(Self).map_err(|e| CallbackError::State {
            callback: callback.to_owned(),
            reason: e.to_string(),
        })
    }

    /// Decodes what [`of`](Self::of) encoded.
    pub fn get<T: DeserializeOwned>(&self, callback: &str) -> Result<T, CallbackError> {
        rmp_serde::from_slice(&self.0).map_err(|e| CallbackError::State {
            callback: callback.to_owned(),
            reason: e.to_string(),
        })
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_messagepack() {
        assert_eq!(CallbackState::of("x", &7_u8).unwrap().as_bytes(), [7]);
        assert_eq!(CallbackState::of("x", &"ab").unwrap().as_bytes(), [0xa2, b'a', b'b']);
        assert!(CallbackState::empty().as_bytes().is_empty());
    }
}
