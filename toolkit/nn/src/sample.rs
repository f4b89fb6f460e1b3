//! What one sample looks like between two layers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::layer::Misfit;

/// Shape and kind of one sample, without the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its dimensions: `[features]`, `[channels, length]`, `[channels, height, width]`,
    /// `[sequence, features]`.
    pub shape: Vec<usize>,
    /// Whether it holds numbers or indices, such as tokens.
    #[serde(default)]
    pub kind: Kind,
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
        Self { shape: shape.into(), kind: Kind::Numbers }
    }

    /// Indices of this shape.
    pub fn indices(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), kind: Kind::Indices }
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
