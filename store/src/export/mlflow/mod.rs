//! MLflow: runs pushed to a tracking server over its REST API 2.0. Needs the cargo feature
//! `mlflow`.
//!
//! A run becomes a run of an experiment, with its parameters, its tags, every point, and its times.
//! What MLflow has no place for goes into tags: `trainbook.run_id`, `.state`, `.reason`, `.seed`,
//! `.model`, `.steps`, `.epochs`, `.warnings`, `.damage`, `.parent`, `.data_source`, `.data_hash`,
//! `.version`; the commit goes where MLflow keeps it.
//!
//! - **Again.** The tag `trainbook.run_id` says that a run is there. Pushing it again sends what
//!   has changed since and makes no second run; so does pushing again after a push that broke off.
//! - **State.** Finished and stopped are `FINISHED`, failed is `FAILED`, crashed is `KILLED`,
//!   running is `RUNNING`.
//! - **Times.** A journal has no time for each point, so the timestamp of every point is that of
//!   the run's start. Where a metric was logged again at the same step, each later point is a
//!   millisecond later, or MLflow would keep but one.
//! - **Numbers.** NaN is kept. MLflow's database stores an infinity as the largest number of its
//!   sign, and says nothing.
//! - **Names.** MLflow takes letters, digits, `_ - . : /` and spaces, at most 250 characters, and
//!   nothing that reads as another path. Any other name is changed and gets six digits of its hash;
//!   what was changed is in [`Pushed::notes`], as is a parameter above 6,000 characters or a tag
//!   above 8,000, which is cut.

mod client;
mod content;
mod names;

use serde::Serialize;
use serde_json::{Value, json};

pub use self::client::Credentials;
use self::client::{Client, Refusal};
use self::content::Content;
use crate::error::{Result, StoreError};
use crate::record::RunRecord;
use crate::run_id::RunId;

/// An MLflow tracking server.
pub struct Server {
    client: Client,
}

/// What became of a run that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The run, in the store.
    pub run: RunId,
    /// The run, in MLflow.
    pub mlflow_run_id: String,
    /// Whether it was there already.
    pub outcome: Outcome,
    /// How many points it has.
    pub points: u64,
    /// What MLflow could not take as it is, a line each.
    pub notes: Vec<String>,
}

/// Whether a run was on the server before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is new there.
    New,
    /// It was there, and was brought up to date.
    Updated,
    /// It was there as it is; nothing was sent.
    Unchanged,
}

impl Server {
    /// The server at `url`, for example `http://127.0.0.1:5000`. Nothing is sent yet.
    ///
    /// A connection is given up after 10 seconds and a request after 60.
    ///
    /// # Errors
    /// [`StoreError::Push`] for what is no such address, and for `https` in a build without the
    /// feature `mlflow-https`.
    pub fn new(url: &str, credentials: Option<Credentials>) -> Result<Server> {
        Ok(Server { client: Client::new(url, credentials)? })
    }

    /// Pushes a run into the experiment of that name, which is made if there is none.
    ///
    /// # Errors
    /// [`StoreError::Push`] when the server cannot be reached or refuses. What was sent before
    /// stays there, and the next push goes on from it.
    pub fn push(&self, experiment: &str, record: &RunRecord) -> Result<Pushed> {
        let content = Content::of(record);
        let experiment = self.experiment(experiment)?;
        let found = self.find(&experiment, &record.summary.id)?;
        let pushed = |mlflow_run_id, outcome| {
            let run = record.summary.id.clone();
            Ok(Pushed {
                run,
                mlflow_run_id,
                outcome,
                points: content.points,
                notes: content.notes.clone(),
            })
        };
        let (id, outcome) = match found {
            Some(found) if found.fingerprint == content.fingerprint => {
                return pushed(found.id, Outcome::Unchanged);
            }
            Some(found) => (found.id, Outcome::Updated),
            None => (self.create(&experiment, &content)?, Outcome::New),
        };
        content
            .batches(record, &id, |batch| self.client.post("runs/log-batch", batch).map(drop))?;
        let mut update = json!({"run_id": id, "status": content.status});
        if let Some(end_time) = content.end_time {
            update["end_time"] = end_time.into();
        }
        self.client.post("runs/update", update.to_string())?;
        // Last, so that a push that broke off is not taken for a whole one.
        let tag = json!({"run_id": id, "key": content::FINGERPRINT, "value": content.fingerprint});
        self.client.post("runs/set-tag", tag.to_string())?;
        pushed(id, outcome)
    }

    /// The id of the experiment of that name.
    fn experiment(&self, name: &str) -> Result<String> {
        let found = match self.client.get("experiments/get-by-name", ("experiment_name", name)) {
            Ok(answer) => answer["experiment"].clone(),
            Err(Refusal::Server { code, .. }) if code == "RESOURCE_DOES_NOT_EXIST" => {
                let answer =
                    self.client.post("experiments/create", json!({"name": name}).to_string())?;
                return self.text(&answer["experiment_id"], "experiments/create");
            }
            Err(refusal) => return Err(self.client.error(refusal)),
        };
        if found["lifecycle_stage"] == "deleted" {
            let why =
                format!("its experiment {name:?} is deleted; restore it there or name another");
            return Err(self.client.error(Refusal::Other(why)));
        }
        self.text(&found["experiment_id"], "experiments/get-by-name")
    }

    fn find(&self, experiment: &str, run: &RunId) -> Result<Option<Found>> {
        let query = json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{}` = '{run}'", content::RUN_ID),
            "max_results": 1,
        });
        let answer = self.client.post("runs/search", query.to_string())?;
        let Some(run) = answer["runs"].get(0) else { return Ok(None) };
        let tags = run["data"]["tags"].as_array();
        let tag = tags.into_iter().flatten().find(|tag| tag["key"] == content::FINGERPRINT);
        let fingerprint = tag.and_then(|tag| tag["value"].as_str()).unwrap_or_default().to_owned();
        Ok(Some(Found { id: self.text(&run["info"]["run_id"], "runs/search")?, fingerprint }))
    }

    fn create(&self, experiment: &str, content: &Content) -> Result<String> {
        let run = json!({
            "experiment_id": experiment,
            "run_name": content.run_name,
            "start_time": content.start_time,
            // In the same request, or a push that breaks off here would leave a run that is not
            // found again.
            "tags": [{"key": content::RUN_ID, "value": content.run_id}],
        });
        let answer = self.client.post("runs/create", run.to_string())?;
        self.text(&answer["run"]["info"]["run_id"], "runs/create")
    }

    fn text(&self, value: &Value, call: &str) -> Result<String, StoreError> {
        let missing =
            || Refusal::Other(format!("its answer to {call} is not that of an MLflow server"));
        value.as_str().map(str::to_owned).ok_or_else(|| self.client.error(missing()))
    }
}

/// A run that is on the server.
struct Found {
    id: String,
    fingerprint: String,
}

#[cfg(test)]
mod tests;
