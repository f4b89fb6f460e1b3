//! What one sample looks like between two layers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::misfit::{Fault, Misfit};

/// Shape and kind of one sample, without the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its dimensions: `[features]`, `[channels, length]`, `[channels, height, width]`,
    /// `[sequence, features]`.
    pub shape: Vec<usize>,
    /// Whether it holds numbers or indices, such as tokens.
    #[serde(default)]
    pub kind: Kind,
    /// What stands for nothing among the indices that the network begins with, if its first
    /// dimension is still theirs, or some of them behind each other: the layers in between have
    /// kept the positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<PaddingIndex>,
}

/// An index that fills sequences up to their length and stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaddingIndex {
    /// The index.
    pub index: usize,
    /// All indices are below this.
    pub num_embeddings: usize,
    /// How many indices a sample of the network has.
    pub positions: usize,
    /// Which of them is the first that is left; behind it are as many as the first dimension says.
    pub first: usize,
}

impl PaddingIndex {
    /// The same from the position number `skipped` on.
    #[must_use]
    pub fn behind(self, skipped: usize) -> Self {
        Self { first: self.first + skipped, ..self }
    }
}

/// What a sample holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Real numbers.
    #[default]
    Numbers,
    /// Whole numbers from 0, which an embedding looks up.
    Indices,
}

impl Sample {
    /// Numbers of this shape.
    pub fn numbers(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), kind: Kind::Numbers, padding: None }
    }

    /// Indices of this shape.
    pub fn indices(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), kind: Kind::Indices, padding: None }
    }

    /// The same, whose positions are those of the network's indices, of which `padding` stands for
    /// nothing.
    #[must_use]
    pub fn padded(mut self, padding: Option<PaddingIndex>) -> Self {
        self.padding = padding;
        self
    }

    /// Whether both have one shape and hold the same kind, whatever is padding.
    pub fn is_like(&self, other: &Self) -> bool {
        self.shape == other.shape && self.kind == other.kind
    }

    /// What is padding in this and `other` behind it, if they are the network's positions one behind
    /// the other.
    pub(crate) fn padding_before(&self, other: &Self) -> Option<PaddingIndex> {
        let (first, second) = (self.padding?, other.padding?);
        let length = self.shape.first().copied().unwrap_or(0);
        (first.behind(length) == second).then_some(first)
    }

    /// What is padding in the sum of both: in both the same, or in one of them.
    pub(crate) fn common_padding(&self, other: &Self) -> Option<PaddingIndex> {
        match (self.padding, other.padding) {
            (Some(a), Some(b)) => Some(a).filter(|_| a == b),
            (a, b) => a.or(b),
        }
    }

    /// For each position of each sample whether it is padding, where `tokens` are the network's
    /// indices.
    pub(crate) fn is_padding(&self, tokens: Option<&[usize]>) -> Result<Option<Vec<bool>>, Fault> {
        let Some(PaddingIndex { index, positions, first, .. }) = self.padding else {
            return Ok(None);
        };
        let length = self.shape.first().copied().unwrap_or(0);
        match tokens {
            Some(tokens)
                if positions > 0
                    && first + length <= positions
                    && tokens.len().is_multiple_of(positions) =>
            {
                let samples = tokens.chunks_exact(positions);
                let left = samples.flat_map(|sample| &sample[first..first + length]);
                Ok(Some(left.map(|token| *token == index).collect()))
            }
            _ => Err(Fault::new("its positions are not those of the network's indices")),
        }
    }

    /// How many entries it has.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The dimensions, if there are `N` of them and they are of numbers.
    ///
    /// # Errors
    /// Otherwise: `takes` says what is wanted, for example "[channels, height, width]".
    pub fn dims<const N: usize>(&self, takes: &str) -> Result<[usize; N], Misfit> {
        match self.as_numbers(takes)?.try_into() {
            Ok(dims) => Ok(dims),
            Err(_) => Err(Misfit::new(format!("it takes {takes}"))),
        }
    }

    /// The dimensions, if they are of numbers and there is at least one.
    ///
    /// # Errors
    /// Otherwise: `takes` says what is wanted.
    pub fn as_numbers(&self, takes: &str) -> Result<&[usize], Misfit> {
        match self.kind {
            Kind::Numbers if !self.shape.is_empty() => Ok(&self.shape),
            Kind::Numbers => Err(Misfit::new(format!("it takes {takes}"))),
            Kind::Indices => Err(Misfit::new(format!(
                "it takes numbers, {takes}; an Embedding makes numbers of indices"
            ))),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let kind = if self.kind == Kind::Indices { " of indices" } else { "" };
        write!(f, "[{}]{kind}", dims.join(", "))
    }
}
