//! Whether a network that is to predict what comes next can see it.

use trainbook_core::array::Array;

use crate::Error;
use crate::task::Model;

/// The first position whose output changes with the last index of the window, if there is one in
/// front of the last: such a network learns to copy its target, and has nothing to copy when it
/// writes. Tried in evaluation on one window of `context` indices below `vocabulary`.
pub(super) fn sees_ahead(
    model: &dyn Model,
    context: usize,
    vocabulary: usize,
) -> Result<Option<usize>, Error> {
    let [positions, width] = *model.output_shape() else { return Ok(None) };
    if positions != context || context < 2 || vocabulary < 2 {
        return Ok(None);
    }
    let index = |at: usize| ((at * 7 + 3) % vocabulary) as i64;
    let mut window: Vec<i64> = (0..context).map(index).collect();
    let before = model.predict(&Array::i64([1, context], window.clone()))?;
    window[context - 1] = (window[context - 1] + 1) % vocabulary as i64;
    let after = model.predict(&Array::i64([1, context], window))?;
    let rows = before.floats().chunks(width).zip(after.floats().chunks(width));
    let differs = |(a, b): (&[f32], &[f32])| {
        a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-6 * (1.0 + a.abs()))
    };
    let first = rows.map(differs).position(|differs| differs);
    Ok(first.filter(|&position| position + 1 < context))
}
