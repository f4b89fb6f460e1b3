//! `trainbook runs predict`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::data::{DataError, Dataset};
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;
use trainbook::onnx::Head;

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
        csv.push_str(&lines(outputs, count, &classes, probabilities));
    }
    match out {
        Some(path) => write(&path, &csv),
        None => output::line(csv.trim_end()),
    }
}

/// The answer for `count` rows, computed as the heads of an exported file are.
fn lines(outputs: Vec<f32>, count: usize, classes: &[String], probabilities: bool) -> String {
    let width = outputs.len() / count;
    let head = Head { softmax: probabilities, class: !classes.is_empty() };
    let answer = head.apply(outputs, width);
    let mut lines = String::new();
    let [first, rest @ ..] = &*answer else { return lines };
    for (row, numbers) in first.chunks_exact(width).enumerate() {
        match rest.first().and_then(|best| classes.get(best[row] as usize)) {
            Some(class) => lines.push_str(class),
            None => lines.push_str(&numbers[0].to_string()),
        }
        if probabilities {
            lines.extend(numbers.iter().map(|number| format!(",{number}")));
        }
        lines.push('\n');
    }
    lines
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
