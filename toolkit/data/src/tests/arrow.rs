//! Arrow files and streams, which pyarrow wrote.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::odd_tables::values;
use super::typed::{held_to_pandas, refused_by, write};
use crate::table::Table;
use crate::{ColumnType, CsvOptions, DataError, Dataset, Missing, Part};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/fixtures/arrow"))
}

fn read(name: &str) -> Result<Table, DataError> {
    Dataset::arrow(folder().join(name))
}

fn refused(name: &str) -> String {
    refused_by(&folder().join(name), Dataset::arrow)
}

#[test]
fn values_are_those_of_pandas() {
    held_to_pandas(&folder(), read, 14);
}

#[test]
fn a_table_shows_what_it_has() {
    for name in ["plain.arrow", "stream-lz4.arrow"] {
        let shown = read(name).unwrap().to_string();
        let (_, shown) = shown.split_once(": ").unwrap();
        assert!(shown.starts_with("7 rows, 4 columns\nArrow\n"), "{shown}");
        assert!(shown.contains("-2.5 to 10000000000"), "{shown}");
    }
    // What is text in the file is text, even where it looks like numbers.
    let table = read("texts.arrow").unwrap();
    assert_eq!(table.column_type("digits").unwrap(), ColumnType::Category);
    let numbers = table.types([("digits", ColumnType::Number)]).unwrap();
    assert_eq!(values(&numbers.data()[1])[5], Value::from(3.0));
    let texts = numbers.types([("digits", ColumnType::Category)]).unwrap();
    assert_eq!(values(&texts.data()[1])[5], Value::from("3.0"));
    // A value of a dictionary that no row has is no category.
    assert!(texts.to_string().contains("2 different"), "{texts}");
    assert!(!texts.to_string().contains("never"), "{texts}");
}

#[test]
fn whole_numbers_beyond_floats_are_exact_texts() {
    let table = read("beyond-floats.arrow").unwrap();
    assert_eq!(values(&table.data()[0])[0], Value::from(9_007_199_254_740_992.0));
    let columns = [("id", ColumnType::Category), ("u", ColumnType::Category)];
    let table = table.types(columns).unwrap();
    let ids = ["9007199254740993", "-4611686018427387905", "7"].map(Value::from);
    let found = values(&table.data()[0]);
    assert_eq!([&found[0], &found[1], &found[5]], ids.each_ref());
    assert_eq!(found[2], Value::Null);
    assert_eq!(values(&table.data()[1])[..2], ["18446744073709551615", "3"].map(Value::from));
}

#[test]
fn what_is_no_table_is_refused_by_name() {
    for (name, said) in [
        (
            "list.arrow",
            "read FILE column \"list\": it is nested (a list, a struct or a map); flatten it",
        ),
        ("struct.arrow", "read FILE column \"struct\": it is nested"),
        ("map.arrow", "read FILE column \"map\": it is nested"),
        ("union.arrow", "read FILE column \"union\": it is nested"),
        ("bytes.arrow", "read FILE column \"bytes\": it is of bytes; write it as text, or leave"),
        ("duration.arrow", "read FILE column \"duration\": it is neither of numbers nor of texts"),
        ("interval.arrow", "read FILE column \"interval\": it is neither of numbers nor of texts"),
        ("runs.arrow", "read FILE column \"runs\": it is run-end encoded; write its values one"),
        ("zstd.arrow", "read FILE: it is packed with Zstandard; write it with LZ4 or not packed"),
        ("long-decimal.arrow", "read FILE row 1, column \"long\": it is a decimal of more than 38"),
        ("beyond-times.arrow", "read FILE row 1, column \"at\": 4611686018427387904 is beyond"),
        ("empty.arrow", "read FILE: it has no rows; it must hold one for each sample"),
        ("twice.arrow", "read FILE column \"x\": several columns have this name; rename them"),
        ("cut.arrow", "read FILE: it is a stream without the mark of its end: it was cut off, or"),
        ("old.feather", "read FILE: it is a Feather file of version 1; write it again as version"),
        ("pandas.json", "read FILE: it is no Arrow file; read a CSV file by Dataset::csv"),
        ("none", "read FILE: there is no such file"),
    ] {
        assert!(refused(name).starts_with(said), "{name}: {}", refused(name));
    }
    // Rows are counted from 0, through all batches.
    let error = read("stream.arrow").unwrap().target("on").unwrap_err().to_string();
    assert!(error.contains("row 2, column \"on\": the field is empty, and 1 of 7"), "{error}");
}

