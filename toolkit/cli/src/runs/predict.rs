//! `trainbook runs predict`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::data::{ColumnEncoding, DataError, Dataset, Numbers};
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;
use trainbook::onnx::Head;
use trainbook::trainer::RunRecipe;
use trainbook_core::beside::temporary_beside;

use crate::{Shared, output};

/// Rows that the network sees at a time.
const BATCH: usize = 256;

#[derive(clap::Args)]
pub struct Arguments {
    /// The run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// The rows, written like the file that the run was trained on: raw, with the same columns in any order; the target may be left out
    rows: PathBuf,
    /// Where to write the predictions [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write the probability of each class
    #[arg(long)]
    probabilities: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, rows, out, probabilities, shared }: Arguments) -> Result<(), Error> {
    if let Some(path) = &out {
        output::check_file(path)?;
    }
    shared.expect_text("predictions are a CSV table")?;
    let stored = Store::from(shared.open_store()?).run(&run)?;
    let RunRecipe { data: recipe, loss, .. } = stored.recipe()?;
    let data = recipe.make()?;
    let labels = loss.is_of_labels();
    let classes = data.class_names();
    if probabilities && classes.is_empty() {
        return Err(Error::Setting {
            setting: "--probabilities",
            value: "on".to_owned(),
            expected: "left out, because the targets are values, not classes".to_owned(),
        });
    }
    let run = stored.load_on(&data, &Kinds::standard())?;
    let Some(encoding) = data.encoding() else {
        let reason = "its rows are no rows of a table, so that it is not known what a column is; give \
                      the network its inputs as arrays, by Run::predict_on";
        let reason = reason.to_owned();
        return Err(DataError::Refused { action: "predict rows of", reason }.into());
    };
    let table = recipe.table(&rows, encoding)?;
    let mut inputs = encoding.encode(&table)?;
    // What a row looks like may have been said after the table was read.
    inputs.shape.truncate(1);
    inputs.shape.extend_from_slice(data.shape());
    if let Numbers::F32(numbers) = &inputs.numbers
        && let Some((row, feature)) = data.outside(numbers)
    {
        let number = numbers[row * data.width() + feature];
        let place = format!("{}, feature {:?}", table.place(row), data.feature_names()[feature]);
        let reason = format!(
            "{number} has no logarithm, and the network takes ln(1 + x) of it, which needs more than \
             -1; correct it or leave the row out"
        );
        return Err(DataError::File { path: rows, place, reason }.into());
    }
    // Without a header all columns were taken.
    let names: Vec<&str> = encoding.columns().iter().map(ColumnEncoding::name).collect();
    if table.columns().len() > names.len() {
        let extra = table.columns().iter().map(String::as_str);
        let extra: Vec<&str> = extra.filter(|name| !names.contains(name)).collect();
        output::note(&format!("columns that are no features are left out: {}", extra.join(", ")));
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut written = csv.write_record(header(&data, labels, probabilities));
    for first in (0..inputs.rows()).step_by(BATCH) {
        let input = inputs.some_rows(first..inputs.rows().min(first + BATCH));
        let count = input.rows();
        let outputs = if labels { run.predict_proba(&input) } else { run.predict_on(&input) }?;
        let outputs = outputs.floats().to_vec();
        for line in lines(outputs, count, classes, probabilities) {
            written = written.and_then(|()| csv.write_record(&line));
        }
    }
    let bytes = written
        .map_err(std::io::Error::from)
        .and_then(|()| csv.into_inner().map_err(csv::IntoInnerError::into_error))
        .map_err(|source| Error::Write {
            path: out.clone().unwrap_or_else(|| "the answer".into()),
            source,
        })?;
    let csv = String::from_utf8_lossy(&bytes);
    match out {
        Some(path) => write(&path, &csv),
        None => output::line(csv.trim_end()),
    }
}

/// What a row of the answer has: its class; or its value, or the probability of its label, or of
/// several each.
fn header(data: &Dataset, labels: bool, probabilities: bool) -> Vec<String> {
    let classes = data.class_names();
    let one = if labels { "probability" } else { "value" };
    let mut header = match (classes.is_empty(), data.targets_per_row()) {
        (false, _) => vec!["class".to_owned()],
        (true, 1) => vec![one.to_owned()],
        (true, several) => (0..several).map(|at| format!("{one}_{at}")).collect(),
    };
    if probabilities {
        header.extend(classes.iter().map(|class| format!("probability_{class}")));
    }
    header
}

/// The answer for `count` rows, computed as the heads of an exported file are.
fn lines(
    outputs: Vec<f32>,
    count: usize,
    classes: &[String],
    probabilities: bool,
) -> Vec<Vec<String>> {
    let width = outputs.len() / count;
    let head = Head { softmax: probabilities, class: !classes.is_empty() };
    let answer = head.apply(outputs, width);
    let [first, rest @ ..] = &*answer else { return Vec::new() };
    let line = |(row, numbers): (usize, &[f32])| {
        let text = || numbers.iter().map(ToString::to_string);
        match rest.first().and_then(|best| classes.get(best[row] as usize)) {
            Some(class) if probabilities => std::iter::once(class.clone()).chain(text()).collect(),
            Some(class) => vec![class.clone()],
            None => text().collect(),
        }
    };
    first.chunks_exact(width).enumerate().map(line).collect()
}

/// Writes beside the file, which gets its name when it is whole.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let refused = |source| Error::Write { path: path.to_owned(), source };
    output::make_folder_of(path)?;
    let mut file = temporary_beside(path).map_err(refused)?;
    file.write_all(text.as_bytes()).map_err(refused)?;
    file.persist(path).map_err(|error| refused(error.error))?;
    Ok(())
}
