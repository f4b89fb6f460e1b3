//! CSV: a table of runs, or their points. UTF-8, comma, a header line, quotes only where they are
//! needed.
//!
//! Numbers are the shortest decimals that read back as the same number. NaN is `NaN`, the
//! infinities are `inf` and `-inf`; a missing value is empty. Times are RFC 3339 in UTC.

use std::io::Write;

use super::failed;
use super::table::{self, Cells};
use crate::error::Result;
use crate::record::RunRecord;
use crate::summary::RunSummary;

/// Writes the table of runs that [`export`](super) describes.
///
/// # Errors
/// [`StoreError::Export`](crate::StoreError::Export) when `out` refuses.
pub fn runs(runs: &[RunSummary], out: impl Write) -> Result<()> {
    let columns = table::of_runs(runs);
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|column| &column.name)).map_err(failed("CSV"))?;
    for row in 0..runs.len() {
        writer
            .write_record(columns.iter().map(|column| cell(&column.cells, row)))
            .map_err(failed("CSV"))?;
    }
    writer.flush().map_err(failed("CSV"))
}

/// Writes the points of runs, one in a row, run by run and metric by metric.
///
/// # Errors
/// The first error of `records`, and [`StoreError::Export`](crate::StoreError::Export) when `out`
/// refuses.
pub fn points(records: impl IntoIterator<Item = Result<RunRecord>>, out: impl Write) -> Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(["run", "metric", "step", "value"]).map_err(failed("CSV"))?;
    for record in records {
        let record = record?;
        for (name, series) in &record.series {
            for (step, value) in series {
                let (step, value) = (step.to_string(), number(*value));
                writer
                    .write_record([record.summary.id.as_str(), name, &step, &value])
                    .map_err(failed("CSV"))?;
            }
        }
    }
    writer.flush().map_err(failed("CSV"))
}

fn cell(cells: &Cells, row: usize) -> String {
    fn text<T>(cells: &[Option<T>], row: usize, text: impl FnOnce(&T) -> String) -> String {
        cells.get(row).and_then(Option::as_ref).map(text).unwrap_or_default()
    }
    match cells {
        Cells::Bool(cells) => text(cells, row, bool::to_string),
        Cells::Int(cells) => text(cells, row, i64::to_string),
        Cells::Count(cells) => text(cells, row, u64::to_string),
        Cells::Float(cells) => text(cells, row, |value| number(*value)),
        Cells::Text(cells) => text(cells, row, String::clone),
        Cells::Time(cells) => text(cells, row, jiff::Timestamp::to_string),
    }
}

/// `{:?}` writes 1e-5 where `{}` writes 0.00001.
fn number(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_table_of_runs_reads_back() {
        let (a, b) =
            (samples::odd().summary, samples::record(2, &[("lr", 1e-5.into())], &[]).summary);
        let mut bytes = Vec::new();
        runs(&[a, b], &mut bytes).unwrap();
        let rows = read(&bytes);
        assert_eq!(rows.len(), 3);
        let of = |row: usize, name: &str| {
            let column = rows[0]
                .iter()
                .position(|column| column == name)
                .unwrap_or_else(|| panic!("{name}"));
            rows[row][column].as_str()
        };
        assert_eq!(of(1, "id"), "20261123-230412-000001");
        assert_eq!(of(1, "name"), "one, \"two\"");
        assert_eq!((of(1, "state"), of(1, "reason")), ("stopped", "patience\nis over"));
        assert_eq!(of(1, "started_at"), "2026-11-23T23:04:12.25Z");
        assert_eq!(of(1, "seed"), "18446744073709551615");
        assert_eq!((of(1, "params.lr"), of(2, "params.lr")), ("inf", "1e-5"));
        assert_eq!((of(1, "params.on"), of(2, "params.on")), ("true", ""));
        assert_eq!(of(1, "tags.kind"), "é");
        assert_eq!((of(1, "metrics.loss.first"), of(1, "metrics.loss.min")), ("0.1", "-inf"));
        assert_eq!(of(1, "metrics.val, loss.last"), "-0.0");
        assert_eq!(of(2, "metrics.loss.count"), "");
    }

    #[test]
    fn points_read_back_bit_for_bit() {
        let record = samples::odd();
        let mut bytes = Vec::new();
        points([Ok(record.clone())], &mut bytes).unwrap();
        let rows = read(&bytes);
        assert_eq!(rows[0], ["run", "metric", "step", "value"]);
        let found: Vec<(String, u64, u64)> = rows[1..]
            .iter()
            .map(|row| {
                (row[1].clone(), row[2].parse().unwrap(), row[3].parse::<f64>().unwrap().to_bits())
            })
            .collect();
        let series = record.series.iter();
        let expected: Vec<_> = series
            .flat_map(|(name, points)| {
                points.iter().map(|(step, value)| (name.to_string(), *step, value.to_bits()))
            })
            .collect();
        assert_eq!(found, expected);
        assert!(rows[1..].iter().all(|row| row[0] == "20261123-230412-000001"));
    }

    #[test]
    fn no_runs_are_a_header() {
        let mut bytes = Vec::new();
        runs(&[], &mut bytes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "id,name,state,reason,started_at,seconds,seed,model,steps,epochs,warnings,damage,parent\n"
        );
    }
}
