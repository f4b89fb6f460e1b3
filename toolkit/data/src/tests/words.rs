//! Texts as tokens.

use super::{Split, classes, fixture, made_again, refused, table};
use crate::{
    Batch, Batches, Categories, ColumnType, DataError, DataRecipe, Dataset, Dates, Encoding,
    Loader, Missing, Normalize, Part, Severity, Table, Words,
};
use trainbook_core::random::{Seed, Stream};

/// A table of texts and a label, as a CSV file that quotes every text.
pub(super) fn reviews(texts: &[&str]) -> Table {
    let line = |(row, text): (usize, &&str)| {
        format!("{},\"{}\"\n", ["bad", "good"][row % 2], text.replace('"', "\"\""))
    };
    table(&format!("label,text\n{}", texts.iter().enumerate().map(line).collect::<String>()))
}

fn worded(texts: &[&str], words: Words) -> Result<Dataset, DataError> {
    let table = reviews(texts).words("text", words)?;
    table.missing("text", Missing::Text(String::new()))?.target("label")
}

pub(super) fn rows(data: &Dataset) -> Vec<Vec<i64>> {
    let all = data.raw(&(0..data.len()).collect::<Vec<_>>()).unwrap();
    all.integers().chunks(data.shape()[0]).map(<[i64]>::to_vec).collect()
}

const TEXTS: [&str; 4] = ["A b, b b!", "a c", "a d d d", "e"];

