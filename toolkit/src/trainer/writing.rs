//! A network of characters writes.

use trainbook_core::array::Array;

use super::Run;
use crate::Error;
use crate::data::DataError;
use crate::random::{Seed, Stream};

impl Run {
    /// Lets a network that was trained on text write: `prompt` and `length` characters behind it,
    /// each drawn from the stream `write` of `seed` with the probabilities that the network gives
    /// it, softmax(logits / `temperature`). At temperature 0 the most probable one is taken.
    ///
    /// # Errors
    /// The network was not trained on text; the prompt is empty or has characters that it has never
    /// seen; the temperature is negative or not finite.
    pub fn write(
        &self,
        prompt: &str,
        length: usize,
        temperature: f64,
        seed: Seed,
    ) -> Result<String, Error> {
        let refuse = |reason: &str| {
            Err(DataError::Refused { action: "write from", reason: reason.to_owned() }.into())
        };
        if !self.data.is_a_text() {
            return refuse("the network was not trained on a text of characters");
        }
        let mut text = self.data.encode(prompt)?;
        if text.is_empty() {
            return refuse("the prompt is empty, and the first character must follow on something");
        }
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(Error::Setting {
                setting: "temperature",
                value: temperature.to_string(),
                expected: "0 or a positive number".to_owned(),
            });
        }
        let characters = self.data.class_names();
        let context = self.data.shape().first().copied().unwrap_or(1);
        for written in 0..length {
            let from = text.len().saturating_sub(context);
            let at = text.len() - from - 1;
            let mut window = text[from..].to_vec();
            // A position sees only those before it, so what stands behind the last one is all the
            // same.
            window.resize(context, 0);
            let logits = self.model.predict(&Array::i64([1, context], window))?;
            let width = logits.shape.last().copied().unwrap_or(1);
            let Some(row) = logits.floats().chunks_exact(width).nth(at) else {
                return refuse("the network does not give a character for every position");
            };
            let drawn = Stream::new(seed, "write").at(0, written as u64).unit();
            text.push(draw(row, temperature, drawn) as i64);
        }
        let name = |token: &i64| characters.get(*token as usize).cloned().unwrap_or_default();
        Ok(text.iter().map(name).collect())
    }
}

/// Which of these logits `drawn`, from 0 to 1, falls to.
fn draw(logits: &[f32], temperature: f64, drawn: f64) -> usize {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if temperature == 0.0 {
        return logits.iter().position(|x| *x == largest).unwrap_or_default();
    }
    let weights: Vec<f64> =
        logits.iter().map(|x| (f64::from(x - largest) / temperature).exp()).collect();
    let mut left = drawn * weights.iter().sum::<f64>();
    for (i, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    weights.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn characters_are_drawn_as_often_as_they_are_probable() {
        let logits = [0.0_f32, 2.0_f32.ln(), f32::NEG_INFINITY, 1.0_f32.ln()];
        assert_eq!(draw(&logits, 1.0, 0.0), 0);
        assert_eq!(draw(&logits, 1.0, 0.26), 1);
        assert_eq!(draw(&logits, 1.0, 0.74), 1);
        assert_eq!(draw(&logits, 1.0, 0.76), 3);
        assert_eq!(draw(&logits, 0.0, 0.99), 1);
    }
}
