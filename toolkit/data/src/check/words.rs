//! Texts of a table: how many words are known, which texts are cut, which are empty.

use super::Seen;
use crate::report::{Finding, Severity};
use crate::table::{FittedWords, PADDING_TOKEN};
use crate::{DataError, Part};

/// A part of whose words so large a share is unknown says little to a network.
const UNKNOWN: f64 = 0.5;

/// What the rows of a part say.
#[derive(Default)]
struct Counts {
    tokens: usize,
    unknown: usize,
    full: usize,
    empty: Vec<usize>,
}

impl Counts {
    fn of(seen: &Seen<'_>, words: &FittedWords, part: Part) -> Result<Self, DataError> {
        let padding = i64::from(PADDING_TOKEN);
        let unknown = words.unknown().map(i64::from);
        let mut counts = Self::default();
        seen.data.each_raw_indices(seen.data.part(part), |row, tokens| {
            let known = tokens.iter().filter(|&&token| token != padding).count();
            let of_text = known.saturating_sub(words.added());
            counts.tokens += of_text;
            counts.unknown += tokens.iter().filter(|&&token| Some(token) == unknown).count();
            counts.full += usize::from(known == tokens.len());
            if of_text == 0 {
                counts.empty.push(row);
            }
        })?;
        Ok(counts)
    }

    fn unknown(&self) -> f64 {
        self.unknown as f64 / self.tokens.max(1) as f64
    }
}

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let Some(words) = seen.data.words() else { return Ok(Vec::new()) };
    let what = words.tokens();
    let mut findings = Vec::new();
    let (mut rows, mut full, mut empty) = (0, 0, Vec::new());
    let mut unknown = Vec::new();
    for part in Part::ALL {
        let counts = Counts::of(seen, words, part)?;
        rows += seen.data.part(part).len();
        full += counts.full;
        if counts.tokens > 0 && words.unknown().is_some() {
            unknown.push((part, counts.unknown()));
        }
        empty.extend(counts.empty);
    }
    let vocabulary = words.vocabulary().len();
    let shares = unknown.iter().map(|(part, share)| format!("{:.1}% of {part}", 100.0 * share));
    let unknowns = match words.unknown() {
        Some(_) => format!(" and the unknown, which is {}", shares.collect::<Vec<_>>().join(", ")),
        None => ", none for the unknown".to_owned(),
    };
    let text = format!(
        "texts of {} {what}, {full} of {rows} have as many or more and may be cut; {vocabulary} \
         numbers with padding{unknowns}",
        words.length()
    );
    let mut note = Finding::new(Severity::Note, text)
        .evidence("length", words.length() as f64)
        .evidence("full_rows", full as f64)
        .evidence("vocabulary", vocabulary as f64);
    for (part, share) in &unknown {
        note = note.evidence(&format!("unknown_{part}"), *share);
    }
    findings.push(note);
    for (part, share) in unknown.into_iter().filter(|(_, share)| *share >= UNKNOWN) {
        let text = format!(
            "{:.1}% of the {what} of {part} are unknown, and a network sees nothing of them",
            100.0 * share
        );
        let cure = match words.tokenizer() {
            Some(_) => "a tokenizer that was made of texts such as these",
            None => "a larger Words::most, a smaller Words::at_least, or Words::characters",
        };
        findings.push(Finding::new(Severity::Warning, text).evidence("unknown", share).cure(cure));
    }
    if !empty.is_empty() {
        empty.sort_unstable();
        let alone = match words.added() {
            0 => "padding alone",
            _ => "what the tokenizer adds to each text alone",
        };
        let text = format!("{} rows are {alone}: their texts are empty", empty.len());
        findings.push(
            Finding::new(Severity::Note, text)
                .evidence("rows", empty.len() as f64)
                .rows(empty)
                .cure("Missing::Drop where they should not be predicted"),
        );
    }
    Ok(findings)
}
