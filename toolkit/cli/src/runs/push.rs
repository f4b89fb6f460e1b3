//! `trainbook runs push`.

use trainbook::Error;
use trainbook::store::export::mlflow::{Credentials, Outcome, Pushed, Server};

use super::selection::Selection;
use crate::{Shared, output};

/// Runs that are there already are brought up to date, never made twice. A server that asks for it
/// gets the token in MLFLOW_TRACKING_TOKEN, or the user and password in MLFLOW_TRACKING_USERNAME
/// and MLFLOW_TRACKING_PASSWORD.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The tracking server, for example http://127.0.0.1:5000
    #[arg(long, value_name = "URL")]
    mlflow: String,
    /// The experiment that the runs go into; it is made if there is none
    #[arg(long, value_name = "NAME", default_value = "trainbook")]
    experiment: String,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { selection, mlflow, experiment, shared }: Arguments) -> Result<(), Error> {
    let server = Server::new(&mlflow, credentials())?;
    let store = shared.open_store()?;
    let runs = selection.find(&store)?;
    let mut all = Vec::new();
    for run in &runs {
        let pushed = server.push(&experiment, &store.run(run.id.as_str())?)?;
        if !shared.json {
            // Each as it is done: a large run takes minutes.
            output::line(&story(&pushed))?;
        }
        all.push(pushed);
    }
    if !shared.json && all.is_empty() {
        return output::line("no run fits the query; nothing was pushed");
    }
    if shared.json { output::print(true, &all, |_| String::new()) } else { Ok(()) }
}

fn credentials() -> Option<Credentials> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(token) = variable("MLFLOW_TRACKING_TOKEN") {
        return Some(Credentials::Token(token));
    }
    let (user, password) =
        (variable("MLFLOW_TRACKING_USERNAME")?, variable("MLFLOW_TRACKING_PASSWORD")?);
    Some(Credentials::Password { user, password })
}

fn story(Pushed { run, mlflow_run_id, outcome, points, notes }: &Pushed) -> String {
    let what = match outcome {
        Outcome::New => "is now",
        Outcome::Updated => "was there and is brought up to date as",
        Outcome::Unchanged => "was there already, unchanged, as",
    };
    let mut story = format!("{run} {what} {mlflow_run_id}: {points} points");
    for note in notes {
        story += &format!("\n  {note}");
    }
    story
}
