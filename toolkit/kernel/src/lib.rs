//! The Jupyter kernel "Rust (trainbook)": [evcxr](https://github.com/evcxr/evcxr), launched so that
//! notebooks start fast, live side by side and keep their variables when they are interrupted.
//!
//! [`launch::run`] is what Jupyter starts, [`install::install`] what a user calls once,
//! [`doctor::examine`] what tells what is wrong. None of them knows how networks are trained.
//!
//! # Who talks to whom
//!
//! ```text
//! Jupyter ── SIGINT, SIGTERM ──▶ trainbook kernel run         in Jupyter's process group
//!    │                             │    └ guard (sh)           ends evcxr if the launcher is killed
//!    │                             ▼ in a process group of its own
//!    └──── its own channels ────▶ evcxr_jupyter
//!                                   ├ its runtime              the cells' code, their variables, the fits
//!                                   └ cargo, rustc             while a cell is compiled
//! ```
//!
//! # How a fit is asked to stop
//!
//! One file, whose path is in the environment as `TRAINBOOK_STOP_FILE`, in both directions:
//!
//! | who | does | means |
//! |---|---|---|
//! | the trainer, as the first of its process's fits begins | opens the file (and creates it), takes its lock (`flock`) *shared*, then empties it | a fit runs, and nobody has asked it to stop |
//! | the trainer, after a step | looks at the length of the open file, at most four times a second | if it is not 0, the fit stops behind this step, as by Ctrl-C |
//! | the trainer, as the last of them ends | gives the lock back; so does the system when the process dies | no fit runs |
//! | whoever wants the fit to stop | tries the lock *exclusively* and gives it back at once; if it is held, writes a line into the file | asked |
//!
//! A fit that ends while it is being asked leaves a line that the next one removes before it looks:
//! a request never reaches a fit that was not running. Without the variable nothing is opened.
//!
//! # Folders
//!
//! Below the user's cache folder (`$XDG_CACHE_HOME/trainbook`, `~/.cache/trainbook`):
//!
//! ```text
//! seeds/<key>/           what was compiled ahead: seed.json, evcxr's working folder work/, the
//!                        versions of all packages in Cargo.lock
//! seeds/<key>-facade/    the crate that notebooks depend on
//! seeds/current          the key of the one that new kernels begin with
//! kernels/<id>/          one for each living kernel: work/, config/evcxr.toml, stop
//! kernels/<id>.lock      held by the launcher as long as it lives
//! evcxr_jupyter-0.22.0/  the program, if `install` had to build it
//! ```
//!
//! `seeds/<key>/work` and `kernels/<id>/work` are equally deep on purpose: the library finds Rust's
//! own by a path relative to itself.
#![cfg(unix)]

pub mod doctor;
mod error;
pub mod evcxr;
mod facade;
mod folders;
pub mod install;
mod interrupt;
pub mod launch;
mod library;
mod pins;
mod prelude;
mod process;
mod seed;
pub mod spec;
mod stop_file;
mod toml;
mod toolchain;
mod tree;
mod working;

pub use error::Error;
pub use folders::Folders;
pub use library::Library;
pub use seed::{Seed, SeedState};
pub use stop_file::{STOP_FILE, StopFile};
pub use toolchain::Toolchain;
