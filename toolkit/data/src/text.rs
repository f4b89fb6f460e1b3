//! Text as sequences of characters, each to be predicted from those before it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::dataset::Dataset;
use super::recipe::{Origin, absolute};
use super::source::Tokens;
use super::table::{Encoding, FittedWords, read_text};

/// A text in memory, before it is cut into samples.
#[derive(Clone, Debug)]
pub struct Text {
    path: Option<PathBuf>,
    source: String,
    text: String,
}

impl Text {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        Ok(Self {
            path: Some(absolute(path)),
            source: path.display().to_string(),
            text: read_text(path, "text file")?,
        })
    }

    pub(super) fn of(source: &str, text: &str) -> Self {
        Self { path: None, source: source.to_owned(), text: text.to_owned() }
    }

    /// A data set of windows of `context` characters, one beginning every `stride` characters: the
    /// input are the numbers of the characters, the target at each position is the character that
    /// follows. The vocabulary is the characters of the whole text, in the order of Unicode.
    ///
    /// A split of it must be [`Split::in_order`](super::Split::in_order): no window reaches from
    /// one part into another. In validation and test windows do not overlap, so that every
    /// character is judged once.
    ///
    /// # Errors
    /// `context` or `stride` is 0, or the text is shorter than one window and the character behind
    /// it.
    pub fn characters(self, context: usize, stride: usize) -> Result<Dataset, DataError> {
        for (setting, value) in [("context", context), ("stride", stride)] {
            if value == 0 {
                return Err(DataError::Setting {
                    setting,
                    value: "0".to_owned(),
                    expected: "at least 1 character".to_owned(),
                });
            }
        }
        let vocabulary: Vec<char> =
            self.text.chars().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |c: char| vocabulary.binary_search(&c).unwrap_or_default() as u32;
        let tokens: Vec<u32> = self.text.chars().map(number).collect();
        if tokens.len() <= context {
            let reason = format!(
                "{} has {} characters, which do not make a window of {context} and the character \
                 behind it",
                self.source,
                tokens.len()
            );
            return Err(DataError::Refused { action: "use", reason });
        }
        let starts = (0..tokens.len() - context).step_by(stride).collect();
        let vocabulary = vocabulary.into_iter().map(String::from).collect();
        let origin = match self.path {
            Some(path) => Origin::Text { path, context, stride },
            None => Origin::Memory,
        };
        Dataset::from_source(Tokens {
            origin,
            name: self.source,
            vocabulary,
            tokens,
            shape: [context],
            stride,
            starts,
        })
    }
}

impl Dataset {
    /// Reads a text in UTF-8, also gzipped (recognised by content, not by name).
    ///
    /// # Errors
    /// The file cannot be read, or is not (gzipped) UTF-8 text.
    pub fn text(path: impl AsRef<Path>) -> Result<Text, DataError> {
        Text::read(path.as_ref())
    }

    /// A text that is in memory already. `source` says where it comes from.
    pub fn text_of(source: &str, text: &str) -> Text {
        Text::of(source, text)
    }

    /// The tokens of a text, by number: the characters of [`Dataset::text`]; or, of
    /// [`Table::words`](crate::Table::words), "(padding)", "(unknown)" and the words of the training
    /// part, which a split may change; or the tokens of a tokenizer as its file has them, behind
    /// "(padding)" where its own is not 0. Empty where rows are numbers.
    pub fn vocabulary(&self) -> &[String] {
        match (self.tokens(), self.words()) {
            (Some(tokens), _) => &tokens.vocabulary,
            (None, Some(words)) => words.vocabulary(),
            (None, None) => &[],
        }
    }

    /// How many tokens there are, for an embedding: the length of [`vocabulary`](Self::vocabulary).
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary().len()
    }

    /// The token of this number; `None` if there is none.
    pub fn token(&self, number: usize) -> Option<&str> {
        self.vocabulary().get(number).map(String::as_str)
    }

    /// The tokens of a row as a network sees them, without padding; none where rows are numbers.
    /// The row must be less than [`len`](Self::len).
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn tokens_of(&self, row: usize) -> Result<Vec<&str>, DataError> {
        let row = self.raw(&[row])?;
        let mut numbers = row.integers();
        if self.words().is_some() {
            while let [rest @ .., 0] = numbers {
                numbers = rest;
            }
        }
        let token = |&number: &i64| self.token(usize::try_from(number).ok()?);
        Ok(numbers.iter().filter_map(token).collect())
    }

    /// How a table's text becomes tokens.
    pub(super) fn words(&self) -> Option<&FittedWords> {
        self.encoding().and_then(Encoding::words)
    }

    /// The numbers of the characters of `text` in this data set's vocabulary; or of its words, as
    /// many as a row has.
    ///
    /// # Errors
    /// It is no data set of characters or words, or has never seen one of the characters; or its
    /// tokenizer makes nothing of the text.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>, DataError> {
        fn refuse<T>(reason: String) -> Result<T, DataError> {
            Err(DataError::Refused { action: "encode with", reason })
        }
        if let Some(words) = self.words() {
            let encoded = words.encode(text).or_else(refuse)?.into_iter();
            let padded = encoded.map(i64::from).chain(std::iter::repeat(0));
            return Ok(padded.take(words.length()).collect());
        }
        let Some(tokens) = self.tokens() else {
            return refuse("its rows are numbers, not characters or words".to_owned());
        };
        let number = |c: char| tokens.vocabulary.binary_search(&c.to_string());
        let mut encoded = Vec::new();
        for c in text.chars() {
            match number(c) {
                Ok(number) => encoded.push(number as i64),
                Err(_) => return refuse(format!("the character {c:?} does not occur in them")),
            }
        }
        Ok(encoded)
    }
}
