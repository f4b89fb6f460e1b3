//! An overview as text.

use std::fmt;

use super::info::{Overview, Size};
use crate::check::OWN;
use trainbook_core::text_table::{Align, Table};

/// A name that is longer loses its beginning, because the end tells nodes apart.
const NAME: usize = 40;
/// A longer text loses its end.
const VALUE: usize = 80;

pub(super) fn shape(sizes: Option<&[Size]>) -> String {
    match sizes {
        Some(sizes) => {
            format!("[{}]", sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        None => "?".into(),
    }
}

/// One line without control characters, however the file's maker named things.
fn cut(text: &str) -> String {
    let mut line: String =
        text.chars().take(VALUE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(VALUE).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

fn end(name: &str) -> String {
    let len = name.chars().count();
    if len <= NAME {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(len - NAME + 1).collect::<String>())
    }
}

impl Overview {
    /// The FLOPs of one row: "34186", or "≥ 34186" if some are not known.
    pub(crate) fn flops_text(&self) -> String {
        format!("{}{}", if self.flops_unknown > 0 { "≥ " } else { "" }, self.flops)
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("node", Align::Left),
            ("operator", Align::Left),
            ("output", Align::Left),
            ("parameters", Align::Right),
            ("FLOPs", Align::Right),
        ]);
        for (i, node) in self.nodes.iter().enumerate() {
            table.rows.push(vec![
                if node.name.is_empty() { format!("#{}", i + 1) } else { end(&node.name) },
                end(&node.operator),
                shape(node.shape.as_deref()),
                node.parameters.to_string(),
                node.flops.map_or_else(|| "?".into(), |flops| flops.to_string()),
            ]);
        }
        let total = ["total", "", "", &self.parameters.to_string(), &self.flops_text()];
        table.rows.push(total.map(str::to_owned).into());
        table
    }
}

trainbook_core::shown_as_text!(Overview);

/// Without the metadata that an export wrote by itself, but with `{:#}`.
impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table().text())?;
        writeln!(f, "file        {} ({} bytes)", self.path.display(), self.bytes)?;
        writeln!(f, "SHA-256     {}", self.file_sha256)?;
        let opsets: Vec<_> = self
            .opsets
            .iter()
            .map(|(domain, version)| format!("{} {version}", cut(domain)))
            .collect();
        writeln!(f, "format      ONNX IR {}, opsets: {}", self.ir_version, opsets.join(", "))?;
        let producer = if self.producer.is_empty() { "it does not say" } else { &self.producer };
        writeln!(f, "written by  {}", cut(producer))?;
        for input in &self.inputs {
            writeln!(f, "input       {}", cut(&input.to_string()))?;
        }
        for output in &self.outputs {
            writeln!(f, "output      {}", cut(&output.to_string()))?;
        }
        writeln!(
            f,
            "parameters  {}; {} bytes with all constants",
            self.parameters, self.initializer_bytes
        )?;
        for file in &self.external_files {
            writeln!(f, "            data in {}, which was not opened", cut(file))?;
        }
        write!(f, "FLOPs       {} per row", self.flops_text())?;
        if self.flops_unknown > 0 {
            write!(f, "; not known for {} of {} nodes", self.flops_unknown, self.nodes.len())?;
        }
        if !self.counted_as_one.is_empty() {
            write!(f, "; with {} = 1", cut(&self.counted_as_one.join(" = ")))?;
        }
        writeln!(f)?;
        let all = f.alternate();
        let is_own = |key: &&String| key.starts_with(OWN);
        for (key, value) in self.metadata.iter().filter(|(key, _)| all || !is_own(key)) {
            writeln!(f, "metadata    {} = {}", cut(key), cut(value))?;
        }
        let folded = self.metadata.keys().filter(is_own).count();
        if folded > 0 && !all {
            writeln!(f, "metadata    {folded} entries of the export's own (--all shows them)")?;
        }
        Ok(())
    }
}
