//! Texts as the tokens of tokenizers, held to the ids that Python gives them.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::words::{reviews, rows};
use super::{made_again, refused, table};
use crate::{
    Batch, Batches, Buckets, DataError, DataRecipe, Dataset, Encoding, Loader, Missing, Part,
    Severity, Words,
};
use trainbook_core::random::{Seed, Stream};

/// Their numbers are the ids and so much more.
const TOKENIZERS: [(&str, u32); 5] =
    [("bert", 0), ("t5", 0), ("gpt2", 1), ("roberta", 1), ("llama3", 1)];

/// As many as the longest text has, and more.
const LONG: usize = 4096;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/tokenizers")
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.json"))
}

fn json(name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

fn expected() -> Json {
    json("expected")
}

fn of<T: serde::de::DeserializeOwned>(json: &Json) -> T {
    serde_json::from_value(json.clone()).unwrap()
}

fn words(name: &str, length: usize) -> Words {
    Words::new(length).tokenizer(path(name)).unwrap()
}

fn tokenised(texts: &[&str], words: Words) -> Result<Dataset, DataError> {
    let table = reviews(texts).words("text", words)?;
    table.missing("text", Missing::Text(String::new()))?.target("label")
}

/// A tokenizer's file as it was changed, and what becomes of it.
fn changed(name: &str, length: usize, change: impl FnOnce(&mut Json)) -> Result<Words, DataError> {
    let mut json = json(name);
    change(&mut json);
    written(length, &json.to_string())
}

fn written(length: usize, text: &str) -> Result<Words, DataError> {
    let folder = tempfile::tempdir().unwrap();
    // The name that `refused` takes away.
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    Words::new(length).tokenizer(path)
}

#[test]
fn texts_have_the_ids_that_python_gives_them() {
    let expected = expected();
    let texts: Vec<String> = of(&expected["texts"]);
    assert!(texts.len() >= 20);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (name, shift) in TOKENIZERS {
        let theirs = &expected["tokenizers"][name];
        for (length, ids) in [(LONG, "ids"), (8, "first_8")] {
            let ids: Vec<Vec<u32>> = of(&theirs[ids]);
            let numbers = |ids: &Vec<u32>| {
                let mut numbers: Vec<i64> = ids.iter().map(|id| i64::from(id + shift)).collect();
                numbers.resize(length, 0);
                numbers
            };
            let theirs: Vec<Vec<i64>> = ids.iter().map(numbers).collect();
            let data = tokenised(&texts, words(name, length)).unwrap();
            let encoding = data.encoding().unwrap();
            for (text, theirs) in texts.iter().zip(&theirs) {
                assert_eq!(&data.encode(text).unwrap(), theirs, "{name} {text:?}");
            }
            // White space around a field of a table is no part of its text.
            let whole = (0..).zip(&texts).filter(|(_, text)| text.trim() == **text);
            let whole: Vec<usize> = whole.map(|(row, _)| row).collect();
            assert!(whole.len() > 15);
            let made = rows(&data);
            for &row in &whole {
                assert_eq!(made[row], theirs[row], "{name} {:?}", texts[row]);
            }
            let raw = whole.iter().map(|&row| texts[row]).collect::<Vec<_>>();
            let theirs: Vec<i64> = whole.iter().flat_map(|&row| theirs[row].clone()).collect();
            assert_eq!(encoding.encode(&reviews(&raw)).unwrap().integers(), theirs, "{name}");
        }
    }
}

#[test]
fn the_vocabulary_is_that_of_the_tokenizer() {
    let expected = expected();
    for (name, shift) in TOKENIZERS {
        let tokens: Vec<String> = of(&expected["tokenizers"][name]["tokens"]);
        let texts = ["the river", "the mill", "a duck", "x"];
        let data = tokenised(&texts, words(name, 9)).unwrap();
        assert!(data.is_of_indices() && data.encoding().unwrap().is_of_indices());
        assert_eq!(
            (data.shape(), data.vocabulary_size()),
            (&[9][..], tokens.len() + shift as usize)
        );
        let padding = (shift == 1).then(|| "(padding)".to_owned());
        let ours: Vec<String> = padding.into_iter().chain(tokens).collect();
        assert_eq!(data.vocabulary(), ours, "{name}");
        let padding = [("bert", "[PAD]"), ("t5", "<pad>")];
        let padding = padding.into_iter().find(|(known, _)| *known == name);
        assert_eq!(data.token(0), Some(padding.map_or("(padding)", |(_, token)| token)));
        assert_eq!(data.token(ours.len()), None);
        // Nothing is learned: a split changes none of it, and the rows stay as they are.
        let parts = data.clone().with_parts([vec![0, 1], vec![2], vec![3]]).unwrap();
        assert_eq!((parts.vocabulary(), parts.encoding()), (data.vocabulary(), data.encoding()));
        assert_eq!(rows(&parts), rows(&data));
    }
    let data = tokenised(&["the river", "xyz"], words("bert", 9)).unwrap();
    assert_eq!(data.tokens_of(0).unwrap(), ["[CLS]", "the", "river", "[SEP]"]);
    let data = tokenised(&["the river", "xyz"], words("gpt2", 9)).unwrap();
    assert_eq!(data.tokens_of(0).unwrap().concat(), "theĠriver");
    // A token of padding that the file only names where it says how texts are filled up.
    let filled = changed("gpt2", 4, |json| {
        json["padding"] = json!({"strategy": "BatchLongest", "direction": "Right", "pad_id": 0,
            "pad_to_multiple_of": null, "pad_type_id": 0, "pad_token": "!"});
    });
    let data = tokenised(&["the", "a!"], filled.unwrap()).unwrap();
    assert_eq!((data.vocabulary_size(), data.token(0)), (401, Some("!")));
    // What it names there is no token of id 0: Python's default of a tokenizer without padding.
    let other = changed("gpt2", 4, |json| {
        json["padding"] = json!({"strategy": "BatchLongest", "direction": "Right", "pad_id": 0,
            "pad_to_multiple_of": null, "pad_type_id": 0, "pad_token": "[PAD]"});
    });
    let data = tokenised(&["the", "a!"], other.unwrap()).unwrap();
    assert_eq!((data.vocabulary_size(), data.token(0)), (402, Some("(padding)")));
}

#[test]
fn rows_of_tokens_do_not_depend_on_threads() {
    let texts: Vec<String> =
        (0..500).map(|row| format!("{row} ducks, {} mills", row % 97)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (name, _) in TOKENIZERS {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| rows(&tokenised(&texts, words(name, 12)).unwrap()))
        };
        assert_eq!(with(1), with(5), "{name}");
    }
}

