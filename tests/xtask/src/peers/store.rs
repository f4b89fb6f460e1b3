//! `cargo xtask peers store`: logging and queries of the run store beside those of MLflow with
//! SQLite, in one table.
//!
//! Both sides do the same work on the same values and print one JSON object:
//! `tests/python/measure_mlflow.py` and `store/examples/measure_peer.rs`. Times are medians.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::Command;

use crate::cache::Cache;
use crate::{python, shell};

/// What is measured: its name in the JSON, what it is in words, and its unit.
const ROWS: [(&str, &str, Unit); 8] = [
    ("each_on_disk", "a point, logged and on disk before the next", Unit::Time),
    ("batch_on_disk", "a point, in batches of 1,000 on disk before the next", Unit::Time),
    ("stream_on_disk", "a point, 10,000 logged and then all on disk", Unit::Time),
    ("bytes_a_point", "disk for a point", Unit::Bytes),
    ("query_1000_cold", "filter, order, limit over 1,000 runs, opening included", Unit::Time),
    ("query_1000_warm", "the same again", Unit::Time),
    ("query_10000_cold", "filter, order, limit over 10,000 runs, opening included", Unit::Time),
    ("query_10000_warm", "the same again", Unit::Time),
];

#[derive(Clone, Copy)]
enum Unit {
    Time,
    Bytes,
}

/// Measures both and prints the table; `quick` leaves out the 10,000 runs.
pub fn run(quick: bool) -> Result<()> {
    let cache = Cache::open()?;
    {
        let _lock = cache.lock()?;
        python::install(&cache)?;
    }
    let runs = if quick { "1000" } else { "1000,10000" };
    let mut ours = shell::cargo();
    ours.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "trainbook-store",
        "--example",
        "measure_peer",
        "--",
        runs,
    ]);
    let ours = measure(&mut ours)?;
    let mlflow = measure(python::script(&cache, "measure_mlflow.py").arg(runs))?;
    ensure!(
        ours["found"] == mlflow["found"],
        "the queries found {} here and {} in MLflow",
        ours["found"],
        mlflow["found"]
    );
    print!("{}", table(&ours, &mlflow));
    Ok(())
}

fn measure(command: &mut Command) -> Result<Value> {
    let text = shell::output(command)?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("failed to read a measurement: {line:?}"))
}

fn table(ours: &Value, mlflow: &Value) -> String {
    let width = ROWS.iter().map(|row| row.1.len()).max().unwrap_or(0);
    let mut table =
        format!("  {:<width$}  {:>10}  {:>10}  {:>9}\n", "median", "trainbook", "MLflow", "ratio");
    for (name, words, unit) in ROWS {
        let (Some(a), Some(b)) = (ours[name].as_f64(), mlflow[name].as_f64()) else { continue };
        table += &format!(
            "  {words:<width$}  {:>10}  {:>10}  {:>9}\n",
            unit.show(a),
            unit.show(b),
            ratio(b / a)
        );
    }
    table
}

/// How many times as much the other side takes.
fn ratio(times: f64) -> String {
    if times >= 10.0 { format!("{times:.0} ×") } else { format!("{times:.1} ×") }
}

impl Unit {
    /// Times are in seconds.
    fn show(self, value: f64) -> String {
        match self {
            Unit::Bytes => format!("{value:.1} B"),
            Unit::Time if value < 1e-6 => format!("{:.0} ns", value * 1e9),
            Unit::Time if value < 1e-3 => format!("{:.1} µs", value * 1e6),
            Unit::Time => format!("{:.1} ms", value * 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_has_a_line_for_what_both_measured() {
        let ours = json!({"each_on_disk": 2e-7, "bytes_a_point": 4.0, "query_1000_warm": 1e-3, "query_10000_warm": 1.0});
        let mlflow =
            json!({"each_on_disk": 4e-3, "bytes_a_point": 413.0, "query_1000_warm": 1.5e-3});
        let table = table(&ours, &mlflow);
        let lines: Vec<_> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(
            lines[1].contains("200 ns")
                && lines[1].contains("4.0 ms")
                && lines[1].contains("20000 ×"),
            "{table}"
        );
        assert!(
            lines[2].contains("4.0 B")
                && lines[2].contains("413.0 B")
                && lines[2].contains("103 ×"),
            "{table}"
        );
        assert!(lines[3].contains("1.5 ×"), "{table}");
    }
}
