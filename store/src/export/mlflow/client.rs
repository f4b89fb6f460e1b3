//! Speaking to the server: one request, one answer, in a bounded time.

use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use crate::error::{Result, StoreError};

const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(60);

/// What opens a server that is not open to everybody.
pub enum Credentials {
    /// A bearer token.
    Token(String),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

pub(super) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    authorization: Option<String>,
}

/// Why there is no answer to go on with.
pub(super) enum Refusal {
    /// An MLflow server says no.
    Server { status: u16, code: String, message: String },
    /// Anything else, in words.
    Other(String),
}

impl Client {
    pub(super) fn new(url: &str, credentials: Option<Credentials>) -> Result<Client> {
        let refuse = |url: &str, why: &str| {
            Err(StoreError::Push { url: url.to_owned(), why: why.to_owned() })
        };
        if let Some((_, host)) = url.rsplit_once('@') {
            // The part before it may be a password, which belongs into no message.
            let why = "it names a user; give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead";
            return refuse(&format!("…@{host}"), why);
        }
        let uri = url.parse::<Uri>().ok();
        let scheme = uri
            .as_ref()
            .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
            .and_then(Uri::scheme_str);
        match scheme {
            Some("http") => {}
            Some("https") if cfg!(feature = "mlflow-https") => {}
            Some("https") => {
                return refuse(
                    url,
                    "this trainbook speaks http only; build it with the cargo feature mlflow-https",
                );
            }
            _ => {
                return refuse(
                    url,
                    "it is no address of a server; one looks like http://127.0.0.1:5000",
                );
            }
        }
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .http_status_as_error(false)
            // A redirected POST would arrive as a GET.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("trainbook/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let authorization = credentials.map(|credentials| match credentials {
            Credentials::Token(token) => format!("Bearer {token}"),
            Credentials::Password { user, password } => {
                let both =
                    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
                format!("Basic {both}")
            }
        });
        Ok(Client { agent, url: url.trim_end_matches('/').to_owned(), authorization })
    }

    pub(super) fn get(&self, call: &str, (name, value): (&str, &str)) -> Result<Value, Refusal> {
        let mut request = self.agent.get(self.address(call)).query(name, value);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        answer(call, request.call())
    }

    pub(super) fn post(&self, call: &str, body: String) -> Result<Value> {
        let mut request = self.agent.post(self.address(call)).content_type("application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        answer(call, request.send(body)).map_err(|refusal| self.error(refusal))
    }

    pub(super) fn error(&self, refusal: Refusal) -> StoreError {
        let why = match refusal {
            Refusal::Server { status, code, message } => {
                format!("it says {status} {code}: {}", one_line(&message))
            }
            Refusal::Other(why) => why,
        };
        StoreError::Push { url: self.url.clone(), why }
    }

    fn address(&self, call: &str) -> String {
        format!("{}/api/2.0/mlflow/{call}", self.url)
    }
}

fn answer(call: &str, outcome: Result<Response<Body>, ureq::Error>) -> Result<Value, Refusal> {
    let mut response = outcome.map_err(|error| Refusal::Other(unanswered(error)))?;
    let status = response.status().as_u16();
    let location =
        response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let text =
        response.body_mut().read_to_string().map_err(|error| Refusal::Other(unanswered(error)))?;
    let document = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
    match (status, document) {
        (200, Some(document)) => Ok(document),
        (_, Some(document)) if document["error_code"].is_string() => {
            let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
            Err(Refusal::Server { status, code: text("error_code"), message: text("message") })
        }
        (300..=399, _) => {
            let to = location.unwrap_or_else(|| "another address".to_owned());
            Err(Refusal::Other(format!(
                "it redirects to {}; give the address where MLflow answers",
                one_line(&to)
            )))
        }
        (401 | 403, _) => Err(Refusal::Other(format!(
            "it answers {status}; set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        ))),
        (429 | 500..=599, _) => {
            Err(Refusal::Other(format!("it answers {status} to {call}; try again later")))
        }
        _ => Err(Refusal::Other(format!(
            "it answers {status} to {call}, but not as MLflow does; give the address under which MLflow's page opens"
        ))),
    }
}

fn unanswered(error: ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            format!("no connection within {} s; is the server running?", CONNECT.as_secs())
        }
        ureq::Error::Timeout(_) => format!("no answer within {} s", REQUEST.as_secs()),
        ureq::Error::HostNotFound => "there is no host of that name; check the address".to_owned(),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "nobody listens there; is the server running?".to_owned()
        }
        other => one_line(&other.to_string()),
    }
}

/// The start of a text, on one line.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