#[test]
fn a_file_of_another_kind_says_who_reads_it() {
    let parquet = folder().join("../parquet/snappy.parquet");
    let error = Dataset::arrow(parquet).unwrap_err().to_string();
    assert!(error.ends_with("it is a Parquet file; read it by Dataset::parquet"), "{error}");
    for name in ["plain.arrow", "stream.arrow"] {
        let path = folder().join(name);
        for error in [
            Dataset::csv(&path),
            Dataset::json_lines(&path),
            #[cfg(feature = "parquet")]
            Dataset::parquet(&path),
        ] {
            let error = error.unwrap_err().to_string();
            assert!(error.ends_with("it is an Arrow file; read it by Dataset::arrow"), "{error}");
        }
    }
}

#[test]
fn a_recipe_makes_the_same_data_again() {
    let table = read("texts.arrow").unwrap().ignore(["no category", "view"]).unwrap();
    let names = table.columns().to_vec();
    let names = names.iter().map(String::as_str).filter(|name| *name != "no category");
    let table = table.missing(names.collect::<Vec<_>>(), Missing::Drop).unwrap();
    let table = table.time("at_ns").unwrap().group("digits").unwrap();
    let data = table.types([("day", ColumnType::Category)]).unwrap().target("category").unwrap();
    assert_eq!((data.len(), data.class_names()), (6, &["high".to_owned(), "low".to_owned()][..]));
    let times = data.marks().times.clone().unwrap();
    assert_eq!((times[0], times[1]), (-0.999_999, 1_795_871_100.0));
    let recipe = serde_json::to_string(&data.recipe()).unwrap();
    assert!(recipe.contains(r#""plan":{"arrow":true,"types""#), "{recipe}");
    let again = serde_json::from_str::<crate::DataRecipe>(&recipe).unwrap().make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), data.fingerprint().unwrap());
    assert_eq!(again.part(Part::Train), data.part(Part::Train));
}

#[test]
fn raw_files_for_a_network_may_be_of_another_format() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "number,count,kind,on\n0.5,1,dog,1\n1.5,2,cat,0\n2.5,3,größe,1\n";
    let from_csv = Dataset::csv(write(&folder, csv.as_bytes())).unwrap();
    let from_arrow = read("plain.arrow").unwrap();
    for table in [from_csv, from_arrow] {
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
        for name in ["lz4.arrow", "stream.arrow"] {
            let (rows, error) = read(&super::arrow::folder().join(name));
            assert_eq!(rows, 7);
            assert!(error.unwrap_err().contains("row 2, column \"number\": the field is a gap"));
        }
    }
}

#[test]
fn a_file_may_be_packed_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(super::arrow::folder().join("stream.arrow")).unwrap();
    let packed = write(&folder, &super::gzip(&bytes));
    let table = Dataset::arrow(&packed).unwrap();
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
    let arrow = super::arrow::folder().join("plain.arrow");
    let rows = encoding.encode(&data.recipe().table(arrow, encoding).unwrap()).unwrap();
    let expected = [[0.1, 1.0, 0.0, 0.0], [7.0, 0.0, 0.0, 1.0], [7.0, 0.0, 0.0, 1.0]];
    assert_eq!(rows.floats()[..12], expected.concat());
}

/// Neither panics nor says something in several lines.
fn tried(folder: &tempfile::TempDir, bytes: &[u8], what: &str) -> bool {
    let path = write(folder, bytes);
    match catch_unwind(|| Dataset::arrow(&path).map_err(|error| error.to_string())) {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            assert!(!error.contains('\n'), "{what}: {error}");
            false
        }
        Err(_) => panic!("{what} panics"),
    }
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (mut read, mut refused) = (0, 0);
    for name in ["plain", "lz4", "long-lz4", "stream", "stream-lz4", "deltas", "gaps", "texts"] {
        let bytes = std::fs::read(super::arrow::folder().join(name).with_extension("arrow"));
        let bytes = bytes.unwrap();
        for length in (0..bytes.len()).step_by(7) {
            let cut = tried(&folder, &bytes[..length], name);
            assert!(!cut, "{name} is read when {length} bytes are left");
        }
        // Of the long file of texts every fifth byte.
        for at in (0..bytes.len()).step_by(if bytes.len() > 5000 { 5 } else { 1 }) {
            let mut bytes = bytes.clone();
            bytes[at] ^= [0x01, 0x40, 0xff][at % 3];
            match tried(&folder, &bytes, name) {
                true => read += 1,
                false => refused += 1,
            }
        }
        // Bytes that no part names.
        let more = [&bytes[..], b"more"].concat();
        assert!(!tried(&folder, &more, name), "{name} is read with more behind it");
    }
    // Not each byte matters.
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused");
}
