//! Which class was taken for which.

use trainbook_core::batch::Targets;

use crate::measure::{Counted, Tally, largest, with_classes};

/// How often each class was taken for each. What has no largest output is taken for nothing.
#[derive(Debug)]
pub(super) struct Confusion {
    classes: usize,
    /// By class, then by what it was taken for.
    counts: Vec<u64>,
    /// Rows of each class.
    rows: Vec<u64>,
}

impl Confusion {
    /// Begins to count; `value` is what it comes to.
    pub fn tally(classes: usize, value: impl Fn(&Self) -> f64 + 'static) -> Box<dyn Tally> {
        Box::new(Counted { counted: Self::new(classes), add: Self::add, value })
    }

    fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes], rows: vec![0; classes] }
    }

    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        for (row, class) in with_classes(outputs, self.classes, targets) {
            if class < self.classes {
                self.rows[class] += 1;
                if let Some(taken) = largest(row) {
                    self.counts[class * self.classes + taken] += 1;
                }
            }
        }
    }

    /// Of each class its rows, what was taken for it, and what was so rightly.
    pub fn each(&self) -> impl Iterator<Item = [f64; 3]> {
        (0..self.classes).map(|class| {
            let taken: u64 = self.counts.iter().skip(class).step_by(self.classes).sum();
            let right = self.counts[class * self.classes + class];
            [self.rows[class] as f64, taken as f64, right as f64]
        })
    }
}
