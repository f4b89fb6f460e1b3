//! JSON: whole runs, with every point and event.
//!
//! The documents are those of [`RunRecord`]'s `Serialize`. JSON has no NaN and no infinity;
//! [`NonFinite`] says what stands in their place.

use std::io::{self, Write};

use serde::Serialize;

use super::failed;
use super::tree::Tree;
use crate::error::Result;
use crate::record::RunRecord;

/// How a number that JSON does not have is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// As the text `"NaN"`, `"Infinity"` or `"-Infinity"`, as Protocol Buffers do; `float()` of
    /// Python reads all three. Nothing is lost.
    #[default]
    Text,
    /// As `null`, as everywhere else in trainbook. What it was is lost.
    Null,
}

/// Writes one run as a JSON document with a line end after it.
///
/// # Errors
/// [`StoreError::Export`](crate::StoreError::Export) when `out` refuses.
pub fn run(record: &RunRecord, non_finite: NonFinite, mut out: impl Write) -> Result<()> {
    document(record, non_finite, &mut out)?;
    end(out)
}

/// Writes runs as one JSON array, a run on each line.
///
/// # Errors
/// The first error of `records`, and [`StoreError::Export`](crate::StoreError::Export) when `out`
/// refuses.
pub fn runs(
    records: impl IntoIterator<Item = Result<RunRecord>>,
    non_finite: NonFinite,
    mut out: impl Write,
) -> Result<()> {
    let mut before: &[u8] = b"[\n";
    for record in records {
        out.write_all(before).map_err(failed("JSON"))?;
        document(&record?, non_finite, &mut out)?;
        before = b",\n";
    }
    out.write_all(if before == b"[\n" { b"[]" } else { b"\n]" }).map_err(failed("JSON"))?;
    end(out)
}

fn document(record: &impl Serialize, non_finite: NonFinite, out: &mut impl Write) -> Result<()> {
    match non_finite {
        NonFinite::Null => serde_json::to_writer(out, record).map_err(failed("JSON")),
        NonFinite::Text => {
            let tree = Tree::of(record).map_err(io::Error::other).map_err(failed("JSON"))?;
            serde_json::to_writer(out, &tree).map_err(failed("JSON"))
        }
    }
}

fn end(mut out: impl Write) -> Result<()> {
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed("JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples;
    use super::*;
    use crate::error::StoreError;

    fn read(write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Value {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        assert_eq!(bytes.last(), Some(&b'\n'));
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn numbers_that_json_lacks_are_kept_as_text() {
        let whole = read(|out| run(&samples::odd(), NonFinite::Text, out));
        assert_eq!(
            whole["series"]["loss"],
            json!([[1, 0.1], [2, "NaN"], [2, "Infinity"], [3, "-Infinity"], [4, 1e300]])
        );
        assert_eq!(whole["summary"]["params"], json!({"lr": "Infinity", "on": true}));
        assert_eq!(whole["events"][0]["event"]["evaluation"]["metrics"][0]["value"], "NaN");
        assert_eq!(whole["summary"]["seed"], u64::MAX);
    }

    #[test]
    fn apart_from_them_both_ways_write_the_same() {
        let record =
            samples::record(1, &[("lr", 1.0.into()), ("n", 3.into())], &[("loss", 1, 0.25)]);
        let text = read(|out| run(&record, NonFinite::Text, out));
        assert_eq!(text, read(|out| run(&record, NonFinite::Null, out)));
        assert_eq!(text, serde_json::to_value(&record).unwrap());
        let null = read(|out| run(&samples::odd(), NonFinite::Null, out));
        assert_eq!(null["series"]["loss"][1], json!([2, null]));
    }

    #[test]
    fn many_runs_are_one_array() {
        assert_eq!(read(|out| runs([], NonFinite::Text, out)), json!([]));
        let records = [Ok(samples::odd()), Ok(samples::odd())];
        let both = read(|out| runs(records, NonFinite::Text, out));
        let one = read(|out| run(&samples::odd(), NonFinite::Text, out));
        assert_eq!(both, json!([one, one]));
    }

    #[test]
    fn an_error_of_the_store_and_one_of_the_disk_come_through() {
        let missing = || StoreError::BadRunId { text: "x".into() };
        let error =
            runs([Ok(samples::odd()), Err(missing())], NonFinite::Text, Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), missing().to_string());
        let error = run(&samples::odd(), NonFinite::Text, &mut [0; 10][..]).unwrap_err();
        assert!(error.to_string().starts_with("write the JSON export: "), "{error}");
    }
}
