//! `cargo xtask peers`: one step of training (forward, backward, AdamW) of six networks in this
//! library, PyTorch, candle and burn, on the processor.
//!
//! Each is a program that stays alive. They take turns in rounds, in another order each round, so
//! that a machine that others use too is as slow for one as for the other. PyTorch is there twice:
//! as it is, where a thread that has nothing to do spins for a while, and with threads that sleep,
//! which is many times faster where others compute too. The faster one of a first turn is measured.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use super::ratio::{Ratio, median};
use super::server::{Server, THREADS};
use crate::cache::Cache;
use crate::python::{self, Packages};
use crate::{nearest, shell};

/// The networks of `toolkit/nn/benches/models`.
pub const MODELS: [&str; 6] =
    ["mlp", "norm-mlp", "digits-cnn", "mnist-cnn", "series-cnn", "transformer"];

/// Who is measured beside this library.
const PEERS: [&str; 3] = ["pytorch", "candle", "burn"];

const ROUNDS: usize = 15;

/// Milliseconds that a turn should take, and steps in it.
const TURN: f64 = 200.0;
const STEPS: (f64, f64) = (3.0, 400.0);

/// What is asked for.
#[derive(Debug, PartialEq)]
struct Wanted {
    json: bool,
    peers: Vec<&'static str>,
    models: Vec<&'static str>,
}

impl Wanted {
    fn read(args: &[OsString]) -> Result<Self> {
        let mut wanted = Self { json: false, peers: Vec::new(), models: Vec::new() };
        let mut args = args.iter().map(|arg| arg.to_string_lossy());
        while let Some(arg) = args.next() {
            match &*arg {
                "--json" => wanted.json = true,
                "--only" => {
                    let peer = args.next().unwrap_or_default();
                    wanted.peers.push(known("peer", &peer, &PEERS)?);
                }
                option if option.starts_with('-') => bail!(
                    "`cargo xtask peers` has no option `{option}`; {}",
                    nearest(option, &["--json", "--only"])
                ),
                model => wanted.models.push(known("model", model, &MODELS)?),
            }
        }
        if wanted.peers.is_empty() {
            wanted.peers = PEERS.to_vec();
        }
        if wanted.models.is_empty() {
            wanted.models = MODELS.to_vec();
        }
        Ok(wanted)
    }
}

