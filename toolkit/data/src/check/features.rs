//! Features that are not on a common scale.

use super::{Seen, list};
use crate::DataError;
use crate::report::{FeatureSummary, Finding, Severity};

/// A normalised feature's standard deviation over the training part may be this large before it
/// counts as unscaled.
const UNSCALED_STD: f64 = 3.0;
/// A normalised feature's values may be this far from 0 before it counts as unscaled.
const UNSCALED_VALUE: f64 = 100.0;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let far = |x: f32| f64::from(x.abs()) > UNSCALED_VALUE;
    let unscaled = |f: &&FeatureSummary| {
        f.std > UNSCALED_STD || far(f.normalized_min) || far(f.normalized_max)
    };
    let features = || {
        let each = seen.report.features.iter().enumerate();
        each.filter(|(at, _)| !seen.is_category(*at)).map(|(_, feature)| feature).filter(unscaled)
    };
    let Some(names) = list(features().map(|feature| feature.name.as_str())) else {
        return Ok(Vec::new());
    };
    let text = format!(
        "unscaled features: {names} (a standard deviation above {UNSCALED_STD} or values beyond \
         ±{UNSCALED_VALUE} after normalisation)"
    );
    Ok(vec![
        Finding::new(Severity::Warning, text)
            .evidence("features", features().count() as f64)
            .evidence("largest_std", features().map(|feature| feature.std).fold(0.0, f64::max))
            .cure(".normalize(Normalize::standard()), or Normalize::divide_by for a known range"),
    ])
}
