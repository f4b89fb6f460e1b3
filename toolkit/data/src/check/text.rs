//! How much text there is.

use super::Seen;
use crate::DataError;
use crate::report::{Finding, Severity};

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let Some(tokens) = seen.data.tokens() else { return Ok(Vec::new()) };
    let (characters, vocabulary) = (tokens.tokens.len(), tokens.vocabulary.len());
    let text = format!(
        "{characters} characters, {vocabulary} different ones, in windows of {} that begin every {}",
        tokens.context(),
        tokens.stride
    );
    Ok(vec![
        Finding::new(Severity::Note, text)
            .evidence("characters", characters as f64)
            .evidence("vocabulary", vocabulary as f64),
    ])
}
