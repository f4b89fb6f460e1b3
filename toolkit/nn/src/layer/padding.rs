//! How a convolution pads.

use serde::{Deserialize, Serialize};

use super::{Misfit, Pair};

/// How a convolution pads its input with zeros. In JSON a number, a pair, or "same".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Json<S>", into = "Json<S>")]
#[serde(bound(serialize = "S: Clone + Serialize", deserialize = "S: Deserialize<'de>"))]
pub enum Padding<S> {
    /// By so much on either side.
    By(S),
    /// So that the output is as large as the input: by dilation · (kernel − 1) in all, half of it
    /// in front; where that is odd, the rest is behind, as in PyTorch. With stride 1 only.
    Same,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, a pair of numbers, or \"same\"")]
enum Json<S> {
    Word(Word),
    By(S),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Same,
}

impl<S> From<Json<S>> for Padding<S> {
    fn from(json: Json<S>) -> Self {
        match json {
            Json::Word(Word::Same) => Self::Same,
            Json::By(by) => Self::By(by),
        }
    }
}

impl<S> From<Padding<S>> for Json<S> {
    fn from(padding: Padding<S>) -> Self {
        match padding {
            Padding::Same => Self::Word(Word::Same),
            Padding::By(by) => Self::By(by),
        }
    }
}

impl From<usize> for Padding<usize> {
    fn from(by: usize) -> Self {
        Self::By(by)
    }
}

macro_rules! pairs {
    ($($from:ty),+) => { $(
        impl From<$from> for Padding<Pair> {
            fn from(by: $from) -> Self {
                Self::By(by.into())
            }
        }
    )+ };
}
pairs!(Pair, usize, [usize; 2], (usize, usize));

impl<S> Padding<S> {
    /// How much goes in front and behind in the dimension that `of` picks, for a kernel of this
    /// size.
    ///
    /// # Errors
    /// The output cannot be as large as the input, for the stride is not 1.
    pub(super) fn sides(
        &self,
        of: impl Fn(&S) -> usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<[usize; 2], Misfit> {
        match self {
            Self::By(by) => Ok([of(by); 2]),
            Self::Same if stride > 1 => Err(Misfit::new(format!(
                "its padding \"same\" goes with stride 1 only, not {stride}; give it as a number"
            ))),
            Self::Same => {
                let all = dilation * kernel.saturating_sub(1);
                Ok([all / 2, all - all / 2])
            }
        }
    }
}
