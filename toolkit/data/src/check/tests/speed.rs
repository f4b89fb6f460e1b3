//! What a look costs.

use std::time::Instant;

use super::*;

/// Run by hand, in release: `cargo test --release -p trainbook-data -- --ignored --nocapture a_million`.
#[test]
#[ignore = "a quarter of a gigabyte, and a figure for the documentation"]
fn a_million_rows() {
    let mut draws = draws(60);
    let (rows, width) = (1_000_000, 64);
    let features: Vec<f32> = (0..rows * width).map(|_| draws.unit() as f32).collect();
    let labels = features.chunks(width).map(|row| u32::from(row[0] + row[1] > 1.0)).collect();
    let data = Dataset::from_rows("much", width, features, Targets::Classes(labels)).unwrap();
    let data = divided(data);
    let begin = Instant::now();
    let report = data.check();
    println!("{} rows × {width} in {:.1} s", data.len(), begin.elapsed().as_secs_f64());
    assert!(report.is_ok(), "{report}");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    }
}