#[test]
fn texts_are_tokens_as_those_of_a_counter() {
    let expected = &fixture()["words"];
    let texts: Vec<String> = serde_json::from_value(expected["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let trained_on = expected["trained_on"].as_u64().unwrap() as usize;
    for case in expected["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().map(|number| number as usize);
        let mut words = Words::new(number("length").unwrap());
        words = words.at_least(number("at_least").unwrap());
        if let Some(most) = number("most") {
            words = words.most(most);
        }
        if case["characters"] == true {
            words = words.characters();
        }
        if case["keep_case"] == true {
            words = words.keep_case();
        }
        let data = worded(&texts, words.clone()).unwrap();
        let data = data.with_parts([(0..trained_on).collect(), vec![], vec![]]).unwrap();
        let vocabulary: Vec<String> = serde_json::from_value(case["vocabulary"].clone()).unwrap();
        assert_eq!(data.vocabulary()[..2], ["(padding)", "(unknown)"]);
        assert_eq!(data.vocabulary()[2..], vocabulary, "{words:?}");
        let theirs: Vec<Vec<i64>> = serde_json::from_value(case["rows"].clone()).unwrap();
        assert_eq!(rows(&data), theirs, "{words:?}");
        let encoded = data.encoding().unwrap().encode(&reviews(&texts[..10])).unwrap();
        assert_eq!(encoded.integers(), theirs[..10].concat(), "{words:?}");
        for (text, row) in texts.iter().zip(theirs) {
            assert_eq!(data.encode(text).unwrap(), row, "{words:?}");
        }
    }
}

#[test]
fn words_keep_their_case_on_request_and_say_so_in_the_record() {
    let texts = ["Apple sells apples", "an Apple", "APPLE an", "apple"];
    let kept = worded(&texts, Words::new(3).keep_case()).unwrap();
    let plain = worded(&texts, Words::new(3)).unwrap();
    assert_eq!(kept.vocabulary()[2..], ["Apple", "an", "APPLE", "apple", "apples", "sells"]);
    assert_eq!(plain.vocabulary()[2..], ["apple", "an", "apples", "sells"]);
    assert_eq!(kept.encode("apple Apple Sells").unwrap(), [5, 2, 1]);
    assert_eq!(plain.encode("apple Apple Sells").unwrap(), [2, 2, 5]);
    assert_eq!(rows(&kept), [[2, 7, 6], [3, 2, 0], [4, 3, 0], [5, 0, 0]]);
    let json = serde_json::to_string(&kept.recipe()).unwrap();
    assert!(json.contains("\"keep_case\":true"), "{json}");
    assert_eq!(serde_json::from_str::<DataRecipe>(&json).unwrap(), kept.recipe());
    // A raw file is read alike, by what the record says.
    let json = serde_json::to_string(kept.encoding().unwrap()).unwrap();
    assert!(json.contains("\"keep_case\":true"), "{json}");
    let encoding: Encoding = serde_json::from_str(&json).unwrap();
    let encoded = encoding.encode(&reviews(&["apple", "Apple", "SELLS"])).unwrap();
    assert_eq!(encoded.integers(), [5, 0, 0, 2, 0, 0, 1, 0, 0]);
    // Records from before do not say it, and are written as they were.
    let json = serde_json::to_string(plain.encoding().unwrap()).unwrap();
    assert!(!json.contains("case"), "{json}");
    assert_eq!(&serde_json::from_str::<Encoding>(&json).unwrap(), plain.encoding().unwrap());
    assert_ne!(kept.fingerprint().unwrap(), plain.fingerprint().unwrap());
}

#[test]
fn a_data_set_of_words_is_one_of_indices() {
    let data = worded(&TEXTS, Words::new(3)).unwrap();
    assert!(data.is_of_indices() && data.encoding().unwrap().is_of_indices());
    assert_eq!((data.shape(), data.width(), data.len()), (&[3][..], 0, 4));
    assert!(data.feature_names().is_empty() && data.category_features().is_empty());
    assert_eq!(data.encoding().unwrap().width(), 3);
    assert!(data.encoding().unwrap().feature_names().is_empty());
    assert_eq!(
        (data.class_names(), classes(&data)),
        (&["bad", "good"].map(String::from)[..], &[0, 1, 0, 1][..])
    );
    // a, b and d occur three times.
    assert_eq!(data.vocabulary()[2..], ["a", "b", "d", "!", ",", "c", "e"]);
    assert_eq!((data.vocabulary_size(), data.token(4), data.token(9)), (9, Some("d"), None));
    assert_eq!(rows(&data), [[2, 3, 6], [2, 7, 0], [2, 4, 4], [8, 0, 0]]);
    assert_eq!(data.tokens_of(0).unwrap(), ["a", "b", ","]);
    assert_eq!(data.tokens_of(3).unwrap(), ["e"]);
    let mut loader = Loader::new(&data, Part::Train, 3, Some(Stream::new(Seed(1), "shuffle")));
    let mut batch = Batch::default();
    loader.start(0);
    assert!(loader.next(&mut batch).unwrap());
    assert_eq!(batch.input.shape, [3, 3]);
    let of = |&row: &usize| rows(&data)[row].clone();
    assert_eq!(batch.input.integers(), batch.samples.iter().flat_map(of).collect::<Vec<_>>());
    let normalized = data.clone().normalize(Normalize::standard()).unwrap();
    assert_eq!(rows(&normalized), rows(&data));
    let numbers = table("a,y\n1,0\n2,1\n").target("y").unwrap();
    assert!(numbers.vocabulary().is_empty() && !numbers.encoding().unwrap().is_of_indices());
    assert!(numbers.tokens_of(0).unwrap().is_empty());
    assert_eq!(
        refused(numbers.encode("a")),
        "encode with the data: its rows are numbers, not characters or words"
    );
    let text = Dataset::text_of("t", "abcab").characters(2, 1).unwrap();
    assert_eq!((text.vocabulary_size(), text.token(0)), (3, Some("a")));
    assert_eq!(text.tokens_of(1).unwrap(), ["b", "c"]);
}

#[test]
fn the_vocabulary_is_that_of_the_training_part() {
    let data = worded(&TEXTS, Words::new(5).at_least(2)).unwrap();
    assert_eq!(data.vocabulary()[2..], ["a", "b", "d"]);
    let whole = data.fingerprint().unwrap();
    let half = data.clone().split(Split::in_order(0.5, 0.0, 0.5), Seed(0)).unwrap();
    assert_eq!(half.shape(), [5]);
    assert_eq!(half.vocabulary()[2..], ["b", "a"]);
    assert_eq!(rows(&half)[1..], [[3, 1, 0, 0, 0], [3, 1, 1, 1, 0], [1, 0, 0, 0, 0]]);
    assert_ne!(half.fingerprint().unwrap().hash, whole.hash);
    // A second split forgets the first.
    let again = half.split(Split::random(1.0, 0.0, 0.0), Seed(0)).unwrap();
    assert_eq!((rows(&again), again.vocabulary()), (rows(&data), data.vocabulary()));
    // What other rows say has no influence.
    let mut others = TEXTS;
    (others[2], others[3]) = ("z z z z z b", "y");
    let one = data.with_parts([vec![0, 1], vec![2], vec![3]]).unwrap();
    let other = worded(&others, Words::new(5).at_least(2)).unwrap();
    let other = other.with_parts([vec![0, 1], vec![2], vec![3]]).unwrap();
    assert_eq!(one.vocabulary(), other.vocabulary());
    assert_eq!(one.encoding(), other.encoding());
    // Words that are called otherwise are other data, even under the same numbers.
    let renamed = |word| worded(&[word, word], Words::new(2)).unwrap().fingerprint().unwrap().hash;
    assert_eq!(renamed("a"), renamed("a"));
    assert_ne!(renamed("a"), renamed("b"));
}

#[test]
fn a_recipe_makes_the_same_tokens_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    let texts = "text,day,label\n\"a, b\",1,x\n\"b\nb\",2,y\n,3,x\nc,4,y\nb c,5,x\n";
    std::fs::write(&path, texts).unwrap();
    let data = Dataset::csv(&path)
        .unwrap()
        .words("text", Words::new(4).most(3).at_least(1).characters())
        .unwrap()
        .missing("text", Missing::Text("c".to_owned()))
        .unwrap()
        .time("day")
        .unwrap()
        .target("label")
        .unwrap()
        .split(Split::in_time(0.8, 0.2, 0.0), Seed(3))
        .unwrap();
    assert_eq!(data.vocabulary()[2..], ["b", "c", "\n"]);
    assert_eq!(rows(&data)[2], [3, 0, 0, 0]);
    let json = serde_json::to_string(&data.recipe()).unwrap();
    assert!(json.contains(r#""words":[0,{"length":4,"most":3,"characters":true}]"#), "{json}");
    let again = made_again(&data);
    assert_eq!((rows(&again), again.vocabulary()), (rows(&data), data.vocabulary()));
    let wrong = json.replace(r#""length":4"#, r#""length":0"#);
    assert_eq!(
        refused(serde_json::from_str::<DataRecipe>(&wrong).unwrap().make()),
        "set Words::new to 0: it must be from 1 to 1048576"
    );
    // Another number of words is another recipe.
    let more = json.replace(r#""most":3"#, r#""most":2"#);
    let more = serde_json::from_str::<DataRecipe>(&more).unwrap().make().unwrap();
    assert_ne!(more.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
}

#[test]
fn an_encoding_makes_tokens_of_other_files() {
    let data = worded(&TEXTS, Words::new(3)).unwrap();
    let json = serde_json::to_value(data.encoding().unwrap()).unwrap();
    assert_eq!(json["columns"][0]["kind"]["as"], "words");
    assert_eq!(json["columns"][0]["kind"]["words"], serde_json::json!({"length": 3}));
    assert_eq!(json["columns"][0]["kind"]["vocabulary"][4], "d");
    let encoding: Encoding = serde_json::from_value(json).unwrap();
    assert_eq!(Some(&encoding), data.encoding());
    let raw = table("id;text;label\n1;D new a b;good\n2;;bad\n3;NA;bad\n");
    assert_eq!(encoding.encode(&raw).unwrap().integers(), [4, 1, 2, 0, 0, 0, 0, 0, 0]);
    // Without a header, and with numbers alone.
    let raw = table("7\n8\n");
    assert_eq!(encoding.encode(&raw).unwrap().integers(), [1, 0, 0, 1, 0, 0]);
    assert_eq!(
        refused(encoding.encode(&table("texts,y\na,1\n"))),
        "read FILE column \"text\": there is no such column; the nearest is \"texts\""
    );
    let strict = reviews(&TEXTS).words("text", Words::new(3)).unwrap().target("label").unwrap();
    assert_eq!(
        refused(strict.encoding().unwrap().encode(&table("text,y\na,1\n,2\n"))),
        "read FILE line 3, column \"text\": the field is a gap (1 of 2 rows have one here); write \
         a value or leave the row out, or train on a table with .missing(\"text\", …)"
    );
}

#[test]
fn numbers_and_few_texts_can_be_words() {
    let data = table("code,y\n10,0\n20,1\n10,0\n").words("code", Words::new(1)).unwrap();
    assert_eq!(data.column_type("code").unwrap(), ColumnType::Text);
    let data = data.target_values("y").unwrap();
    assert_eq!(data.vocabulary()[2..], ["10", "20"]);
    assert_eq!(rows(&data), [[2], [3], [2]]);
    // The last call counts.
    let codes = || table("code,y\n10,0\n20,1\n10,0\n");
    let words = || codes().words("code", Words::new(1)).unwrap();
    let one_hot = words().categories("code", Categories::one_hot()).unwrap();
    assert_eq!(one_hot.target("y").unwrap().feature_names(), ["code=10", "code=20"]);
    let numbers = words().types([("code", ColumnType::Number)]).unwrap();
    assert_eq!(numbers.target("y").unwrap().feature_names(), ["code"]);
    let dates = words().dates("code", Dates::elapsed()).unwrap().target("y");
    assert!(refused(dates).contains("no row that is trained on has a date"));
    let again = codes().dates("code", Dates::elapsed()).unwrap();
    let again = again.words("code", Words::new(2)).unwrap().target("y").unwrap();
    assert_eq!(again.shape(), [2]);
}

#[test]
fn gaps_of_words() {
    let gaps = || reviews(&["a a", "", "b", "  "]).words("text", Words::new(2)).unwrap();
    assert_eq!(
        refused(gaps().target("label")),
        "read FILE line 3, column \"text\": the field is empty (2 of 4 rows have a gap here); \
         write a text or leave the row out, fill it by .missing(\"text\", \
         Missing::Text(String::new())), or leave all such rows out by .missing(\"text\", \
         Missing::Drop)"
    );
    let with = |missing: Missing| gaps().missing("text", missing).unwrap().target("label");
    assert_eq!(rows(&with(Missing::Drop).unwrap()), [[2, 2], [3, 0]]);
    let empty = with(Missing::Text(String::new())).unwrap();
    assert_eq!(rows(&empty), [[2, 2], [0, 0], [3, 0], [0, 0]]);
    // A text for gaps counts as often as there are gaps.
    let said = with(Missing::Text("No B b".to_owned())).unwrap();
    assert_eq!(said.vocabulary()[2..], ["b", "a", "no"]);
    assert_eq!(rows(&said), [[3, 3], [4, 2], [2, 0], [4, 2]]);
    for missing in [Missing::Mean, Missing::Median, Missing::MostFrequent, Missing::Constant(1.0)] {
        assert_eq!(
            refused(with(missing)),
            "read FILE column \"text\": its gaps are to be computed, and its words are the input; \
             use Missing::Text(String::new()) for padding alone, or Missing::Drop"
        );
    }
    let told = gaps().missing("text", Missing::Drop.with_indicator()).unwrap().target("label");
    assert_eq!(
        refused(told),
        "read FILE column \"text\": a feature is to tell of its gaps, and its words are the only \
         input; leave .with_indicator() out"
    );
}

#[test]
fn what_cannot_be_the_words_of_a_table() {
    let many = || table("id,text,stars,label\n1,a b,3,x\n2,c,4,y\n");
    let words = || many().words("text", Words::new(2)).unwrap();
    assert_eq!(
        refused(words().target("label")),
        "read FILE columns \"id\", \"stars\": they would be features beside the words of \"text\", \
         which are the only input; leave them out by .ignore([\"id\", \"stars\"])"
    );
    assert_eq!(
        refused(words().ignore("id").unwrap().target("label")),
        "read FILE column \"stars\": it would be a feature beside the words of \"text\", which are \
         the only input; leave it out by .ignore(\"stars\")"
    );
    let data = words().ignore("id").unwrap().weights("stars").unwrap().target("label").unwrap();
    assert_eq!(data.marks().weights.as_deref(), Some(&[3.0, 4.0][..]));
    assert_eq!(
        refused(many().words("txt", Words::new(2))),
        "read FILE column \"txt\": there is no such column; the nearest is \"text\""
    );
    let cannot = "column \"text\": its words are to be the input, and it is left out, a target, or \
                  weights, groups or times; it can be one of them";
    for result in [
        words().target("text"),
        words().ignore("text").unwrap().target("label"),
        words().group("text").unwrap().target("label"),
    ] {
        assert_eq!(refused(result), format!("read FILE {cannot}"));
    }
    for (words, error) in [
        (Words::new(0), "set Words::new to 0: it must be from 1 to 1048576"),
        (Words::new(9).most(0), "set Words::most to 0: it must be from 1 to 16777214"),
        (Words::new(9).at_least(0), "set Words::at_least to 0: it must be at least 1"),
        (Words::new(1 << 21), "set Words::new to 2097152: it must be from 1 to 1048576"),
    ] {
        assert_eq!(refused(many().words("text", words)), error);
    }
    assert_eq!(
        refused(worded(&["a", "b"], Words::new(2).at_least(2))),
        "read FILE column \"text\": no word occurs at least 2 times in the rows that are trained \
         on; ask for fewer by Words::at_least, or for .characters()"
    );
    assert_eq!(
        refused(worded(&TEXTS, Words::new(4)).unwrap().image(1, 2, 2)),
        "use the data: images of 1 × 2 × 2 are made of 4 numbers, and a row has 0 features"
    );
    let shards = tempfile::tempdir().unwrap();
    let written = worded(&TEXTS, Words::new(4)).unwrap().write_shards(shards.path().join("s"), 2);
    assert!(refused(written).contains("fitted to the rows that are trained on"));
}

#[test]
fn the_check_reads_words() {
    let texts: Vec<String> =
        (0..60).map(|row| format!("word{} and {}", row / 2, row % 7)).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    (texts[3], texts[59], texts[58]) = ("", texts[0], "new words are here");
    let data = worded(&texts, Words::new(3)).unwrap();
    let data = data.with_parts([(0..40).collect(), (40..58).collect(), vec![58, 59]]).unwrap();
    let report = data.check();
    assert!(report.deterministic && report.features.is_empty());
    let found = |start: &str| {
        let mut all = report.findings.iter();
        all.find(|finding| finding.text.starts_with(start)).unwrap_or_else(|| panic!("{report}"))
    };
    let note = found("texts of 3 words");
    assert_eq!(note.severity, Severity::Note);
    assert_eq!(note.evidence["full_rows"], 59.0);
    assert_eq!(note.evidence["vocabulary"], data.vocabulary_size() as f64);
    assert_eq!(note.evidence["unknown_train"], 0.0);
    assert_eq!(found("1 rows are padding alone").rows, [3]);
    // Each word of the validation part but "and" and the number is new.
    assert!((note.evidence["unknown_validation"] - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(found("50.0% of the words of test").severity, Severity::Warning);
    let shared = found("1 rows of test have the same features");
    assert_eq!((shared.severity, &shared.rows[..]), (Severity::Warning, &[59][..]));
    let text = report.to_string();
    assert!(text.contains("features     none, rows are indices\nclasses      2"), "{text}");
}

#[test]
fn an_odd_file_of_texts() {
    let odd = "\u{feff}label;text\r\ngood;\"He said \"\"wow\"\",\r\nthen left; twice\"\r\n\
               bad;\"\"\r\ngood;e\u{301}t\u{e9} \u{1f44d}\u{1f3fd}\u{1f44d}\r\n\
               bad;\"  \u{2028} x\u{a0}y  \"\r\ngood;\"\u{0}\"\r\n";
    let data = table(odd).words("text", Words::new(20)).unwrap();
    let data = data.missing("text", Missing::Text(String::new())).unwrap().target("label").unwrap();
    let tokens = |row| data.tokens_of(row).unwrap();
    assert_eq!(tokens(0), ["he", "said", "\"", "wow", "\"", ",", "then", "left", ";", "twice"]);
    assert!(tokens(1).is_empty());
    assert_eq!(tokens(2), ["e\u{301}t\u{e9}", "\u{1f44d}\u{1f3fd}", "\u{1f44d}"]);
    assert_eq!(tokens(3), ["x", "y"]);
    assert_eq!(tokens(4), ["\u{0}"]);
}

/// As a program with the feature `tokenizers` writes it.
#[cfg(not(feature = "tokenizers"))]
#[test]
fn a_record_of_a_tokenizer_is_refused_by_a_program_without_them() {
    let (_folder, table) = super::kept("text,label\na b,x\nb,y\n");
    let data = table.words("text", Words::new(4)).unwrap().target("label").unwrap();
    let tokenizer = include_str!("fixtures/tokenizers/gpt2.json");
    let mut recipe = serde_json::to_value(data.recipe()).unwrap();
    recipe["origin"]["plan"]["words"][1]["tokenizer"] = tokenizer.into();
    // It can be read and written.
    let read: DataRecipe = serde_json::from_value(recipe.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), recipe);
    assert_eq!(
        refused(read.make()),
        "read the data: its words are made by a tokenizer, which cannot be loaded: this program was \
         built without tokenizers; build it with the feature `tokenizers` of trainbook"
    );
    let mut encoding = serde_json::to_value(data.encoding().unwrap()).unwrap();
    let kind = encoding["columns"][0]["kind"].as_object_mut().unwrap();
    kind["words"]["tokenizer"] = tokenizer.into();
    kind.remove("vocabulary");
    assert_eq!(
        serde_json::from_value::<Encoding>(encoding).unwrap_err().to_string(),
        "the words of \"text\" are made by a tokenizer, which cannot be loaded: this program was \
         built without tokenizers; build it with the feature `tokenizers` of trainbook"
    );
}
