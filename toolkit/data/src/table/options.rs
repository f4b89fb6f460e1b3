//! How a CSV file is written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// The words that stand for a gap unless [`CsvOptions::missing`] says others: those of
/// [pandas](https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html) and `?`. An empty
/// field is one too.
const MISSING: [&str; 20] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?",
];

/// How a CSV file is to be read; what is not said is found by looking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CsvOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) separator: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decimal: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<char>,
    pub(super) quote: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) has_header: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<Vec<String>>,
}

/// Everything is found by looking; fields may be quoted by `"`, and there are no comments.
impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            separator: None,
            decimal: None,
            comment: None,
            quote: Some('"'),
            has_header: None,
            missing: None,
        }
    }
}

impl CsvOptions {
    /// The default: everything is found by looking.
    pub fn new() -> Self {
        Self::default()
    }

    /// What separates fields, one ASCII character. By default the one of `,` `;` tab `|` that
    /// divides the first 1,000 rows evenly, with the most numbers.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = Some(separator);
        self
    }

    /// What begins a number's fraction: `.` or `,`. By default `,` if fields are not separated by
    /// commas and the first 1,000 rows have numbers with a comma and none with a point.
    #[must_use]
    pub fn decimal(mut self, decimal: char) -> Self {
        self.decimal = Some(decimal);
        self
    }

    /// Lines that begin with this ASCII character are left out. By default there are none.
    #[must_use]
    pub fn comment(mut self, comment: char) -> Self {
        self.comment = Some(comment);
        self
    }

    /// What encloses fields that hold separators or line breaks (doubled, it stands for itself);
    /// `None` if it is a character as any other. `"` by default.
    #[must_use]
    pub fn quote(mut self, quote: impl Into<Option<char>>) -> Self {
        self.quote = quote.into();
        self
    }

    /// Whether the first line names the columns. By default it does if none of its fields is a
    /// number.
    #[must_use]
    pub fn has_header(mut self, has_header: bool) -> Self {
        self.has_header = Some(has_header);
        self
    }

    /// The words that stand for a gap, in place of: empty, `NA`, `N/A`, `NaN`, `nan`, `null`,
    /// `NULL`, `None`, `n/a`, `?`, and what else pandas takes for one. An empty field stays one.
    #[must_use]
    pub fn missing<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.missing = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// The words that stand for a gap.
    pub(super) fn words_for_gaps(&self) -> Vec<String> {
        self.missing.clone().unwrap_or_else(|| MISSING.map(str::to_owned).to_vec())
    }

    /// Refuses characters that cannot serve.
    pub(super) fn check(&self) -> Result<(), DataError> {
        let refuse = |setting, value: String, expected: &str| {
            Err(DataError::Setting { setting, value, expected: expected.to_owned() })
        };
        let characters = [
            ("CsvOptions::separator", self.separator),
            ("CsvOptions::comment", self.comment),
            ("CsvOptions::quote", self.quote),
        ];
        for (setting, character) in characters {
            if let Some(c) = character
                && (!c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '\n' | '\r'))
            {
                let expected = "one ASCII character other than letters, digits and line breaks";
                return refuse(setting, format!("{c:?}"), expected);
            }
        }
        match self.decimal {
            None | Some('.') => {}
            Some(',') if self.separator != Some(',') => {}
            Some(c) => {
                let expected = "'.', or ',' where fields are not separated by commas";
                return refuse("CsvOptions::decimal", format!("{c:?}"), expected);
            }
        }
        if self.separator.is_some() && self.separator == self.quote {
            return refuse("CsvOptions::quote", "the separator".to_owned(), "another character");
        }
        Ok(())
    }
}

/// How a file was found to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates fields.
    pub separator: char,
    /// What begins a number's fraction.
    pub decimal: char,
    /// Whether the first line names the columns.
    pub has_header: bool,
    /// Whether the header is only assumed: nothing in the file tells it from a row.
    pub assumed: bool,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.separator {
            '\t' => "tabs".to_owned(),
            other => format!("{other:?}"),
        };
        let header = match (self.has_header, self.assumed) {
            (true, false) => "with a header",
            (true, true) => "the first line is taken for a header (else: CsvOptions::has_header)",
            (false, _) => "without a header",
        };
        write!(f, "separated by {separator}, decimal {:?}, {header}", self.decimal)
    }
}
