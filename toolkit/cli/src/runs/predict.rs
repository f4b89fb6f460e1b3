//! `trainbook runs predict`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::data::{DataError, Dataset};
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;

use crate::{Shared, output};

/// Rows that the network sees at a time.
const BATCH: usize = 256;

#[derive(clap::Args)]
pub struct Arguments {
    /// The run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// The rows, as CSV with the columns of the run's data; the target may be left out
    rows: PathBuf,
    /// Where to write the predictions [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write the probability of each class
    #[arg(long)]
    probabilities: bool,
    /// The store's folder [default: the nearest .trainbook above this folder]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

pub fn run(Arguments { run, rows, out, probabilities, store }: Arguments) -> Result<(), Error> {
    if let Some(path) = &out {
        output::check_file(path)?;
    }
    let shared = Shared { store, json: false };
    let stored = Store::from(shared.open_store()?).run(&run)?;
    let data = stored.recipe()?.data.make()?;
    if data.is_of_indices() {
        let reason = "it is a text, and rows of a CSV file are numbers".to_owned();
        return Err(DataError::Refused { action: "predict rows of", reason }.into());
    }
    let classes = data.class_names();
    if probabilities && classes.is_empty() {
        return Err(Error::Setting {
            setting: "--probabilities",
            value: "on".to_owned(),
            expected: "left out, because the targets are values, not classes".to_owned(),
        });
    }
    let run = stored.load_on(&data, &Kinds::standard())?;
    let table = Dataset::csv(&rows)?;
    let names = data.feature_names();
    let features = table.features(names)?;
    // Without a header all columns were taken.
    if table.columns().len() > names.len() {
        let extra = table.columns().iter().filter(|name| !names.contains(name));
        let extra: Vec<_> = extra.map(String::as_str).collect();
        output::note(&format!("columns that are no features are left out: {}", extra.join(", ")));
    }
    let mut csv = String::from(if classes.is_empty() { "value" } else { "class" });
    if probabilities {
        csv.extend(classes.iter().map(|class| format!(",probability_{class}")));
    }
    csv.push('\n');
    for batch in features.chunks(BATCH * data.width()) {
        let count = batch.len() / data.width();
        let outputs = run.predict(batch, count)?;
        for row in outputs.chunks_exact(outputs.len() / count) {
            csv.push_str(&line(row, &classes, probabilities));
        }
    }
    match out {
        Some(path) => write(&path, &csv),
        None => output::line(csv.trim_end()),
    }
}

/// One row of the answer.
fn line(outputs: &[f32], classes: &[String], probabilities: bool) -> String {
    let mut line = String::new();
    // The first of several largest, as the exported file has it.
    let mut best = 0;
    for (at, output) in outputs.iter().enumerate() {
        if *output > outputs[best] {
            best = at;
        }
    }
    match classes.get(best) {
        Some(class) => line.push_str(class),
        None => line.push_str(&outputs[best].to_string()),
    }
    if probabilities {
        let largest = f64::from(outputs[best]);
        let powers: Vec<_> = outputs.iter().map(|&x| (f64::from(x) - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        for power in powers {
            let _ = write!(line, ",{}", (power / sum) as f32);
        }
    }
    line.push('\n');
    line
}

/// Writes beside the file, which gets its name when it is whole.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let refused = |source| Error::Write { path: path.to_owned(), source };
    output::make_folder_of(path)?;
    let mut file = output::temporary_beside(path).map_err(refused)?;
    file.write_all(text.as_bytes()).map_err(refused)?;
    file.persist(path).map_err(|error| refused(error.error))?;
    Ok(())
}
