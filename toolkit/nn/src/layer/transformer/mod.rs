//! Blocks of transformers: an encoder's and a decoder's.

mod decoder_layer;
mod encoder_layer;
mod options;
mod shortcut;

pub use decoder_layer::TransformerDecoderLayer;
pub use encoder_layer::TransformerEncoderLayer;
