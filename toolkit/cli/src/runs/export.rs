//! `trainbook runs export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use trainbook::Error;
use trainbook::store::export::json::NonFinite;
use trainbook::store::export::{csv, json, tensorboard};
use trainbook::store::{RunSummary, Store, StoreError};
use trainbook_core::beside::temporary_beside;

use super::selection::Selection;
use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// The file; for tensorboard, the folder that gets a folder for each run
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// csv and parquet: a row for each point (run, metric, step, value) instead of a row for each
    /// run
    #[arg(long)]
    points: bool,
    /// json: write NaN and the infinities as null instead of "NaN", "Infinity" and "-Infinity"
    #[arg(long)]
    null: bool,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Clone, Copy, PartialEq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Whole runs: one as a document, many as an array
    Json,
    /// A table of runs, or of points
    Csv,
    /// The same tables with types
    Parquet,
    /// An event file for each run
    Tensorboard,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    format: Format,
    runs: usize,
    files: Vec<PathBuf>,
    bytes: u64,
}

pub fn run(
    Arguments { selection, format, out, points, null, force, shared }: Arguments,
) -> Result<(), Error> {
    if points && !matches!(format, Format::Csv | Format::Parquet) {
        return Err(refusal(
            &out,
            "--points is for csv and parquet; json and tensorboard hold all points anyway",
        ));
    }
    if null && format != Format::Json {
        return Err(refusal(
            &out,
            "--null is for json; the other formats have NaN and the infinities",
        ));
    }
    if format == Format::Parquet && !cfg!(feature = "parquet") {
        let cure = "this trainbook was built without Parquet; add --features parquet where you build or install it";
        return Err(refusal(&out, cure));
    }
    let store = shared.open_store()?;
    let runs = selection.find(&store)?;
    let files = files(format, &out, &runs);
    for file in &files {
        output::check_file(file)?;
        if file.exists() && !force {
            return Err(refusal(file, "it exists; --force replaces it"));
        }
    }
    let record = |run: &RunSummary| store.run(run.id.as_str());
    let mut bytes = 0;
    for (at, path) in files.iter().enumerate() {
        bytes += write(path, force, |file| match (format, points) {
            (Format::Json, _) => {
                let non_finite = if null { NonFinite::Null } else { NonFinite::Text };
                match runs.as_slice() {
                    [run] if selection.is_one() => json::run(&record(run)?, non_finite, file),
                    runs => json::runs(runs.iter().map(record), non_finite, file),
                }
            }
            (Format::Csv, false) => csv::runs(&runs, file),
            (Format::Csv, true) => csv::points(runs.iter().map(record), file),
            (Format::Parquet, points) => parquet(&store, &runs, points, file),
            (Format::Tensorboard, _) => match runs.get(at) {
                Some(run) => tensorboard::events(&record(run)?, file),
                None => Ok(()),
            },
        })?;
    }
    let report = Report { format, runs: runs.len(), files, bytes };
    output::print(shared.json, &report, |report| story(report, &out))
}

/// The files that will be written.
fn files(format: Format, out: &Path, runs: &[RunSummary]) -> Vec<PathBuf> {
    match format {
        Format::Tensorboard => runs
            .iter()
            .map(|run| out.join(run.id.as_str()).join(tensorboard::file_name(run)))
            .collect(),
        Format::Json | Format::Csv | Format::Parquet => vec![out.to_owned()],
    }
}

#[cfg(feature = "parquet")]
fn parquet(
    store: &Store,
    runs: &[RunSummary],
    points: bool,
    file: impl Write + Send,
) -> Result<(), StoreError> {
    use trainbook::store::export::parquet;
    if points {
        return parquet::points(runs.iter().map(|run| store.run(run.id.as_str())), file);
    }
    parquet::runs(runs, file)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Store, _: &[RunSummary], _: bool, _: impl Write + Send) -> Result<(), StoreError> {
    Err(StoreError::Export { format: "Parquet", source: io::ErrorKind::Unsupported.into() })
}

/// Writes beside the file, which gets its name when it is whole. Returns its size in bytes.
fn write(
    path: &Path,
    force: bool,
    content: impl FnOnce(&mut BufWriter<&File>) -> Result<(), StoreError>,
) -> Result<u64, Error> {
    let refused = |source| Error::Write { path: path.to_owned(), source };
    output::make_folder_of(path)?;
    let file = temporary_beside(path).map_err(refused)?;
    let mut writer = BufWriter::new(file.as_file());
    match content(&mut writer) {
        Ok(()) => {}
        // The file says more than the format.
        Err(StoreError::Export { source, .. }) => return Err(refused(source)),
        Err(error) => return Err(error.into()),
    }
    writer.flush().map_err(refused)?;
    drop(writer);
    let size = file.as_file().metadata().map_err(refused)?.len();
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    named.map_err(|error| refused(error.error))?;
    Ok(size)
}

fn refusal(path: &Path, reason: &str) -> Error {
    Error::Write { path: path.to_owned(), source: io::Error::other(reason.to_owned()) }
}

fn story(report: &Report, out: &Path) -> String {
    let runs = if report.runs == 1 { "1 run".to_owned() } else { format!("{} runs", report.runs) };
    format!("{runs} written to {}: {} bytes", out.display(), report.bytes)
}
