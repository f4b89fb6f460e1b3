//! Windows of what is in order, divided so that none reaches over a cut.

/// What windows are cut from, and how.
pub(super) struct Cut<'a> {
    /// How many positions there are.
    pub positions: usize,
    /// The first position of each window, ascending.
    pub starts: &'a [usize],
    /// How many positions a window takes, its targets with it.
    pub reach: usize,
    /// How many positions are its targets, the last ones.
    pub judged: usize,
}

impl Cut<'_> {
    /// The windows of each part, if the positions are cut at these fractions. No window reaches over
    /// a cut, and behind the first part no two windows have a target in common, so that each is
    /// judged once.
    pub fn divide(&self, fractions: [f64; 3]) -> [Vec<usize>; 3] {
        let mut parts = [const { Vec::new() }; 3];
        let mut begin = 0;
        let mut sum = 0.0;
        for (number, (part, fraction)) in parts.iter_mut().zip(fractions).enumerate() {
            sum += fraction;
            // The last part ends where the positions do, whatever the fractions' rounding.
            let end = if sum > 1.0 - 1e-9 {
                self.positions
            } else {
                (self.positions as f64 * sum) as usize
            };
            let mut free = begin;
            for (row, &start) in self.starts.iter().enumerate() {
                let inside = start >= begin && start + self.reach <= end;
                if inside && (number == 0 || start >= free) {
                    part.push(row);
                    free = start + self.judged;
                }
            }
            begin = end;
        }
        parts
    }
}
