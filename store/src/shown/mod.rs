//! How the values of a store show themselves as text: in a terminal, in a notebook's cell, in a log.
//!
//! A value that is one thing is one line. One that has parts is lines, a name and a value each, the
//! values below each other, times in UTC, lengths of time and sizes with their unit, numbers with six
//! digits. Text that people or files gave stands on one line and is cut where it is long; whoever
//! needs all of it, or every digit, asks the fields or JSON.

mod environment;
mod event;
mod history;
mod parts;
mod record;
mod summary;

#[cfg(test)]
mod tests;
