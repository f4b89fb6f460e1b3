//! What is known of a name while a file is translated.

use crate::graph::Value;

/// One of the four.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It depends on the input, and has this name in the graph.
    Flow(Value),
    Constant(Constant),
    /// Sizes of values, and what is computed of them: shapes of other values.
    Sizes(Sizes),
    /// One number everywhere, in a shape that depends on the inputs' sizes.
    Filled {
        number: f64,
        shape: Vec<Size>,
    },
}

/// The numbers of an initializer, or of what was computed of such.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// The number of its type in `onnx.proto`.
    pub element: i32,
    pub shape: Vec<usize>,
    pub numbers: Numbers,
}

/// Floats of every type, or integers and bools of every type: all of them exact.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

impl Numbers {
    /// Whether there is one number, perhaps many times.
    pub fn is_uniform(&self) -> bool {
        match self {
            Self::Floats(numbers) => {
                numbers.first().is_some_and(|first| numbers.iter().all(|number| number == first))
            }
            Self::Integers(numbers) => {
                numbers.first().is_some_and(|first| numbers.iter().all(|number| number == first))
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Floats(numbers) => numbers.len(),
            Self::Integers(numbers) => numbers.len(),
        }
    }
}

/// A size, fixed or chosen at a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Fixed(i64),
    Free(String),
}

/// A row of sizes, or one that stands alone (a scalar).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub alone: bool,
    pub sizes: Vec<Size>,
}

impl Sizes {
    pub fn row(sizes: Vec<Size>) -> Self {
        Self { alone: false, sizes }
    }

    /// All of them, if they are fixed.
    pub fn fixed(&self) -> Option<Vec<i64>> {
        let size = |size: &Size| match size {
            Size::Fixed(size) => Some(*size),
            Size::Free(_) => None,
        };
        self.sizes.iter().map(size).collect()
    }
}

impl Known {
    /// Integers of one dimension or none, as sizes.
    pub fn sizes(&self) -> Option<Sizes> {
        match self {
            Self::Sizes(sizes) => Some(sizes.clone()),
            Self::Constant(Constant { shape, numbers: Numbers::Integers(numbers), .. })
                if shape.len() <= 1 =>
            {
                let sizes = numbers.iter().map(|&size| Size::Fixed(size)).collect();
                Some(Sizes { alone: shape.is_empty(), sizes })
            }
            _ => None,
        }
    }

    /// A constant row of integers, or one alone.
    pub fn integers(&self) -> Option<Vec<i64>> {
        self.sizes()?.fixed()
    }
}
