//! Steps: what is being done, and how long each thing took.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// The steps done so far, in order.
#[derive(Default)]
pub struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    failed: bool,
}

impl Steps {
    /// Names the step, runs it and keeps its time. Its error is returned with the step's name.
    pub fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let begin = Instant::now();
        let result = step();
        self.done.push(Step {
            name: name.to_owned(),
            took: begin.elapsed(),
            failed: result.is_err(),
        });
        result.with_context(|| format!("step `{name}`"))
    }

    /// Prints the table of all steps so far.
    pub fn print(&self) {
        print!("\n{}", self.table());
    }

    fn table(&self) -> String {
        let width = self
            .done
            .iter()
            .map(|step| step.name.chars().count())
            .max()
            .unwrap_or(0)
            .max("total".len());
        let mut table = String::new();
        for step in &self.done {
            let mark = if step.failed { "  FAILED" } else { "" };
            table +=
                &format!("  {:<width$}  {:>7.1} s{mark}\n", step.name, step.took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        table + &format!("  {:<width$}  {:>7.1} s\n", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_step_and_marks_the_failed_one() {
        let mut steps = Steps::default();
        assert_eq!(steps.run("first", || Ok(7)).unwrap(), 7);
        let error =
            steps.run("the second", || -> Result<()> { anyhow::bail!("no luck") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `the second`: no luck");
        let table = steps.table();
        let lines: Vec<_> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0][..1], ["first"]);
        assert_eq!((lines[1][0], lines[1][1], lines[1].last()), ("the", "second", Some(&"FAILED")));
        assert_eq!(lines[2][0], "total");
    }
}
