//! What is added to a tally at once.

use trainbook_core::batch::Targets;

/// The outputs of some rows, row-major, with their targets and weights.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub outputs: &'a [f32],
    pub targets: &'a Targets,
    pub weights: Option<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// The logits, the class and the weight of each row or position. Those of weight 0 are left
    /// out.
    pub fn classes(self, width: usize) -> impl Iterator<Item = (&'a [f32], usize, f64)> {
        let classes: &[u32] = match self.targets {
            Targets::Classes(classes) => classes,
            Targets::Values(_) => &[],
        };
        let rows = self.outputs.chunks_exact(width.max(1)).zip(classes).zip(self.each_weight());
        rows.map(|((row, class), weight)| (row, *class as usize, weight)).filter(|row| row.2 != 0.0)
    }

    /// Each output, its value and its weight, and which of the `width` outputs of a row it is.
    /// Those of weight 0 are left out.
    pub fn columns(self, width: usize) -> impl Iterator<Item = (usize, f64, f64, f64)> {
        let width = width.max(1);
        let each = self.every().enumerate().filter(|(_, (_, _, weight))| *weight != 0.0);
        each.map(move |(at, (x, y, weight))| (at % width, x, y, weight))
    }

    /// Each output, its value and its weight. Those of weight 0 are left out.
    pub fn values(self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.every().filter(|each| each.2 != 0.0)
    }

    /// Each output, its value and its weight, also those of weight 0.
    pub fn every(self) -> impl Iterator<Item = (f64, f64, f64)> {
        let values: &[f32] = match self.targets {
            Targets::Values(values) => values,
            Targets::Classes(_) => &[],
        };
        let each = self.outputs.iter().zip(values).zip(self.each_weight());
        each.map(|((x, y), weight)| (f64::from(*x), f64::from(*y), weight))
    }

    /// A weight for each target: 1 where none are given.
    fn each_weight(self) -> impl Iterator<Item = f64> {
        let ones = if self.weights.is_none() { usize::MAX } else { 0 };
        let given = self.weights.unwrap_or_default().iter().map(|weight| f64::from(*weight));
        given.chain(std::iter::repeat_n(1.0, ones))
    }
}
