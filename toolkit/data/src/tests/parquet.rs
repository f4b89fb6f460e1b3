//! Parquet files, which pyarrow wrote.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::odd_tables::values;
use super::typed::{held_to_pandas, refused_by, write};
use crate::table::Table;
use crate::{ColumnType, CsvOptions, DataError, Dataset, Missing, Part};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/fixtures/parquet"))
}

fn read(name: &str) -> Result<Table, DataError> {
    Dataset::parquet(folder().join(name))
}

fn refused(name: &str) -> String {
    refused_by(&folder().join(name), Dataset::parquet)
}

#[test]
fn values_are_those_of_pandas() {
    held_to_pandas(&folder(), read, 11);
}

#[test]
fn a_table_shows_what_it_has() {
    let shown = read("snappy.parquet").unwrap().to_string();
    let (_, shown) = shown.split_once(": ").unwrap();
    assert!(shown.starts_with("7 rows, 4 columns\nParquet\n"), "{shown}");
    assert!(shown.contains("-2.5 to 10000000000"), "{shown}");
    // What is text in the file is text, even where it looks like numbers.
    let table = read("texts.parquet").unwrap();
    assert_eq!(table.column_type("digits").unwrap(), ColumnType::Category);
    let numbers = table.types([("digits", ColumnType::Number)]).unwrap();
    assert_eq!(values(&numbers.data()[1])[5], Value::from(3.0));
    let texts = numbers.types([("digits", ColumnType::Category)]).unwrap();
    assert_eq!(values(&texts.data()[1])[5], Value::from("3.0"));
}

#[test]
fn whole_numbers_beyond_floats_are_exact_texts() {
    let table = read("beyond-floats.parquet").unwrap();
    assert_eq!(values(&table.data()[0])[0], Value::from(9_007_199_254_740_992.0));
    let table = table.types([("id", ColumnType::Category)]).unwrap();
    let ids = ["9007199254740993", "-4611686018427387905", "7"].map(Value::from);
    let found = values(&table.data()[0]);
    assert_eq!([&found[0], &found[1], &found[5]], ids.each_ref());
    assert_eq!(found[2], Value::Null);
}

#[test]
fn what_is_no_table_is_refused_by_name() {
    for (name, said) in [
        (
            "list.parquet",
            "read FILE column \"list\": it is nested (a list, a struct or a map); fla",
        ),
        ("struct.parquet", "read FILE column \"struct\": it is nested"),
        ("bytes.parquet", "read FILE row 1, column \"bytes\": it is of bytes that are no UTF-8"),
        ("brotli.parquet", "read FILE column \"x\": it is packed with Brotli; write it with snap"),
        ("empty.parquet", "read FILE: it has no rows; it must hold one for each sample"),
        ("twice.parquet", "read FILE column \"x\": several columns have this name; rename them"),
        ("pandas.json", "read FILE: it is no Parquet file; read a CSV file by Dataset::csv"),
        ("none", "read FILE: there is no such file"),
    ] {
        assert!(refused(name).starts_with(said), "{name}: {}", refused(name));
    }
    let error = Dataset::csv(folder().join("snappy.parquet")).unwrap_err().to_string();
    assert!(error.ends_with("it is a Parquet file; read it by Dataset::parquet"), "{error}");
    // Rows are counted from 0.
    let error = read("snappy.parquet").unwrap().target("on").unwrap_err().to_string();
    assert!(error.contains("row 2, column \"on\": the field is empty, and 1 of 7"), "{error}");
}

#[test]
fn a_recipe_makes_the_same_data_again() {
    let table = read("texts.parquet").unwrap();
    let names = table.columns().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let table = table.missing(names, Missing::Drop).unwrap();
    let table = table.time("at_ns").unwrap().group("digits").unwrap();
    let data = table.types([("day", ColumnType::Category)]).unwrap().target("category").unwrap();
    assert_eq!((data.len(), data.class_names()), (6, &["high".to_owned(), "low".to_owned()][..]));
    let times = data.marks().times.clone().unwrap();
    assert_eq!((times[0], times[1]), (-0.999_999, 1_795_871_100.0));
    let recipe = serde_json::to_string(&data.recipe()).unwrap();
    assert!(recipe.contains(r#""plan":{"parquet":true,"types""#), "{recipe}");
    let again = serde_json::from_str::<crate::DataRecipe>(&recipe).unwrap().make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), data.fingerprint().unwrap());
    assert_eq!(again.part(Part::Train), data.part(Part::Train));
}

