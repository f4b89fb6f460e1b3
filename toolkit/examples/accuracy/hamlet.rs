//! Hamlet, character by character, and the network that learns it: two blocks of 128 features, 4 heads
//! and 256 hidden units on 64 characters.

use std::path::Path;

use trainbook::nn::layer::{LayerNorm, LearnedPositions, TransformerEncoderLayer};
use trainbook::prelude::*;

/// The text, of which the last tenth is for validation, and the network.
pub fn text_and_net(file: impl AsRef<Path>, seed: u64) -> Result<(Dataset, Sequential), Error> {
    let text = Dataset::text(file)?
        .characters(64, 1)?
        .split(Split::in_order(0.9, 0.1, 0.0), Seed(seed))?;
    let block = || TransformerEncoderLayer::new(4, 256).norm_first().causal().dropout(0.0);
    let characters = text.classes().unwrap_or(0);
    let net = Sequential::new()
        .embedding(characters, 128)
        .with(LearnedPositions::new(64))
        .with(block())
        .with(block())
        .with(LayerNorm::new())
        .linear(characters);
    Ok((text, net))
}
