//! `cargo xtask bench`: what the trainer's step costs over a hand-written loop.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;

/// What everything is compared with.
const BASE: &str = "step/handwritten";

/// Runs the benchmark and prints the medians of the group `step` and their ratios to the hand-written loop.
pub fn run() -> Result<()> {
    shell::run(shell::cargo().args(["bench", "--package", "trainbook", "--bench", "step"]))?;
    let folder = shell::target_folder()?.join("criterion");
    let mut medians = Vec::new();
    collect(&folder, &mut medians)?;
    medians.sort_by(|a, b| a.id.cmp(&b.id));
    print!("{}", table(&medians).with_context(|| format!("in {}", folder.display()))?);
    Ok(())
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

/// One line each. The interval of a ratio takes the two ends that are furthest apart: it is wider than it need be.
fn table(medians: &[Median]) -> Result<String> {
    let base = medians.iter().find(|m| m.id == BASE).with_context(|| format!("no benchmark is called {BASE}"))?;
    ensure!(medians.len() > 1, "only {BASE} was measured");
    let mut table = String::from("\n  median of an epoch of steps (95 % interval)\n");
    for Median { id, at, low, high } in medians {
        table += &format!("  {id:<24} {:>9.1} µs  ({:.1} to {:.1})", at / 1e3, low / 1e3, high / 1e3);
        if id != BASE {
            table += &format!("  {:.3} × ({:.3} to {:.3})", at / base.at, low / base.high, high / base.low);
        }
        table += "\n";
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn criterions_files_become_a_ratio() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        for (name, at) in [("step/handwritten", 1000.0), ("step/trainer", 1100.0), ("other/thing", 5.0)] {
            let new = folder.join(name).join("new");
            fs::create_dir_all(&new).unwrap();
            let interval = json!({"confidence_level": 0.95, "lower_bound": at * 0.99, "upper_bound": at * 1.01});
            let estimates = json!({"median": {"confidence_interval": interval, "point_estimate": at}});
            fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
            fs::write(new.join("benchmark.json"), json!({"full_id": name}).to_string()).unwrap();
        }
        let mut medians = Vec::new();
        collect(&folder, &mut medians).unwrap();
        medians.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(medians.len(), 2);
        let table = table(&medians).unwrap();
        assert!(table.contains("1.100 × (1.078 to 1.122)"), "{table}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_missing_measurement_is_an_error() {
        let only = |id: &str| [Median { id: id.into(), at: 1.0, low: 1.0, high: 1.0 }];
        assert!(table(&only("step/trainer")).is_err());
        assert!(table(&only(BASE)).is_err());
    }
}
