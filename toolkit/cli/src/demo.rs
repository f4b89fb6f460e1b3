//! `trainbook demo`: the playbook from data to checked ONNX file, as a user would write it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use trainbook::data::DataError;
use trainbook::onnx;
use trainbook::prelude::*;

use crate::{Shared, output, shell, store_folder};

/// Options of the demo.
#[derive(clap::Args)]
pub struct Arguments {
    /// The seed from which everything follows
    #[arg(long, default_value_t = 1, value_parser = seed, allow_negative_numbers = true)]
    seed: u64,
    /// The digits, as CSV with the label last [default: the ones in the repository]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Where to write the ONNX file [default: exports/RUN.onnx in the store]
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

const EPOCHS: Epochs = Epochs(30);

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    run_id: String,
    seed: u64,
    learning_rate: f64,
    epochs: u64,
    stopped_because: String,
    test_accuracy: f64,
    test_correct: usize,
    test_rows: usize,
    baseline_run_id: String,
    baseline_accuracy: f64,
    seconds_training: f64,
    seconds_total: f64,
    weights_sha256: String,
    onnx_path: PathBuf,
    onnx_sha256: String,
    onnx_graph_sha256: String,
    ort_version: String,
    ort_max_abs_diff: f64,
    ort_test_accuracy: f64,
    store: PathBuf,
}

/// Runs the demo.
pub fn run(arguments: Arguments) -> Result<(), Error> {
    let began = Instant::now();
    let Arguments { seed, data, onnx: onnx_path, shared: Shared { store, json, quiet } } =
        arguments;
    let say = |text: &str| if json || quiet { Ok(()) } else { output::line(text) };
    // What would stop the last step should stop the first.
    onnx::load(None)?;
    if let Some(path) = &onnx_path {
        output::check_file(path)?;
    }

    let csv = data.unwrap_or_else(shipped_digits);
    let digits = Dataset::csv(&csv)?.target(Column::last())?;
    check_shape(&csv, &digits)?;
    let digits = digits
        .normalize(Normalize::divide_by(16.0))?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?;
    let folder = store_folder::resolve(store);
    let store = Store::open(&folder)?;

    say("1. Is the data right?")?;
    let check = digits.check();
    say(&format!("{check}\n"))?;

    say("2. What does the simplest model reach?")?;
    let mut trainer = Trainer::classifier(&digits, Sequential::new().linear(10))
        .name("digits, logistic regression")
        .tag("role", "baseline")
        .seed(seed)
        .learning_rate(1e-2)
        .with(EarlyStopping::on("val_loss").patience(3).restore_best())
        .store(&store)
        .quiet()
        .build()?;
    let baseline = trainer.fit(EPOCHS)?.uninterrupted("go on with the demo")?;
    let baseline_test = baseline.evaluate(Part::Test)?;
    say(&format!("   logistic regression: {baseline_test}\n"))?;

    say("3. Which learning rate?")?;
    let net = Sequential::new().linear(128).relu().linear(64).relu().linear(10);
    let mlp = || Trainer::classifier(&digits, net.clone()).seed(seed).optimizer(AdamW::default());
    let curve = mlp().quiet().build()?.find_lr()?;
    let learning_rate = curve.suggestion();
    say(&format!("   {curve}\n"))?;

    say("4. Train.")?;
    let mut builder = mlp()
        .name("digits, MLP 64-128-64-10")
        .tag("role", "demo")
        .with(LrSchedule::one_cycle(learning_rate))
        .with(NanGuard::new())
        .with(every(10, GradientMonitor::new()))
        .with(Clip::global_norm(1.0))
        .with(EarlyStopping::on("val_loss").patience(15).restore_best())
        .with(Checkpoint::best("val_loss"))
        .store(&store);
    if json || quiet {
        builder = builder.quiet();
    }
    let mut trainer = builder.build()?;
    say(&trainer.plan().to_string())?;
    let run = trainer.fit(EPOCHS)?.uninterrupted("go on with the demo")?;

    say("\n5. How good is it on rows that nothing has touched?")?;
    let test = run.evaluate(Part::Test)?;
    say(&format!("   {test}; logistic regression had {:.4}\n", accuracy(&baseline_test)))?;

    say("6. Does ONNX Runtime compute the same?")?;
    let run_id = run.id().map(ToString::to_string).unwrap_or_default();
    let onnx_path =
        onnx_path.unwrap_or_else(|| folder.join("exports").join(format!("{run_id}.onnx")));
    output::make_folder_of(&onnx_path)?;
    let export = run.export(&onnx_path)?;
    let ort_test_accuracy = accuracy_in_runtime(&onnx_path, &digits)?;
    say(&format!("{export}\n   test accuracy in ONNX Runtime: {ort_test_accuracy:.4}\n"))?;

    let report = Report {
        seed,
        learning_rate,
        epochs: run.epochs(),
        stopped_because: run.stopped_because().to_string(),
        test_accuracy: accuracy(&test),
        test_correct: test.correct.unwrap_or_default(),
        test_rows: test.rows,
        baseline_run_id: baseline.id().map(ToString::to_string).unwrap_or_default(),
        baseline_accuracy: accuracy(&baseline_test),
        seconds_training: run.seconds(),
        seconds_total: began.elapsed().as_secs_f64(),
        weights_sha256: run.weights_sha256(),
        onnx_path,
        onnx_sha256: export.file.file_sha256,
        onnx_graph_sha256: export.graph_sha256,
        ort_version: export.file.checked_in.version,
        ort_max_abs_diff: export.file.comparison.max_abs_diff,
        ort_test_accuracy,
        run_id,
        store: folder,
    };
    output::print(json, &report, summary)
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("it must be a whole number from 0 to {}", u64::MAX))
}

