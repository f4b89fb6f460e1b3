//! From columns to features: what is learned, from which rows, and what is refused.

use std::path::PathBuf;

use super::{Normalize, Split, Targets, fixture};
use crate::{
    Batch, Batches, Categories, ColumnType, CsvOptions, DataRecipe, Dataset, Loader, Missing, Part,
    RowMarks, Table, TargetScaling, Unknown,
};
use trainbook_core::random::Seed;

pub(super) fn table(text: &str) -> Table {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    Dataset::csv(&path).unwrap()
}

/// A message without the file's folder.
pub(super) fn refused<T>(result: Result<T, crate::DataError>) -> String {
    let error = result.err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    let from = error.find('/');
    let to = error.find("data.csv");
    match (from, to) {
        (Some(from), Some(to)) => format!("{}FILE{}", &error[..from], &error[to + 8..]),
        _ => error,
    }
}

pub(super) fn rows(data: &Dataset) -> Vec<f32> {
    data.raw(&(0..data.len()).collect::<Vec<_>>()).unwrap().floats().to_vec()
}

pub(super) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1.0)
}

pub(super) fn auto_mpg_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks/data/auto-mpg.csv"))
}

/// The cars with six horsepowers taken out.
fn auto_mpg(gaps: &[usize]) -> Table {
    let text = std::fs::read_to_string(auto_mpg_path()).unwrap();
    let lines = text.lines().enumerate().map(|(line, text)| {
        let mut fields: Vec<&str> = text.split(',').collect();
        if line > 0 && gaps.contains(&(line - 1)) {
            fields[2] = "?";
        }
        fields.join(",")
    });
    table(&lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn cars_are_encoded_as_by_pandas() {
    let expected = &fixture()["auto_mpg"];
    let gaps: Vec<usize> = expected["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_u64().unwrap() as usize)
        .collect();
    let data = auto_mpg(&gaps)
        .ignore("name")
        .unwrap()
        .missing("horsepower", Missing::Mean)
        .unwrap()
        .target_values("mpg")
        .unwrap()
        .split(Split::in_order(0.8, 0.1, 0.1), Seed(0))
        .unwrap();
    assert_eq!(data.part(Part::Train).len(), 314);
    let names: Vec<&str> =
        expected["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(data.feature_names(), names);
    let fill = data.encoding().unwrap().columns()[2].fill().unwrap();
    assert!(close(fill, expected["mean"].as_f64().unwrap()), "{fill}");
    for (row, values) in expected["rows"].as_object().unwrap() {
        let ours = data.raw(&[row.parse().unwrap()]).unwrap();
        let theirs = values.as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        assert!(
            ours.floats().iter().zip(theirs).all(|(&a, b)| close(f64::from(a), b)),
            "row {row}: {:?} and {values}",
            ours.floats()
        );
    }
    let all = rows(&data);
    for (column, sum) in expected["sums"].as_array().unwrap().iter().enumerate() {
        let ours: f64 = all.chunks(names.len()).map(|row| f64::from(row[column])).sum();
        assert!(close(ours, sum.as_f64().unwrap()), "column {column}: {ours} and {sum}");
    }
    for (fill, key) in [(Missing::Median, "median"), (Missing::MostFrequent, "most_frequent")] {
        let data = auto_mpg(&gaps)
            .ignore("name")
            .unwrap()
            .missing("horsepower", fill)
            .unwrap()
            .target_values("mpg")
            .unwrap()
            .split(Split::in_order(0.8, 0.1, 0.1), Seed(0))
            .unwrap();
        let fill = data.encoding().unwrap().columns()[2].fill();
        assert_eq!(fill, expected[key].as_f64(), "{key}");
    }
}

#[test]
fn targets_are_scaled_as_by_pandas_and_back() {
    let expected = &fixture()["auto_mpg"];
    let number = |key: &str| expected[key].as_f64().unwrap();
    let data = Dataset::csv(auto_mpg_path()).unwrap().ignore("name").unwrap();
    let data = data.target_values("mpg").unwrap();
    let plain = data.fingerprint().unwrap().hash;
    let Some(Targets::Values(raw)) = data.targets().cloned() else { panic!() };
    for (scaling, offset, spread) in [
        (TargetScaling::Standard, number("mpg_mean"), number("mpg_std")),
        (TargetScaling::MinMax, number("mpg_min"), number("mpg_max") - number("mpg_min")),
    ] {
        let data = data
            .clone()
            .scale_targets(scaling)
            .unwrap()
            .split(Split::in_order(0.8, 0.1, 0.1), Seed(0))
            .unwrap();
        assert_eq!(data.targets(), Some(&Targets::Values(raw.clone())));
        let fitted = data.target_scaling().unwrap().clone();
        assert!(close(f64::from(fitted.offset[0]), offset), "{fitted:?}");
        assert!(close(1.0 / f64::from(fitted.scale[0]), spread), "{fitted:?}");
        let mut loader = Loader::new(&data, Part::Test, 1000, None);
        let mut batch = Batch::default();
        loader.start(0);
        assert!(loader.next(&mut batch).unwrap());
        let Targets::Values(mut scaled) = batch.targets.clone() else { panic!() };
        let first = data.part(Part::Test)[0];
        assert!(close(f64::from(scaled[0]), (f64::from(raw[first]) - offset) / spread));
        fitted.invert(&mut scaled);
        assert!(scaled.iter().zip(&raw[first..]).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_ne!(data.fingerprint().unwrap().hash, plain);
        let json = serde_json::to_string(&data.recipe()).unwrap();
        let again = serde_json::from_str::<DataRecipe>(&json).unwrap().make().unwrap();
        assert_eq!(again.fingerprint().unwrap(), data.fingerprint().unwrap());
    }
    let classes = table("a,l\n1,0\n2,1\n").target("l").unwrap();
    assert_eq!(
        refused(classes.scale_targets(TargetScaling::Standard)),
        "scale the targets of the data: they are classes; only real numbers have a scale"
    );
}

const PETS: &str =
    "age,kind,owner,good\n1,dog,a,yes\n2,cat,b,no\n?,dog,c,yes\n4,,d,no\n5,emu,e,no\n";

#[test]
fn texts_and_gaps_become_features() {
    let data = table(PETS)
        .ignore("owner")
        .unwrap()
        .missing("age", Missing::Median.with_indicator())
        .unwrap()
        .missing("kind", Missing::Text("none".to_owned()))
        .unwrap()
        .target("good")
        .unwrap();
    assert_eq!(data.class_names(), ["no", "yes"]);
    assert_eq!(super::classes(&data), [1, 0, 1, 0, 0]);
    assert_eq!(
        data.feature_names(),
        ["age", "age_missing", "kind=cat", "kind=dog", "kind=emu", "kind=none"]
    );
    assert_eq!(
        rows(&data).chunks(6).map(<[f32]>::to_vec).collect::<Vec<_>>(),
        [
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            [2.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            [3.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            [4.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            [5.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        ]
    );
    let rare = Categories::ordinal().rare_below(2).unknown(Unknown::Rare);
    let data = table(PETS)
        .ignore("owner")
        .unwrap()
        .missing(["age", "kind"], Missing::MostFrequent)
        .unwrap()
        .categories("kind", rare)
        .unwrap()
        .target("good")
        .unwrap();
    assert_eq!(rows(&data), [1.0, 0.0, 2.0, 1.0, 1.0, 0.0, 4.0, 0.0, 5.0, 1.0]);
    let data = table(PETS)
        .ignore("owner")
        .unwrap()
        .missing(["age", "kind"], Missing::Drop)
        .unwrap()
        .target("good")
        .unwrap();
    assert_eq!((data.len(), super::classes(&data)), (3, &[1, 0, 0][..]));
}

#[test]
fn all_that_is_learned_is_learned_from_the_training_part() {
    let text = "x,kind,y\n1,a,0\n3,b,0\n,a,1\n100,c,1\n";
    let with = |unknown| {
        table(text)
            .missing("x", Missing::Mean)
            .unwrap()
            .categories("kind", Categories::one_hot().unknown(unknown))
            .unwrap()
            .target_values("y")
            .unwrap()
    };
    let half = Split::in_order(0.5, 0.0, 0.5);
    let data = with(Unknown::Zeros);
    assert_eq!(data.width(), 4);
    let split = data.clone().normalize(Normalize::standard()).unwrap();
    let split = split.split(half, Seed(0)).unwrap();
    assert_eq!((split.width(), split.shape()), (3, &[3][..]));
    assert_eq!(split.feature_names(), ["x", "kind=a", "kind=b"]);
    assert_eq!(rows(&split)[6..], [2.0, 1.0, 0.0, 100.0, 0.0, 0.0]);
    assert_eq!(split.normalization().offset, [2.0, 0.5, 0.5]);
    // Whatever the other rows say, a second split forgets it.
    let again = split.split(Split::random(1.0, 0.0, 0.0), Seed(0)).unwrap();
    assert_eq!(rows(&again), rows(&data));
    let rare = with(Unknown::Rare).split(half, Seed(0)).unwrap();
    assert_eq!(rare.feature_names(), ["x", "kind=a", "kind=b", "kind=(rare)"]);
    assert_eq!(rows(&rare)[12..], [100.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        refused(with(Unknown::Refuse).split(half, Seed(0))),
        "read FILE line 5, column \"kind\": \"c\" is no category of the rows that are trained on, \
         which are \"a\", \"b\"; say what becomes of it by .categories(\"kind\", \
         Categories::one_hot().unknown(Unknown::Zeros))"
    );
    assert_eq!(
        refused(with(Unknown::Zeros).image(1, 2, 2).unwrap().split(half, Seed(0))),
        "use the data: rows of 1 × 2 × 2 are made of 4 numbers, and a row has 3 features"
    );
}

#[test]
fn an_encoding_makes_features_of_other_files() {
    let data = table(PETS)
        .ignore("owner")
        .unwrap()
        .missing("age", Missing::Mean)
        .unwrap()
        .missing("kind", Missing::MostFrequent)
        .unwrap()
        .target("good")
        .unwrap();
    let json = serde_json::to_string(data.encoding().unwrap()).unwrap();
    let encoding: crate::Encoding = serde_json::from_str(&json).unwrap();
    assert_eq!(encoding.feature_names(), data.feature_names());
    assert_eq!(encoding.encode(&table(PETS)).unwrap(), rows(&data));
    // Other order, other columns, a decimal comma.
    let found = encoding.encode(&table("kind;more;age\ncat;x;1,5\n;y;NA\n")).unwrap();
    assert_eq!(found, [1.5, 1.0, 0.0, 0.0, 3.0, 0.0, 1.0, 0.0]);
    assert_eq!(encoding.encode(&table("7,emu\n")).unwrap(), [7.0, 0.0, 0.0, 1.0]);
    for (text, error) in [
        (
            "kinds,age\ncat,1\n",
            "column \"kind\": there is no such column; the nearest is \"kinds\"",
        ),
        ("kind,age\ncat,1\nyak,2\n", "line 3, column \"kind\": \"yak\" is no category of the rows"),
        ("kind,age\ncat,1\n7,2\n", "line 3, column \"kind\": \"7\" is no category of the rows"),
        ("kind,age\ncat,1\ncat,old\n", "line 3, column \"age\": \"old\" is not a number"),
        ("kind,age\ncat,1e99\n", "line 2, column \"age\": 1e99 is not a finite number of f32"),
        ("1,cat,x\n", "line 1: there are 3 columns, and there must be 2"),
    ] {
        let found = refused(encoding.encode(&table(text)));
        assert!(found.starts_with(&format!("read FILE {error}")), "{found}");
    }
    let plain = table("a,b,y\n1,2,0\n3,4,1\n").target("y").unwrap();
    let encoding = plain.encoding().unwrap();
    let other = table("b,a\n2,1\n4,?\n");
    let end = "column \"a\": the field is a gap (1 of 2 rows have one here); write a value";
    let found = refused(encoding.encode(&other));
    assert!(found.starts_with(&format!("read FILE line 3, {end}")), "{found}");
    let names = plain.feature_names();
    let other = table("b,a\n2,1\n4,3\n");
    assert_eq!(encoding.encode(&other).unwrap(), other.features(names).unwrap());
}

#[test]
fn columns_that_can_be_no_feature() {
    let many: String = (0..51).map(|row| format!("n{row},{row}\n")).collect();
    let many = || table(&format!("name,y\n{many}"));
    assert_eq!(many().column_type("name").unwrap(), ColumnType::Text);
    assert_eq!(
        refused(many().target_values("y")),
        "read FILE column \"name\": it has 51 different texts; leave it out by .ignore(\"name\"), \
         make features of them by .categories(\"name\", Categories::one_hot().rare_below(…)), or \
         their words the input by .words(\"name\", Words::new(…))"
    );
    let said = many().types([("name", ColumnType::Category)]).unwrap();
    assert_eq!(said.target_values("y").unwrap().width(), 51);
    let pets = || table(PETS).ignore("owner").unwrap();
    for (result, error) in [
        (
            pets().missing("kind", Missing::Mean).unwrap().target("good"),
            "column \"kind\": its gaps are to be a number, and it has texts; use \
             Missing::MostFrequent or Missing::Text",
        ),
        (
            pets().missing("age", Missing::Text("x".to_owned())).unwrap().target("good"),
            "column \"age\": its gaps are to be \"x\", and it has numbers; use Missing::Constant",
        ),
        (
            pets().ignore(["age", "kind"]).unwrap().target("good"),
            "features: no column is left to be one",
        ),
        (
            pets().target_values("good"),
            "line 2, column \"good\": \"yes\" is not a number; use target for classes",
        ),
        (
            pets().target("kind"),
            "line 5, column \"kind\": the field is empty, and 1 of 5 rows have no value here; a \
             target, weight, group or time is never made up: leave the rows out by \
             .missing(\"kind\", Missing::Drop)",
        ),
        (
            pets().types([("kind", ColumnType::Number)]).map(|_| unreachable!()),
            "line 2, column \"kind\": \"dog\" is not a number; write a number or leave the row \
             out, or say that the column is text: .types([(\"kind\", ColumnType::Category)])",
        ),
        (
            table("a,y\n\"1,234\",1\n\"5,678\",2\n").target_values("y"),
            "line 2, column \"a\": \"1,234\" is not a number; write it with digits and a decimal \
             point alone, or say that the column is text: .types([(\"a\", ColumnType::Category)])",
        ),
        (
            table("a,b,y\n,x,0\nNA,y,1\n").missing("a", Missing::Mean).unwrap().target("y"),
            "column \"a\": no row that is trained on has a value to fill its gaps with; use \
             Missing::Constant, Missing::Text, or .ignore the column",
        ),
    ] {
        assert_eq!(refused(result), format!("read FILE {error}"));
    }
    let zeros = Categories::ordinal().unknown(Unknown::Zeros);
    assert_eq!(
        refused(pets().categories("kind", zeros)),
        "set Categories::ordinal().unknown to Unknown::Zeros: it must be Unknown::Refuse or \
         Unknown::Rare, because 0 is the first category"
    );
}

#[test]
fn categories_that_are_looked_up_keep_their_numbers() {
    let text = "x,kind,z,y\n1,b,1,0\n3,a,2,0\n5,b,2,1\n9,c,3,1\n";
    let with = |unknown| {
        table(text)
            .categories(["kind", "z"], Categories::embedded().unknown(unknown))
            .unwrap()
            .target_values("y")
            .unwrap()
            .normalize(Normalize::standard())
            .unwrap()
            .split(Split::in_order(0.75, 0.0, 0.25), Seed(0))
            .unwrap()
    };
    // The fourth row's categories are none of the training part, but what is rare is one.
    let zeros = with(Unknown::Zeros);
    assert_eq!(zeros.feature_names(), ["x", "kind", "z"]);
    assert_eq!(zeros.category_features(), [(1, 2), (2, 2)]);
    assert_eq!(
        rows(&zeros),
        [[1.0, 1.0, 0.0], [3.0, 0.0, 1.0], [5.0, 1.0, 1.0], [9.0, -1.0, -1.0]].concat()
    );
    assert_eq!(zeros.normalization().offset, [3.0, 0.0, 0.0]);
    assert_eq!(zeros.normalization().scale[1..], [1.0, 1.0]);
    let rare = with(Unknown::Rare);
    assert_eq!(rare.category_features(), [(1, 3), (2, 3)]);
    assert_eq!(rows(&rare)[9..], [9.0, 2.0, 2.0]);
    // Read again from what was recorded.
    let json = serde_json::to_string(zeros.encoding().unwrap()).unwrap();
    let encoding: crate::Encoding = serde_json::from_str(&json).unwrap();
    assert_eq!(&encoding, zeros.encoding().unwrap());
    assert_eq!(encoding.encode(&table("z,kind,x\n2,d,7\n")).unwrap(), [7.0, -1.0, 1.0]);
    let json = serde_json::to_string(&zeros.recipe()).unwrap();
    let again: crate::DataRecipe = serde_json::from_str(&json).unwrap();
    assert_eq!(again, zeros.recipe());
    // Numbers that are no categories have no such features.
    let data = table(text).ignore("kind").unwrap().target("y").unwrap();
    assert_eq!(data.category_features(), []);
}

#[test]
fn an_encoding_that_contradicts_itself_is_not_read() {
    let words = r#"{"as":"words","words":{"length":0},"vocabulary":["(padding)","(unknown)","a"]}"#;
    let short = r#"{"as":"words","words":{"length":3},"vocabulary":["(padding)"]}"#;
    let rare = r#"{"as":"one_hot","categories":["a"],"rare":null,"unknown":"rare"}"#;
    let good = r#"{"as":"one_hot","categories":["a"],"rare":[],"unknown":"rare"}"#;
    let read = |kind: &str| {
        let json = format!(r#"{{"named":true,"columns":[{{"name":"x","kind":{kind}}}]}}"#);
        serde_json::from_str::<crate::Encoding>(&json).map_err(|error| error.to_string())
    };
    for kind in [words, short, rare] {
        assert!(read(kind).unwrap_err().contains("column \"x\" contradicts itself"), "{kind}");
    }
    assert_eq!(read(good).unwrap().width(), 2);
}

#[test]
fn numbers_can_be_categories() {
    let data = table("zip,x,y\n10,1,0\n9,2,1\n10,3,1\n");
    assert_eq!(data.column_type(0).unwrap(), ColumnType::Number);
    let data = data.categories("zip", Categories::one_hot()).unwrap().target("y").unwrap();
    assert_eq!(data.feature_names(), ["zip=9", "zip=10", "x"]);
    let data = table("zip,y\n01234,0\n00501,1\n").types([("zip", ColumnType::Category)]).unwrap();
    assert_eq!(data.target("y").unwrap().feature_names(), ["zip=00501", "zip=01234"]);
}

#[test]
fn rows_count_by_their_weights_where_it_is_said() {
    let text = "w,x,y\n2,5,0\n0.5,6,1\n0,7,1\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    let plain = Dataset::csv(&path).unwrap().weights("w").unwrap().target("y").unwrap();
    let weighed = plain.clone().weigh_rows().unwrap();
    let weights = |data: &Dataset| {
        let mut batch = Batch::default();
        data.read(&[2, 0], &mut batch).unwrap();
        batch.weights
    };
    assert_eq!((weights(&plain), weights(&weighed)), (None, Some(vec![0.0, 2.0])));
    assert_ne!(plain.fingerprint().unwrap().hash, weighed.fingerprint().unwrap().hash);
    let recipe = weighed.recipe();
    assert!(recipe.weigh_rows && !plain.recipe().weigh_rows);
    let json = serde_json::to_string(&recipe).unwrap();
    let again = serde_json::from_str::<DataRecipe>(&json).unwrap().make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), weighed.fingerprint().unwrap());
    // They may be said anew, and what is read into again has none left.
    let other = weighed.weights(vec![1.0, 2.0, 3.0]).unwrap();
    assert_eq!(weights(&other), Some(vec![3.0, 1.0]));
    let mut batch = Batch::default();
    other.read(&[0], &mut batch).unwrap();
    plain.read(&[0], &mut batch).unwrap();
    assert_eq!(batch.weights, None);
    let none = table("x,y\n1,0\n2,1\n").target("y").unwrap();
    assert!(refused(none.clone().weigh_rows()).contains("they have no weights"));
    let nothing = none.weights(vec![0.0, 0.0]).unwrap();
    assert!(refused(nothing.weigh_rows()).contains("no weight is above 0"));
}

#[test]
fn marks_are_kept_beside_the_features() {
    let text =
        "w,who,when,x,y\n1,a,2026-11-28,5,0\n0.5,b,2026-11-27 12:00,6,1\n2,a,2026-11-29,7,1\n";
    let marked = |text: &str| {
        table(text).weights("w").unwrap().group("who").unwrap().time("when").unwrap().target("y")
    };
    let data = marked(text).unwrap();
    assert_eq!(data.feature_names(), ["x"]);
    assert_eq!(
        *data.marks(),
        RowMarks {
            groups: Some(vec![0, 1, 0]),
            times: Some(vec![1_795_824_000.0, 1_795_780_800.0, 1_795_910_400.0]),
            weights: Some(vec![1.0, 0.5, 2.0]),
        }
    );
    assert_eq!(
        refused(marked(&text.replace("0.5", "-1"))),
        "read FILE line 3, column \"w\": weight -1 is not a finite number of at least 0"
    );
    assert_eq!(
        refused(marked(&text.replace("2026-11-29", "soon"))),
        "read FILE line 4, column \"when\": \"soon\" is no time; write numbers, or dates such as \
         2026-11-28 or 2026-11-28 13:05"
    );
    assert_eq!(
        refused(table(text).weights("y").unwrap().target("y")),
        "read FILE column \"y\": it is a target, and weights, groups or times; it can be one of them"
    );
}

#[test]
fn a_recipe_makes_the_same_table_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, "# pets\nage;kind;zip;good\n1,5;dog;7;yes\n-;cat;8;no\n3;dog;7;no\n")
        .unwrap();
    let options = CsvOptions::new().comment('#').missing(["-"]);
    let data = Dataset::csv_with(&path, options)
        .unwrap()
        .missing("age", Missing::Constant(-1.0).with_indicator())
        .unwrap()
        .types([("zip", ColumnType::Category)])
        .unwrap()
        .categories("kind", Categories::one_hot().unknown(Unknown::Rare))
        .unwrap()
        .target("good")
        .unwrap()
        .split(Split::in_order(0.67, 0.0, 0.33), Seed(3))
        .unwrap();
    assert_eq!(
        data.feature_names(),
        ["age", "age_missing", "kind=cat", "kind=dog", "kind=(rare)", "zip=7", "zip=8"]
    );
    let json = serde_json::to_string(&data.recipe()).unwrap();
    let again = serde_json::from_str::<DataRecipe>(&json).unwrap();
    assert_eq!(again, data.recipe());
    let again = again.make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), data.fingerprint().unwrap());
    assert_eq!(again.encoding(), data.encoding());
    // What needs no words has none, and what had none is read.
    let plain = table("a,y\n1,0\n2,1\n").target("y").unwrap().recipe();
    let json = serde_json::to_value(&plain).unwrap();
    let keys: Vec<_> = json["origin"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["classes", "from", "path", "target"]);
    assert!(json.get("scale_targets").is_none());
    assert_eq!(serde_json::from_value::<DataRecipe>(json).unwrap(), plain);
}

#[test]
fn options_decide() {
    let read = |text: &str, options| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.csv");
        std::fs::write(&path, text).unwrap();
        Dataset::csv_with(&path, options)
    };
    let options = CsvOptions::new;
    let table = read("name,kind\nTom,cat\n", options().has_header(false)).unwrap();
    assert_eq!((table.rows(), table.columns()), (2, &["0".to_owned(), "1".to_owned()][..]));
    let table = read("2019,2020\n1,2\n", options().has_header(true)).unwrap();
    assert_eq!((table.rows(), table.columns()), (1, &["2019".to_owned(), "2020".to_owned()][..]));
    let table = read("a b\n1 2\n", options().separator(' ')).unwrap();
    assert_eq!(table.columns(), ["a", "b"]);
    let table = read("a,b\n'x, y',2\n", options().quote('\'')).unwrap();
    assert_eq!((table.columns().len(), table.rows()), (2, 1));
    let table = read("a,b\n1,\"x\n2,y\n", options().quote(None)).unwrap();
    assert_eq!(table.rows(), 2);
    for (options, error) in [
        (options().separator('x'), "set CsvOptions::separator to 'x': it must be one ASCII"),
        (options().decimal(';'), "set CsvOptions::decimal to ';': it must be '.', or ','"),
        (options().separator(',').decimal(','), "set CsvOptions::decimal to ',': it must be '.'"),
    ] {
        let found = refused(read("a,b\n1,2\n", options));
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn a_table_shows_its_columns() {
    let text = table(PETS).to_string();
    let (head, body) = text.split_once('\n').unwrap();
    assert!(head.ends_with("data.csv: 5 rows, 4 columns"), "{head}");
    assert_eq!(
        body,
        "separated by ',', decimal '.', with a header\n\
         column  type      gaps  values       example\n\
         age     number       1  1 to 5       1\n\
         kind    category     1  3 different  dog\n\
         owner   category     0  5 different  a\n\
         good    category     0  2 different  yes\n"
    );
}

#[test]
fn compressed_files_and_other_encodings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, b"\xff\xfea\0,\0b\0").unwrap();
    let error = refused(Dataset::csv(&path));
    assert_eq!(error, "read FILE: it is UTF-16 text; save it as CSV in UTF-8");
    // By Python: zstandard.ZstdCompressor(write_checksum=True).compress(text), and then twice.
    let frame = [
        0x28, 0xb5, 0x2f, 0xfd, 0x24, 0xa4, 0x95, 0x00, 0x00, 0x58, 0x61, 0x2c, 0x62, 0x0a, 0x31,
        0x2c, 0x32, 0x0a, 0x33, 0x2c, 0x34, 0x01, 0x00, 0x96, 0x51, 0xc5, 0x0b, 0x69, 0x86, 0x5c,
        0xa0,
    ];
    let text = format!("a,b\n{}", "1,2\n3,4\n".repeat(20));
    std::fs::write(&path, frame).unwrap();
    let names = ["a", "b"].map(str::to_owned);
    let read = Dataset::csv(&path).unwrap().features(&names).unwrap();
    assert_eq!(read, table(&text).features(&names).unwrap());
    std::fs::write(&path, &frame[..20]).unwrap();
    let error = refused(Dataset::csv(&path));
    assert!(error.starts_with("read FILE: its Zstandard data "), "{error}");
    assert!(error.ends_with("; fetch the file again"), "{error}");
}

/// A file that more than one thread reads gives what one thread reads of its parts.
#[test]
fn large_files_are_read_by_several_threads() {
    let line = |row: usize| format!("{row},{}.5,k{},{}\n", row * 7 % 1000, row % 7, row % 3);
    let text: String = (0..150_000).map(line).collect();
    assert!(text.len() > 2 << 20);
    let large = table(&format!("row,x,kind,y\n{text}"));
    assert_eq!(large.rows(), 150_000);
    let data = large.target("y").unwrap();
    assert_eq!(data.width(), 9);
    for row in [0, 1, 74_999, 75_000, 75_001, 149_999] {
        let numbers = data.raw(&[row]).unwrap();
        let numbers = numbers.floats();
        assert_eq!(numbers[..2], [row as f32, (row * 7 % 1000) as f32 + 0.5]);
        let hot: Vec<usize> = (0..7).filter(|&kind| numbers[2 + kind] == 1.0).collect();
        assert_eq!(hot, [row % 7]);
    }
    let broken = format!("row,x,kind,y\n{text}1,2\n");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, broken).unwrap();
    assert_eq!(
        refused(Dataset::csv(&path)),
        "read FILE line 150002: there are 2 fields, but 4 on line 1; give each row the same"
    );
    let late = table(&format!("row,x,kind,y\n{text}1,oops,k1,0\n"));
    let found = refused(late.target("y"));
    assert!(found.starts_with("read FILE line 150002, column \"x\": \"oops\""), "{found}");
}

/// The digits' fingerprint as it was when a table was of numbers alone.
#[test]
fn plain_numbers_have_kept_their_fingerprint() {
    let hash = "a497d52592415e98b042352c3629e7ab090ebbd18c40ffdf95bb056dd74aac6d";
    assert_eq!(super::digits().fingerprint().unwrap().hash, hash);
}

#[test]
fn categories_of_few_rows_are_one() {
    let pooled = Categories::one_hot().rare_below(2);
    let data = table("k,y\na,0\na,1\nb,0\nb,1\nc,0\nd,1\n").categories("k", pooled).unwrap();
    let data = data.target("y").unwrap();
    assert_eq!(data.feature_names(), ["k=a", "k=b", "k=(rare)"]);
    assert_eq!(rows(&data)[12..], [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let encoding = data.encoding().unwrap();
    assert_eq!(encoding.encode(&table("k,y\nd,0\n")).unwrap(), [0.0, 0.0, 1.0]);
    let found = refused(encoding.encode(&table("k,y\ne,0\n")));
    assert!(found.starts_with("read FILE line 2, column \"k\": \"e\" is no category"), "{found}");
}
