//! A program that stays alive and measures training steps when it is asked to.
//!
//! It first prints who it is. Each line `MODEL STEPS` is answered by a line: the median of so many
//! steps in milliseconds, or `-` and why there is none.

use anyhow::{Context, Result, bail};
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Threads that every program is to compute with.
pub const THREADS: usize = 2;

/// A program that is running. It ends when this is dropped.
pub struct Server {
    /// Its name and version, as it says.
    pub who: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the program.
    pub fn start(command: &mut Command) -> Result<Self> {
        for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(variable, THREADS.to_string());
        }
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start `{name}`"))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("`{name}` has no standard input and output");
        };
        let mut server = Self {
            who: String::new(),
            child,
            questions: Some(questions),
            answers: BufReader::new(answers),
        };
        server.who = server.line().with_context(|| format!("`{name}` did not say who it is"))?;
        Ok(server)
    }

    /// The median of so many steps of a model in milliseconds, or why there is none.
    pub fn ask(&mut self, model: &str, steps: impl Display) -> Result<Result<f64, String>> {
        let Some(questions) = &mut self.questions else { bail!("{} has ended", self.who) };
        writeln!(questions, "{model} {steps}")
            .and_then(|()| questions.flush())
            .with_context(|| format!("failed to ask {}", self.who))?;
        let line = self.line().with_context(|| format!("{} did not answer", self.who))?;
        match line.strip_prefix("- ") {
            Some(why) => Ok(Err(why.to_owned())),
            None => {
                let read = line.parse().map(Ok);
                read.with_context(|| format!("{} answered no number: {line:?}", self.who))
            }
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("it ended");
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is the end of the program.
        self.questions = None;
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::shell;

    #[test]
    fn a_number_a_reason_and_an_end_are_told_apart() {
        let script = "echo it 1.0; read a; echo 2.5; read a; echo - \"cannot $a\"; read a; exit 3";
        let mut server = Server::start(shell::command("sh").args(["-c", script])).unwrap();
        assert_eq!(server.who, "it 1.0");
        assert_eq!(server.ask("mlp", 3).unwrap(), Ok(2.5));
        assert_eq!(server.ask("mlp", 4).unwrap(), Err("cannot mlp 4".to_owned()));
        assert!(format!("{:#}", server.ask("mlp", 5).unwrap_err()).contains("it 1.0 did not"));
    }
}
