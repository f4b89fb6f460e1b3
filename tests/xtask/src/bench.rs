//! `cargo xtask bench`: what the trainer's step costs over a hand-written loop.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;

/// Runs the benchmark and prints criterion's medians of the group `step`, then the ratio of the two measured in turn. The medians are
/// minutes apart, too far for a ratio on a machine that others use too.
pub fn run() -> Result<()> {
    let mut bench = shell::cargo();
    let kept = shell::run_keeping(bench.args(["bench", "--package", "trainbook", "--bench", "step"]), is_ratio)?;
    let [ratio] = kept.as_slice() else {
        bail!("the benchmark should print one ratio, but printed {}", kept.len());
    };
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

/// Finds every `new/benchmark.json` of the group `step` under the folder, with the estimates beside it.
fn collect(folder: &Path, found: &mut Vec<Median>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))? {
        let path = entry.with_context(|| format!("failed to read {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.ends_with("new/benchmark.json") {
            let id = read(&path)?["full_id"].as_str().unwrap_or_default().to_owned();
            if id.starts_with("step/") {
                found.push(median(id, &read(&path.with_file_name("estimates.json"))?)?);
            }
        }
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))
}

fn median(id: String, estimates: &Value) -> Result<Median> {
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    let number = |value: &Value| value.as_f64().with_context(|| format!("the estimates of {id} hold no median"));
    let (at, low, high) =
        (number(&median["point_estimate"])?, number(&interval["lower_bound"])?, number(&interval["upper_bound"])?);
    Ok(Median { id, at, low, high })
}

/// One line each.
fn table(medians: &[Median]) -> String {
    let mut table = String::from("\n  median of an epoch of steps (95 % interval)\n");
    for Median { id, at, low, high } in medians {
        table += &format!("  {id:<24} {:>9.1} µs  ({:.1} to {:.1})\n", at / 1e3, low / 1e3, high / 1e3);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn criterions_files_are_read() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        for (name, at) in [("step/handwritten", 1000.0), ("step/trainer", 1100.0), ("other/thing", 5.0)] {
            let new = folder.join(name).join("new");
            fs::create_dir_all(&new).unwrap();
            let interval = json!({"confidence_level": 0.95, "lower_bound": at * 0.9, "upper_bound": at * 1.1});
            let estimates = json!({"median": {"confidence_interval": interval, "point_estimate": at}});
            fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
            fs::write(new.join("benchmark.json"), json!({"full_id": name}).to_string()).unwrap();
        }
        let mut medians = Vec::new();
        collect(&folder, &mut medians).unwrap();
        assert_eq!(medians.len(), 2);
        let table = table(&medians);
        assert!(table.contains("step/trainer                   1.1 µs  (1.0 to 1.2)"), "{table}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_ratio_is_found_among_what_criterion_prints() {
        assert!(is_ratio("in turn, 60 pairs of 2025 steps: trainer / by hand 1.041 (95 % interval 1.023 to 1.060)"));
        assert!(!is_ratio("step/trainer            time:   [373.47 ms 392.74 ms 412.23 ms]"));
    }
}
