//! What the names of a query mean in this store.
//!
//! Only the names that a query mentions are looked up, and the first run that has one is enough.
//! The list of all names is put together for an error message alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::SmolStr;

use super::ast::{Constant, Part, Path, Span};
use super::column::{Column, PLAIN, Plain, STATISTICS, Statistic};
use super::error::QueryError;
use super::render::field;
use crate::nearest::nearest;
use crate::summary::RunSummary;

/// The names that the runs of a store have.
pub(super) struct Catalogue<'a> {
    /// The query, for errors.
    pub(super) text: &'a str,
    pub(super) runs: &'a [Arc<RunSummary>],
}

/// A kind of field that runs name as they like.
#[derive(Clone, Copy)]
enum Family {
    Metric,
    Param,
    Tag,
}

impl Family {
    const ALL: [Family; 3] = [Family::Metric, Family::Param, Family::Tag];

    fn of(prefix: &str) -> Option<Family> {
        match prefix {
            "metric" | "metrics" => Some(Family::Metric),
            "param" | "params" => Some(Family::Param),
            "tag" | "tags" => Some(Family::Tag),
            _ => None,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Family::Metric => "metrics",
            Family::Param => "params",
            Family::Tag => "tags",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Family::Metric => "metric",
            Family::Param => "parameter",
            Family::Tag => "tag",
        }
    }

    fn is_in(self, run: &RunSummary, name: &str) -> bool {
        match self {
            Family::Metric => run.metrics.contains_key(name),
            Family::Param => run.params.contains_key(name),
            Family::Tag => run.tags.contains_key(name),
        }
    }

    fn names(self, run: &RunSummary) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Family::Metric => Box::new(run.metrics.keys().map(SmolStr::as_str)),
            Family::Param => Box::new(run.params.keys().map(SmolStr::as_str)),
            Family::Tag => Box::new(run.tags.keys().map(SmolStr::as_str)),
        }
    }
}

impl<'a> Catalogue<'a> {
    /// The field that a path means.
    pub(super) fn column(&self, path: &Path) -> Result<Column, QueryError> {
        let (first, rest) = self.prefix(path)?;
        match (Family::of(&first), rest) {
            (Some(_), []) => {
                let message = format!("`{first}` needs a name behind a dot, as in `{first}.loss`");
                Err(self.error(path.span.clone(), message))
            }
            (Some(Family::Metric), _) => self.metric(path, rest),
            _ if path.at.is_some() => {
                let message = "only a metric has values at steps, as in `metrics.loss.at(100)`";
                Err(self.error(path.span.clone(), message))
            }
            (Some(Family::Param), _) => self.known(Family::Param, rest).map(Column::Param),
            (Some(Family::Tag), _) => self.known(Family::Tag, rest).map(Column::Tag),
            (None, []) => self.plain(&first, path).map(Column::Plain),
            // As MLflow writes it.
            // What a network comes to is recorded among the parameters, under names of their own.
            (None, [name]) if first == "model" => {
                let param = format!("model.{}", name.text);
                if self.has(Family::Param, &param) {
                    return Ok(Column::Param(param));
                }
                Err(self.unknown_field(path))
            }
            (None, [name]) if matches!(first.as_str(), "attribute" | "attributes") => {
                self.plain(&name.text.to_ascii_lowercase(), path).map(Column::Plain)
            }
            _ => Err(self.unknown_field(path)),
        }
    }

    /// The metric whose points `any(…)` looks at.
    pub(super) fn points(&self, path: &Path) -> Result<String, QueryError> {
        let (first, rest) = self.prefix(path)?;
        if !matches!(Family::of(&first), Some(Family::Metric)) {
            // A mistyped name is the greater mistake.
            self.column(path)?;
        }
        if !matches!(Family::of(&first), Some(Family::Metric)) || path.at.is_some() {
            let message = "`any` looks at all points of a metric, as in `any(metrics.loss > 10)`";
            return Err(self.error(path.span.clone(), message));
        }
        match self.column(path)? {
            Column::Metric(name, _) if rest.len() == 1 || joined(rest) == name => Ok(name),
            _ => {
                let last = rest.last().map_or(path.span.clone(), |last| last.span.clone());
                let word = &self.text[last.clone()];
                Err(self.error(last, format!("`any` looks at every point; leave `.{word}` away")))
            }
        }
    }

