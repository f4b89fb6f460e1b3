//! What the programs of this package have in common: the conversation with `cargo xtask peers`, and
//! the sizes of the six networks, which stand as networks in `toolkit/nn/benches/models`.
//!
//! A program first prints who it is. Then each line `MODEL STEPS` that it reads is answered by a
//! line: the median of so many steps, in milliseconds, or `-` and why there is none.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result};

/// One step of training.
pub type Step = Box<dyn FnMut() -> Result<()>>;

/// The learning rate and weight decay of every network.
pub const RATE: f64 = 1e-3;
pub const WEIGHT_DECAY: f64 = 1e-2;

/// The transformer's characters, positions, features, heads, hidden units and samples.
pub const VOCABULARY: usize = 65;
pub const LENGTH: usize = 64;
pub const FEATURES: usize = 128;
pub const HEADS: usize = 4;
pub const HIDDEN: usize = 256;
pub const SEQUENCES: usize = 16;

/// Answers until nobody asks any more; `make` makes a model's step.
///
/// # Errors
/// Whoever asks has gone.
pub fn serve(who: &str, make: impl Fn(&str) -> Result<Step>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{who}")?;
    let mut made = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        match answer(&mut made, &line?, &make) {
            Ok(milliseconds) => writeln!(out, "{milliseconds}")?,
            Err(why) => writeln!(out, "- {}", format!("{why:#}").replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn answer(
    made: &mut HashMap<String, Step>,
    question: &str,
    make: impl Fn(&str) -> Result<Step>,
) -> Result<f64> {
    let (name, steps) = question.split_once(' ').context("a question is `MODEL STEPS`")?;
    let steps: usize = steps.parse()?;
    if !made.contains_key(name) {
        made.insert(name.to_owned(), make(name)?);
    }
    let step = made.get_mut(name).context("it was not made")?;
    for _ in 0..2 + steps / 10 {
        step()?;
    }
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps.max(1) {
        let began = Instant::now();
        step()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// `len` whole numbers below `n`, which look drawn; the same ones each time.
pub fn draws(len: usize, n: usize) -> Vec<i64> {
    let mut state = 1_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % n as u64) as i64
    };
    (0..len).map(|_| draw()).collect()
}
