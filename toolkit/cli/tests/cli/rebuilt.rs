//! A recorded run, used again without the program that made it.

use std::fs;

use trainbook::prelude::*;

use crate::{Place, digits_like, shipped_digits, succeeded};

/// Digits-like rows with a header.
fn named(rows: usize) -> String {
    let header: Vec<_> = (0..64).map(|pixel| format!("p{pixel}")).collect();
    format!("{},label\n{}", header.join(","), digits_like(rows))
}

/// Each line with its fields reversed.
fn reversed(csv: &str) -> String {
    csv.lines().map(|line| line.rsplit(',').collect::<Vec<_>>().join(",") + "\n").collect()
}

fn without_target(csv: &str) -> String {
    csv.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect()
}

#[test]
fn a_run_is_exported_and_predicts_without_its_program() {
    let place = Place::new();
    let report = place.json(&["demo", "--json", "--seed", "1", "--store", "store"]);
    let id = report["run_id"].as_str().unwrap();
    let again =
        place.json(&["onnx", "export", id, "-o", "again.onnx", "--json", "--store", "store"]);
    assert_eq!(again["graph_sha256"], report["onnx_graph_sha256"], "{again}");
    assert!(place.text(&["onnx", "check", "again.onnx"]).contains("again.onnx"));
    place.text(&[
        "onnx",
        "export",
        id,
        "-o",
        "folder",
        "--softmax",
        "--class",
        "--folder",
        "--store",
        "store",
    ]);
    assert!(place.path("folder/SHA256SUMS").is_file());

    let query = "model.parameters > 1000 and model.layers = 5";
    let found = place.json(&["runs", "query", query, "--json", "--store", "store"]);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["id"], id);

    // More rows than one batch. A network that learnt nothing would get a tenth of them right.
    let csv = digits_like(300);
    fs::write(place.path("rows.csv"), without_target(&csv)).unwrap();
    let shown =
        place.text(&["runs", "predict", id, "rows.csv", "--probabilities", "--store", "store"]);
    assert_eq!(shown.lines().count(), 301);
    for line in shown.lines().skip(1) {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let (class, probabilities) = (fields[0] as usize, &fields[1..]);
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{line}");
        assert!(probabilities.iter().all(|&p| p <= probabilities[class]), "{line}");
    }
    place.text(&["runs", "predict", id, "rows.csv", "-o", "out/p.csv", "--store", "store"]);
    let written = fs::read_to_string(place.path("out/p.csv")).unwrap();
    let classes: Vec<_> = shown.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), classes);

    // The test part of the demo's digits, as the demo divided them.
    let digits = Dataset::csv(shipped_digits()).unwrap().target(Column::last()).unwrap();
    let digits = digits.split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap();
    let test = digits.part(Part::Test);
    let row = |&row: &usize| {
        let fields: Vec<_> =
            digits.raw(&[row]).unwrap().floats().iter().map(ToString::to_string).collect();
        fields.join(",") + "\n"
    };
    fs::write(place.path("test.csv"), test.iter().map(row).collect::<String>()).unwrap();
    let shown = place.text(&["runs", "predict", id, "test.csv", "--store", "store"]);
    let predicted: Vec<u32> = shown.lines().skip(1).map(|class| class.parse().unwrap()).collect();
    let Targets::Classes(labels) = digits.targets().unwrap().of(test) else { panic!("no classes") };
    assert_eq!(predicted.len(), labels.len());
    let right = predicted.iter().zip(&labels).filter(|(predicted, label)| predicted == label);
    assert_eq!(right.count() as u64, report["test_correct"].as_u64().unwrap());

    fs::write(place.path("wide.csv"), &csv).unwrap();
    fs::write(place.path("text.csv"), crate::with_field(&without_target(&csv), 2, 3, "x")).unwrap();
    let refuses = |run: &str, rows: &str, store: &str, words: &[&str]| {
        place.refuses(&["runs", "predict", run, rows, "-o", "no.csv", "--store", store], words);
    };
    refuses(id, "wide.csv", "store", &["wide.csv line 1", "65 columns", "64"]);
    refuses(id, "text.csv", "store", &["text.csv line 3, column \"3\"", "\"x\""]);
    refuses(id, "none.csv", "store", &["none.csv", "no such file"]);
    refuses("nope", "rows.csv", "store", &["\"nope\"", "nearest id is 20"]);
    refuses(id, "rows.csv", "nowhere", &["nowhere"]);
    place.refuses(
        &["onnx", "export", "nope", "-o", "no.onnx", "--store", "store"],
        &["\"nope\"", "nearest id is 20"],
    );
    place.json(&["demo", "--json", "--seed", "2", "--store", "other"]);
    refuses(id, "rows.csv", "other", &[id, "nearest"]);
}

