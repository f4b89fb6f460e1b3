//! `trainbook board`.

use serde::Serialize;
use trainbook::Error;
use trainbook_board::{Board, Options};

use crate::{Shared, output};

/// A web page over the store, until Ctrl-C: the table of runs with search in the query language,
/// curves while they grow, what differs between two runs, one run whole. The store is only read, and
/// nothing leaves this machine.
#[derive(clap::Args)]
pub struct Arguments {
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen on; any but that of this machine alone lets other machines read the
    /// store, if they have the token
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Answer without the token in the address, on this machine alone
    #[arg(long)]
    no_token: bool,
    #[command(flatten)]
    shared: Shared,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Opened {
    url: String,
}

pub fn run(Arguments { port, host, no_token, shared }: Arguments) -> Result<(), Error> {
    let options = Options { host, port, token: !no_token };
    let board = Board::bind(shared.open_store()?, &options).map_err(|error| Error::Diagnostic {
        diagnostic: "open the board",
        reason: error.to_string(),
    })?;
    output::print(shared.json, &Opened { url: board.url() }, |Opened { url }| {
        format!("{url}\nOpen it in a browser; Ctrl-C ends it.")
    })?;
    board.serve()
}