#[test]
fn raw_files_for_a_network_may_be_of_another_format() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "number,count,kind,on\n0.5,1,dog,1\n1.5,2,cat,0\n2.5,3,größe,1\n";
    let from_csv = Dataset::csv(write(&folder, csv.as_bytes())).unwrap();
    let from_parquet = read("snappy.parquet").unwrap();
    for table in [from_csv, from_parquet] {
        let columns = ["number", "kind", "on"];
        let data = table.missing(columns, Missing::Drop).unwrap().target("on").unwrap();
        let encoding = data.encoding().unwrap();
        let read = |path: &Path| {
            let table = data.recipe().table(path, encoding).unwrap();
            let table = table.missing(columns, Missing::Drop).unwrap();
            (table.rows(), encoding.encode(&table).map_err(|e| e.to_string()))
        };
        let (rows, features) = read(&write(&folder, csv.as_bytes()));
        assert_eq!((rows, &features.unwrap().floats()[..5]), (3, &[0.5, 1.0, 0.0, 1.0, 0.0][..]));
        let (rows, error) = read(&super::parquet::folder().join("zstd.parquet"));
        assert_eq!(rows, 7);
        assert!(error.unwrap_err().contains("row 2, column \"number\": the field is a gap"));
    }
}

#[test]
fn a_file_may_be_packed_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(super::parquet::folder().join("snappy.parquet")).unwrap();
    let packed = write(&folder, &super::gzip(&bytes));
    let table = Dataset::parquet(&packed).unwrap();
    let table = table.missing(["number", "kind", "on"], Missing::Drop).unwrap();
    let data = table.target("on").unwrap();
    super::made_again(&data);
    let again = data.recipe().table(&packed, data.encoding().unwrap()).unwrap();
    assert_eq!(again.rows(), 7);
}

#[test]
fn words_for_a_gap_are_those_of_the_training_in_whatever_format() {
    let folder = tempfile::tempdir().unwrap();
    let csv = write(&folder, "number,kind,y\n0.1,cat,0\n-2.5,dog,1\n3,größe,0\n".as_bytes());
    let options = CsvOptions::new().missing(["-2.5", "dog"]);
    let table = Dataset::csv_with(&csv, options).unwrap();
    let table = table.missing("number", Missing::Constant(7.0)).unwrap();
    let table = table.missing("kind", Missing::Text("none".to_owned())).unwrap();
    let data = table.target("y").unwrap();
    let encoding = data.encoding().unwrap();
    assert_eq!(encoding.feature_names(), ["number", "kind=cat", "kind=größe", "kind=none"]);
    let parquet = super::parquet::folder().join("snappy.parquet");
    let rows = encoding.encode(&data.recipe().table(parquet, encoding).unwrap()).unwrap();
    let expected = [
        [0.1, 1.0, 0.0, 0.0],
        [7.0, 0.0, 0.0, 1.0],
        [7.0, 0.0, 0.0, 1.0],
        [3.0, 1.0, 0.0, 0.0],
        [0.1, 0.0, 0.0, 1.0],
        [7.0, 0.0, 1.0, 0.0],
        [1e10, 1.0, 0.0, 0.0],
    ];
    assert_eq!(rows.floats(), expected.concat());
    // A Parquet file says what is no value, so that "NA" may be a country.
    let table = read("snappy.parquet").unwrap().ignore("on").unwrap();
    let table = table.missing(["number", "kind"], Missing::Drop).unwrap();
    let data = table.target_values("count").unwrap();
    let encoding = data.encoding().unwrap();
    let csv = write(&folder, "number,kind\n1,NA\n".as_bytes());
    let error = encoding.encode(&data.recipe().table(csv, encoding).unwrap()).unwrap_err();
    assert!(error.to_string().contains("\"NA\" is no category"), "{error}");
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (mut read, mut refused) = (0, 0);
    let mut tried = |bytes: &[u8], what: &str| {
        let path = write(&folder, bytes);
        match catch_unwind(|| Dataset::parquet(&path)) {
            Ok(Ok(_)) => read += 1,
            Ok(Err(_)) => refused += 1,
            Err(_) => panic!("{what} panics"),
        }
    };
    for name in ["snappy", "gzip", "zstd", "lz4", "none", "texts", "other-encodings"] {
        let bytes = std::fs::read(super::parquet::folder().join(name).with_extension("parquet"));
        let bytes = bytes.unwrap();
        for length in (0..bytes.len()).step_by(7) {
            tried(&bytes[..length], name);
        }
        for at in (0..bytes.len()).step_by(if bytes.len() > 1000 { 5 } else { 1 }) {
            for flipped in [0x01, 0x40, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flipped;
                tried(&bytes, name);
            }
        }
    }
    // Not each byte matters.
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused");
}