#[test]
fn a_record_has_the_tokenizer_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, file) = (folder.path().join("data.csv"), folder.path().join("tokenizer.json"));
    std::fs::write(&csv, "text,label\nthe old mill,x\n\"a duck, a goose\",y\nthe river,x\n")
        .unwrap();
    std::fs::copy(path("bert"), &file).unwrap();
    let words = Words::new(6).tokenizer(&file).unwrap();
    let made = |words| Dataset::csv(&csv).unwrap().words("text", words).unwrap();
    let data = made(words).target("label").unwrap();
    let data = data.with_parts([vec![0, 1], vec![2], vec![]]).unwrap();
    std::fs::remove_file(file).unwrap();
    let again = made_again(&data);
    assert_eq!((rows(&again), again.vocabulary()), (rows(&data), data.vocabulary()));
    // The whole file, without white space.
    let recipe = serde_json::to_value(data.recipe()).unwrap();
    let words = &recipe["origin"]["plan"]["words"][1];
    assert_eq!(words["length"], 6);
    let kept = words["tokenizer"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Json>(kept).unwrap(), json("bert"));
    assert!(
        !kept.contains('\n')
            && kept.len() < std::fs::metadata(path("bert")).unwrap().len() as usize
    );
    // So it is in what the exported file says, which has no second list of the tokens.
    let encoding = serde_json::to_value(data.encoding().unwrap()).unwrap();
    let kind = &encoding["columns"][0]["kind"];
    assert_eq!((&kind["words"], &kind["vocabulary"]), (words, &Json::Null));
    let read: Encoding = of(&encoding);
    assert_eq!(Some(&read), data.encoding());
    let raw = table("label,text\n1,The RIVER\n");
    let ours = read.encode(&raw).unwrap();
    assert_eq!(ours.integers(), data.encode("the river").unwrap());
    // Written in lines or not, it is the same tokenizer; whatever it says counts.
    let fingerprint = |words| made(words).target("label").unwrap().fingerprint().unwrap().hash;
    let plain = fingerprint(written(6, &json("bert").to_string()).unwrap());
    assert_eq!(plain, fingerprint(written(6, &format!("{:#}", json("bert"))).unwrap()));
    let other = |json: &mut Json| json["normalizer"]["strip_accents"] = false.into();
    let other = changed("bert", 6, other).unwrap();
    let rows_of = |words: &Words| rows(&made(words.clone()).target("label").unwrap());
    assert_eq!(rows_of(&other), rows(&data));
    assert_ne!(plain, fingerprint(other));
}

