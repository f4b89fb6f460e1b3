//! How training batches are made of rows: drawn, augmented, mixed.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::data::{
    Augment, Batch, Batches, Buckets, DataError, Dataset, LastBatch, Loader, Mix, Part, Sampling,
};
use crate::random::{Seed, Stream};

/// How training batches are made of rows. Validation sees rows as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    /// Rows per batch.
    pub batch_size: usize,
    /// Which rows an epoch sees.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sampling: Sampling,
    /// What becomes of the rows that do not fill a last batch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_batch: LastBatch,
    /// How rows of like length come together, and are cut to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
    /// How rows are changed at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    /// How the rows of a batch are mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Batches that a thread reads ahead; 0 is none. No number depends on it.
    #[serde(skip)]
    pub prefetch: usize,
    /// The index that fills up shorter rows, which the network knows.
    #[serde(skip)]
    pub(crate) padding: Option<i64>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Batches of 32 rows, shuffled, as they are.
impl Default for Feed {
    fn default() -> Self {
        Self {
            batch_size: 32,
            sampling: Sampling::default(),
            last_batch: LastBatch::default(),
            buckets: None,
            augment: None,
            mix: None,
            prefetch: 0,
            padding: None,
        }
    }
}

/// The streams by which rows are drawn and changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedStreams {
    shuffle: &'static str,
    augment: &'static str,
    mix: &'static str,
}

impl FeedStreams {
    /// Those of training.
    pub const TRAINING: Self = Self { shuffle: "shuffle", augment: "augment", mix: "mix" };
    /// Those of the learning-rate finder.
    pub const FINDER: Self =
        Self { shuffle: "find_lr", augment: "find_lr augment", mix: "find_lr mix" };
}

impl Feed {
    /// The batches of the training part.
    ///
    /// # Errors
    /// The data do not allow it, or the system gives no thread.
    pub(crate) fn batches(
        &self,
        data: &Dataset,
        seed: Seed,
        streams: FeedStreams,
    ) -> Result<Box<dyn Batches>, DataError> {
        let loader = self.loader(data, seed, streams)?;
        Ok(match self.prefetch {
            0 => Box::new(loader),
            batches => Box::new(loader.prefetch(batches)?),
        })
    }

    fn loader(
        &self,
        data: &Dataset,
        seed: Seed,
        streams: FeedStreams,
    ) -> Result<Loader, DataError> {
        let shuffle = Some(Stream::new(seed, streams.shuffle));
        let loader = Loader::new(data, Part::Train, self.batch_size, shuffle)
            .sampling(self.sampling)?
            .last_batch(self.last_batch);
        let loader = match self.buckets {
            Some(buckets) => loader.bucket_by_length(self.padding()?, buckets)?,
            None => loader,
        };
        match &self.augment {
            Some(augment) => loader.augment(augment.clone(), Stream::new(seed, streams.augment)),
            None => Ok(loader),
        }
    }

    /// What fills up shorter rows, which the trainer has from its network.
    fn padding(&self) -> Result<i64, DataError> {
        self.padding.ok_or_else(|| DataError::Refused {
            action: "bucket",
            reason: "nobody has said yet which index is padding".to_owned(),
        })
    }

    /// The training part's shortest row, and how many positions a batch of it alone has; `None` where
    /// all batches have as many.
    pub(super) fn shortest(&self, data: &Dataset) -> Result<Option<(usize, usize)>, DataError> {
        Ok(self.loader(data, Seed(0), FeedStreams::TRAINING)?.shortest())
    }

    /// Batches in an epoch of the training part.
    pub(crate) fn batches_per_epoch(&self, data: &Dataset) -> usize {
        let loader = Loader::new(data, Part::Train, self.batch_size, None);
        loader.last_batch(self.last_batch).batches_per_epoch()
    }

    /// Mixes the rows of training batch number `number`.
    pub(crate) fn mix(&self, batch: &mut Batch, seed: Seed, streams: FeedStreams, number: u64) {
        if let Some(mix) = self.mix {
            mix.apply(batch, &Stream::new(seed, streams.mix), number);
        }
    }

    /// Whether the data allow it, and give a batch at all.
    pub(super) fn check(&self, data: &Dataset) -> Result<(), Error> {
        if self.batch_size == 0 {
            return Err(Error::Setting {
                setting: "batch_size",
                value: "0".to_owned(),
                expected: "at least 1".to_owned(),
            });
        }
        let refuse = |reason| Err(DataError::Refused { action: "train on", reason }.into());
        let rows = counting(data, Part::Train, "train on")?;
        if !data.part(Part::Validation).is_empty() {
            counting(data, Part::Validation, "train on")?;
        }
        if let Some(mix) = self.mix {
            mix.check(data.shape(), data.is_of_indices())?;
            if let Some((feature, _)) = data.category_features().first() {
                return refuse(format!(
                    "feature {feature} is the number of a category (Categories::embedded), and a \
                     mix of two is the number of another; leave .mix out"
                ));
            }
        }
        if data.is_weighed() && (self.mix.is_some() || self.sampling == Sampling::Weighted) {
            let what = if self.mix.is_some() { "mixed" } else { "drawn by their weights" };
            return refuse(format!(
                "its rows count by their weights (weigh_rows), and are to be {what} as well; leave \
                 one of both out"
            ));
        }
        if self.last_batch == LastBatch::Fill && self.batch_size > rows {
            return refuse(format!(
                "the training part has {rows} rows, and LastBatch::Fill would repeat them to fill a \
                 batch of {}; take a smaller batch or LastBatch::Keep",
                self.batch_size
            ));
        }
        // Whether rows can be drawn and changed as they are to be; what is padding is not known yet.
        let plain = Self { buckets: None, ..self.clone() };
        plain.loader(data, Seed(0), FeedStreams::TRAINING)?;
        if self.batches_per_epoch(data) == 0 {
            return refuse(format!(
                "the training part has {rows} rows, which fill no batch of {}, and LastBatch::Drop \
                 leaves such out",
                self.batch_size
            ));
        }
        Ok(())
    }
}

/// How many rows of a part count; at least one.
pub(super) fn counting(
    data: &Dataset,
    part: Part,
    action: &'static str,
) -> Result<usize, DataError> {
    let reason = match data.counting(part).len() {
        0 if data.part(part).is_empty() => format!("the {part} part is empty"),
        0 => format!("no row of the {part} part has a weight above 0"),
        rows => return Ok(rows),
    };
    Err(DataError::Refused { action, reason })
}