pub fn known(what: &str, name: &str, all: &[&'static str]) -> Result<&'static str> {
    match all.iter().find(|known| **known == name) {
        Some(known) => Ok(known),
        None => bail!("no {what} `{name}`; {}", nearest(name, all)),
    }
}

/// Builds and installs what is wanted, measures, and prints the table or with `--json` an object.
pub fn run(args: &[OsString]) -> Result<()> {
    let wanted = Wanted::read(args)?;
    let mut sides = vec![Side { name: "ours", servers: vec![Server::start(&mut ours()?)?] }];
    for name in &wanted.peers {
        let mut servers = vec![Server::start(&mut program(name)?)?];
        if *name == "pytorch" {
            servers.push(Server::start(program(name)?.env("OMP_WAIT_POLICY", "passive"))?);
        }
        sides.push(Side { name, servers });
    }
    let who: Vec<&str> = sides.iter().map(|side| side.servers[0].who.as_str()).collect();
    eprintln!("{}, {THREADS} threads: {}", processor(), who.join(", "));
    let mut rows = Vec::new();
    for model in &wanted.models {
        eprintln!("{model}: {ROUNDS} rounds");
        rows.push((*model, measure(&mut sides, model)?));
    }
    if wanted.json {
        let all: Map<String, Value> =
            rows.iter().map(|(model, times)| ((*model).to_owned(), times.json())).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print!("{}", table(&rows));
    }
    Ok(())
}

/// This library's program.
pub fn ours() -> Result<Command> {
    let build = ["build", "--release", "--package", "trainbook-nn", "--example", "measure_step"];
    shell::run(shell::cargo().args(build))?;
    Ok(shell::command(shell::target_folder()?.join("release/examples/measure_step")))
}

/// A peer's program.
pub fn program(peer: &str) -> Result<Command> {
    if peer == "pytorch" {
        let cache = Cache::open()?;
        let _lock = cache.lock()?;
        python::install_one(&cache, Packages::Peers)?;
        return Ok(python::script_with(&cache, Packages::Peers, "peers_pytorch.py"));
    }
    let target = shell::target_folder()?.join("peers");
    let mut build = shell::cargo();
    build.args(["build", "--release", "--locked", "--bin", peer, "--manifest-path"]);
    build.arg("tests/peers/Cargo.toml").arg("--target-dir").arg(&target);
    shell::run(&mut build)?;
    Ok(shell::command(target.join("release").join(peer)))
}

/// What the processor calls itself.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "a processor without a name".to_owned(), |(_, name)| name.trim().to_owned())
}

/// One of those that are compared, as one program or several, of which the fastest counts.
struct Side {
    name: &'static str,
    servers: Vec<Server>,
}

impl Side {
    /// A first turn, which makes the model: which server is the fastest, and how many of its steps
    /// fill the other turns. `None` where it does not train the model; says why.
    fn first_turn(&mut self, model: &str) -> Result<Option<(usize, usize)>> {
        let mut fastest = None;
        for (i, server) in self.servers.iter_mut().enumerate() {
            match server.ask(model, 5)? {
                Ok(time) if fastest.is_none_or(|(_, least)| time < least) => {
                    fastest = Some((i, time));
                }
                Ok(_) => {}
                Err(why) => eprintln!("{} does not train {model}: {why}", self.name),
            }
        }
        Ok(fastest.map(|(i, time)| (i, (TURN / time).clamp(STEPS.0, STEPS.1) as usize)))
    }
}

/// Milliseconds of a step: for everybody one of each round, or none at all.
#[derive(Default)]
struct Times(Vec<(&'static str, Vec<f64>)>);

fn measure(sides: &mut [Side], model: &str) -> Result<Times> {
    let first = sides.iter_mut().map(|side| side.first_turn(model)).collect::<Result<Vec<_>>>()?;
    let mut times = Times(sides.iter().map(|side| (side.name, Vec::new())).collect());
    for round in 0..ROUNDS {
        for turn in 0..sides.len() {
            let i = (round + turn) % sides.len();
            let Some((server, steps)) = first[i] else { continue };
            match sides[i].servers[server].ask(model, steps)? {
                Ok(milliseconds) => times.0[i].1.push(milliseconds),
                Err(why) => bail!("{} failed in training {model}: {why}", sides[i].name),
            }
        }
    }
    Ok(times)
}

impl Times {
    fn of(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(known, _)| *known == name).map_or(&[], |(_, times)| times)
    }

    fn median(&self, name: &str) -> Option<f64> {
        median(self.of(name))
    }

    fn ratio(&self) -> Option<Ratio> {
        let pairs = self.of("ours").iter().zip(self.of("pytorch"));
        Ratio::of(&pairs.map(|(ours, theirs)| [*ours, *theirs]).collect::<Vec<_>>())
    }

    /// Milliseconds to the microsecond, ratios to the thousandth.
    fn json(&self) -> Value {
        let round = |value: Option<f64>| value.map(|value| (value * 1e3).round() / 1e3);
        let ratio = self.ratio();
        json!({
            "ours_ms": round(self.median("ours")),
            "pytorch_ms": round(self.median("pytorch")),
            "ratio": round(ratio.map(|ratio| ratio.at)),
            "low": round(ratio.map(|ratio| ratio.low)),
            "high": round(ratio.map(|ratio| ratio.high)),
            "candle_ms": round(self.median("candle")),
            "burn_ms": round(self.median("burn")),
        })
    }
}

fn table(rows: &[(&str, Times)]) -> String {
    let mut table = format!(
        "  {:<12} {:>9} {:>9}  {:<20} {:>9} {:>9}\n",
        "ms a step", "ours", "PyTorch", "ours / PyTorch", "candle", "burn"
    );
    for (model, times) in rows {
        let cell = |name: &str| {
            times.median(name).map_or_else(|| "–".to_owned(), |time| format!("{time:.3}"))
        };
        let ratio = times.ratio().map_or_else(
            || "–".to_owned(),
            |Ratio { at, low, high }| format!("{at:.2} ({low:.2} to {high:.2})"),
        );
        table += &format!(
            "  {model:<12} {:>9} {:>9}  {ratio:<20} {:>9} {:>9}\n",
            cell("ours"),
            cell("pytorch"),
            cell("candle"),
            cell("burn")
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_mistyped_ones_get_the_nearest() {
        let read = |words: &[&str]| {
            Wanted::read(&words.iter().map(|word| OsString::from(*word)).collect::<Vec<_>>())
        };
        let all = read(&[]).unwrap();
        assert_eq!((all.json, all.peers.len(), all.models.len()), (false, 3, 6));
        assert_eq!(
            read(&["--json", "--only", "pytorch", "mlp"]).unwrap(),
            Wanted { json: true, peers: vec!["pytorch"], models: vec!["mlp"] }
        );
        for (words, expected) in [
            (&["mpl"][..], "no model `mpl`; did you mean `mlp`?"),
            (&["--only", "brun"], "no peer `brun`; did you mean `burn`?"),
            (&["--jsn"], "no option `--jsn`; did you mean `--json`?"),
        ] {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_nobody_measured_is_null() {
        let times = Times(vec![("ours", vec![1.0, 3.0, 2.0]), ("pytorch", vec![4.0, 4.0, 4.0])]);
        let json = times.json();
        assert_eq!(json["ours_ms"], 2.0);
        assert_eq!(json["ratio"], 0.5);
        assert!(json["low"].as_f64() < Some(0.5) && json["high"].as_f64() > Some(0.5), "{json}");
        assert_eq!((&json["candle_ms"], &json["burn_ms"]), (&Value::Null, &Value::Null));
        let table = table(&[("mlp", times)]);
        let words: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words[..4], ["mlp", "2.000", "4.000", "0.50"]);
        assert_eq!(words[words.len() - 2..], ["–", "–"]);
    }
}
