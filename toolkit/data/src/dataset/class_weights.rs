//! How much each class should count where some are rare.

use crate::{Batch, DataError, Dataset, Part, Targets};

use super::read::ROWS_AT_ONCE;

impl Dataset {
    /// A weight for each class with which all classes count alike in the training part: `n / (C n_c)`
    /// of n targets, of which n_c are of the class and C classes, as scikit-learn's
    /// `class_weight="balanced"`. For `CrossEntropy::weight` or `Focal::weight`. Rows that count by
    /// weights are counted by them.
    ///
    /// # Errors
    /// Targets are no classes, a class has no row in the training part, or a row cannot be read.
    pub fn class_weights(&self) -> Result<Vec<f32>, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "weigh the classes of", reason });
        let Some(classes) = self.classes() else {
            return refuse("targets are values, not classes".to_owned());
        };
        let mut counts = vec![0.0_f64; classes];
        let (mut batch, mut found) = (Batch::default(), Targets::default());
        for rows in self.counting(Part::Train).chunks(ROWS_AT_ONCE) {
            match self.targets() {
                Some(all) => found.gather(all, rows, self.targets_per_row()),
                // Those of a text, for example, come with their inputs.
                None => {
                    self.read_raw(rows, &mut batch)?;
                    std::mem::swap(&mut found, &mut batch.targets);
                }
            }
            let Targets::Classes(found) = &found else { continue };
            let per_row = (found.len() / rows.len()).max(1);
            let weights = self.marks().weights.as_ref().filter(|_| self.is_weighed());
            for (at, class) in found.iter().enumerate() {
                let row = rows[at / per_row];
                counts[*class as usize] += weights.map_or(1.0, |all| f64::from(all[row]));
            }
        }
        if let Some(class) = counts.iter().position(|count| *count == 0.0) {
            let name = self.class_names().get(class).map_or("", String::as_str);
            return refuse(format!("class {name:?} has no row in the training part"));
        }
        let all: f64 = counts.iter().sum();
        Ok(counts.iter().map(|count| (all / (classes as f64 * count)) as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use trainbook_core::random::Seed;

    use crate::{Array, Dataset, Split, Targets};

    #[test]
    fn classes_count_alike() {
        let classes: Vec<u32> = (0..60).map(|row| [0, 0, 0, 1, 1, 2][row % 6]).collect();
        let make = |classes: Vec<u32>| {
            let features = (0..60).map(|i| i as f32).collect();
            Dataset::from_rows("uneven", 1, features, Targets::Classes(classes)).unwrap()
        };
        let data = make(classes.clone());
        // sklearn.utils.class_weight.compute_class_weight("balanced", …)
        assert_eq!(data.class_weights().unwrap(), [60.0 / 90.0, 1.0, 2.0]);
        // Of the training part alone.
        let split = Split::stratified(0.5, 0.25, 0.25);
        let half = data.clone().split(split, Seed(1)).unwrap();
        assert_eq!(half.class_weights().unwrap(), data.class_weights().unwrap());
        // By the rows' weights, if they count by them.
        let heavy = classes.iter().map(|class| if *class == 2 { 3.0 } else { 1.0 }).collect();
        let weighed = data.weights(heavy).unwrap();
        assert_eq!(weighed.class_weights().unwrap(), [60.0 / 90.0, 1.0, 2.0]);
        let weighed = weighed.weigh_rows().unwrap().class_weights().unwrap();
        assert_eq!(weighed, [80.0 / 90.0, 80.0 / 60.0, 80.0 / 90.0]);

        // Of several targets each counts by its row's weight; those of a text are read.
        let input = Array::f32([3, 1], vec![0.0, 1.0, 2.0]);
        let pairs = Array::i64([3, 2], vec![0, 0, 0, 1, 1, 1]);
        let pairs = Dataset::from_arrays("pairs", input, pairs).unwrap();
        assert_eq!(pairs.class_weights().unwrap(), [1.0, 1.0]);
        let pairs = pairs.weights(vec![1.0, 1.0, 3.0]).unwrap().weigh_rows().unwrap();
        assert_eq!(pairs.class_weights().unwrap(), [10.0 / 6.0, 10.0 / 14.0]);
        let text = Dataset::text_of("a text", "abab").characters(1, 1).unwrap();
        // What follows is b, a, b.
        assert_eq!(text.class_weights().unwrap(), [1.5, 0.75]);
        // A class that counts for nothing has no weight that makes up for it.
        let none = classes.iter().map(|class| if *class == 2 { 0.0 } else { 1.0 }).collect();
        let none = make(classes.clone()).weights(none).unwrap().weigh_rows().unwrap();
        let error = none.class_weights().unwrap_err().to_string();
        assert!(error.ends_with("class \"2\" has no row in the training part"), "{error}");

        let values = Targets::Values(vec![1.0, 2.0]);
        let values = Dataset::from_rows("values", 1, vec![1.0, 2.0], values).unwrap();
        let error = values.class_weights().unwrap_err().to_string();
        assert!(error.ends_with("targets are values, not classes"), "{error}");
    }

    #[test]
    fn without_inputs_nothing_is_left_of_them_but_the_targets() {
        let targets = Targets::Values(vec![1.0, 2.0, 3.0]);
        let data = Dataset::from_rows("rows", 2, vec![1.0; 6], targets).unwrap();
        let batch = data.clone().without_inputs().batch(&[2, 0]).unwrap();
        assert_eq!((batch.input.floats(), batch.input.rows()), (&[0.0; 4][..], 2));
        assert_eq!(batch.targets, Targets::Values(vec![3.0, 1.0]));
        assert_eq!(batch.samples, [2, 0]);
        assert_eq!(data.batch(&[1]).unwrap().input.floats(), [1.0; 2]);
        let hash = |data: &Dataset| data.fingerprint().unwrap().hash;
        let blank = data.clone().without_inputs();
        assert_ne!(hash(&blank), hash(&data));
        assert!(blank.recipe().without_inputs && !data.recipe().without_inputs);
        let tokens = Dataset::text_of("a text", "abcabcabc").characters(2, 1).unwrap();
        assert_eq!(tokens.without_inputs().batch(&[1]).unwrap().input.integers(), [0, 0]);
    }
}
