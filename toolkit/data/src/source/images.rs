//! Files of images, decoded when they are read.

use std::fmt;
use std::path::PathBuf;

use rayon::prelude::*;

use super::Source;
use crate::from_memory::numbered;
use crate::images::{ImageOptions, decode};
use crate::{Batch, DataError, Origin, Targets};

/// Files of images, each a row.
pub(crate) struct Images {
    origin: Origin,
    name: String,
    shape: [usize; 3],
    feature_names: Vec<String>,
    files: Vec<PathBuf>,
    targets: Targets,
    class_names: Vec<String>,
    options: ImageOptions,
    /// All rows, if they are kept.
    decoded: Option<Vec<u8>>,
}

impl Images {
    /// Images of one shape, with a class each.
    pub fn new(
        origin: Origin,
        name: String,
        shape: [usize; 3],
        files: Vec<PathBuf>,
        labels: Vec<u32>,
        class_names: Vec<String>,
        options: ImageOptions,
    ) -> Result<Self, DataError> {
        let width: usize = shape.iter().product();
        let mut images = Self {
            origin,
            name,
            shape,
            feature_names: numbered(width),
            files,
            targets: Targets::Classes(labels),
            class_names,
            options,
            decoded: None,
        };
        if options.in_memory {
            let mut all = vec![0; width * images.files.len()];
            let rows: Vec<usize> = (0..images.files.len()).collect();
            images.fill(&rows, &mut all, |byte| byte)?;
            images.decoded = Some(all);
        }
        Ok(images)
    }

    /// Decodes rows, on several threads. If there are errors, the first row's is told.
    fn fill<T: Copy + Send>(
        &self,
        rows: &[usize],
        out: &mut [T],
        of: impl Fn(u8) -> T + Sync,
    ) -> Result<(), DataError> {
        let width = self.feature_names.len();
        let decode_one = |(out, &row): (&mut [T], &usize)| {
            let bytes = self.decode_row(row)?;
            out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = of(byte));
            Ok(())
        };
        let done: Vec<Result<(), DataError>> =
            out.par_chunks_exact_mut(width).zip(rows).map(decode_one).collect();
        done.into_iter().collect()
    }

    fn decode_row(&self, row: usize) -> Result<Vec<u8>, DataError> {
        let (bytes, [height, width]) = decode(&self.files[row], &self.options)?;
        if [height, width] != self.shape[1..] {
            return Err(DataError::File {
                path: self.files[row].clone(),
                place: "as an image".to_owned(),
                reason: format!(
                    "it has {height} × {width} pixels now, and had {} × {} when the data set was \
                     opened; open it again",
                    self.shape[1], self.shape[2]
                ),
            });
        }
        Ok(bytes)
    }
}

impl Source for Images {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.class_names)
    }

    fn place(&self, row: usize) -> Option<String> {
        self.files.get(row).map(|file| file.display().to_string())
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, 1);
        let width = self.feature_names.len();
        let numbers =
            batch.input.refill_f32(std::iter::once(rows.len()).chain(self.shape.iter().copied()));
        let Some(decoded) = &self.decoded else {
            return self.fill(rows, numbers, f32::from);
        };
        for (out, &row) in numbers.chunks_exact_mut(width).zip(rows) {
            let bytes = &decoded[row * width..][..width];
            out.iter_mut().zip(bytes).for_each(|(out, &byte)| *out = f32::from(byte));
        }
        Ok(())
    }
}

/// Without the files and the numbers.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("name", &self.name)
            .field("rows", &self.files.len())
            .field("shape", &self.shape)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
