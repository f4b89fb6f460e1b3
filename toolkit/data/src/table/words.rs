//! Texts as sequences of numbers: of words, or of characters.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::data::{Data, GAP, Texts};
use super::encoding::{ColumnEncoding, Fill, Kind, Wrong};
use super::{Encoding, Raw, Table};
use crate::DataError;

/// The numbers of padding and of what is not in the vocabulary, and what they are called.
const PADDING: &str = "(padding)";
pub(crate) const PADDING_TOKEN: u32 = 0;
pub(crate) const UNKNOWN_TOKEN: u32 = 1;
const UNKNOWN: &str = "(unknown)";
/// The number of the most frequent word.
const FIRST_WORD: usize = 2;

/// No table of an embedding has more rows.
const MOST_WORDS: usize = (1 << 24) - FIRST_WORD;
const LONGEST: usize = 1 << 20;

/// How texts become sequences of numbers of one length, for [`Table::words`].
///
/// A text is written in small letters (Unicode's, as Python's `str.lower`;
/// [`keep_case`](Self::keep_case) leaves it as it is) and split at the word
/// boundaries of [Unicode's annex 29](https://www.unicode.org/reports/tr29/#Word_Boundaries); what is
/// white space alone is left out. So `don't`, `3.14`, a letter with its accents and an emoji with
/// its skin are one token each, as is each sign (`…!!` is three), each ideograph and each character
/// of Hiragana. [`characters`](Self::characters) takes each character (Unicode scalar value) for a
/// token, white space too. An accented letter that is written in two ways is two words.
///
/// The vocabulary is that of the training part: 0 is padding, 1 is what is not in it, and from 2 on
/// there are words by how often they occur, of equals the first by Unicode. Longer texts lose their
/// end, shorter ones end in padding. That is Keras's
/// [`TextVectorization`](https://keras.io/api/layers/preprocessing_layers/text/text_vectorization/),
/// which sorts equals the other way round, and drops signs instead of taking them for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    length: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    most: Option<usize>,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(super) at_least: usize,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    characters: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep_case: bool,
}

fn once() -> usize {
    1
}

fn is_once(times: &usize) -> bool {
    *times == once()
}

impl Words {
    /// The first `length` tokens of each text, from 1 to 1,048,576: Keras's
    /// `output_sequence_length`.
    pub fn new(length: usize) -> Self {
        Self { length, most: None, at_least: once(), characters: false, keep_case: false }
    }

    /// At most so many words have a number of their own, the most frequent: Keras's `max_tokens`
    /// less 2, which count padding and the unknown. From 1 to 16,777,214, which is the default.
    #[must_use]
    pub fn most(mut self, words: usize) -> Self {
        self.most = Some(words);
        self
    }

    /// A word that occurs less often in the training part is unknown, which also teaches a network
    /// what to make of unknown words. 1 by default: all have a number of their own.
    #[must_use]
    pub fn at_least(mut self, times: usize) -> Self {
        self.at_least = times;
        self
    }

    /// Characters instead of words.
    #[must_use]
    pub fn characters(mut self) -> Self {
        self.characters = true;
        self
    }

    /// Leaves texts as they are written: `Apple` and `apple` are two words. For names, abbreviations and
    /// programs, of which there should be enough to learn both; Keras's `standardize=None`.
    #[must_use]
    pub fn keep_case(mut self) -> Self {
        self.keep_case = true;
        self
    }

    /// A text as it is split.
    fn cased(self, text: &str) -> Cow<'_, str> {
        match self.keep_case {
            true => text.into(),
            false => text.to_lowercase().into(),
        }
    }

    /// Refuses numbers that make no sense.
    pub(super) fn check(self) -> Result<(), DataError> {
        let settings = [
            ("Words::new", self.length, LONGEST),
            ("Words::most", self.most.unwrap_or(1), MOST_WORDS),
            ("Words::at_least", self.at_least, usize::MAX),
        ];
        for (setting, value, most) in settings {
            if value == 0 || value > most {
                let expected = match most {
                    usize::MAX => "at least 1".to_owned(),
                    most => format!("from 1 to {most}"),
                };
                return Err(DataError::Setting { setting, value: value.to_string(), expected });
            }
        }
        Ok(())
    }

    /// The tokens of a text that is written as it is to be.
    fn split(self, text: &str) -> Box<dyn Iterator<Item = &str> + '_> {
        if self.characters {
            return Box::new(text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]));
        }
        Box::new(text.split_word_bounds().filter(|word| !word.trim().is_empty()))
    }
}

/// Texts that are split: each token by its place in `tokens`, whatever rows are trained on.
#[derive(Debug)]
pub(crate) struct Tokenised {
    tokens: Vec<String>,
    /// All tokens of each text.
    texts: Vec<Vec<u32>>,
}

impl Tokenised {
    fn of<'t>(texts: impl Iterator<Item = &'t str>, words: Words) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut tokens = Vec::new();
        let mut place = |token: &str| match known.get(token) {
            Some(&place) => place,
            None => {
                let place = tokens.len() as u32;
                tokens.push(token.to_owned());
                known.insert(token.to_owned(), place);
                place
            }
        };
        let texts =
            texts.map(|text| words.split(&words.cased(text)).map(&mut place).collect()).collect();
        Self { tokens, texts }
    }
}

/// What [`Words`] have learned from the training part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedWords {
    words: Words,
    /// By number.
    vocabulary: Vec<String>,
}

