//! A source that does something before it reads, and knows to what it was fitted.

use std::fmt;
use std::sync::Arc;

use crate::{Batch, DataError, Dataset, Source, Targets};

/// Called with the rows that are to be read; an error is that of the read.
pub(super) type Hook = Arc<dyn Fn(&[usize]) -> Result<(), DataError> + Send + Sync>;

/// The rows of another data set, from which the number of rows is subtracted to which it was fitted.
#[derive(Clone)]
pub(super) struct Hooked {
    inner: Dataset,
    names: Option<Vec<String>>,
    hook: Hook,
    fitted: Option<f32>,
    parts: Option<[Vec<usize>; 3]>,
}

impl Hooked {
    pub(super) fn dataset(inner: Dataset, hook: Hook) -> Dataset {
        Self::of(inner, hook, None, None).unwrap()
    }

    /// One whose source says which rows are of which part.
    pub(super) fn divided(inner: Dataset, parts: [Vec<usize>; 3]) -> Result<Dataset, DataError> {
        Self::of(inner, Arc::new(|_: &[usize]| Ok(())), None, Some(parts))
    }

    /// One that is fitted.
    pub(super) fn fitted(inner: Dataset) -> Dataset {
        Self::of(inner, Arc::new(|_: &[usize]| Ok(())), Some(0.0), None).unwrap()
    }

    fn of(
        inner: Dataset,
        hook: Hook,
        fitted: Option<f32>,
        parts: Option<[Vec<usize>; 3]>,
    ) -> Result<Dataset, DataError> {
        let names = inner.classes().map(|_| inner.class_names().to_vec());
        Dataset::from_source(Self { inner, names, hook, fitted, parts })
    }
}

impl Source for Hooked {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn name(&self) -> &str {
        "hooked"
    }

    fn shape(&self) -> &[usize] {
        self.inner.shape()
    }

    fn feature_names(&self) -> &[String] {
        self.inner.feature_names()
    }

    fn class_names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    fn targets(&self) -> Option<&Targets> {
        self.inner.targets()
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        (self.hook)(rows)?;
        self.inner.read(rows, batch)?;
        let shape = batch.input.shape.clone();
        let fitted = self.fitted.unwrap_or(0.0);
        batch.input.refill_f32(shape).iter_mut().for_each(|x| *x -= fitted);
        Ok(())
    }

    fn parts(&self) -> Option<[Vec<usize>; 3]> {
        self.parts.clone()
    }

    fn is_fitted(&self) -> bool {
        self.fitted.is_some()
    }

    fn fit(&self, train: &[usize]) -> Result<Option<Arc<dyn Source>>, DataError> {
        let Some(_) = self.fitted else { return Ok(None) };
        Ok(Some(Arc::new(Self { fitted: Some(train.len() as f32), ..self.clone() })))
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}
