//! Answers: JSON bodies, and problems with their HTTP status.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::journal::Record;
use crate::engine::api::{Kind, Problem};

use super::view::ErrorView;

/// What a handler returns.
pub type Answer = Result<Response, Refused>;

/// A problem on its way out. The guard adds the request's id and writes the body.
#[derive(Clone, Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub problem: Box<Problem>,
}

impl Refused {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, problem: Box::new(Problem::new(Kind::BadInput, code, message)) }
    }

    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_input", message)
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { status: self.status, problem: Box::new(self.problem.hint(hint)) }
    }

    /// The body and status, with the id that the daemon's log has too.
    pub fn with_id(self, request_id: &str) -> Response {
        let status = self.status;
        json(status, &self.view(Some(request_id.to_owned())))
    }

    /// The body alone.
    pub fn view(self, request_id: Option<String>) -> ErrorView {
        let Problem { kind: _, code, message, causes, state, hint } = *self.problem;
        let (state, hint) = (state.map(String::from), hint.map(String::from));
        ErrorView { code, message, request_id, causes, state, hint }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let status = match problem.kind {
            Kind::BadInput => StatusCode::BAD_REQUEST,
            Kind::NotAllowed => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Store => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, problem: Box::new(problem) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// One JSON object on one line.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Plain data with string keys: serializing it into memory cannot fail.
    let mut bytes = serde_json::to_vec(body).unwrap_or_default();
    bytes.push(b'\n');
    typed(status, "application/json", bytes)
}

pub fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}

/// One record a line.
pub fn lines(records: &[Record]) -> Answer {
    let mut bytes = Vec::new();
    for record in records {
        // As above; writing into memory cannot fail either.
        bytes.extend(serde_json::to_vec(record).unwrap_or_default());
        bytes.push(b'\n');
    }
    Ok(typed(StatusCode::OK, "application/x-ndjson", bytes))
}

fn typed(status: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
