//! The demo's promises: the same seed gives the same network, another seed another one, on any
//! number of threads, and the exported file computes what was trained.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::{onnxruntime, shell};

/// What must be equal in two runs with the same seed.
const SAME: [&str; 3] = ["weights_sha256", "test_accuracy", "onnx_graph_sha256"];

/// The largest difference between a logit of the trainer and of ONNX Runtime.
const LOGITS: f64 = 1e-5;

/// Runs the demo five times with stores under `scratch`. Returns the path of the first run's
/// exported file.
pub fn check(cache: &Cache, program: &Path, scratch: &Path) -> Result<PathBuf> {
    let root = shell::root();
    let demo = |folder: &Path, name: &str, seed: &str, threads: Option<&str>| -> Result<Value> {
        let mut command = shell::command(program);
        command
            .args(["demo", "--json", "--seed", seed, "--store"])
            .arg(scratch.join(name))
            .current_dir(folder);
        onnxruntime::show(cache, &mut command);
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads);
        }
        let report = parse(&shell::output(&mut command)?)?;
        verified(&report)?;
        eprintln!(
            "seed {seed}, {} threads: accuracy {}, weights {:.12}, {} s of training",
            threads.unwrap_or("default"),
            report["test_accuracy"],
            report["weights_sha256"].as_str().unwrap_or_default(),
            report["seconds_training"],
        );
        Ok(report)
    };
    let first = demo(&root, "first", "1", None)?;
    let again = demo(&root.join("notebooks/data"), "again", "1", None)?; // the folder must not matter
    agree(&first, &again).context("two runs with seed 1 differ")?;
    for threads in ["1", "2"] {
        let other = demo(&root, &format!("threads-{threads}"), "1", Some(threads))?;
        agree(&first, &other)
            .with_context(|| format!("a run with RAYON_NUM_THREADS={threads} differs"))?;
    }
    let other = demo(&root, "other", "2", None)?;
    ensure!(
        first["weights_sha256"] != other["weights_sha256"],
        "seeds 1 and 2 gave the same weights"
    );

    let path = root.join(text(&first, "onnx_path")?);
    ensure!(path.is_file(), "the demo's onnx_path does not exist: {}", path.display());
    Ok(path)
}

/// Reads standard output, which must be one JSON object and nothing else.
fn parse(stdout: &str) -> Result<Value> {
    let report: Value =
        serde_json::from_str(stdout).context("the demo's --json output is not one JSON value")?;
    ensure!(report.is_object(), "the demo's --json output is not an object");
    Ok(report)
}

fn verified(report: &Value) -> Result<()> {
    let difference = number(report, "ort_max_abs_diff")?;
    // Also refuses NaN.
    ensure!(
        (0.0..LOGITS).contains(&difference),
        "ort_max_abs_diff is {difference}, but should be under {LOGITS:e}"
    );
    let (ort, ours) = (number(report, "ort_test_accuracy")?, number(report, "test_accuracy")?);
    ensure!(ort == ours, "ort_test_accuracy is {ort}, but test_accuracy is {ours}");
    text(report, "weights_sha256")?;
    text(report, "onnx_graph_sha256")?;
    Ok(())
}

fn agree(one: &Value, other: &Value) -> Result<()> {
    for key in SAME {
        ensure!(one[key] == other[key], "{key} is {} and {}", one[key], other[key]);
    }
    Ok(())
}

fn number(report: &Value, key: &str) -> Result<f64> {
    report[key]
        .as_f64()
        .with_context(|| format!("the demo's {key} is not a number: {}", report[key]))
}

fn text<'a>(report: &'a Value, key: &str) -> Result<&'a str> {
    match report[key].as_str() {
        Some(text) if !text.is_empty() => Ok(text),
        _ => bail!("the demo's {key} is not a text: {}", report[key]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"weights_sha256": "ab", "onnx_graph_sha256": "cd", "test_accuracy": 0.975,
               "ort_test_accuracy": 0.975, "ort_max_abs_diff": 3e-7, "onnx_path": "x.onnx"})
    }

    #[test]
    fn each_broken_promise_is_refused_by_name() {
        verified(&good()).unwrap();
        for (key, value) in [
            ("ort_max_abs_diff", json!(1e-5)),
            ("ort_max_abs_diff", json!(null)), // what serde writes for NaN
            ("ort_test_accuracy", json!(0.9722)),
            ("weights_sha256", json!("")),
            ("onnx_graph_sha256", json!(null)),
        ] {
            let mut report = good();
            report[key] = value;
            let error = verified(&report).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn runs_that_differ_are_told_apart() {
        agree(&good(), &good()).unwrap();
        for key in SAME {
            let mut other = good();
            other[key] = json!("different");
            assert!(agree(&good(), &other).unwrap_err().to_string().starts_with(key));
        }
    }

    #[test]
    fn chatter_around_the_object_is_refused() {
        parse("{\"a\": 1}\n").unwrap();
        assert!(parse("compiling\n{}").is_err());
        assert!(parse("{}\n{}").is_err());
        assert!(parse("[]").is_err());
    }
}
