//! `cargo xtask bench`: what the trainer's step costs over a hand-written loop, what an export
//! costs, and what the store, the calling of callbacks and the board cost.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;

/// Criterion's groups that are shown, and what each measures.
const GROUPS: [(&str, &str); 11] = [
    ("step/", "an epoch of steps"),
    ("export/", "to a file with its name"),
    ("log/", "what the training thread pays"),
    ("journal/", "until it is on disk"),
    ("history/", "from a store that was just opened"),
    ("query/", "of summaries in memory"),
    ("10,000 runs/", "in a store of 10,000 runs"),
    ("a step's moments/", "through a stack of callbacks"),
    ("board of 10,000 runs/", "asked over a socket"),
    ("board of a million points/", "asked over a socket"),
    ("board of 100,000 steps of eight metrics/", "asked over a socket"),
];

/// Runs the benchmarks and prints criterion's medians, then the ratio of trainer and hand-written
/// loop measured in turn: their medians are minutes apart, too far for a ratio on a machine that
/// others use too.
pub fn run() -> Result<()> {
    let mut bench = shell::cargo();
    let kept = shell::run_keeping(
        bench.args(["bench", "--package", "trainbook", "--bench", "step"]),
        is_ratio,
    )?;
    let [ratio] = kept.as_slice() else {
        bail!("the benchmark should print one ratio, but printed {}", kept.len());
    };
    shell::run(shell::cargo().args(["bench", "--package", "trainbook", "--bench", "export"]))?;
    for package in ["trainbook-store", "trainbook-callbacks", "trainbook-board"] {
        shell::run(shell::cargo().args(["bench", "--package", package, "--benches"]))?;
    }
    let folder = shell::target_folder()?.join("criterion");
    let mut medians = Vec::new();
    collect(&folder, &mut medians)?;
    medians.sort_by(|a, b| a.id.cmp(&b.id));
    ensure!(!medians.is_empty(), "criterion left no measurement in {}", folder.display());
    print!("{}\n  {ratio}\n", table(&medians));
    Ok(())
}

fn is_ratio(line: &str) -> bool {
    line.starts_with("in turn, ")
}

/// A median in nanoseconds, with its confidence interval.
struct Median {
    id: String,
    at: f64,
    low: f64,
    high: f64,
}

/// Finds every `new/benchmark.json` of a group that is shown under the folder, with the estimates
/// beside it.
fn collect(folder: &Path, found: &mut Vec<Median>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to read {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.ends_with("new/benchmark.json") {
            let id = read(&path)?["full_id"].as_str().unwrap_or_default().to_owned();
            if GROUPS.iter().any(|(group, _)| id.starts_with(group)) {
                found.push(median(id, &read(&path.with_file_name("estimates.json"))?)?);
            }
        }
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))
}

fn median(id: String, estimates: &Value) -> Result<Median> {
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    let number = |value: &Value| {
        value.as_f64().with_context(|| format!("the estimates of {id} hold no median"))
    };
    let (at, low, high) = (
        number(&median["point_estimate"])?,
        number(&interval["lower_bound"])?,
        number(&interval["upper_bound"])?,
    );
    Ok(Median { id, at, low, high })
}

/// One line each, group by group.
fn table(medians: &[Median]) -> String {
    let mut table = String::from("\n  medians (95 % interval)\n");
    for (group, what) in GROUPS {
        let of_group: Vec<_> =
            medians.iter().filter(|median| median.id.starts_with(group)).collect();
        if !of_group.is_empty() {
            table += &format!("\n  {what}\n");
        }
        for Median { id, at, low, high } in of_group {
            table +=
                &format!("    {id:<48} {:>10}  ({} to {})\n", time(*at), time(*low), time(*high));
        }
    }
    table
}

/// Nanoseconds in the unit that suits them.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.1} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn criterions_files_are_read() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        for (name, at) in
            [("step/handwritten", 1000.0), ("step/trainer", 1100.0), ("other/thing", 5.0)]
        {
            let new = folder.join(name).join("new");
            fs::create_dir_all(&new).unwrap();
            let interval =
                json!({"confidence_level": 0.95, "lower_bound": at * 0.9, "upper_bound": at * 1.1});
            let estimates =
                json!({"median": {"confidence_interval": interval, "point_estimate": at}});
            fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
            fs::write(new.join("benchmark.json"), json!({"full_id": name}).to_string()).unwrap();
        }
        let mut medians = Vec::new();
        collect(&folder, &mut medians).unwrap();
        assert_eq!(medians.len(), 2);
        let table = table(&medians);
        let words: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(words.contains(&"step/trainer 1.1 µs (990.0 ns to 1.2 µs)".to_owned()), "{table}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_ratio_is_found_among_what_criterion_prints() {
        assert!(is_ratio(
            "in turn, 60 pairs of 2025 steps: trainer / by hand 1.041 (95 % interval 1.023 to 1.060)"
        ));
        assert!(!is_ratio("step/trainer            time:   [373.47 ms 392.74 ms 412.23 ms]"));
    }
}
