//! From columns to features: what is learned, from which rows, and what is refused.

use super::*;
use crate::{Categories, ColumnType, CsvOptions, Encoding, Missing, Part, Unknown};

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
    let encoding: Encoding = serde_json::from_str(&json).unwrap();
    assert_eq!(encoding.feature_names(), data.feature_names());
    assert_eq!(encoding.encode(&table(PETS)).unwrap().floats(), rows(&data));
    // Other order, other columns, a decimal comma.
    let found = encoding.encode(&table("kind;more;age\ncat;x;1,5\n;y;NA\n")).unwrap();
    assert_eq!(found.floats(), [1.5, 1.0, 0.0, 0.0, 3.0, 0.0, 1.0, 0.0]);
    assert_eq!(encoding.encode(&table("7,emu\n")).unwrap().floats(), [7.0, 0.0, 0.0, 1.0]);
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
    assert_eq!(encoding.encode(&other).unwrap().floats(), other.features(names).unwrap());
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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    let with = |unknown| {
        Dataset::csv(&path)
            .unwrap()
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
    let encoding: Encoding = serde_json::from_str(&json).unwrap();
    assert_eq!(&encoding, zeros.encoding().unwrap());
    assert_eq!(encoding.encode(&table("z,kind,x\n2,d,7\n")).unwrap().floats(), [7.0, -1.0, 1.0]);
    made_again(&zeros);
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
        serde_json::from_str::<Encoding>(&json).map_err(|error| error.to_string())
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
    made_again(&data);
    // What needs no words has none, and what had none is read.
    let plain = table("a,y\n1,0\n2,1\n").target("y").unwrap().recipe();
    let json = serde_json::to_value(&plain).unwrap();
    let keys: Vec<_> = json["origin"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["classes", "from", "path", "target"]);
    assert!(json.get("scale_targets").is_none());
    assert_eq!(serde_json::from_value::<DataRecipe>(json).unwrap(), plain);
}

#[test]
fn categories_of_few_rows_are_one() {
    let pooled = Categories::one_hot().rare_below(2);
    let data = table("k,y\na,0\na,1\nb,0\nb,1\nc,0\nd,1\n").categories("k", pooled).unwrap();
    let data = data.target("y").unwrap();
    assert_eq!(data.feature_names(), ["k=a", "k=b", "k=(rare)"]);
    assert_eq!(rows(&data)[12..], [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let encoding = data.encoding().unwrap();
    assert_eq!(encoding.encode(&table("k,y\nd,0\n")).unwrap().floats(), [0.0, 0.0, 1.0]);
    let found = refused(encoding.encode(&table("k,y\ne,0\n")));
    assert!(found.starts_with("read FILE line 2, column \"k\": \"e\" is no category"), "{found}");
}
