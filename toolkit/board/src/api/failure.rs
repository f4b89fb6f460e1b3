//! Why there is no answer.

use std::ops::Range;

use serde::Serialize;
use trainbook_store::{QueryError, StoreError};

use crate::http::{Response, Status};

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    status: Status,
    error: Told,
}

#[derive(Debug, Serialize)]
struct Told {
    /// One line that finishes "failed to …".
    message: String,
    /// Of a mistake in a query: the same with the line and a caret under the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The place in the query, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Range<usize>>,
}

impl Failure {
    /// A request that makes no sense.
    pub(super) fn bad_request(message: String) -> Failure {
        Failure { status: Status::BadRequest, error: Told { message, text: None, place: None } }
    }

    pub(super) fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Document {
            error: Told,
        }
        Response::json(self.status, &Document { error: self.error })
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        Failure {
            status: Status::BadRequest,
            error: Told {
                message: error.message().to_owned(),
                text: Some(error.to_string()),
                place: Some(error.span()),
            },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let status = match error {
            StoreError::Query(error) => return error.into(),
            StoreError::UnknownRun { .. }
            | StoreError::AmbiguousRun { .. }
            | StoreError::UnknownMetric { .. }
            | StoreError::UnknownObject { .. }
            | StoreError::BadObjectId { .. }
            | StoreError::BadRunId { .. } => Status::NotFound,
            _ => Status::Failed,
        };
        Failure { status, error: Told { message: error.to_string(), text: None, place: None } }
    }
}
