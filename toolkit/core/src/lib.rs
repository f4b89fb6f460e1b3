//! Plain values that every part of trainbook knows, so that the parts need not know each other.
//!
//! | | |
//! |---|---|
//! | [`array`] | numbers with a shape: what goes into a network and comes out |
//! | [`batch`] | what one training step sees: data makes it, a network takes it |
//! | [`beside`] | files and folders that get their name when they are whole |
//! | [`bundle`] | what a notebook or a terminal shows of a value |
//! | [`nearest`] | the name that somebody may have meant |
//! | [`quantile`] | quantiles, as numpy's |
//! | [`random`] | the keyed streams from which all randomness comes |
//! | [`simd`] | loops by the widest instructions there are |
//! | [`text_table`] | a table as aligned text and as HTML |
//! | [`user_cache`] | where a user keeps what all projects share |

pub mod array;
pub mod batch;
pub mod beside;
pub mod bundle;
pub mod nearest;
pub mod quantile;
pub mod random;
pub mod simd;
pub mod text_table;
pub mod user_cache;
