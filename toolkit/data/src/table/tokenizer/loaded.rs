//! A tokenizer as the library `tokenizers` loads it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

use serde_json::Value as Json;
use tokenizers::{PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy};

use super::Tokenizer;
use crate::DataError;
use crate::table::words::PADDING;
use crate::table::{quoted, read_text};

/// No table of an embedding has more rows.
const MOST_TOKENS: usize = 1 << 24;

/// A run records its tokenizer in one entry of its journal, which holds 16 MiB.
const MOST_BYTES: usize = 12 << 20;

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub(in crate::table) fn read(path: &Path) -> Result<Self, DataError> {
        let wrong = |place: &str, reason: String| {
            let (path, place) = (path.to_owned(), place.to_owned());
            Err(DataError::File { path, place, reason })
        };
        let text = read_text(path, "tokenizer.json")?;
        if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            let place = format!("line {}", e.line());
            return wrong(&place, format!("it is no JSON ({e}); save the tokenizer again"));
        }
        let json = compact(&text);
        // As a text in a record of JSON.
        let bytes = json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        if bytes > MOST_BYTES {
            let reason = format!(
                "it takes {bytes} bytes in a run's record, and {MOST_BYTES} is the most; use a \
                 tokenizer with fewer tokens"
            );
            return wrong("as a whole", reason);
        }
        Ok(Self::of(json))
    }
}

/// JSON without white space between its parts: the same text, whatever wrote it in lines.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let keep = |&c: &char| {
        let kept = in_text || !c.is_ascii_whitespace();
        in_text ^= c == '"' && !escaped;
        escaped = in_text && c == '\\' && !escaped;
        kept
    };
    json.chars().filter(keep).collect()
}

/// What the library made of a tokenizer, and what the numbers of its tokens are here.
pub(in crate::table) struct Loaded {
    tokenizer: tokenizers::Tokenizer,
    /// By number: padding, and the tokens.
    vocabulary: Vec<String>,
    /// What an id is moved up by: 0 where that of padding is 0, else 1.
    shift: u32,
    unknown: Option<u32>,
    added: usize,
}

impl Loaded {
    /// Loads a tokenizer whose own cutting and padding give way to a cut behind `length` tokens.
    pub(super) fn of(json: &str, length: usize) -> Result<Self, String> {
        guarded(|| Self::load(json, length))
    }

    fn load(json: &str, length: usize) -> Result<Self, String> {
        let file: Json = serde_json::from_str(json).map_err(|e| format!("it is no JSON ({e})"))?;
        let model = &file["model"];
        if let Some(dropout) = model["dropout"].as_f64().filter(|dropout| *dropout > 0.0) {
            return Err(format!(
                "it leaves out merges at random (\"dropout\": {dropout}), and a text would have \
                 other tokens each time; save it with \"dropout\": null"
            ));
        }
        let mut tokenizer = tokenizers::Tokenizer::from_str(json).map_err(|e| {
            format!(
                "it is no tokenizer that the library `tokenizers` reads ({e}); save one by \
                 tokenizer.save(\"tokenizer.json\") of its Python package"
            )
        })?;
        let mut tokens: Vec<(u32, String)> =
            tokenizer.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        tokens.sort_unstable();
        let (Some((_, first)), Some(&(largest, _))) = (tokens.first(), tokens.last()) else {
            return Err("it has no tokens; train it before it is saved".to_owned());
        };
        let shift = u32::from(!is_padding(first, &file));
        if largest as usize + shift as usize >= MOST_TOKENS {
            let most = MOST_TOKENS - 1 - shift as usize;
            return Err(format!("its largest id is {largest}, and it must be at most {most}"));
        }
        let misplaced = tokens.iter().zip(0..).find(|((id, _), at)| id != at);
        if let Some(((id, token), at)) = misplaced {
            return Err(format!(
                "its ids are not dense: {} has the id {id} where {at} would follow; number the \
                 tokens from 0 without gaps",
                quoted(token)
            ));
        }
        let unknown = match &model["unk_token"] {
            Json::String(token) => tokenizer.token_to_id(token),
            // Of Unigram.
            _ => model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()),
        };
        let unknown = unknown.filter(|id| *id <= largest).map(|id| id + shift);
        for token in file["added_tokens"].as_array().into_iter().flatten() {
            let (Some(content), Some(id)) = (token["content"].as_str(), token["id"].as_u64())
            else {
                continue;
            };
            // The library numbers them anew, and what adds them to texts does not.
            if let Some(given) = tokenizer.token_to_id(content).filter(|&own| u64::from(own) != id)
            {
                return Err(format!(
                    "its ids are not dense: the added token {} has the id {id} where {given} \
                     would follow; number the tokens from 0 without gaps",
                    quoted(content)
                ));
            }
        }
        let added = tokenizer.get_post_processor().map_or(0, |after| after.added_tokens(false));
        let cut = TruncationParams {
            // Whoever asks for fewer is refused.
            max_length: length.max(added + 1),
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
            direction: TruncationDirection::Right,
        };
        tokenizer.with_padding(None).with_truncation(Some(cut)).map_err(|e| e.to_string())?;
        let padding = (shift == 1).then(|| PADDING.to_owned());
        let vocabulary = padding.into_iter().chain(tokens.into_iter().map(|(_, token)| token));
        let vocabulary = vocabulary.collect();
        let loaded = Self { tokenizer, vocabulary, shift, unknown, added };
        // What is added to each text is known, too.
        loaded.encode("")?;
        Ok(loaded)
    }

    /// By number.
    pub(in crate::table) fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// The number of what the tokenizer does not know, if it has one.
    pub(in crate::table) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// How many tokens are added to every text.
    pub(in crate::table) fn added(&self) -> usize {
        self.added
    }

    /// The numbers of a text's tokens, without padding.
    pub(in crate::table) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encode = || self.tokenizer.encode_fast(text, true).map_err(|e| e.to_string());
        let refuse = |why| format!("the tokenizer makes nothing of {} ({why})", quoted(text));
        let encoding = guarded(encode).map_err(refuse)?;
        let size = self.vocabulary.len();
        let number = |&id: &u32| match id.saturating_add(self.shift) {
            number if (number as usize) < size => Ok(number),
            _ => Err(refuse(format!("it gives the id {id}, of which there is no token"))),
        };
        encoding.get_ids().iter().map(number).collect()
    }
}

/// Whether the token of id 0 is padding: the file says so, or it is a special token with that name.
fn is_padding(first: &str, file: &Json) -> bool {
    let padding = &file["padding"];
    let mut added = file["added_tokens"].as_array().into_iter().flatten();
    let is_special = added.any(|token| token["content"] == *first && token["special"] == true);
    let name: String = first.chars().filter(char::is_ascii_alphabetic).collect();
    (padding["pad_id"] == 0 && padding["pad_token"] == *first)
        || (is_special && name.eq_ignore_ascii_case("pad"))
}

/// The library promises an error for a damaged tokenizer and panics on some.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err("its parts contradict each other".to_owned()))
}