#[test]
fn what_a_record_cannot_have() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("data.csv");
    std::fs::write(&csv, "text,label\na,x\nb,y\n").unwrap();
    let data = Dataset::csv(&csv).unwrap().words("text", words("bert", 6)).unwrap();
    let data = data.target("label").unwrap();
    let recipe = serde_json::to_value(data.recipe()).unwrap();
    let made = |change: &dyn Fn(&mut Json)| {
        let mut recipe = recipe.clone();
        change(&mut recipe["origin"]["plan"]["words"][1]);
        refused(of::<DataRecipe>(&recipe).make())
    };
    assert_eq!(
        made(&|words| words["tokenizer"] = "{".into()),
        "read the data: its words are made by a tokenizer, which cannot be loaded: it is no JSON \
         (EOF while parsing an object at line 1 column 1)"
    );
    assert_eq!(
        made(&|words| words["length"] = 2.into()),
        "set Words::new to 2: it must be from 3 to 1048576, because the tokenizer adds 2 of its \
         own to each text"
    );
    assert!(made(&|words| words["keep_case"] = true.into()).starts_with("set Words::keep_case to"));
    let encoding = serde_json::to_value(data.encoding().unwrap()).unwrap();
    let read = |change: &dyn Fn(&mut Json)| {
        let mut encoding = encoding.clone();
        change(&mut encoding["columns"][0]["kind"]);
        serde_json::from_value::<Encoding>(encoding).unwrap_err().to_string()
    };
    let error = read(&|kind| kind["words"]["tokenizer"] = "[]".into());
    assert!(
        error.starts_with(
            "the words of \"text\" are made by a tokenizer, which cannot be loaded: it is no"
        ),
        "{error}"
    );
    let error = read(&|kind| kind["vocabulary"] = json!(["a", "b", "c"]));
    assert!(error.contains("contradicts itself"), "{error}");
    let error = read(&|kind| kind["words"]["length"] = 1.into());
    assert!(error.contains("contradicts itself"), "{error}");
}

