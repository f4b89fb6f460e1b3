//! Mistakes on the command line, told in one line each.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::output;

/// Prints help where it was asked for, else one line that names the mistake and the nearest right
/// thing.
pub fn report(error: &Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe leaves nobody to tell.
        let _ = error.print();
        return ExitCode::from(u8::from(error.use_stderr()) * 2);
    }
    output::error(&line(error));
    ExitCode::from(2)
}

fn line(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let missing = error.kind() == ErrorKind::MissingRequiredArgument;
    let what = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) if missing => format!("missing {}", names.join(", ")),
        _ => first,
    };
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| match error.get(kind)? {
                ContextValue::String(name) => Some(name.clone()),
                ContextValue::Strings(names) => names.first().cloned(),
                _ => None,
            });
    let choice = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(names))
            if error.kind() == ErrorKind::InvalidValue && !names.is_empty() =>
        {
            Some(names)
        }
        _ => None,
    };
    match suggestion {
        Some(name) => format!("{what}; did you mean '{name}'?"),
        None if let Some(names) = choice => format!("{what}; there is {}", names.join(", ")),
        // It says what the value must be.
        None if error.kind() == ErrorKind::ValueValidation => what,
        None => format!("{what}; --help lists what there is"),
    }
}
