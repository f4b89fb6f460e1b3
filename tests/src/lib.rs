//! What the README and the book show is tested in `tests/tests`. The end-to-end tests are beside
//! the command, in `toolkit/cli/tests`.
