//! What there is of tokenizers in a program that was built without them.

/// There is none.
pub(in crate::table) enum Loaded {}

impl Loaded {
    pub(super) fn of(_: &str, _: usize) -> Result<Self, String> {
        let reason = "this program was built without tokenizers; build it with the feature \
                      `tokenizers` of trainbook";
        Err(reason.to_owned())
    }

    pub(in crate::table) fn vocabulary(&self) -> &[String] {
        match *self {}
    }

    pub(in crate::table) fn unknown(&self) -> Option<u32> {
        match *self {}
    }

    pub(in crate::table) fn added(&self) -> usize {
        match *self {}
    }

    pub(in crate::table) fn encode(&self, _: &str) -> Result<Vec<u32>, String> {
        match *self {}
    }
}
