//! The fields that every run has, or may have: `field::seed()` is `seed` in a query.

use super::kind::{Number, Text, Time};
use super::typed::{Field, path};

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $kind:ty)+) => {$(
        $(#[$doc])*
        pub fn $name() -> Field<$kind> {
            Field::new(path([stringify!($name).to_owned()]))
        }
    )+};
}

fields! {
    /// The run's id.
    id: Text
    /// The name that a person gave it; null where nobody did.
    name: Text
    /// The network, as text.
    model: Text
    /// The id of the run on which it went on; null where it began by itself.
    parent: Text
    /// What has become of it: one of [`RunState::NAMES`](crate::RunState::NAMES).
    state: Text
    /// What is wrong with its journal; null where nothing is.
    damage: Text
    /// The seed of every random stream.
    seed: Number
    /// Seconds from start to end; null while it runs and when it crashed.
    seconds: Number
    /// Updates applied.
    steps: Number
    /// Epochs finished.
    epochs: Number
    /// How many warnings its events hold.
    warnings: Number
    /// When it started.
    started_at: Time
}
