//! Tables that people really have: what is read of each, and what pandas reads.

use serde_json::Value;

use super::fixture;
use crate::table::Data;
use crate::{DataError, Dataset, Table};

/// What is read of each file of the fixture: how it is written and each column's name, type and
/// values, or why it is no table.
const EXPECTED: &[(&str, &str)] = &[];

/// Where the values differ from what pandas reads, and why.
const OTHER_THAN_PANDAS: &[(&str, &str)] = &[];

fn read(
    text: &str,
    read: impl Fn(&std::path::Path) -> Result<Table, DataError>,
) -> Result<Table, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    std::fs::write(&path, text).unwrap();
    read(&path).map_err(|e| e.to_string().replace(path.to_str().unwrap(), "FILE"))
}

fn shown(table: &Table) -> String {
    let mut text = table.dialect().to_string();
    for (column, data) in table.data().iter().enumerate() {
        let kind = table.column_type(column).unwrap();
        let values = values(data).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        text.push_str(&format!(" | {} {kind}: {values}", table.columns()[column]));
    }
    text
}

fn values(data: &Data) -> Vec<Value> {
    let number = |&x: &f64| match x {
        x if x.is_infinite() => Value::from(x.to_string()),
        x if x.is_nan() => Value::Null,
        x => Value::from(x),
    };
    let text = |names: &[String], code: u32| {
        names.get(code as usize).map_or(Value::Null, |name| Value::from(name.clone()))
    };
    match data {
        Data::Numbers(numbers) => numbers.iter().map(number).collect(),
        Data::Texts(texts) => texts.codes.iter().map(|&code| text(&texts.names, code)).collect(),
    }
}

#[test]
fn odd_files_are_read_or_refused() {
    let fixture = fixture();
    let mut found = Vec::new();
    for case in fixture["csv"].as_array().unwrap() {
        let (name, text) = (case["name"].as_str().unwrap(), case["text"].as_str().unwrap());
        let table = read(text, |path| Dataset::csv(path));
        found.push((name.to_owned(), table.as_ref().map_or_else(Clone::clone, shown)));
    }
    for case in fixture["json"].as_array().unwrap() {
        let (name, text) = (case["name"].as_str().unwrap(), case["text"].as_str().unwrap());
        let table = read(text, |path| Dataset::json_lines(path));
        found.push((name.to_owned(), table.as_ref().map_or_else(Clone::clone, shown)));
    }
    let expected: Vec<_> =
        EXPECTED.iter().map(|&(name, shown)| (name.to_owned(), shown.to_owned())).collect();
    if found != expected {
        for (name, shown) in &found {
            println!("    ({name:?}, {shown:?}),");
        }
        let differs = found.iter().find(|case| !expected.contains(case));
        panic!("{differs:?} is not expected; what is found is above");
    }
}

#[test]
fn values_are_those_of_pandas() {
    let fixture = fixture();
    let mut differ = Vec::new();
    for (kind, case) in ["csv", "json"]
        .into_iter()
        .flat_map(|kind| fixture[kind].as_array().unwrap().iter().map(move |case| (kind, case)))
    {
        let text = case["text"].as_str().unwrap();
        let table = read(text, |path| match kind {
            "csv" => Dataset::csv(path),
            _ => Dataset::json_lines(path),
        });
        let same = match (&table, case["pandas"]["columns"].as_array()) {
            (Ok(table), Some(columns)) => {
                let ours: Vec<Value> =
                    table.data().iter().map(|data| Value::from(values(data))).collect();
                let names: Vec<Value> =
                    table.columns().iter().map(|name| Value::from(name.clone())).collect();
                ours == *columns && Value::from(names) == case["pandas"]["names"]
            }
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            differ.push(case["name"].as_str().unwrap());
        }
    }
    let expected: Vec<_> = OTHER_THAN_PANDAS.iter().map(|(name, _)| *name).collect();
    assert_eq!(differ, expected);
}
