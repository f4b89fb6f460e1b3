//! Checks of settings, for `setup`.

use crate::CallbackError;

/// Refuses a `value` that is not `ok`; `callback`, `setting` and `expected` go into the message.
pub(crate) fn require(
    ok: bool,
    callback: &'static str,
    setting: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<(), CallbackError> {
    if ok {
        Ok(())
    } else {
        Err(CallbackError::Setting { callback, setting, value: value.to_string(), expected })
    }
}
