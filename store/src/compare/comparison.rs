//! Comparing several runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::field::{self, ComparedField};
use super::metric::ComparedMetric;
use crate::diff::RunDiff;
use crate::diff::flatten::{self, Fields};
use crate::error::{Result, StoreError};
use crate::history::History;
use crate::name::Name;
use crate::nearest::nearest;
use crate::record::RunRecord;
use crate::run_id::RunId;
use crate::store::Store;
use crate::summary::{Aggregate, RunState};

/// How many points of a curve are kept, as many as a chart has columns.
const POINTS: usize = 2_000;

/// Several runs side by side: what differs, and the curves of their metrics. As text, a table with a
/// column for each run.
///
/// Left out are what is the same in all runs, which is counted, what differs between any two runs
/// and explains nothing (ids, times, processes), and metrics that
/// [measure time](RunDiff::measures_time).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs, in the order given, each once.
    pub runs: Vec<ComparedRun>,
    /// What was put into the runs and differs (parameters, tags, data, code, machine), and then how
    /// they ended; by group, then by path.
    pub fields: Vec<ComparedField>,
    /// The metrics whose last, least or greatest value differs, those that differ
    /// [most](ComparedMetric::spread) first and those that only one run has last.
    pub metrics: Vec<ComparedMetric>,
    /// How many fields are the same in all runs.
    pub same_fields: usize,
    /// How many metrics are the same in all runs.
    pub same_metrics: usize,
    /// The metrics that measure time.
    pub not_compared: Vec<Name>,
    /// Of every metric, those that are the same and those of time too.
    #[serde(skip)]
    curves: BTreeMap<Name, Vec<(RunId, History)>>,
}

/// A run that is compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// The run.
    pub id: RunId,
    /// The name that a person gave it.
    pub name: Option<String>,
    /// What has become of it.
    pub state: RunState,
}

impl Store {
    /// Lays several runs side by side. Each is named by its id, a beginning of it that no other has,
    /// or by its summary or record. A run that is named twice is there once. Each journal is read
    /// once.
    ///
    /// # Errors
    /// [`StoreError::TooFewRuns`] for less than two runs, and as [`run`](Store::run).
    ///
    /// ```
    /// use trainbook_store::{EndState, Metric, RunEnd, RunStart, Store};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path();
    /// let store = Store::open(path)?;
    /// for (lr, loss) in [(1e-3, 0.4), (1e-2, 0.2)] {
    ///     let params = [("lr".into(), f64::into(lr))].into();
    ///     let run = store.start_run(RunStart { params, ..RunStart::default() })?;
    ///     run.log(1, &[Metric::new("loss", loss)]);
    ///     run.finish(RunEnd::new(EndState::Finished, 1, 1))?;
    /// }
    /// let comparison = store.compare(store.query("order by params.lr")?)?;
    /// assert_eq!(comparison.fields[0].path, "params.lr");
    /// assert!((comparison.metrics[0].spread.unwrap() - 0.2 / 0.3).abs() < 1e-9);
    /// assert_eq!(comparison.series("loss")?[1].1.points, [(1, 0.2)]);
    /// # Ok::<(), trainbook_store::StoreError>(())
    /// ```
    pub fn compare<R: AsRef<str>>(&self, runs: impl IntoIterator<Item = R>) -> Result<Comparison> {
        let mut ids: Vec<RunId> = Vec::new();
        for run in runs {
            let id = self.find(run.as_ref())?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Comparison::of(ids.len(), ids.iter().map(|id| self.run(id.as_str())))
    }
}

impl Comparison {
    /// Of records that the caller has, each of another run.
    ///
    /// # Errors
    /// [`StoreError::TooFewRuns`] for less than two records.
    pub fn between(records: &[RunRecord]) -> Result<Comparison> {
        Comparison::of(records.len(), records.iter().map(|record| Ok(record.clone())))
    }

    /// Takes the records one by one: the points of all runs may be more than fits into memory.
    fn of(count: usize, records: impl Iterator<Item = Result<RunRecord>>) -> Result<Comparison> {
        if count < 2 {
            return Err(StoreError::TooFewRuns { found: count });
        }
        let (mut runs, mut fields) = (Vec::new(), Vec::<(RunId, Fields)>::new());
        let mut metrics = BTreeMap::<Name, BTreeMap<RunId, Aggregate>>::new();
        let mut curves = BTreeMap::<Name, Vec<(RunId, History)>>::new();
        for record in records {
            let record = record?;
            let id = record.summary.id.clone();
            fields.push((id.clone(), flatten::fields(&record)));
            for (metric, whole) in record.summary.metrics {
                metrics.entry(metric).or_default().insert(id.clone(), whole);
            }
            for (metric, points) in record.series {
                let curve = (id.clone(), History::of(points, POINTS));
                curves.entry(metric).or_default().push(curve);
            }
            let (name, state) = (record.summary.name, record.summary.state);
            runs.push(ComparedRun { id, name, state });
        }
        let (fields, same_fields) = field::compare(&fields);
        let (mut compared, mut same_metrics, mut not_compared) = (Vec::new(), 0, Vec::new());
        for (metric, values) in metrics {
            if RunDiff::measures_time(&metric) {
                not_compared.push(metric);
                continue;
            }
            match ComparedMetric::of(metric, values, runs.len()) {
                Some(metric) => compared.push(metric),
                None => same_metrics += 1,
            }
        }
        compared.sort_by(ComparedMetric::order);
        let metrics = compared;
        Ok(Comparison { runs, fields, metrics, same_fields, same_metrics, not_compared, curves })
    }

    /// The curves of a metric, to be drawn over each other: the runs that have it, in their order,
    /// each with at most 2,000 points; see [`History`].
    ///
    /// # Errors
    /// [`StoreError::UnknownMetricOfAll`] with the nearest name.
    pub fn series(&self, metric: &str) -> Result<&[(RunId, History)]> {
        self.curves.get(metric).map(Vec::as_slice).ok_or_else(|| {
            let nearest = nearest(metric, self.curves.keys().map(Name::as_str)).map(str::to_owned);
            StoreError::UnknownMetricOfAll { metric: metric.to_owned(), nearest }
        })
    }

    /// The metrics that have curves: first those that differ, in their order, then the others by
    /// name.
    pub fn curves(&self) -> impl Iterator<Item = &Name> {
        let differ: BTreeSet<&Name> = self.metrics.iter().map(|metric| &metric.metric).collect();
        let others = self.curves.keys().filter(move |metric| !differ.contains(metric));
        let differ = self.metrics.iter().map(|metric| &metric.metric);
        differ.filter(|metric| self.curves.contains_key(*metric)).chain(others)
    }

    /// The same with these metrics alone.
    ///
    /// # Errors
    /// As [`series`](Comparison::series).
    pub fn only<M: AsRef<str>>(mut self, metrics: &[M]) -> Result<Comparison> {
        for metric in metrics {
            self.series(metric.as_ref())?;
        }
        let is_named = |name: &Name| metrics.iter().any(|metric| metric.as_ref() == name.as_str());
        self.curves.retain(|name, _| is_named(name));
        self.metrics.retain(|metric| is_named(&metric.metric));
        self.not_compared.retain(is_named);
        let told = self.metrics.len() + self.not_compared.len();
        self.same_metrics = self.curves.len().saturating_sub(told);
        Ok(self)
    }
}