    /// The first word of a path in small letters, and what follows it.
    fn prefix<'p>(&self, path: &'p Path) -> Result<(String, &'p [Part]), QueryError> {
        match path.parts.as_slice() {
            [first, rest @ ..] if !first.quoted => Ok((first.text.to_ascii_lowercase(), rest)),
            _ => Err(self.unknown_field(path)),
        }
    }

    fn metric(&self, path: &Path, parts: &[Part]) -> Result<Column, QueryError> {
        let has = |parts: &[Part]| self.has(Family::Metric, &joined(parts));
        // The name without a last part that may be, or was meant as, a statistic.
        let shorter = match parts {
            [name @ .., last] if !name.is_empty() && !last.quoted && has(name) => {
                Some((joined(name), last))
            }
            _ => None,
        };
        let statistic = shorter.as_ref().and_then(|(_, last)| {
            STATISTICS
                .iter()
                .find(|(name, _)| last.text.eq_ignore_ascii_case(name))
                .map(|(_, statistic)| *statistic)
        });
        if let Some(step) = &path.at {
            if let (Some((_, last)), false) = (&shorter, has(parts)) {
                let message = format!(
                    "`at` stands right behind the name of a metric; leave `.{}` away",
                    last.text
                );
                return Err(self.error(last.span.clone(), message));
            }
            let name = self.known(Family::Metric, parts)?;
            return match &step.value {
                Constant::Int(at) if u64::try_from(*at).is_ok() => Ok(Column::At(name, *at as u64)),
                _ => {
                    let found = &self.text[step.span.clone()];
                    let message = format!(
                        "a step is a whole number from 0 to {}, and this is {found}",
                        u64::MAX
                    );
                    Err(self.error(step.span.clone(), message))
                }
            };
        }
        match (shorter, statistic) {
            (Some((name, _)), Some(statistic)) => Ok(Column::Metric(name, statistic)),
            (Some((_, last)), None) if !has(parts) => {
                let message = if last.text.eq_ignore_ascii_case("at") {
                    "`at` needs a step, as in `metrics.loss.at(100)`".to_owned()
                } else {
                    let near =
                        nearest(&last.text, STATISTICS.map(|(name, _)| name)).unwrap_or_default();
                    format!("unknown statistic `{}`; the nearest is `{near}`", last.text)
                };
                Err(self.error(last.span.clone(), message))
            }
            _ => {
                // `metrics.los.min` is a mistyped `loss`, not a mistyped `los.min`.
                let name = match parts {
                    [name @ .., last] if !name.is_empty() && !has(parts) && is_statistic(last) => {
                        name
                    }
                    _ => parts,
                };
                self.known(Family::Metric, name).map(|name| Column::Metric(name, Statistic::Last))
            }
        }
    }

    fn plain(&self, name: &str, path: &Path) -> Result<Plain, QueryError> {
        let found = PLAIN.iter().find(|(plain, _)| *plain == name);
        found.map(|(_, plain)| *plain).ok_or_else(|| self.unknown_field(path))
    }

    fn has(&self, family: Family, name: &str) -> bool {
        self.runs.iter().any(|run| family.is_in(run, name))
    }

    fn names(&self, family: Family) -> BTreeSet<&'a str> {
        self.runs.iter().flat_map(|run| family.names(run)).collect()
    }

    /// The name that the parts spell, if some run has it.
    fn known(&self, family: Family, parts: &[Part]) -> Result<String, QueryError> {
        let name = joined(parts);
        if self.has(family, &name) {
            return Ok(name);
        }
        let kind = family.label();
        let message = match nearest(&name, self.names(family)) {
            Some(near) => format!("no run has a {kind} `{name}`; the nearest is `{near}`"),
            None => format!("no run has a {kind} `{name}`; no run of this store has any {kind}"),
        };
        Err(self.error(span(parts), message))
    }

    fn unknown_field(&self, path: &Path) -> QueryError {
        let text = joined(&path.parts);
        let meant = match path.parts.as_slice() {
            [first, name]
                if matches!(
                    first.text.to_ascii_lowercase().as_str(),
                    "attribute" | "attributes"
                ) =>
            {
                &name.text
            }
            _ => &text,
        };
        let of = |family: Family| {
            self.names(family).into_iter().map(move |name| format!("{}.{name}", family.prefix()))
        };
        let mut all: Vec<String> = Family::ALL.into_iter().flat_map(of).collect();
        all.extend(PLAIN.map(|(name, _)| name.to_owned()));
        // `loss` alone most probably is the metric, which spelling alone would not find.
        let bare = |field: &&String| field.split_once('.').is_some_and(|(_, name)| name == meant);
        if let Some(field) = all.iter().find(bare).cloned() {
            all = vec![field];
        }
        let near = nearest(meant, all.iter().map(String::as_str)).unwrap_or_default();
        let near = match near.split_once('.') {
            Some((prefix, name)) => field(prefix, name),
            None => near.to_owned(),
        };
        self.error(path.span.clone(), format!("unknown field `{text}`; the nearest is `{near}`"))
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> QueryError {
        QueryError::new(self.text, span, message)
    }
}

fn is_statistic(part: &Part) -> bool {
    !part.quoted && STATISTICS.iter().any(|(name, _)| part.text.eq_ignore_ascii_case(name))
}

pub(super) fn joined(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".")
}

fn span(parts: &[Part]) -> Span {
    match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => first.span.start..last.span.end,
        _ => 0..0,
    }
}
