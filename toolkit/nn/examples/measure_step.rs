//! This library's side of `cargo xtask peers`: a program that measures training steps when it is
//! asked to.
//!
//! It first prints who it is. Then each line `MODEL STEPS` that it reads is answered by a line: the
//! median of so many steps, in milliseconds, or `-` and why there is none; and `MODEL memory` by what
//! a step holds, in MB. With `cuda:0` and `mixed` as arguments it measures there and so; then the
//! answer is the mean. The first question about a model makes it; every answer is preceded by steps
//! that are not counted.

#[path = "../benches/models/networks.rs"]
mod networks;

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use networks::{MODELS, step};
use trainbook_core::batch::Batch;
use trainbook_nn::task::{Device, Precision, Task};

/// A network with its batch.
type Made = (Box<dyn Task>, Batch);

fn main() -> Result<(), Box<dyn Error>> {
    networks::use_two_threads()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "trainbook {}", env!("CARGO_PKG_VERSION"))?;
    let mut made = HashMap::new();
    let on = on(&std::env::args().skip(1).collect::<Vec<_>>())?;
    for line in std::io::stdin().lock().lines() {
        match answer(&mut made, &line?, on) {
            Ok(milliseconds) => writeln!(out, "{milliseconds}")?,
            Err(why) => writeln!(out, "- {why}")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Where to measure, and in what precision: on the processor and in f32, if nothing is said.
fn on(arguments: &[String]) -> Result<(Device, Precision), Box<dyn Error>> {
    let mut on = (Device::Cpu, Precision::F32);
    for argument in arguments {
        match (argument.as_str(), argument.strip_prefix("cuda:")) {
            ("mixed", _) => on.1 = Precision::Mixed,
            (_, Some(number)) => on.0 = Device::cuda(number.parse()?),
            (other, _) => return Err(format!("`{other}` is neither cuda:N nor mixed").into()),
        }
    }
    Ok(on)
}

fn answer(
    made: &mut HashMap<&str, Made>,
    question: &str,
    (device, precision): (Device, Precision),
) -> Result<f64, Box<dyn Error>> {
    let (name, steps) =
        question.split_once(' ').ok_or("a question is `MODEL STEPS` or `MODEL memory`")?;
    let model = MODELS.iter().find(|model| model.name == name).ok_or("there is no such model")?;
    if !made.contains_key(model.name) {
        made.insert(model.name, (model.task(device, precision)?, model.batch()));
    }
    let (task, batch) = made.get_mut(model.name).ok_or("it was not made")?;
    if steps == "memory" {
        step(&mut **task, batch)?;
        let held = task.memory().ok_or("nobody counts it")?;
        return Ok((held.total() + batch.bytes()) as f64 / 1e6);
    }
    let steps: usize = steps.parse()?;
    for _ in 0..2 + steps / 10 {
        step(&mut **task, batch)?;
    }
    if device != Device::Cpu {
        // A device is behind the loop that feeds it: what counts is when it is done with all.
        task.wait()?;
        let began = Instant::now();
        for _ in 0..steps.max(1) {
            task.forward_backward(batch)?;
            task.end_scaling();
            task.update(&1e-3.into())?;
        }
        task.wait()?;
        return Ok(began.elapsed().as_secs_f64() * 1e3 / steps.max(1) as f64);
    }
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps.max(1) {
        let began = Instant::now();
        step(&mut **task, batch)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
