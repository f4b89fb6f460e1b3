//! Plans that are shown, and carried out with `--yes`.

use std::fmt::Display;

use serde::Serialize;
use trainbook::Error;
use trainbook::store::{CollectionPlan, DeletionPlan};

use crate::{Shared, output};

/// What a command prints as JSON: what would go, and what went.
#[derive(Serialize)]
struct Answer<P, D> {
    plan: P,
    /// `null` without `--yes`.
    done: Option<D>,
}

/// Shows a plan to delete runs; with `yes`, carries it out.
pub fn deletion(shared: &Shared, yes: bool, plan: DeletionPlan) -> Result<(), Error> {
    let done = if yes { Some(plan.carry_out()?) } else { None };
    let left: Vec<String> =
        done.iter().flat_map(|done| &done.left).map(|(run, why)| format!("{run}: {why}")).collect();
    let nothing = plan.going().next().is_none();
    print(
        shared,
        plan,
        done,
        nothing,
        "`trainbook store gc` then frees what only they referred to",
    )?;
    all_gone(&left)
}

/// Shows a plan to collect garbage; with `yes`, carries it out.
pub fn collection(shared: &Shared, yes: bool, plan: CollectionPlan) -> Result<(), Error> {
    let done = if yes { Some(plan.carry_out()?) } else { None };
    let left: Vec<String> = done
        .iter()
        .flat_map(|done| &done.left)
        .map(|(path, why)| format!("{}: {why}", path.display()))
        .collect();
    let nothing = plan.garbage.is_empty();
    print(shared, plan, done, nothing, "")?;
    all_gone(&left)
}

fn print<P, D>(
    shared: &Shared,
    plan: P,
    done: Option<D>,
    nothing: bool,
    next: &str,
) -> Result<(), Error>
where
    P: Display + Serialize,
    D: Display + Serialize,
{
    output::print(shared.json, &Answer { plan, done }, |Answer { plan, done }| match done {
        Some(done) if next.is_empty() || nothing => format!("{plan}\n\n{done}"),
        Some(done) => format!("{plan}\n\n{done}; {next}"),
        None if nothing => format!("{plan}\n\nnothing to delete"),
        None => {
            format!("{plan}\n\nnothing was deleted; to delete, give the same command with --yes")
        }
    })
}

fn all_gone(left: &[String]) -> Result<(), Error> {
    match left {
        [] => Ok(()),
        [first, ..] => {
            let reason = format!("{} left, the first {first}", left.len());
            Err(Error::Diagnostic { diagnostic: "delete everything that was planned", reason })
        }
    }
}
