//! One hash that changes when anything changes that the model will see.

use trainbook_core::array::Numbers;
use trainbook_store::DataFingerprint;

use super::{Batch, DataError, Dataset, Part, Targets};

/// Of the width, the raw features' bits and the targets, behind a format tag.
pub(super) fn of_content(data: &Dataset) -> Result<Fold, DataError> {
    let mut hash = Fold::new("trainbook data 1");
    hash.number(data.width() as u64);
    hash.number(data.len() as u64);
    let rows: Vec<usize> = (0..data.len()).collect();
    match data.is_of_indices() {
        true => rows.iter().for_each(|_| hash.floats(&[])),
        false => data.each_raw(&rows, |_, features| hash.floats(features))?,
    }
    hash.targets(data.targets().unwrap_or(&Targets::default()));
    // A text is hashed as it is; what else is not in memory, batch by batch.
    if data.tokens().is_none() && (data.is_of_indices() || data.targets().is_none()) {
        let mut batch = Batch::default();
        for rows in rows.chunks(ROWS_AT_ONCE) {
            data.read_raw(rows, &mut batch)?;
            hash.batch(&batch);
        }
    }
    Ok(hash)
}

/// BLAKE3 over the content, the rows of each part, the normalisation, and what else a network sees.
/// Each list is preceded by its length, so that nothing can move from one to the next unnoticed. The
/// source's name is not part of the hash: a copy of the file is the same data.
pub(super) fn of_dataset(data: &Dataset) -> Result<DataFingerprint, DataError> {
    let mut hash = data.content()?;
    Part::ALL.iter().for_each(|&part| hash.rows(data.part(part)));
    hash.floats(&data.normalization().offset);
    hash.floats(&data.normalization().scale);
    if !data.normalization().log1p.is_empty() {
        let log1p = data.normalization().log1p.iter().enumerate();
        let under: Vec<usize> = log1p.filter(|(_, log1p)| **log1p).map(|(at, _)| at).collect();
        hash.text("log1p");
        hash.rows(&under);
    }
    // Rows of plain features have kept the hash that they had before there were others.
    if data.shape().len() > 1 {
        hash.rows(data.shape());
    }
    if data.targets_per_row() > 1 && data.tokens().is_none() {
        hash.number(data.targets_per_row() as u64);
    }
    if let Some(scaling) = data.target_scaling() {
        hash.text("target scaling");
        hash.floats(&scaling.offset);
        hash.floats(&scaling.scale);
        if scaling.log1p {
            hash.text("log1p");
        }
    }
    if let Some(weights) = &data.marks().weights {
        hash.text("weights");
        hash.floats(weights);
    }
    if data.is_weighed() {
        hash.text("rows are weighed");
    }
    if data.is_without_inputs() {
        hash.text("without inputs");
    }
    if let Some(tokens) = data.tokens() {
        hash.words(&tokens.tokens, |token| token.to_le_bytes());
        hash.rows(&tokens.starts);
        tokens.vocabulary.iter().for_each(|c| hash.text(c));
    }
    if let Some(words) = data.words() {
        hash.text("words");
        hash.number(words.vocabulary().len() as u64);
        words.vocabulary().iter().for_each(|word| hash.text(word));
        if let Some(tokenizer) = words.tokenizer() {
            hash.text("tokenizer");
            hash.text(tokenizer);
        }
    }
    Ok(DataFingerprint {
        source: data.source().to_owned(),
        rows: data.len() as u64,
        hash: hash.finish(),
    })
}

/// Rows that are read at once; the hash depends on it.
const ROWS_AT_ONCE: usize = 256;

/// A hash over typed lists.
#[derive(Clone)]
pub(super) struct Fold(blake3::Hasher);

impl Fold {
    pub(super) fn new(tag: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tag.as_bytes());
        Self(hasher)
    }

    pub(super) fn batch(&mut self, batch: &Batch) {
        match &batch.input.numbers {
            Numbers::F32(numbers) => self.floats(numbers),
            Numbers::I64(numbers) => self.words(numbers, |n| n.to_le_bytes()),
        }
        self.rows(&batch.input.shape);
        self.targets(&batch.targets);
        self.rows(&batch.samples);
    }

    pub(super) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn floats(&mut self, floats: &[f32]) {
        self.words(floats, |x| x.to_le_bytes());
    }

    fn rows(&mut self, rows: &[usize]) {
        self.words(rows, |row| (row as u64).to_le_bytes());
    }

    fn targets(&mut self, targets: &Targets) {
        match targets {
            Targets::Classes(classes) => {
                self.number(0);
                self.words(classes, |class| class.to_le_bytes());
            }
            Targets::Values(values) => {
                self.number(1);
                self.floats(values);
            }
        }
    }

    /// Hashes in pieces of up to 4 KiB: BLAKE3 is several times slower when fed word by word.
    fn words<T: Copy, const N: usize>(&mut self, items: &[T], bytes: impl Fn(T) -> [u8; N]) {
        self.number(items.len() as u64);
        let mut buffer = [0_u8; 4096];
        for piece in items.chunks(buffer.len() / N) {
            for (out, &item) in buffer.chunks_exact_mut(N).zip(piece) {
                out.copy_from_slice(&bytes(item));
            }
            self.0.update(&buffer[..piece.len() * N]);
        }
    }
}
