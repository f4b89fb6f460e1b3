//! A text as numbers.

use super::recipe::Origin;

/// A text as numbers, and its windows.
pub(super) struct Tokens {
    pub origin: Origin,
    pub source: String,
    pub vocabulary: Vec<String>,
    pub tokens: Vec<u32>,
    pub context: usize,
    pub stride: usize,
    /// The first token of each window.
    pub starts: Vec<usize>,
}

impl Tokens {
    /// Writes the window of a row, and the tokens that follow each of its tokens.
    pub fn read(&self, row: usize, input: &mut [i64], targets: &mut Vec<u32>) {
        let start = self.starts[row];
        let window = &self.tokens[start..start + self.context + 1];
        input.iter_mut().zip(window).for_each(|(to, token)| *to = i64::from(*token));
        targets.extend_from_slice(&window[1..]);
    }

    /// The rows of each part, if the text is cut at these fractions: no window reaches over a cut,
    /// and behind the first part windows do not overlap.
    pub fn divide(&self, fractions: [f64; 3]) -> [Vec<usize>; 3] {
        let mut parts = [const { Vec::new() }; 3];
        let mut begin = 0;
        let mut sum = 0.0;
        for (number, (part, fraction)) in parts.iter_mut().zip(fractions).enumerate() {
            sum += fraction;
            // The last part ends where the text does, whatever the fractions' rounding.
            let end = if sum > 1.0 - 1e-9 {
                self.tokens.len()
            } else {
                (self.tokens.len() as f64 * sum) as usize
            };
            let mut free = begin;
            for (row, &start) in self.starts.iter().enumerate() {
                let inside = start >= begin && start + self.context < end;
                if inside && (number == 0 || start >= free) {
                    part.push(row);
                    free = start + self.context;
                }
            }
            begin = end;
        }
        parts
    }
}
