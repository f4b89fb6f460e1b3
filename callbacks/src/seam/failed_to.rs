//! Errors of any kind as a callback's own, so that `?` works inside one.

use std::error::Error;
use std::fmt::Display;

use super::CallbackError;

/// Says what was being done when something failed, and makes a [`CallbackError`] of it. Works on
/// every error that is `Send + Sync + 'static`, and on a missing value.
///
/// `?` alone is enough for text, for a boxed error and for the standard library's errors of reading,
/// writing and parsing.
///
/// ```
/// use trainbook_callbacks::{FailedTo, Flow, on_epoch_end};
///
/// let limit = on_epoch_end(|epoch| {
///     let text = std::fs::read_to_string("limit.txt").failed_to("read the limit")?;
///     let limit: f64 = text.trim().parse()?;
///     let loss = epoch.metric("train_loss").failed_to("find the loss")?;
///     Ok(if loss < limit { Flow::stop("good enough") } else { Flow::Continue })
/// });
/// ```
///
/// The fit then fails with "run callback on_epoch_end: read the limit: No such file or directory".
pub trait FailedTo<T> {
    /// The value, or an error that finishes the sentence "failed to …" with `action` and, where there
    /// is one, the reason.
    ///
    /// # Errors
    /// There is no value.
    fn failed_to(self, action: impl Display) -> Result<T, CallbackError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> FailedTo<T> for Result<T, E> {
    fn failed_to(self, action: impl Display) -> Result<T, CallbackError> {
        self.map_err(|error| {
            CallbackError::Custom(format!("{action}: {}", in_words(&*error.into())))
        })
    }
}

impl<T> FailedTo<T> for Option<T> {
    fn failed_to(self, action: impl Display) -> Result<T, CallbackError> {
        self.ok_or_else(|| CallbackError::Custom(action.to_string()))
    }
}

/// What an error says, and behind it what its causes say, where it does not say that itself.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

impl From<&str> for CallbackError {
    fn from(message: &str) -> Self {
        Self::Custom(message.to_owned())
    }
}

impl From<String> for CallbackError {
    fn from(message: String) -> Self {
        Self::Custom(message)
    }
}

/// What is a [`CallbackError`] in the box stays one.
impl From<Box<dyn Error + Send + Sync>> for CallbackError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        error.downcast().map_or_else(|error| Self::Custom(in_words(&*error)), |own| *own)
    }
}

/// What is a [`CallbackError`] in the box stays one.
impl From<Box<dyn Error>> for CallbackError {
    fn from(error: Box<dyn Error>) -> Self {
        error.downcast().map_or_else(|error| Self::Custom(in_words(&*error)), |own| *own)
    }
}

/// A conversion from every error type at once would be one from [`CallbackError`] too, which exists.
macro_rules! from_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for CallbackError {
            fn from(error: $error) -> Self {
                Self::Custom(in_words(&error))
            }
        }
    )*};
}

from_errors!(
    std::char::ParseCharError,
    std::env::VarError,
    std::fmt::Error,
    std::io::Error,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::sync::mpsc::RecvError,
    std::sync::mpsc::RecvTimeoutError,
    std::time::SystemTimeError
);

/// A lock whose holder panicked.
impl<T> From<std::sync::PoisonError<T>> for CallbackError {
    fn from(error: std::sync::PoisonError<T>) -> Self {
        Self::Custom(error.to_string())
    }
}

/// A channel that nobody reads.
impl<T> From<std::sync::mpsc::SendError<T>> for CallbackError {
    fn from(error: std::sync::mpsc::SendError<T>) -> Self {
        Self::Custom(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::{Flow, on_step_end};

    /// What the fit fails with when a callback meets this.
    fn failure(meet: fn() -> Result<(), CallbackError>) -> String {
        let mut fake = Fake::with(on_step_end(move |_| {
            meet()?;
            Ok(Flow::Continue)
        }));
        fake.fit(1);
        let error = fake.seen.error.unwrap();
        error.strip_prefix("run callback on_step_end: ").unwrap_or(&error).to_owned()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the sensor is off")]
    struct Off(#[source] std::num::ParseIntError);

    fn off() -> Off {
        Off("x".parse::<i32>().unwrap_err())
    }

    #[test]
    fn the_question_mark_works_on_text_boxes_and_the_usual_errors() {
        assert_eq!(failure(|| Err("too warm")?), "too warm");
        assert_eq!(failure(|| Err(format!("too warm by {}", 3))?), "too warm by 3");
        assert_eq!(failure(|| Err(Box::<dyn Error>::from("boxed"))?), "boxed");
        let sent = || Err(Box::<dyn Error + Send + Sync>::from(off()))?;
        assert_eq!(failure(sent), "the sensor is off: invalid digit found in string");
        let parsed = || Ok("x".parse::<f64>().map(drop)?);
        assert_eq!(failure(parsed), "invalid float literal");
        let read = || Ok(std::fs::read("no such folder/file").map(drop)?);
        assert!(failure(read).contains("os error"), "{}", failure(read));
        let sent = || {
            let (sender, receiver) = std::sync::mpsc::channel();
            drop(receiver);
            Ok(sender.send(1)?)
        };
        assert_eq!(failure(sent), "sending on a closed channel");
    }

    #[test]
    fn what_failed_is_said_of_any_error_and_of_a_missing_value() {
        assert_eq!(
            failure(|| Err(off()).failed_to("look at the oven")),
            "look at the oven: the sensor is off: invalid digit found in string"
        );
        assert_eq!(failure(|| Err("no").failed_to(format!("bake {}", 7))), "bake 7: no");
        assert_eq!(failure(|| None.failed_to("find the oven")), "find the oven");
        assert_eq!(Some(3).failed_to("find the oven").unwrap(), 3);
        assert_eq!(Ok::<_, Off>(3).failed_to("find the oven").unwrap(), 3);
    }

    #[test]
    fn an_error_of_this_crate_stays_what_it_is() {
        let store = || CallbackError::NeedsStore { callback: "mine".to_owned() };
        let needs = "plan the callbacks: mine needs a run store; add `.store(&store)`";
        assert_eq!(CallbackError::from(Box::<dyn Error>::from(store())).to_string(), needs);
        let sent = CallbackError::from(Box::<dyn Error + Send + Sync>::from(store()));
        assert!(matches!(sent, CallbackError::NeedsStore { .. }), "{sent}");
    }

    #[test]
    fn a_cause_that_is_told_already_is_not_told_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("read the limit: {0}")]
        struct Told(#[source] Off);
        assert_eq!(
            in_words(&Told(off())),
            "read the limit: the sensor is off: invalid digit found in string"
        );
    }
}