#[test]
fn columns_are_found_by_name_and_changed_data_are_refused() {
    let place = Place::new();
    let csv = named(600);
    fs::write(place.path("data.csv"), &csv).unwrap();
    let report = place.json(&["demo", "--json", "--data", "data.csv", "--store", "store"]);
    let id = report["run_id"].as_str().unwrap();
    let predict = |csv: &str, is_silent: bool| {
        fs::write(place.path("rows.csv"), csv).unwrap();
        let args = ["runs", "predict", id, "rows.csv", "--store", "store"];
        let output = place.trainbook(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(succeeded(&output), is_silent, "{output:?}");
        if !is_silent {
            let note = String::from_utf8(output.stderr).unwrap();
            assert!(note.starts_with("note: ") && note.contains("label"), "{note}");
        }
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = predict(&without_target(&csv), true);
    assert_eq!(predict(&csv, false), plain);
    assert_eq!(predict(&reversed(&csv), false), plain);
    assert_eq!(predict(&reversed(&without_target(&csv)), true), plain);
    let labels = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    let right = labels.zip(plain.lines().skip(1)).filter(|(label, class)| label == class).count();
    assert!(right > 500, "{right} of 600");

    fs::write(place.path("rows.csv"), csv.replace("p63", "q63")).unwrap();
    place.refuses(
        &["runs", "predict", id, "rows.csv", "--store", "store"],
        &["rows.csv", "\"p63\"", "there is no such column"],
    );
    let export = ["onnx", "export", id, "-o", "no.onnx", "--store", "store"];
    fs::write(place.path("data.csv"), crate::with_field(&csv, 5, 5, "9.5")).unwrap();
    place.refuses(&export, &["data.csv", "is not what run", id]);
    fs::remove_file(place.path("data.csv")).unwrap();
    place.refuses(&export, &["data.csv", "no such file"]);
}

/// Eighty cars; what they cost follows from the other columns.
fn cars() -> String {
    let mut csv = String::from("power,origin,name,price\n");
    for row in 0..80_u32 {
        let (power, origin) = (60 + 7 * row % 90, ["usa", "europe", "japan"][row as usize % 3]);
        let price = 100 + 3 * power + 50 * (row % 3);
        // A gap here and there.
        let power = if row % 13 == 5 { String::new() } else { power.to_string() };
        csv += &format!("{power},{origin},car {row},{price}\n");
    }
    csv
}

#[test]
fn a_raw_file_is_predicted_as_it_stands() {
    let place = Place::new();
    fs::write(place.path("cars.csv"), cars()).unwrap();
    let data = Dataset::csv(place.path("cars.csv"))
        .unwrap()
        .ignore("name")
        .unwrap()
        .missing("power", Missing::Median)
        .unwrap()
        .target_values("price")
        .unwrap()
        .normalize(Normalize::standard())
        .unwrap()
        .scale_targets(TargetScaling::Standard)
        .unwrap()
        .split(Split::random(0.8, 0.2, 0.0), Seed(1))
        .unwrap();
    let store = Store::open(place.path("store")).unwrap();
    let net = Sequential::new().linear(16).relu().linear(1);
    let trainer = Trainer::regressor(&data, net).seed(1).learning_rate(0.01).quiet().store(&store);
    let run = trainer.build().unwrap().fit(Epochs(80)).unwrap();
    let id = run.id().unwrap().to_string();
    let predicted = |csv: &str| -> Vec<f64> {
        fs::write(place.path("rows.csv"), csv).unwrap();
        let args = ["runs", "predict", &id, "rows.csv", "--store", "store"];
        let output = place.trainbook(&args).output().unwrap();
        // What is left out is said beside the answer.
        assert_eq!(succeeded(&output), !csv.contains("name"), "{output:?}");
        let shown = String::from_utf8(output.stdout).unwrap();
        shown.lines().skip(1).map(|line| line.parse().unwrap()).collect()
    };
    // 100 + 3·80 + 50·{0, 2}
    let plain = predicted("power,origin\n80,usa\n80,japan\n");
    assert!((plain[0] - 340.0).abs() < 40.0 && (plain[1] - 440.0).abs() < 40.0, "{plain:?}");
    // Another order, columns that nobody needs, another way to write numbers and to divide fields.
    assert_eq!(predicted("origin,name,power\nusa,a,80\njapan,b,80\n"), plain);
    assert_eq!(predicted("power;origin\n80,0;usa\n80,0;japan\n"), plain);
    // A gap is what it was in training: the median.
    let gap = predicted("power,origin\n,usa\nNA,japan\n");
    assert!(gap.iter().all(|price| price.is_finite()) && gap[0] < gap[1], "{gap:?}");

    let args = ["runs", "predict", &id, "rows.csv", "--store", "store"];
    for (csv, words) in [
        ("power,origin\n80,usa\n80,mars\n", &["line 3", "\"origin\"", "mars"][..]),
        ("power\n80\n", &["origin"]),
        ("pwer,origin\n80,usa\n", &["power", "pwer"]),
        ("power,origin\nfast,usa\n", &["line 2", "\"power\"", "fast"]),
    ] {
        fs::write(place.path("rows.csv"), csv).unwrap();
        place.refuses(&args, words);
    }
}

#[test]
fn a_run_under_logarithms_predicts_raw_files_and_names_what_has_none() {
    let place = Place::new();
    let mut csv = String::from("power,weight,price\n");
    for row in 0..200_u32 {
        let (power, weight) = (row % 40, row % 7);
        csv += &format!("{power},{weight},{}\n", 10 * (1 + power) * (1 + weight) - 1);
    }
    fs::write(place.path("cars.csv"), &csv).unwrap();
    let data = Dataset::csv(place.path("cars.csv")).unwrap().target_values("price").unwrap();
    let data = data.normalize(Normalize::log1p_of(["power", "weight"])).unwrap();
    let data = data.scale_targets(TargetScaling::Log1p).unwrap();
    let data = data.split(Split::random(0.8, 0.2, 0.0), Seed(1)).unwrap();
    let store = Store::open(place.path("store")).unwrap();
    // ln price is a sum of logarithms: a line learns the product.
    let trainer = Trainer::regressor(&data, Sequential::new().linear(1)).seed(1);
    let trainer = trainer.learning_rate(0.02).quiet().store(&store);
    let run = trainer.build().unwrap().fit(Epochs(150)).unwrap();
    let id = run.id().unwrap().to_string();
    fs::write(place.path("rows.csv"), "weight,power\n0,0\n6,39\n1,300\n").unwrap();
    let args = ["runs", "predict", &id, "rows.csv", "--store", "store"];
    let shown = place.text(&args);
    let prices: Vec<f64> = shown.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    for (price, expected) in prices.iter().zip([9.0, 2799.0, 6019.0]) {
        assert!((price - expected).abs() < 0.05 * expected, "{prices:?}");
    }
    let own = run.predict_on(
        &data.encoding().unwrap().encode(&Dataset::csv(place.path("rows.csv")).unwrap()).unwrap(),
    );
    let own: Vec<String> = own.unwrap().floats().iter().map(ToString::to_string).collect();
    assert_eq!(shown.lines().skip(1).collect::<Vec<_>>(), own);
    fs::write(place.path("rows.csv"), "power,weight\n5,1\n\n-1,2\n").unwrap();
    place.refuses(&args, &["rows.csv", "line 4", "\"power\"", "-1", "logarithm"]);
}

#[test]
fn texts_of_a_raw_file_are_predicted_by_the_words_of_the_training() {
    let place = Place::new();
    fs::write(place.path("reviews.csv"), reviews()).unwrap();
    let table = Dataset::csv(place.path("reviews.csv")).unwrap();
    let data = table.ignore("id").unwrap().words("review", Words::new(8)).unwrap();
    let data = data.target("mood").unwrap();
    let run = trained_on_words(&place, data, 0.02);
    assert_eq!(run.evaluate(Part::Test).unwrap().accuracy(), Some(1.0));
    let id = run.id().unwrap().to_string();
    // Another order, and words that nobody has seen.
    let rows = "review,more\n\"What a LOVELY, unheard-of end\",1\n\"poor, poor film\",2\n";
    fs::write(place.path("rows.csv"), rows).unwrap();
    let args = ["runs", "predict", &id, "rows.csv", "--store", "store"];
    let output = place.trainbook(&args).output().unwrap();
    // A column that is none of the training is told of.
    assert!(output.status.success() && !output.stderr.is_empty(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.trim_end(), "class\ngood\nbad", "{shown}");
    fs::write(place.path("rows.csv"), "text\nlovely\n").unwrap();
    place.refuses(&args, &["review"]);
}

/// 120 reviews of films, half of them good.
fn reviews() -> String {
    let (good, bad) = (["lovely", "great", "fine"], ["dull", "poor", "bad"]);
    let mut csv = String::from("id,review,mood\n");
    for row in 0..120_usize {
        let (words, mood) = if row % 2 == 0 { (good, "good") } else { (bad, "bad") };
        let (word, more) = (words[row / 2 % 3], words[row / 6 % 3]);
        csv += &format!("{row},\"A {word} film, and a {more} end.\",{mood}\n");
    }
    csv
}

#[cfg(feature = "tokenizers")]
#[test]
fn texts_of_a_raw_file_are_predicted_by_the_tokenizer_of_the_training() {
    let place = Place::new();
    fs::write(place.path("reviews.csv"), reviews()).unwrap();
    let file = place.path("tokenizer.json");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/src/tests/fixtures/tokenizers");
    fs::copy(format!("{fixtures}/bert.json"), &file).unwrap();
    let words = Words::new(32).tokenizer(&file).unwrap();
    let table = Dataset::csv(place.path("reviews.csv")).unwrap().ignore("id").unwrap();
    let data = table.words("review", words).unwrap().target("mood").unwrap();
    let run = trained_on_words(&place, data, 0.05);
    fs::remove_file(&file).unwrap();
    let id = run.id().unwrap().to_string();
    let texts = ["a lovely, fine end", "Poor, dull and BAD"];
    let csv: String = texts.iter().map(|text| format!("\"{text}\"\n")).collect();
    fs::write(place.path("rows.csv"), format!("review\n{csv}")).unwrap();
    let args = ["runs", "predict", &id, "rows.csv", "--store", "store"];
    assert_eq!(place.text(&args).trim_end(), "class\ngood\nbad");
}

/// A run of a network that averages the words' rows of a table, in the store "store".
fn trained_on_words(place: &Place, data: Dataset, learning_rate: f64) -> trainbook::trainer::Run {
    let data = data.split(Split::stratified(0.7, 0.15, 0.15), Seed(1)).unwrap();
    let net = Sequential::new()
        .with(layer::Embedding::new(data.vocabulary_size(), 8).padding_index(0))
        .with(layer::PositionAvgPool)
        .linear(2);
    let store = Store::open(place.path("store")).unwrap();
    let trainer = Trainer::classifier(&data, net).seed(1).learning_rate(learning_rate).quiet();
    trainer.store(&store).build().unwrap().fit(Epochs(20)).unwrap()
}

#[test]
fn capital_letters_of_a_raw_file_count_if_they_did_in_training() {
    let place = Place::new();
    // The two moods differ in nothing else.
    let mut csv = String::from("review,mood\n");
    for row in 0..120 {
        let (word, mood) = if row % 2 == 0 { ("Bright", "name") } else { ("bright", "word") };
        csv += &format!("\"a {word} film {}\",{mood}\n", row % 5);
    }
    fs::write(place.path("reviews.csv"), csv).unwrap();
    let table = Dataset::csv(place.path("reviews.csv")).unwrap();
    let table = table.words("review", Words::new(6).keep_case()).unwrap();
    let data = table.target("mood").unwrap();
    let run = trained_on_words(&place, data, 0.05);
    let id = run.id().unwrap().to_string();
    fs::write(place.path("rows.csv"), "review\na Bright film\na bright film\n").unwrap();
    let shown = place.text(&["runs", "predict", &id, "rows.csv", "--store", "store"]);
    assert_eq!(shown.trim_end(), "class\nname\nword", "{shown}");
}

#[test]
fn several_values_and_labels_have_a_column_each() {
    let place = Place::new();
    let mut csv = String::from("a,b,x,y\n");
    for row in 0..60_i32 {
        let (a, b) = (row % 7 - 3, row % 5 - 2);
        csv += &format!("{a},{b},{},{}\n", u8::from(a > 0), u8::from(b > 0));
    }
    fs::write(place.path("rows.csv"), &csv).unwrap();
    let data = || Dataset::csv(place.path("rows.csv")).unwrap();
    let store = Store::open(place.path("store")).unwrap();
    let answer = |trainer: trainbook::trainer::TrainerBuilder| {
        let run = trainer.seed(1).learning_rate(0.05).quiet().store(&store);
        let run = run.build().unwrap().fit(Epochs(40)).unwrap();
        let id = run.id().unwrap().to_string();
        fs::write(place.path("new.csv"), "b,a\n2,-3\n-2,3\n").unwrap();
        let shown = place.text(&["runs", "predict", &id, "new.csv", "--store", "store"]);
        let mut lines = shown.lines().map(str::to_owned);
        let header = lines.next().unwrap();
        let rows: Vec<Vec<f64>> =
            lines.map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
        (header, rows)
    };
    let both = data().target_values(["x", "y"]).unwrap();
    let net = || Sequential::new().linear(2);
    let (header, values) = answer(Trainer::regressor(&both, net()));
    assert_eq!(header, "value_0,value_1");
    assert!(values[0][0] < values[0][1] && values[1][0] > values[1][1], "{values:?}");
    let labels = || BinaryCrossEntropy::default();
    let (header, shares) = answer(Trainer::regressor(&both, net()).loss(labels()));
    assert_eq!(header, "probability_0,probability_1");
    assert!(shares.iter().flatten().all(|p| (0.0..=1.0).contains(p)), "{shares:?}");
    assert!(shares[0][0] < 0.2 && shares[0][1] > 0.8, "{shares:?}");
    let one = data().ignore("y").unwrap().target_values("x").unwrap();
    let net = Sequential::new().linear(1);
    let (header, shares) = answer(Trainer::regressor(&one, net).loss(labels()));
    assert!(header == "probability" && shares[1][0] > 0.8, "{header} {shares:?}");
}
