//! A table from a file of JSON objects, one a line.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::input::text_of;
use super::{CsvOptions, Table};
use crate::DataError;

impl Table {
    /// Reads a file with a JSON object on each line: its keys are the columns.
    pub(super) fn of_json_lines(path: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let text = text_of(path, bytes)?;
        let wrong = |line: usize, reason: String| DataError::File {
            path: path.to_owned(),
            place: format!("line {line}"),
            reason,
        };
        let mut names: Vec<String> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut lines = Vec::new();
        let mut rows: Vec<Vec<(usize, String)>> = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for (line, object) in (1..).zip(text.lines()) {
            if object.trim().is_empty() {
                continue;
            }
            let Object(pairs) = serde_json::from_str(object).map_err(|e| {
                let reason = format!("it is no JSON object ({e}); write one on each line");
                wrong(line, reason)
            })?;
            let mut row = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let field = field(&value).ok_or_else(|| {
                    let what = if value.is_array() { "an array" } else { "an object" };
                    let reason = format!(
                        "{key:?} is {what}; a table has numbers, texts, true, false and null"
                    );
                    wrong(line, reason)
                })?;
                let column = *known.entry(key).or_insert_with_key(|key| {
                    names.push(key.clone());
                    names.len() - 1
                });
                row.push((column, field));
            }
            rows.push(row);
            lines.push(line);
        }
        if names.is_empty() {
            let reason = "there is no JSON object with a key; write one on each line".to_owned();
            return Err(wrong(1, reason));
        }
        let mut csv = String::new();
        write_row(&mut csv, &names.iter().map(|name| quote(name)).collect::<Vec<_>>());
        let mut fields = vec![String::new(); names.len()];
        for row in rows {
            fields.iter_mut().for_each(String::clear);
            for (column, field) in row {
                fields[column] = field;
            }
            write_row(&mut csv, &fields);
        }
        let options =
            CsvOptions::new().separator(',').has_header(true).missing(Vec::<String>::new());
        let mut table = Self::parse(path, csv, Some(lines), &options)?;
        table.plan = super::TablePlan::of_json_lines();
        Ok(table)
    }
}

/// A value as a field, nothing for what is no field.
fn field(value: &Value) -> Option<String> {
    match value {
        // Quoted, so that no line is empty.
        Value::Null => Some("\"\"".to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(quote(text)),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn write_row(csv: &mut String, fields: &[String]) {
    for (column, field) in fields.iter().enumerate() {
        let comma = if column == 0 { "" } else { "," };
        let field = if field.is_empty() { "\"\"" } else { field };
        // Writing to a string cannot fail.
        let _ = write!(csv, "{comma}{field}");
    }
    csv.push('\n');
}

/// An object's keys and values, in the order of the file.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}
