//! The table that people know from Keras and torchinfo.

use std::fmt;

use serde::Serialize;
use trainbook_core::text_table::{Align, Table};

use crate::plan::{Node, Planned};

/// What a network comes to: one row per layer, and totals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What one sample of its input looks like, for example "[1, 28, 28]".
    pub input: String,
    /// One row per layer, in order; parts stand below what they are parts of.
    pub rows: Vec<Row>,
}

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Where it is, for example "encoder.0".
    pub path: String,
    /// How deep it is nested; 0 at the top.
    pub depth: usize,
    /// What it is, for example "Conv2d 16, 3×3".
    pub layer: String,
    /// What one sample of its output looks like.
    pub output: String,
    /// How many numbers of its own are trained.
    pub parameters: usize,
    /// How many numbers of its own are carried along.
    pub buffers: usize,
    /// Floating-point operations of its own for one sample, forward; an addition and a
    /// multiplication are two.
    pub flops: u64,
}

impl Summary {
    /// Of a network that fits its data.
    pub fn new(planned: &Planned) -> Self {
        let mut rows = Vec::new();
        let root = &planned.root;
        if root.children.is_empty() {
            add(root, planned, 0, &mut rows);
        } else {
            root.children.iter().for_each(|child| add(child, planned, 0, &mut rows));
            // A network that computes something beside its parts has a row of its own.
            if !root.slots.is_empty() || root.flops > 0 {
                rows.insert(0, row(root, planned, 0));
            }
        }
        Self { input: root.input.to_string(), rows }
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.parameters).sum()
    }

    /// How many numbers are carried along and not trained.
    pub fn buffers(&self) -> usize {
        self.rows.iter().map(|row| row.buffers).sum()
    }

    /// Floating-point operations for one sample, forward.
    pub fn flops(&self) -> u64 {
        self.rows.iter().map(|row| row.flops).sum()
    }

    /// The table, without its totals.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("layer", Align::Left),
            ("", Align::Left),
            ("output", Align::Left),
            ("parameters", Align::Right),
            ("FLOPs", Align::Right),
        ]);
        for row in &self.rows {
            let name = row.path.rsplit('.').next().unwrap_or_default();
            let number = |n: u64| if n == 0 { String::new() } else { grouped(n) };
            table.rows.push(vec![
                format!("{}{name}", "  ".repeat(row.depth)),
                row.layer.clone(),
                row.output.clone(),
                number(row.parameters as u64),
                number(row.flops),
            ]);
        }
        table
    }

    /// The line below the table.
    pub fn totals(&self) -> String {
        let buffers = match self.buffers() {
            0 => String::new(),
            n => format!(" and {} carried along", grouped(n as u64)),
        };
        format!(
            "input {}; {} parameters{buffers}, {} FLOPs a sample",
            self.input,
            grouped(self.parameters() as u64),
            grouped(self.flops())
        )
    }
}

fn add(node: &Node, planned: &Planned, depth: usize, rows: &mut Vec<Row>) {
    rows.push(row(node, planned, depth));
    node.children.iter().for_each(|child| add(child, planned, depth + 1, rows));
}

fn row(node: &Node, planned: &Planned, depth: usize) -> Row {
    let slots = || node.slots.iter().map(|&slot| &planned.layout.slots()[slot]);
    let note = node.layer.note();
    Row {
        path: node.path.clone(),
        depth,
        layer: if note.is_empty() {
            node.layer.kind().to_owned()
        } else {
            format!("{} {note}", node.layer.kind())
        },
        output: node.output.to_string(),
        parameters: slots().filter(|slot| slot.is_trained()).map(|slot| slot.len()).sum(),
        buffers: slots().filter(|slot| !slot.is_trained()).map(|slot| slot.len()).sum(),
        flops: node.flops,
    }
}

/// 1234567 as "1,234,567".
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.table().text(), self.totals())
    }
}

trainbook_core::shown_as_text!(Summary);
