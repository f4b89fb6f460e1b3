//! Where a run ran.

use std::fmt;

use super::parts::{WIDEST, counted, object};
use super::summary::row;
use crate::amount::size;
use crate::environment::{Environment, Gpu};
use crate::text::{columns, line, short};

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.model))?;
        let firmware = self.firmware.as_deref();
        firmware.map_or(Ok(()), |firmware| write!(f, ", firmware {}", line(firmware)))
    }
}

impl fmt::Display for Environment {
    /// A line for each thing that is known: the machine, then the code, then how it was started.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Environment { host_name, os, arch, cpu_model, memory, threads, .. } = self;
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        let joined = |texts: &[String]| texts.join(" ");
        let dirty = match (self.git_dirty, &self.git_diff) {
            (Some(true), Some(diff)) => format!(", with changes (object {})", object(diff)),
            (Some(true), None) => ", with changes".to_owned(),
            _ => String::new(),
        };
        let commit = self.git_commit.as_deref().map(|commit| short(commit, 13) + &dirty);
        let threads = if *threads > 0 { counted(*threads as u64, "thread") } else { String::new() };
        let mut rows = vec![
            row("host", known(host_name)),
            row("system", format!("{os} {arch}").trim().to_owned()),
            row("processor", known(cpu_model)),
            row("threads", threads),
            row("memory", memory.map(size).unwrap_or_default()),
        ];
        rows.extend(self.gpus.iter().map(|gpu| row("card", gpu.to_string())));
        rows.extend([
            row("driver", known(&self.gpu_driver)),
            row("trainbook", self.toolkit_version.clone()),
            row("features", joined(&self.features)),
            row("compiler", self.rustc.clone()),
            row("built", format!("{} {}", self.build_profile, self.target).trim().to_owned()),
            row("commit", commit.unwrap_or_default()),
            row("notebook", known(&self.notebook)),
            row("command", joined(&self.command_line)),
        ]);
        let variables = self.variables.iter().map(|(name, value)| row(name, value.clone()));
        rows.extend(variables);
        let unknown = self.unknown.iter();
        rows.extend(unknown.map(|(field, why)| row(&format!("{field} unknown"), line(why))));
        rows.iter_mut().for_each(|[_, value]| *value = short(value, WIDEST));
        rows.retain(|[_, value]| !value.is_empty());
        columns(f, &rows)
    }
}
