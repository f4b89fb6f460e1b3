//! A web page over the run store, for the machine on which it runs: a table of runs with search in
//! the store's query language, curves while they grow, two runs side by side, one run whole.
//!
//! ```no_run
//! use trainbook_board::{Board, Options};
//! use trainbook_store::Store;
//!
//! let board = Board::bind(Store::open_existing(".trainbook")?, &Options::default())?;
//! println!("{}", board.url());
//! board.serve();
//! # #[allow(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The store is only read. What is served needs no other machine: the page, its script and plotly.js
//! are in the program.
//!
//! # What it guards against
//!
//! - **Other users and programs**: every request needs the token of [`Board::url`], drawn anew for
//!   each board; see `access.rs`.
//! - **Pages of other sites in the same browser**: the name in `Host` must be one of this machine,
//!   so that no foreign name can be made to point here (DNS rebinding), and nothing allows another
//!   origin to read an answer.
//! - **What runs recorded**: names, parameters and notes reach the page as JSON and become text
//!   nodes, never markup. A Content-Security-Policy forbids scripts in the page and every outside
//!   source besides.
//! - **Slow and endless requests**: limits on size, time and number; see `http/mod.rs`.
//!
//! Start reading in `server.rs`; `api/mod.rs` lists the addresses.

mod access;
mod api;
mod error;
mod http;
mod page;
mod server;

pub use error::BoardError;
pub use server::{Board, Options};
