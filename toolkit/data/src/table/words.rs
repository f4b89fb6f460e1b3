//! Texts as sequences of numbers: of words, of characters, or of the tokens of a tokenizer.

use std::borrow::Cow;
use std::collections::HashMap;
#[cfg(feature = "tokenizers")]
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::data::{Data, GAP, Texts};
use super::encoding::{ColumnEncoding, Fill, Kind, Wrong};
use super::tokenizer::{Loaded, Tokenizer};
use super::{Encoding, Raw, Table};
use crate::DataError;

/// The numbers of padding and of what is not in the vocabulary, and what they are called.
pub(super) const PADDING: &str = "(padding)";
pub(crate) const PADDING_TOKEN: u32 = 0;
const UNKNOWN_TOKEN: u32 = 1;
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
///
/// With the feature `tokenizers`, `Words::new(64).tokenizer("tokenizer.json")?` leaves all of that
/// to a tokenizer that somebody else has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<Tokenizer>,
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
        Self {
            length,
            most: None,
            at_least: once(),
            characters: false,
            keep_case: false,
            tokenizer: None,
        }
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

    /// The tokens of a tokenizer instead of words: that of a `tokenizer.json`, as Python's
    /// [`tokenizers`](https://huggingface.co/docs/tokenizers) and `transformers` write it, also
    /// gzipped. The file is read here, once: data sets, runs and exported files keep what it says
    /// (without white space, up to 12 MiB), and none of them needs it again.
    ///
    /// Texts get the ids that Python gives them, `tokenizer.encode(text).ids`, with the tokens that
    /// the tokenizer adds to each text, such as `[CLS]` and `[SEP]`. What the file says of cutting
    /// and padding is set aside: texts are cut as by `enable_truncation(length)`, at their end and
    /// before what is added, and filled up with 0 behind.
    ///
    /// 0 is padding. Where it is so in the tokenizer, too (the file's `padding` says so, or its
    /// token 0 is a special one that is called `[PAD]`, `<pad>` or the like, as BERT's and T5's),
    /// its ids are the numbers here, and an exported network takes them from any program. Else (as
    /// GPT-2's, which has none, and RoBERTa's, whose padding is 1) the number of a token is its id
    /// and 1 more, and 0 is "(padding)". What is unknown has the number of the tokenizer's unknown
    /// token; one that knows every byte needs none.
    ///
    /// Nothing is learned from the rows that are trained on: the vocabulary is the tokenizer's, the
    /// same for every split. [`most`](Self::most), [`at_least`](Self::at_least),
    /// [`characters`](Self::characters) and [`keep_case`](Self::keep_case) have no meaning beside it.
    ///
    /// # Errors
    /// The file cannot be read, is no JSON, or no tokenizer that the library can load; it is too
    /// large for a run's record, has no tokens, ids with gaps between or too large ones, or leaves
    /// out merges at random (dropout). [`Table::words`] refuses other settings beside it, and a
    /// length that leaves no place for a token of the text.
    #[cfg(feature = "tokenizers")]
    pub fn tokenizer(mut self, path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let tokenizer = Tokenizer::read(path)?;
        if let Err(reason) = tokenizer.loaded(self.length) {
            let (path, place) = (path.to_owned(), "as a tokenizer".to_owned());
            return Err(DataError::File { path, place, reason: reason.to_owned() });
        }
        self.tokenizer = Some(tokenizer);
        Ok(self)
    }

    /// Whether there are words only once there are rows that are trained on.
    pub(super) fn are_learned(&self) -> bool {
        self.tokenizer.is_none()
    }

    /// The tokenizer, where it is one that makes the tokens.
    fn loaded(&self) -> Option<&Loaded> {
        // Whatever is encoded was checked before.
        self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.loaded(self.length).ok())
    }

    /// A text as it is split.
    fn cased<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.keep_case {
            true => text.into(),
            false => text.to_lowercase().into(),
        }
    }

    /// Refuses numbers that make no sense.
    pub(super) fn check(&self) -> Result<(), DataError> {
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
        match &self.tokenizer {
            Some(tokenizer) => self.check_tokenizer(tokenizer),
            None => Ok(()),
        }
    }

    /// Refuses a tokenizer that cannot be loaded, and what makes no sense beside one.
    fn check_tokenizer(&self, tokenizer: &Tokenizer) -> Result<(), DataError> {
        let loaded = tokenizer.loaded(self.length).map_err(|why| DataError::Refused {
            action: "read",
            reason: format!("its words are made by a tokenizer, which cannot be loaded: {why}"),
        })?;
        let said = [
            ("Words::most", self.most.map(|most| most.to_string())),
            ("Words::at_least", (!is_once(&self.at_least)).then(|| self.at_least.to_string())),
            ("Words::characters", self.characters.then(|| "true".to_owned())),
            ("Words::keep_case", self.keep_case.then(|| "true".to_owned())),
        ];
        for (setting, value) in said {
            if let Some(value) = value {
                let expected = "left out beside Words::tokenizer, which says itself what a token \
                                is and what tokens there are";
                return Err(DataError::Setting { setting, value, expected: expected.to_owned() });
            }
        }
        let added = loaded.added();
        if self.length <= added {
            return Err(DataError::Setting {
                setting: "Words::new",
                value: self.length.to_string(),
                expected: format!(
                    "from {} to {LONGEST}, because the tokenizer adds {added} of its own to each \
                     text",
                    added + 1
                ),
            });
        }
        Ok(())
    }

    /// The tokens of a text that is written as it is to be.
    fn split<'t>(&self, text: &'t str) -> Box<dyn Iterator<Item = &'t str> + 't> {
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
    fn of<'t>(texts: impl Iterator<Item = &'t str>, words: &Words) -> Self {
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

/// What [`Words`] have learned from the training part, if not all was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedWords {
    words: Words,
    /// By number; empty where a tokenizer has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vocabulary: Vec<String>,
}

