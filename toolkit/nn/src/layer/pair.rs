//! A number for the height and one for the width.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number for the height and one for the width, such as a kernel's size. Made of one number where
/// both are the same. In JSON `[height, width]`, or one number.
///
/// ```
/// use trainbook_nn::layer::Pair;
///
/// assert_eq!(Pair::from(3), Pair::from((3, 3)));
/// assert_eq!(serde_json::to_string(&Pair::from([3, 5])).unwrap(), "[3,5]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrTwo", into = "[usize; 2]")]
pub struct Pair {
    /// For the height.
    pub height: usize,
    /// For the width.
    pub width: usize,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or [height, width]")]
enum OneOrTwo {
    One(usize),
    Two([usize; 2]),
}

impl From<OneOrTwo> for Pair {
    fn from(value: OneOrTwo) -> Self {
        match value {
            OneOrTwo::One(both) => both.into(),
            OneOrTwo::Two(two) => two.into(),
        }
    }
}

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self { height: both, width: both }
    }
}

impl From<[usize; 2]> for Pair {
    fn from([height, width]: [usize; 2]) -> Self {
        Self { height, width }
    }
}

impl From<(usize, usize)> for Pair {
    fn from((height, width): (usize, usize)) -> Self {
        Self { height, width }
    }
}

impl From<Pair> for [usize; 2] {
    fn from(pair: Pair) -> Self {
        [pair.height, pair.width]
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}