impl FittedWords {
    /// From texts and how often each occurs; `None` if no word is frequent enough.
    pub(super) fn to(
        tokenised: &Tokenised,
        times: impl Iterator<Item = usize>,
        words: Words,
    ) -> Option<Self> {
        let mut counts = vec![0; tokenised.tokens.len()];
        for (text, times) in tokenised.texts.iter().zip(times) {
            text.iter().for_each(|&place| counts[place as usize] += times);
        }
        let mut counts: Vec<(&String, usize)> = tokenised.tokens.iter().zip(counts).collect();
        counts.retain(|(_, count)| *count >= words.at_least);
        counts.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        counts.truncate(words.most.unwrap_or(MOST_WORDS));
        if counts.is_empty() {
            return None;
        }
        let special = [PADDING, UNKNOWN].map(str::to_owned).into_iter();
        let vocabulary = special.chain(counts.into_iter().map(|(word, _)| word.clone())).collect();
        Some(Self { words, vocabulary })
    }

    /// Whether it is what [`to`](Self::to) can have made.
    pub(super) fn holds(&self) -> bool {
        self.words.check().is_ok() && self.vocabulary.len() > FIRST_WORD
    }

    /// How many tokens a row has.
    pub(crate) fn length(&self) -> usize {
        self.words.length
    }

    pub(crate) fn is_of_characters(&self) -> bool {
        self.words.characters
    }

    /// Padding, the unknown, and the words.
    pub(crate) fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// The numbers of a text's tokens, without padding.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let text = self.words.cased(text);
        let words = || self.vocabulary.iter().zip(0..).skip(FIRST_WORD);
        let number = |token: &str| {
            words().find(|(word, _)| *word == token).map_or(UNKNOWN_TOKEN, |(_, number)| number)
        };
        self.words.split(&text).take(self.words.length).map(number).collect()
    }

    /// The same of texts that are split.
    fn number(&self, tokenised: &Tokenised) -> Vec<Vec<u32>> {
        let words = self.vocabulary.iter().zip(0..).skip(FIRST_WORD);
        let known: HashMap<&String, u32> = words.collect();
        let number = |token| known.get(token).copied().unwrap_or(UNKNOWN_TOKEN);
        let numbers: Vec<u32> = tokenised.tokens.iter().map(number).collect();
        let cut = |text: &Vec<u32>| {
            let places = text.iter().take(self.words.length);
            places.map(|&place| numbers[place as usize]).collect()
        };
        tokenised.texts.iter().map(cut).collect()
    }
}

/// The tokens of each row, without padding. Equal texts are kept once.
pub(crate) struct Sequences {
    texts: Vec<Vec<u32>>,
    /// For each row the number of its text.
    rows: Vec<u32>,
}

impl Sequences {
    /// Writes the tokens of a row, and padding behind them.
    pub(crate) fn fill(&self, row: usize, out: &mut [i64]) {
        out.fill(i64::from(PADDING_TOKEN));
        let tokens = &self.texts[self.rows[row] as usize];
        out.iter_mut().zip(tokens).for_each(|(out, &token)| *out = i64::from(token));
    }
}

impl Encoding {
    /// Whether what it makes of a row are indices, the words of a text
    /// ([`Table::words`]), and not features.
    pub fn is_of_indices(&self) -> bool {
        self.words().is_some()
    }

    /// How the text becomes tokens, if there is one that does.
    pub(crate) fn words(&self) -> Option<&FittedWords> {
        match self.columns.as_slice() {
            [ColumnEncoding { kind: Kind::Words(words), .. }] => Some(words),
            _ => None,
        }
    }

    /// The tokens of each row; `None` where rows have features.
    pub(crate) fn sequences(&self, raw: &Raw) -> Result<Option<Sequences>, DataError> {
        let (Some(words), [Data::Texts(texts)]) = (self.words(), raw.columns.as_slice()) else {
            return Ok(None);
        };
        let fill = match self.columns.first().map(|column| &column.fill) {
            Some(Some(Fill::Text(fill))) => Some(fill),
            _ => None,
        };
        if fill.is_none()
            && let Some(row) = texts.codes.iter().position(|&code| code == GAP)
        {
            return Err(self.refuse(raw, row, 0, Wrong::Gap));
        }
        let gap = texts.names.len() as u32;
        let rows = texts.codes.iter().map(|&code| if code == GAP { gap } else { code }).collect();
        let texts = words.number(raw.tokenised(texts, fill.map(String::as_str), words.words));
        Ok(Some(Sequences { texts, rows }))
    }
}

impl Raw {
    /// The texts of the column whose words are the input, and behind them what stands for a gap;
    /// they are split once for all fits.
    pub(super) fn tokenised(&self, texts: &Texts, fill: Option<&str>, words: Words) -> &Tokenised {
        let texts = texts.names.iter().map(String::as_str).chain(fill);
        self.tokenised.get_or_init(|| Tokenised::of(texts, words))
    }
}

impl Table {
    /// Where the words of a column are the input, it is the only one.
    pub(super) fn check_words(&self, features: &[usize]) -> Result<(), DataError> {
        let Some(text) = self.plan.words_column() else { return Ok(()) };
        let name = &self.names[text];
        if !features.contains(&text) {
            let reason = "its words are to be the input, and it is left out, a target, or weights, \
                          groups or times; it can be one of them";
            return Err(self.wrong_column(text, reason.to_owned()));
        }
        let others = features.iter().filter(|&&column| column != text);
        let others: Vec<String> = others.map(|&at| format!("{:?}", self.names[at])).collect();
        let (place, they, them, ignored) = match others.as_slice() {
            [] => return Ok(()),
            [other] => ("column", "it would be a feature", "it", other.clone()),
            _ => ("columns", "they would be features", "them", format!("[{}]", others.join(", "))),
        };
        let reason = format!(
            "{they} beside the words of {name:?}, which are the only input; leave {them} out by \
             .ignore({ignored})"
        );
        Err(self.wrong_at(format!("{place} {}", others.join(", ")), reason))
    }
}