impl FittedWords {
    /// From texts and how often each occurs; `None` if no word is frequent enough.
    pub(super) fn to(
        tokenised: &Tokenised,
        times: impl Iterator<Item = usize>,
        words: &Words,
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
        Some(Self { words: words.clone(), vocabulary })
    }

    /// Of a tokenizer, which leaves nothing to learn.
    pub(super) fn given(words: &Words) -> Self {
        Self { words: words.clone(), vocabulary: Vec::new() }
    }

    /// Loads the tokenizer, if there is one, or says why it cannot be.
    pub(super) fn load(&self) -> Result<(), &str> {
        self.words
            .tokenizer
            .iter()
            .try_for_each(|tokenizer| tokenizer.loaded(self.words.length).map(|_| ()))
    }

    /// Whether it is what [`to`](Self::to) or [`given`](Self::given) can have made.
    pub(super) fn holds(&self) -> bool {
        let has_words = match self.words.are_learned() {
            true => self.vocabulary.len() > FIRST_WORD,
            false => self.vocabulary.is_empty(),
        };
        self.words.check().is_ok() && has_words
    }

    /// How many tokens a row has.
    pub(crate) fn length(&self) -> usize {
        self.words.length
    }

    /// What a token is, several of them.
    pub(crate) fn tokens(&self) -> &'static str {
        match (self.words.are_learned(), self.words.characters) {
            (false, _) => "tokens",
            (true, true) => "characters",
            (true, false) => "words",
        }
    }

    /// What the tokenizer's file says, if there is one.
    pub(crate) fn tokenizer(&self) -> Option<&str> {
        self.words.tokenizer.as_ref().map(Tokenizer::json)
    }

    /// Padding, the unknown, and the words; or the tokens of the tokenizer.
    pub(crate) fn vocabulary(&self) -> &[String] {
        self.words.loaded().map_or(&self.vocabulary, Loaded::vocabulary)
    }

    /// The number of what is unknown; a tokenizer may have none.
    pub(crate) fn unknown(&self) -> Option<u32> {
        self.words.loaded().map_or(Some(UNKNOWN_TOKEN), Loaded::unknown)
    }

    /// How many tokens every text has, an empty one, too.
    pub(crate) fn added(&self) -> usize {
        self.words.loaded().map_or(0, Loaded::added)
    }

    /// The numbers of a text's tokens, without padding; or why the tokenizer makes nothing of it.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        if let Some(tokenizer) = self.words.loaded() {
            return tokenizer.encode(text);
        }
        let text = self.words.cased(text);
        let words = || self.vocabulary.iter().zip(0..).skip(FIRST_WORD);
        let number = |token: &str| {
            words().find(|(word, _)| *word == token).map_or(UNKNOWN_TOKEN, |(_, number)| number)
        };
        Ok(self.words.split(&text).take(self.words.length).map(number).collect())
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
        let rows: Vec<u32> =
            texts.codes.iter().map(|&code| if code == GAP { gap } else { code }).collect();
        let fill = fill.map(String::as_str);
        let Some(tokenizer) = words.words.loaded() else {
            let texts = words.number(raw.tokenised(texts, fill, &words.words));
            return Ok(Some(Sequences { texts, rows }));
        };
        let texts: Vec<&str> = texts.names.iter().map(String::as_str).chain(fill).collect();
        let encoded: Vec<_> = texts.par_iter().map(|text| tokenizer.encode(text)).collect();
        let of = |(code, encoded)| match encoded {
            Ok(tokens) => Ok(tokens),
            Err(reason) => match rows.iter().position(|row| *row == code) {
                Some(row) => Err(raw.wrong(Some(row), 0, reason)),
                // Of a row that was left out.
                None => Ok(Vec::new()),
            },
        };
        let texts = (0..).zip(encoded).map(of).collect::<Result<_, DataError>>()?;
        Ok(Some(Sequences { texts, rows }))
    }
}

impl Raw {
    /// The texts of the column whose words are the input, and behind them what stands for a gap;
    /// they are split once for all fits.
    pub(super) fn tokenised(&self, texts: &Texts, fill: Option<&str>, words: &Words) -> &Tokenised {
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
