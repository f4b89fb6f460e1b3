//! What a query passes over without being wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::ast::Query;
use super::bind::{Bound, bind};
use super::cell::{Cell, Test};
use super::column::{Column, Histories, View};
use super::error::QueryError;
use super::render::field;
use crate::summary::RunSummary;

/// A parameter, and what it is in some runs.
type Other<'q> = (&'q str, &'static str);

/// A sentence for each parameter that some runs hold as another type than the query compares it
/// with, if that is why the condition is unknown for them. Empty where nothing was passed over so.
pub(crate) fn remarks(
    text: &str,
    query: &Query,
    runs: &[Arc<RunSummary>],
    histories: &dyn Histories,
) -> Result<Vec<String>, QueryError> {
    let (condition, _) = bind(text, query, runs, Timestamp::now())?;
    let Some(condition) = condition else { return Ok(Vec::new()) };
    let mut passed_over: BTreeMap<(Other<'_>, &'static str), usize> = BTreeMap::new();
    for run in runs {
        let mut others = BTreeMap::new();
        collect(&condition, &mut View::new(run, histories), &mut others);
        if !others.is_empty() && condition.truth(&mut View::new(run, histories)).is_none() {
            for other in others {
                *passed_over.entry(other).or_default() += 1;
            }
        }
    }
    let sentence = |(((param, is), asked), runs): ((Other<'_>, &str), usize)| {
        let (were, their) = if runs == 1 { ("run was", "its") } else { ("runs were", "their") };
        let param = field("params", param);
        format!(
            "{runs} {were} passed over: {their} `{param}` is {is}, and the query asks for {asked}"
        )
    };
    Ok(passed_over.into_iter().map(sentence).collect())
}

/// The parameters of a run that are of another type than they are compared with, and what they are
/// compared with.
fn collect<'b>(
    condition: &'b Bound<'_>,
    view: &mut View<'_>,
    others: &mut BTreeMap<Other<'b>, &'static str>,
) {
    match condition {
        Bound::And(all) | Bound::Or(all) => {
            all.iter().for_each(|condition| collect(condition, view, others));
        }
        Bound::Not(condition) => collect(condition, view, others),
        Bound::Test(column @ Column::Param(param), test) => {
            if let (Some(cell), Some(asked)) = (column.of(view), asked(test))
                && test.of(cell).is_none()
                && kind(cell) != asked
            {
                others.insert((param, kind(cell)), asked);
            }
        }
        Bound::Test(..) | Bound::Any(_) => {}
    }
}

/// What a test compares with.
fn asked(test: &Test<'_>) -> Option<&'static str> {
    match test {
        Test::Compare(_, cell) | Test::Between(cell, _) => Some(kind(*cell)),
        Test::In(cells) => cells.first().map(|cell| kind(*cell)),
        Test::Like(_) | Test::Ilike(_) | Test::Contains(_) => Some(kind(Cell::Text(""))),
        Test::IsNull => None,
    }
}

fn kind(cell: Cell<'_>) -> &'static str {
    match cell {
        Cell::Int(_) | Cell::Float(_) => "a number",
        Cell::Bool(_) => "true or false",
        Cell::Text(_) => "a text",
        Cell::Time(_) => "a time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixture::{points, runs};
    use crate::query::parse;

    #[test]
    fn runs_whose_parameter_is_of_another_type_are_named() {
        let number =
            "1 run was passed over: its `params.opt` is a number, and the query asks for a text";
        let text = "2 runs were passed over: their `params.opt` is a text, and the query asks for a number";
        for (query, expected) in [
            ("params.opt = 'sgd'", vec![number]),
            ("not params.opt != 'sgd'", vec![number]),
            ("params.opt like 's%' limit 1", vec![number]),
            ("params.opt contains 's' and steps > 0", vec![number]),
            ("params.opt in ('sgd', 'adamw')", vec![number]),
            ("params.opt between 'a' and 'b'", vec![number]),
            ("params.opt > 1 order by params.opt", vec![text]),
            // Neither decides alone.
            ("params.opt = 's' or params.opt = 4", vec![number, text]),
            // Both types are asked for.
            ("params.opt in (3, 'sgd')", vec![]),
            ("params.opt in (3, 'sgd', 'adamw') and params.lr > 0", vec![]),
            // The rest of the condition decides.
            ("params.opt = 'sgd' or state = 'failed'", vec![]),
            ("params.opt = 'sgd' and state = 'finished'", vec![]),
            // A run without the parameter, or with NaN, is not of another type.
            ("params.lr > 0", vec![]),
            ("params.opt is null", vec![]),
            ("metrics.val_loss > 0", vec![]),
            ("order by params.opt", vec![]),
        ] {
            let found = remarks(query, &parse(query).unwrap(), &runs(), &points).unwrap();
            assert_eq!(found, expected, "{query}");
        }
        let mut nan = (*runs()[0]).clone();
        nan.params = [("lr".into(), f64::NAN.into())].into();
        let query = "params.lr > 0";
        let found = remarks(query, &parse(query).unwrap(), &[Arc::new(nan)], &points).unwrap();
        assert_eq!(found, [""; 0]);
        let typo = "params.ot = 'sgd'";
        assert!(remarks(typo, &parse(typo).unwrap(), &runs(), &points).is_err());
    }
}
