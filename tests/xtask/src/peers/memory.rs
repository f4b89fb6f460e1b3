//! `cargo xtask peers memory`: what training steps hold in memory, in this library and in PyTorch,
//! and whether it grows.
//!
//! Each network gets a program of its own. What counts is its largest resident set behind what it
//! had when it said who it is; both sides have loaded their libraries then.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;

use super::engine::{self, MODELS};
use super::server::Server;

/// Steps until the peak is read, and until it is read again.
const STEPS: usize = 20;
const MANY_STEPS: usize = 10_000;

/// MB of one program's training.
struct Held {
    peak: f64,
    /// What it is expected to hold; PyTorch does not say.
    expected: Option<f64>,
    /// By how much the resident set grew over many steps.
    growth: Option<f64>,
}

/// Measures the models that are named, or all, and prints the table.
pub fn run(args: &[OsString]) -> Result<()> {
    let mut models = Vec::new();
    for arg in args {
        models.push(engine::known("model", &arg.to_string_lossy(), &MODELS)?);
    }
    if models.is_empty() {
        models = MODELS.to_vec();
    }
    println!(
        "  {:<12} {:>9} {:>9} {:>9} {:>7} {:>21}",
        "MB",
        "ours",
        "expected",
        "PyTorch",
        "ratio",
        format!("in {MANY_STEPS} steps")
    );
    for model in models {
        let theirs = held(Server::start(&mut engine::program("pytorch")?)?, model, false)?;
        let ours = held(Server::start(&mut engine::ours()?)?, model, true)?;
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |mb| format!("{mb:.2}"));
        println!(
            "  {model:<12} {:>9.2} {:>9} {:>9.2} {:>7.2} {:>21}",
            ours.peak,
            number(ours.expected),
            theirs.peak,
            ours.peak / theirs.peak,
            number(ours.growth)
        );
    }
    Ok(())
}

fn held(mut server: Server, model: &str, ours: bool) -> Result<Held> {
    let ask = |server: &mut Server, what: &str| -> Result<f64> {
        match server.ask(model, what)? {
            Ok(answer) => Ok(answer),
            Err(why) => bail!("{} failed in training {model}: {why}", server.who),
        }
    };
    let before = resident(&server, "VmRSS")?;
    ask(&mut server, &STEPS.to_string())?;
    let peak = resident(&server, "VmHWM")? - before;
    if !ours {
        return Ok(Held { peak, expected: None, growth: None });
    }
    let expected = Some(ask(&mut server, "memory")?);
    let early = resident(&server, "VmRSS")?;
    ask(&mut server, &MANY_STEPS.to_string())?;
    let growth = Some(resident(&server, "VmRSS")? - early);
    Ok(Held { peak, expected, growth })
}

/// A figure of the program's memory in MB, as Linux tells it.
fn resident(server: &Server, name: &str) -> Result<f64> {
    let path = format!("/proc/{}/status", server.id());
    let status = fs::read_to_string(&path)
        .with_context(|| format!("failed to read {path}; this needs Linux"))?;
    kilobytes(&status, name)
        .map(|kilobytes| kilobytes * 1024.0 / 1e6)
        .with_context(|| format!("{path} does not tell {name}"))
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::kilobytes;

    #[test]
    fn a_figure_is_read_by_its_whole_name() {
        let status = "Name:\tx\nVmHWM:\t   20096 kB\nVmRSSx:\t1 kB\nVmRSS:\t 100 kB\nThreads:\t2\n";
        assert_eq!(kilobytes(status, "VmHWM"), Some(20096.0));
        assert_eq!(kilobytes(status, "VmRSS"), Some(100.0));
        assert_eq!(kilobytes(status, "VmSwap"), None);
    }
}
