//! Why a board could not be opened.

use std::io;

/// Why a board could not be opened. Messages finish the sentence "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// The host is no name or address of this machine, or the port is taken.
    #[error("listen on {host} port {port}: {source}; choose another --host or --port")]
    Listen {
        /// The host that was asked for.
        host: String,
        /// The port that was asked for; 0 for any.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// Other machines could read the store without a token.
    #[error(
        "serve {host} without a token: other machines can reach it; leave out --no-token, or use --host 127.0.0.1"
    )]
    NeedsToken {
        /// The host that was asked for.
        host: String,
    },
    /// The system has no random numbers to make a token of.
    #[error("draw a random token: {source}")]
    Random {
        /// The system's answer.
        source: getrandom::Error,
    },
    /// The `plotly` crate brings plotly.js in a form that is not known.
    #[error("find plotly.js in the plotly crate; build with plotly 0.14")]
    Plotly,
}
