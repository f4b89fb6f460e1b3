//! What can go wrong with data, in one list.

use std::path::PathBuf;

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say
/// what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A data file was read, but does not hold what it should.
    #[error("read {} {place}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where in it, for example `line 17, column "age"`.
        place: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A data set cannot be used as asked.
    #[error("{action} the data: {reason}")]
    Refused {
        /// What was asked, for example "split".
        action: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A setting has a value that makes no sense.
    #[error("set {setting} to {value}: it must be {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: String,
    },
}