/// The data in the repository that this program was built from.
fn shipped_digits() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("notebooks/data/digits.csv.gz")
}

/// The networks of the demo are made for digits; other data should be told so before there is a
/// store.
fn check_shape(csv: &Path, digits: &Dataset) -> Result<(), Error> {
    let (width, classes) = (digits.width(), digits.classes().unwrap_or_default());
    if (width, classes) == (64, 10) {
        return Ok(());
    }
    let reason = format!(
        "{} has {width} features and {classes} classes, but the demo's network takes 64 and 10; \
         give it 8×8 pixels a row and the labels 0 to 9",
        csv.display()
    );
    Err(DataError::Refused { action: "use", reason }.into())
}

fn accuracy(evaluation: &Evaluation) -> f64 {
    evaluation.accuracy().unwrap_or(f64::NAN)
}

fn accuracy_in_runtime(path: &Path, digits: &Dataset) -> Result<f64, Error> {
    let rows = digits.part(Part::Test);
    let features = digits.raw(rows)?;
    let outputs = onnx::Session::open(path, None)?.predict(features.floats(), rows.len())?;
    let classes = digits.classes().unwrap_or_default();
    let targets = digits.targets().map(|targets| targets.of(rows)).unwrap_or_default();
    Ok(Metric::from(metric::Accuracy).value(&outputs, classes, &targets, None)?)
}

fn summary(report: &Report) -> String {
    let Report {
        run_id, epochs, seconds_training, stopped_because, test_correct, test_rows, ..
    } = report;
    let program = shell::program();
    let default = store_folder::resolve(None).canonicalize().ok();
    let is_default = default.is_some() && report.store.canonicalize().ok() == default;
    let store =
        if is_default { String::new() } else { format!(" --store {}", shell::path(&report.store)) };
    format!(
        "Run {run_id} is in {}: {epochs} epochs in {seconds_training:.2} s ({stopped_because}), \
         {test_correct} of {test_rows} test rows right.\n\n\
         Next:\n  \
         {program} runs show {run_id}{store}\n  \
         {program} runs query \"tags.role = 'demo' order by metrics.val_loss.min limit 5\"{store}\n  \
         {program} onnx check {}\n  \
         notebooks/01-first-run.ipynb does the same, cell by cell.",
        report.store.display(),
        shell::path(&report.onnx_path),
    )
}
