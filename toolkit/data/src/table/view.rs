//! What a table looks like.

use std::fmt;

use trainbook_core::text_table::{Align, Table as TextTable};

use super::Table;
use super::data::Data;

/// Examples and ranges are cut to so many characters.
const LONGEST: usize = 32;

impl Table {
    /// A line for each column: its name, what it is, how many rows have a gap, its range or how
    /// many different texts it has, and what the first row that has a value says.
    pub fn view(&self) -> TextTable {
        let mut view = TextTable::new(&[
            ("column", Align::Left),
            ("type", Align::Left),
            ("gaps", Align::Right),
            ("values", Align::Left),
            ("example", Align::Left),
        ]);
        for (column, data) in self.columns.iter().enumerate() {
            let values = match data {
                Data::Numbers(numbers) => {
                    let known = || numbers.iter().copied().filter(|x| !x.is_nan());
                    let least = known().fold(f64::INFINITY, f64::min);
                    match known().next() {
                        Some(_) => format!("{least} to {}", known().fold(-f64::INFINITY, f64::max)),
                        None => String::new(),
                    }
                }
                Data::Texts(texts) => format!("{} different", texts.names.len()),
            };
            let besides = match (self.is_mixed(column), self.is_of_dates(column)) {
                (_, true) => ", dates",
                (true, false) => ", some numbers",
                (false, false) => "",
            };
            let example = (0..self.rows()).find(|&row| !data.is_gap(row));
            let example = example.map(|row| self.field(row, column).trim().to_owned());
            view.rows.push(vec![
                short(&self.names[column]),
                format!("{}{besides}", self.type_of(column)),
                data.gaps().to_string(),
                short(&values),
                short(&example.unwrap_or_default()),
            ]);
        }
        view
    }
}

/// The file, how it is written, and a line for each column.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = (self.rows(), self.names.len());
        writeln!(f, "{}: {rows} rows, {columns} columns", self.path.display())?;
        match (self.plan.is_json_lines(), self.plan.format()) {
            (true, _) => writeln!(f, "JSON lines")?,
            (_, Some(format)) => writeln!(f, "{}", format.name())?,
            _ => writeln!(f, "{}", self.dialect)?,
        }
        f.write_str(&self.view().text())
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
