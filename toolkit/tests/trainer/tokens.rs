//! Training on the tokens of a tokenizer, whose file nobody needs once it was read.

use std::path::{Path, PathBuf};

use trainbook::data::{Array, DataError};
use trainbook::onnx::{Session, Verifier};
use trainbook::prelude::*;
use trainbook::random::Stream;

const LENGTH: usize = 24;

fn fixture(name: &str) -> PathBuf {
    let folder = "data/src/tests/fixtures/tokenizers";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("{name}.json"))
}

/// 90 sentences that are about the mill or about ducks, and the table's file.
fn sentences(folder: &Path) -> PathBuf {
    let mut csv = String::from("text,about\n");
    for row in 0..90_u64 {
        let mut draws = Stream::new(Seed(0), "sentences").at(0, row);
        let (things, about) =
            [(["mill", "wheel"], "mill"), (["ducks", "geese"], "ducks")][row as usize % 2];
        let more = " and the river".repeat(draws.below(3) as usize);
        csv +=
            &format!("\"The {} by the water{more}.\",{about}\n", things[draws.below(2) as usize]);
    }
    let path = folder.join("sentences.csv");
    std::fs::write(&path, csv).unwrap();
    path
}

fn tokenised(csv: &Path, tokenizer: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let words = Words::new(LENGTH).tokenizer(tokenizer)?;
    let data = Dataset::csv(csv)?.words("text", words)?.target("about")?;
    data.split(Split::stratified(0.7, 0.15, 0.15), Seed(1))
}

fn net(data: &Dataset) -> Sequential {
    let embedding = layer::Embedding::new(data.vocabulary_size(), 8).padding_index(0);
    Sequential::new().with(embedding).position_avg_pool().linear(2)
}

#[test]
fn texts_are_classified_by_their_tokens_and_batched_by_length() {
    let folder = tempfile::tempdir().unwrap();
    let csv = sentences(folder.path());
    for name in ["bert", "t5", "gpt2", "roberta", "llama3"] {
        let data = tokenised(&csv, fixture(name)).unwrap();
        let trainer = Trainer::classifier(&data, net(&data)).seed(1).batch_size(8);
        let trainer = trainer.learning_rate(0.03).bucket_by_length(Buckets::default()).quiet();
        let run = trainer.build().unwrap().fit(Epochs(20)).unwrap();
        assert_eq!(run.evaluate(Part::Test).unwrap().accuracy(), Some(1.0), "{name}");
    }
}

#[test]
fn a_stored_run_needs_no_file_of_its_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let csv = sentences(folder.path());
    let file = folder.path().join("tokenizer.json");
    std::fs::copy(fixture("bert"), &file).unwrap();
    let data = tokenised(&csv, &file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let trainer = || {
        let trainer = Trainer::classifier(&data, net(&data)).seed(1).batch_size(8).quiet();
        trainer.learning_rate(0.03).bucket_by_length(Buckets::default()).store(&store)
    };
    let whole = trainer().build().unwrap().fit(Epochs(6)).unwrap();
    let stored = store.run(whole.id().unwrap()).unwrap();
    let loaded = stored.load().unwrap();
    assert_eq!(loaded.evaluate(Part::Test).unwrap(), whole.evaluate(Part::Test).unwrap());
    let raw = folder.path().join("raw.csv");
    std::fs::write(&raw, "text\nthe DUCKS\na mill of 1887\n").unwrap();
    let recipe = stored.recipe().unwrap().data;
    let again = recipe.make().unwrap();
    let encoding = again.encoding().unwrap();
    let rows = encoding.encode(&recipe.table(&raw, encoding).unwrap()).unwrap();
    let both = [data.encode("the DUCKS").unwrap(), data.encode("a mill of 1887").unwrap()];
    assert_eq!(rows.integers(), both.concat());
    assert_eq!(loaded.predict_on(&rows).unwrap(), whole.predict_on(&rows).unwrap());
    // Stopped in the middle of an epoch, and gone on with.
    let stopped = trainer().with(Budget::steps(13)).build().unwrap().fit(Epochs(6)).unwrap();
    let resumed = store.run(stopped.id().unwrap()).unwrap().resume_quietly().unwrap();
    assert_eq!(resumed.weights_sha256(), whole.weights_sha256());
}

#[test]
fn an_exported_network_takes_the_ids_that_python_gives() {
    let folder = tempfile::tempdir().unwrap();
    let csv = sentences(folder.path());
    let data = tokenised(&csv, fixture("bert")).unwrap();
    let trainer = Trainer::classifier(&data, net(&data)).seed(1).learning_rate(0.03).quiet();
    let run = trainer.build().unwrap().fit(Epochs(10)).unwrap();
    let path = folder.path().join("about.onnx");
    run.export(&path).unwrap();
    let report = trainbook::onnx::check(&path, &Verifier::default()).unwrap();
    // The file has the tokenizer in it, as it is.
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let encoding = json(&report.metadata["trainbook.encoding"]);
    let kept = encoding["columns"][0]["kind"]["words"]["tokenizer"].as_str().unwrap();
    assert_eq!(json(kept), json(&std::fs::read_to_string(fixture("bert")).unwrap()));
    let expected = json(&std::fs::read_to_string(fixture("expected")).unwrap());
    let (texts, theirs) = (&expected["texts"], &expected["tokenizers"]["bert"]["ids"]);
    let session = Session::open(&path, None).unwrap();
    for (text, ids) in texts.as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
        let mut ids: Vec<i64> = serde_json::from_value(ids.clone()).unwrap();
        if ids.len() > LENGTH {
            continue;
        }
        ids.resize(LENGTH, 0);
        let output = session.run(&[Array::i64([1, LENGTH], ids)]).unwrap();
        let row = Array::i64([1, LENGTH], data.encode(text.as_str().unwrap()).unwrap());
        let ours = run.predict_on(&row).unwrap();
        let pairs = ours.floats().iter().zip(output[0].floats());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5), "{text}");
    }
}
