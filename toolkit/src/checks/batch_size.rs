//! Which batch size is fastest here, and which fits.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use trainbook_core::quantile::quantile;

use super::heed;
use crate::Error;
use crate::data::{Batch, Part};
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::table::{Align, Table};
use crate::display::{self, Bundle};
use crate::random::Stream;
use crate::task::Task;
use crate::trainer::{Interrupt, Trainer};

const NAME: &str = "find a batch size";
/// Each size is timed for so long, but by no fewer steps than [`FEWEST`].
const TIMED: Duration = Duration::from_millis(300);
const FEWEST: usize = 5;
/// A size counts as fastest where it handles so large a share of the most rows a second.
const ENOUGH: f64 = 0.95;
/// A doubling that multiplies the rows a second by less wins nothing.
const FLAT: f64 = 1.05;
/// The share of the free memory that a step may take.
const SHARE: f64 = 0.5;

/// What [`Trainer::find_batch_size`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchSizes {
    /// Every size that was tried, the smallest first.
    pub tried: Vec<BatchSize>,
    /// The smallest size that handles 95 % of the most rows a second.
    pub fastest: usize,
    /// The largest that was tried and fits.
    pub largest: usize,
    /// Why no larger one was tried.
    pub ended: String,
    /// The trainer's own rows of an update, and its learning rate or the highest of its schedule.
    pub own: (usize, f64),
}

/// One size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchSize {
    /// Rows.
    pub rows: usize,
    /// The median time of a step, in seconds.
    pub seconds: f64,
    /// Bytes that a step holds at its most; `None` where nobody counts, on an accelerator.
    pub bytes: Option<usize>,
}

impl BatchSize {
    /// Rows a second.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

impl Trainer {
    /// Times steps of 8, 16, 32, … rows on a copy, until two doublings win less than 5 % each, and at
    /// most up to the rows of the training part or, in the processor's memory, half of what is free,
    /// and says which size handles most rows a second. Each size takes a third of a second, or six
    /// steps where they are longer; Ctrl-C ends it. The rows are read
    /// before, so that reading and augmentation are not in the times. They are measured: another
    /// program that is running shows in them.
    ///
    /// The fastest size is rarely the best one: smaller batches take more updates an epoch, and
    /// often generalise better. What it says is from which size on nothing is won.
    ///
    /// The trainer is unchanged, which is asserted by hash.
    ///
    /// # Errors
    /// The network cannot be computed on even the smallest size.
    pub fn find_batch_size(&self) -> Result<BatchSizes, Error> {
        let before = self.state_hash()?;
        let mut rows = self.data.counting(Part::Train).into_owned();
        Stream::new(self.seed(), "find_batch_size").at(0, 0).shuffle(&mut rows);
        let most = rows.len();
        let (rate, interrupt) = (self.highest_rate(), Interrupt::new());
        let free = free_memory();
        let mut tried: Vec<BatchSize> = Vec::new();
        let mut size = 8.min(most);
        let ended = loop {
            // The larger ones cost about as much more.
            let expected = tried.last().and_then(|last| Some(last.bytes? * size / last.rows));
            if let (Some(expected), Some(free)) = (expected, free)
                && expected as f64 > SHARE * free as f64
            {
                break format!(
                    "{size} rows would hold about {:.1} GB, more than half of the {:.1} GB that \
                     are free",
                    expected as f64 / 1e9,
                    free as f64 / 1e9
                );
            }
            let batch = self.data.batch(&rows[..size])?;
            heed(&interrupt, NAME)?;
            match self.copy().and_then(|copy| time(copy, &batch, rate)) {
                Ok((seconds, bytes)) => tried.push(BatchSize { rows: size, seconds, bytes }),
                Err(error) if tried.is_empty() => return Err(error),
                Err(error) => break format!("with {size} rows it failed to {error}"),
            }
            // First: the last step may be less than a doubling.
            if size == most {
                break format!("the training part has {most} rows");
            }
            if let [.., third, second, last] = &tried[..]
                && last.rate() < FLAT * second.rate()
                && second.rate() < FLAT * third.rate()
            {
                break "the last two doublings won less than 5 % each".to_owned();
            }
            size = (size * 2).min(most);
        };
        self.is_still(before, NAME)?;
        let best = tried.iter().map(BatchSize::rate).fold(0.0, f64::max);
        let fastest = tried.iter().find(|size| size.rate() >= ENOUGH * best);
        let fastest = fastest.map_or(0, |size| size.rows);
        let largest = tried.last().map_or(0, |size| size.rows);
        let own = (self.feed.batch_size * self.accumulate, rate);
        Ok(BatchSizes { tried, fastest, largest, ended, own })
    }
}

/// The learning rate for another batch size by the linear scaling rule, `rate · batch / base`
/// (Goyal et al. 2017, arXiv:1706.02677, who warm up to it over the first epochs; it was found for
/// SGD, and for Adam a square root is often proposed).
pub fn linear_scaling(base_rate: f64, base_batch: usize, batch: usize) -> f64 {
    base_rate * batch as f64 / base_batch.max(1) as f64
}

/// The median seconds of a step, and the bytes that it holds.
fn time(
    mut task: Box<dyn Task>,
    batch: &Batch,
    learning_rate: f64,
) -> Result<(f64, Option<usize>), Error> {
    let mut step = || -> Result<f64, Error> {
        let started = Instant::now();
        // Reading the loss waits for the device.
        task.forward_backward(batch)?;
        match task.end_scaling() {
            Some(scale) if scale.overflowed => task.clear_gradients()?,
            _ => task.update(&learning_rate.into())?,
        }
        Ok(started.elapsed().as_secs_f64())
    };
    // The first asks for memory.
    step()?;
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < FEWEST || started.elapsed() < TIMED {
        times.push(step()?);
    }
    times.sort_by(f64::total_cmp);
    let bytes = task.memory().map(|memory| memory.total() + batch.bytes());
    Ok((quantile(&times, 0.5).unwrap_or(f64::NAN), bytes))
}

/// Bytes of memory that the system can still give; `None` where it does not say.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

impl BatchSizes {
    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("rows", Align::Right),
            ("ms a step", Align::Right),
            ("rows a second", Align::Right),
            ("MB", Align::Right),
        ]);
        for size in &self.tried {
            table.rows.push(vec![
                size.rows.to_string(),
                format!("{:.3}", 1e3 * size.seconds),
                format!("{:.0}", size.rate()),
                size.bytes.map_or_else(String::new, |bytes| format!("{:.1}", bytes as f64 / 1e6)),
            ]);
        }
        table
    }

    /// The sizes as a notebook shows them.
    pub fn view(&self) -> Bundle {
        let rates = self.tried.iter().map(|size| (size.rows as f64, size.rate())).collect();
        let panel = Panel::new(Axis::log("rows of a batch"), Axis::log("rows a second"))
            .with("measured", Style::Dots, rates)
            .mark(self.fastest as f64, "fastest");
        display::chart(&Chart::single("Batch sizes", panel), &self.to_string())
    }

    /// Shows them as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for BatchSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, rate) = self.own;
        f.write_str(&self.table().text())?;
        write!(
            f,
            "from {} rows on, batches are about as fast as they get; no more than {} were tried: \
             {}\nby the linear scaling rule the learning rate there is {:.2e} (it is {rate:.2e} at \
             {rows} rows)",
            self.fastest,
            self.largest,
            self.ended,
            linear_scaling(rate, rows, self.fastest)
        )
    }
}