#[test]
fn what_cannot_be_a_tokenizer() {
    let missing = Words::new(4).tokenizer(folder().join("none.json")).unwrap_err().to_string();
    assert!(missing.contains("none.json") && missing.contains("no such file"), "{missing}");
    for (text, error) in [
        (
            "{\"model\":\n}",
            "read FILE line 2: it is no JSON (expected value at line 2 column 1); save the \
             tokenizer again",
        ),
        (
            "{}",
            "read FILE as a tokenizer: it is no tokenizer that the library `tokenizers` reads \
             (Model missing. at line 1 column 2); save one by tokenizer.save(\"tokenizer.json\") of \
             its Python package",
        ),
    ] {
        assert_eq!(refused(written(4, text)), error);
    }
    for text in ["", "[]", "null", "7", "\"a\"", "{\"model\":7}", "{\"model\":{\"type\":\"Odd\"}}"]
    {
        let error = refused(written(4, text));
        assert!(error.starts_with("read FILE "), "{error}");
    }
    let refuse = |name, change: &dyn Fn(&mut Json)| refused(changed(name, 8, change));
    let empty = |json: &mut Json| {
        (json["model"]["vocab"], json["added_tokens"]) = (json!({}), json!([]));
        json["model"]["merges"] = json!([]);
    };
    assert_eq!(
        refuse("gpt2", &empty),
        "read FILE as a tokenizer: it has no tokens; train it before it is saved"
    );
    assert_eq!(
        refuse("bert", &|json| json["model"]["vocab"]["the"] = 300.into()),
        format!(
            "read FILE as a tokenizer: its ids are not dense: {:?} has the id {} where {} would \
             follow; number the tokens from 0 without gaps",
            json("expected")["tokenizers"]["bert"]["tokens"][after("the")].as_str().unwrap(),
            after("the"),
            after("the") - 1
        )
    );
    assert_eq!(
        refuse("bert", &|json| json["model"]["vocab"]["the"] = (1_u32 << 24).into()),
        "read FILE as a tokenizer: its largest id is 16777216, and it must be at most 16777215"
    );
    assert_eq!(
        refuse("gpt2", &|json| json["model"]["vocab"]["the"] = ((1_u32 << 24) - 1).into()),
        "read FILE as a tokenizer: its largest id is 16777215, and it must be at most 16777214"
    );
    assert_eq!(
        refuse("gpt2", &|json| json["added_tokens"][0]["id"] = 450.into()),
        "read FILE as a tokenizer: its ids are not dense: the added token \"<|endoftext|>\" has the \
         id 450 where 400 would follow; number the tokens from 0 without gaps"
    );
    // Two tokens of one id.
    let error = refuse("bert", &|json| json["model"]["vocab"]["the"] = 7.into());
    assert!(error.contains("its ids are not dense"), "{error}");
    assert_eq!(
        refuse("gpt2", &|json| json["model"]["dropout"] = 0.1.into()),
        "read FILE as a tokenizer: it leaves out merges at random (\"dropout\": 0.1), and a text \
         would have other tokens each time; save it with \"dropout\": null"
    );
    assert!(changed("gpt2", 8, |json| json["model"]["dropout"] = 0.0.into()).is_ok());
    let odd = |json: &mut Json| {
        json["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([999]);
    };
    assert_eq!(
        refuse("bert", &odd),
        "read FILE as a tokenizer: the tokenizer makes nothing of \"\" (it gives the id 999, of \
         which there is no token)"
    );
    let mut large = json("gpt2");
    large["added_tokens"][0]["content"] = "x".repeat(12 << 20).into();
    let error = refused(written(4, &large.to_string()));
    assert!(error.starts_with("read FILE as a whole: it takes 1"), "{error}");
    assert!(error.contains("and 12582912 is the most"), "{error}");
}

/// The id behind that of a token.
fn after(token: &str) -> usize {
    let tokens: Vec<String> = of(&expected()["tokenizers"]["bert"]["tokens"]);
    tokens.iter().position(|known| known == token).unwrap() + 1
}

#[test]
fn a_damaged_tokenizer_is_an_error_and_no_panic() {
    for (name, _) in TOKENIZERS {
        let text = json(name).to_string();
        for at in (0..text.len()).step_by(97) {
            let mut cut = text.as_bytes().to_vec();
            // A part is missing, or a number is another one.
            cut.drain(at..(at + 31).min(text.len()));
            if let Ok(cut) = String::from_utf8(cut) {
                check(written(8, &cut));
            }
            let other: String = text
                .char_indices()
                .map(|(place, c)| if place >= at && c.is_ascii_digit() { '9' } else { c })
                .collect();
            check(written(8, &other));
        }
    }
    fn check(words: Result<Words, DataError>) {
        match words.and_then(|words| tokenised(&["the mill", "é 水 🎉"], words)) {
            Ok(data) => {
                let size = data.vocabulary_size() as i64;
                assert!(rows(&data).concat().iter().all(|&token| token < size));
            }
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
}

#[test]
fn a_tokenizer_alone_says_what_a_token_is() {
    let refuse = |words| refused(tokenised(&["a", "b"], words));
    let alone = "it must be left out beside Words::tokenizer, which says itself what a token is and \
                 what tokens there are";
    for (words, said) in [
        (words("bert", 9).most(50), "Words::most to 50"),
        (words("bert", 9).at_least(2), "Words::at_least to 2"),
        (words("bert", 9).characters(), "Words::characters to true"),
        (words("bert", 9).keep_case(), "Words::keep_case to true"),
    ] {
        assert_eq!(refuse(words), format!("set {said}: {alone}"));
    }
    assert_eq!(refuse(words("bert", 0)), "set Words::new to 0: it must be from 1 to 1048576");
    assert_eq!(
        refuse(words("t5", 1)),
        "set Words::new to 1: it must be from 2 to 1048576, because the tokenizer adds 1 of its \
         own to each text"
    );
    assert_eq!(rows(&tokenised(&["mill", "x"], words("bert", 3)).unwrap())[0][2], 3);
    assert!(tokenised(&["a", "b"], words("gpt2", 1)).is_ok());
    // What it cannot say is told of with its line.
    let lacks = changed("t5", 8, |json| json["model"]["unk_id"] = Json::Null).unwrap();
    assert_eq!(
        refused(tokenised(&["the mill", "the 水"], lacks.clone())),
        "read FILE line 3, column \"text\": the tokenizer makes nothing of \"the 水\" \
         (Encountered an unknown token but `unk_id` is missing)"
    );
    let data = tokenised(&["the mill", "a"], lacks).unwrap();
    let error = refused(data.encode("水"));
    assert!(
        error.starts_with("encode with the data: the tokenizer makes nothing of \"水\""),
        "{error}"
    );
}

#[test]
fn the_check_reads_tokens() {
    let found = |data: &Dataset, start: &str| {
        let report = data.check();
        let mut all = report.findings.clone().into_iter();
        all.find(|finding| finding.text.starts_with(start)).unwrap_or_else(|| panic!("{report}"))
    };
    let texts: Vec<String> = (0..40).map(|row| format!("the mill {}", row % 3)).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    (texts[3], texts[30], texts[31]) = ("", "水 水 the", "水 水 水 水");
    let data = tokenised(&texts, words("bert", 7)).unwrap();
    let data = data.with_parts([(0..30).collect(), vec![30, 31], (32..40).collect()]).unwrap();
    let note = found(&data, "texts of 7 tokens");
    assert_eq!(note.evidence["vocabulary"], 300.0);
    // Six of seven: what the tokenizer adds counts for nothing.
    assert_eq!(note.evidence["unknown_validation"], 6.0 / 7.0);
    assert_eq!(note.evidence["unknown_train"], 0.0);
    let warning = found(&data, "85.7% of the tokens of validation");
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(found(&data, "1 rows are what the tokenizer adds to each text alone").rows, [3]);
    let data = tokenised(&texts, words("gpt2", 30)).unwrap();
    let note = found(&data, "texts of 30 tokens");
    assert!(note.text.ends_with("402 numbers with padding, none for the unknown"), "{}", note.text);
    assert!(!note.evidence.keys().any(|key| key.starts_with("unknown")));
    assert_eq!(found(&data, "1 rows are padding alone").rows, [3]);
}

#[test]
fn tokens_are_batched_by_length() {
    let texts: Vec<String> = (0..24).map(|row| "the mill ".repeat(1 + row % 6)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (name, _) in TOKENIZERS {
        let data = tokenised(&texts, words(name, 40)).unwrap();
        let loader = Loader::new(&data, Part::Train, 4, Some(Stream::new(Seed(1), "shuffle")));
        let mut loader = loader.bucket_by_length(0, Buckets::default()).unwrap();
        let mut batch = Batch::default();
        loader.start(0);
        while loader.next(&mut batch).unwrap() {
            let &[_, length] = &batch.input.shape[..] else { panic!("{:?}", batch.input.shape) };
            let longest = batch.samples.iter().map(|&row| data.tokens_of(row).unwrap().len());
            assert_eq!(Some(length), longest.max(), "{name}");
            assert!(length < 40);
        }
    }
}
