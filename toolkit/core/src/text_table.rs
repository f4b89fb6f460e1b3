//! A table as aligned text and as HTML.

use std::fmt::Write;

/// Cells in columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns' names and sides.
    pub columns: Vec<(String, Align)>,
    /// The rows; a missing cell is empty.
    pub rows: Vec<Vec<String>>,
}

/// The side to which a column's cells are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns.iter().map(|&(name, align)| (name.into(), align)).collect(),
            rows: Vec::new(),
        }
    }

    /// One line per row under a line of names, every line ended; two spaces between columns.
    pub fn text(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|c| c.0.clone()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(&names)
            .chain(&self.rows)
            .map(|row| row.iter().map(|cell| one_line(cell)).collect())
            .collect();
        let width = |c: usize| {
            lines
                .iter()
                .filter_map(|row| row.get(c))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for row in &lines {
            let mut line = String::new();
            for (c, (&width, (_, align))) in widths.iter().zip(&self.columns).enumerate() {
                let cell = row.get(c).map_or("", String::as_str);
                let gap = if c == 0 { "" } else { "  " };
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Left => write!(line, "{gap}{cell:<width$}"),
                    Align::Right => write!(line, "{gap}{cell:>width$}"),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// A `<table>`. Names and cells are escaped.
    pub fn html(&self) -> String {
        let row = |tag: &str, cells: &[String]| {
            let mut html = String::from("<tr>");
            for (c, (_, align)) in self.columns.iter().enumerate() {
                let side = if *align == Align::Left { "left" } else { "right" };
                let cell = cells.get(c).map_or(String::new(), |cell| escape(&one_line(cell)));
                // GitHub removes `style` and keeps `align`; JupyterLab has it the other way round.
                let _ = write!(
                    html,
                    "<{tag} align=\"{side}\" style=\"text-align:{side};white-space:nowrap\">{cell}</{tag}>"
                );
            }
            html + "</tr>"
        };
        let names: Vec<String> = self.columns.iter().map(|c| c.0.clone()).collect();
        let body: String = self.rows.iter().map(|cells| row("td", cells)).collect();
        format!("<table><thead>{}</thead><tbody>{body}</tbody></table>", row("th", &names))
    }
}

fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` with the characters that mean something in HTML written as entities. Right within
/// elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("name", Align::Left), ("value", Align::Right)]);
        table.rows = vec![
            vec!["größe".into(), "1".into()],
            vec!["<script>".into(), "12345.6".into()],
            vec!["two\nlines".into()],
        ];
        table
    }

    #[test]
    fn text_is_aligned() {
        assert_eq!(
            table().text(),
            "name         value\ngröße            1\n<script>   12345.6\ntwo lines\n"
        );
    }

    #[test]
    fn html_is_escaped_and_every_row_is_full() {
        let html = table().html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
        assert_eq!(html.matches("<td").count(), 6);
        assert_eq!(
            escape(r#"<a href="x" id='y'>&"#),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;"
        );
    }
}
