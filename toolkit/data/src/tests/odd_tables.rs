//! Tables that people really have: what is read of each, and what pandas reads.

use serde_json::Value;

use super::fixture;
use crate::table::Data;
use crate::{DataError, Dataset, Table};

/// What is read of each file of the fixture: how it is written and each column's name, type and
/// values, or why it is no table.
const EXPECTED: &[(&str, &str)] = &[
    (
        "comma",
        "separated by ',', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "semicolon",
        "separated by ';', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "tab",
        "separated by tabs, decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "pipe",
        "separated by '|', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "decimal comma",
        "separated by ';', decimal ',', with a header | a number: 1.5 -3.25 | b number: 2.0 4.0",
    ),
    (
        "decimal comma, no header",
        "separated by ';', decimal ',', without a header | 0 number: 1.5 3.5 | 1 number: 2.5 4.5",
    ),
    (
        "decimal comma by tabs",
        "separated by tabs, decimal ',', with a header | a number: 1.5 3.0 | b number: 2.0 4.5",
    ),
    (
        "points and commas",
        "separated by ';', decimal '.', with a header | a category: \"1,5\" \"3,5\" | b number: 2.5 4.5",
    ),
    (
        "byte order mark",
        "separated by ',', decimal '.', with a header | a number: 1.0 | b number: 2.0",
    ),
    (
        "quotes",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b, c category: \"x \\\"y\\\"\" \"z\"",
    ),
    (
        "quoted line break",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"x\\ny\" \"z\"",
    ),
    (
        "quote within a field",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"5\\\" disk\" \"3\\\" disk\"",
    ),
    (
        "quote not closed",
        "read FILE line 2: a quoted field begins here and does not end; close it, or set CsvOptions::quote(None)",
    ),
    (
        "windows line ends",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"x\" \"y\"",
    ),
    (
        "old mac line ends",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"x\" \"y\"",
    ),
    (
        "blank lines",
        "separated by ',', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "no end of line",
        "separated by ',', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "separator at the end",
        "separated by ',', decimal '.', with a header | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    (
        "separator at the end of rows",
        "read FILE line 2: there are 3 fields, but 2 on line 1; give each row the same",
    ),
    (
        "same name twice",
        "read FILE line 1, column \"a\": columns 0 and 2, counted from 0, have the same name; rename one",
    ),
    (
        "text labels",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 3.0 | kind category: \"cat\" \"dog\" \"cat\"",
    ),
    (
        "text without a header",
        "separated by ',', decimal '.', without a header | 0 number: 5.1 4.9 | 1 number: 3.5 3.0 | 2 category: \"setosa\" \"virginica\"",
    ),
    (
        "all text",
        "separated by ',', decimal '.', the first line is taken for a header (else: CsvOptions::has_header) | name category: \"Tom\" \"Rex\" | kind category: \"cat\" \"dog\"",
    ),
    (
        "empty field",
        "separated by ',', decimal '.', with a header | a number: 1.0 null | b number: null 4.0",
    ),
    (
        "gap NA",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap N/A",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap NaN",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap nan",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap null",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap NULL",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap None",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap ?",
        "separated by ',', decimal '.', with a header | a number: null 3.0 | b category: \"x\" null",
    ),
    (
        "gap -",
        "separated by ',', decimal '.', with a header | a category: \"-\" \"3\" | b category: \"x\" \"-\"",
    ),
    (
        "first row has a gap",
        "separated by ',', decimal '.', without a header | 0 number: 1.0 4.0 | 1 number: null 5.0 | 2 number: 3.0 6.0",
    ),
    (
        "gaps alone",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b number: null null",
    ),
    (
        "dates",
        "separated by ',', decimal '.', with a header | day category: \"2026-11-28\" \"2026-11-29\" | x number: 1.0 2.0",
    ),
    (
        "unnamed index column",
        "separated by ',', decimal '.', with a header |  number: 0.0 1.0 | a number: 1.0 3.0 | b number: 2.0 4.0",
    ),
    ("one column", "separated by ',', decimal '.', with a header | a number: 1.0 2.0"),
    (
        "one column of text",
        "separated by ',', decimal '.', the first line is taken for a header (else: CsvOptions::has_header) | a category: \"x\" \"y\"",
    ),
    (
        "mixed types",
        "separated by ',', decimal '.', with a header | a category: \"1\" \"x\" | b number: 2.0 3.0",
    ),
    (
        "thousands",
        "separated by ',', decimal '.', with a header | a category: \"1,234\" \"5,678\" | b number: 1.0 2.0",
    ),
    (
        "scientific",
        "separated by ',', decimal '.', with a header | a number: 1000.0 15000000000.0 | b number: -0.025 0.5",
    ),
    (
        "infinite",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b number: \"inf\" \"-inf\"",
    ),
    (
        "huge integers",
        "separated by ',', decimal '.', with a header | a number: 1.2345678901234568e+29 1.0 | b number: 9007199254740992.0 2.0",
    ),
    (
        "many digits",
        "separated by ',', decimal '.', with a header | a number: 0.12345678901234568 2.5 | b number: 3.141592653589793 1.7976931348623157e+308",
    ),
    (
        "leading zeros",
        "separated by ',', decimal '.', with a header | zip number: 1234.0 501.0 | n number: 1.0 2.0",
    ),
    (
        "unicode names",
        "separated by ',', decimal '.', with a header | größe number: 1.0 2.0 | 名前 category: \"猫\" \"犬\"",
    ),
    (
        "spaces",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"x\" \"y\"",
    ),
    (
        "true and false",
        "separated by ',', decimal '.', with a header | a number: 1.0 2.0 | b category: \"True\" \"False\"",
    ),
    ("header only", "read FILE line 1: there is only a header; add at least one row of numbers"),
    ("empty", "read FILE: it is empty; it must hold a row of numbers for each sample"),
    (
        "rows of unequal length",
        "read FILE line 3: there are 1 fields, but 2 on line 1; give each row the same",
    ),
    (
        "row too long",
        "read FILE line 3: there are 3 fields, but 2 on line 1; give each row the same",
    ),
    (
        "names and a number",
        "read FILE line 1, column \"0\": \"a\" is not a number, but 1 of 3 fields of this line are; the first line must be all names or all numbers",
    ),
    (
        "comment line",
        "read FILE line 2: there are 2 fields, but 1 on line 1; give each row the same",
    ),
    (
        "units",
        "separated by ',', decimal '.', the first line is taken for a header (else: CsvOptions::has_header) | height category: \"170cm\" \"180cm\" | weight category: \"60kg\" \"70kg\"",
    ),
    (
        "percent",
        "separated by ',', decimal '.', with a header | a category: \"50%\" \"60%\" | b number: 1.0 2.0",
    ),
    (
        "objects",
        "separated by ',', decimal '.', with a header | b number: 1.0 2.5 | a category: \"x\" \"y, z\"",
    ),
    (
        "keys that come and go",
        "separated by ',', decimal '.', with a header | a number: 1.0 null 3.0 | b category: null \"x\" null",
    ),
    (
        "numbers beyond integers",
        "separated by ',', decimal '.', with a header | a number: 1000.0 -0.25 12345678901.0",
    ),
    (
        "line breaks in texts",
        "separated by ',', decimal '.', with a header | a category: \"x\\ny \\\"z\\\"\" \"w\" | b number: 1.0 2.0",
    ),
];

/// Where the values differ from what pandas reads, and why.
const OTHER_THAN_PANDAS: &[(&str, &str)] = &[
    ("separator at the end", "pandas makes a column of it, \"Unnamed: 2\""),
    ("separator at the end of rows", "pandas takes the first column for the rows' names"),
    ("same name twice", "pandas renames the second one to \"a.1\""),
    ("gap ?", "pandas makes the column text"),
    ("unnamed index column", "pandas calls it \"Unnamed: 0\""),
    ("spaces", "pandas keeps them"),
    ("true and false", "pandas makes 1 and 0 of them"),
    ("header only", "pandas reads a table without rows"),
    ("rows of unequal length", "pandas fills the row with gaps"),
    ("names and a number", "pandas takes the first line for a header whatever it says"),
    ("comment line", "pandas takes the first column for the rows' names"),
];

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

pub(super) fn values(data: &Data) -> Vec<Value> {
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
