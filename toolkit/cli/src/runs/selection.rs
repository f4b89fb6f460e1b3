//! Which runs a command is about.

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::store::{RunSummary, Store};

/// Runs by name, or by a query.
#[derive(clap::Args)]
pub struct Selection {
    /// Their ids, or beginnings of them that no other has
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new(), required_unless_present = "query")]
    runs: Vec<String>,
    /// The runs that a query selects
    #[arg(long, conflicts_with = "runs")]
    query: Option<String>,
}

impl Selection {
    /// The runs, each once, in the order given or that of the query.
    pub fn find(&self, store: &Store) -> Result<Vec<RunSummary>, Error> {
        if let Some(query) = &self.query {
            return Ok(store.query(query)?);
        }
        let mut found: Vec<RunSummary> = Vec::new();
        for name in &self.runs {
            let run = store.summary(name)?;
            if found.iter().all(|other| other.id != run.id) {
                found.push(run);
            }
        }
        Ok(found)
    }

    /// Whether exactly one run was asked for, by name.
    pub fn is_one(&self) -> bool {
        self.query.is_none() && self.runs.len() == 1
    }
}
