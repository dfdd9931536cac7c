//! What comes back from a box, judged by its body as well as by its status: this product sends errors with HTTP 200.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::health::{AnswerError, shown};

/// Token answers, and what is read of an answer that is only shown.
pub const MAX_SMALL: usize = 64 << 10;

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The box was not reached, or not believed; nothing was sent.
    #[error("{0}")]
    NotReached(String),
    /// It was reached and can't answer now.
    #[error("{0}")]
    Unavailable(String),
    /// It was reached and did nothing: too many calls (429).
    #[error("{0}")]
    Limited(String),
    /// Access was refused.
    #[error("{0}")]
    Denied(String),
    /// Sent, and no answer or not all of it.
    #[error("{0}")]
    Lost(String),
    /// Answered, but not with what was asked for.
    #[error("{0}")]
    Unusable(String),
    /// The answer could not be kept on this machine.
    #[error("{0}")]
    Local(String),
}

impl From<AnswerError> for CallError {
    fn from(error: AnswerError) -> Self {
        match &error {
            AnswerError::Error(text) if says_denied(text) => Self::Denied(error.to_string()),
            _ => Self::Unusable(format!("the answer can't be used: {error}")),
        }
    }
}

/// Where the bounds of [`Limits`] are from.
const FIXED: &str = "a limit that is fixed in this program; the vendor names none";

/// Bounds a call by time; what was sent may have arrived.
pub async fn within<T>(limit: Duration, what: &str, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(CallError::Lost(format!("{what} within {limit:?} ({FIXED})"))))
}

/// Does it to its end, whoever waits: what a box judges (a login) must be heard of also where the caller has left.
pub async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    let ended = tokio::spawn(work).await;
    ended.unwrap_or_else(|error| Err(CallError::Local(format!("a request broke off within the daemon: {error}"))))
}

/// Reads a body that is not larger than `limit`.
pub async fn read_all(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(lost)? {
        if body.len() + piece.len() > limit {
            return Err(CallError::Unusable(format!("the answer is larger than {limit} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Lets an answer pass whose body is to be kept as a file; of any other, the body is read to be shown.
pub async fn check_streamed(response: Response) -> Result<Response, CallError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read_all(response, MAX_SMALL).await.unwrap_or_default();
    Err(check_status(status, &body).err().unwrap_or_else(|| CallError::Unusable(said(status, &body))))
}

/// Judges an answer by status and body.
pub fn check_status(status: StatusCode, body: &[u8]) -> Result<(), CallError> {
    refuse_denial(body)?;
    let said = said(status, body);
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CallError::Denied(said)),
        StatusCode::TOO_MANY_REQUESTS => Err(CallError::Limited(said)),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Err(CallError::Unavailable(said))
        }
        status if status.is_redirection() => {
            Err(CallError::Unusable(format!("{said}; redirects are not followed, `url` must be the box's own address")))
        }
        _ => Err(CallError::Unusable(said)),
    }
}

/// Finds the vendor's refusals, which come with any status: `{"error":"access_denied",…}` and `Invalid credentials`.
pub fn refuse_denial(body: &[u8]) -> Result<(), CallError> {
    if body.len() > MAX_SMALL {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str::<Value>(&text).ok();
    let denied = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str) == Some("access_denied");
    if denied || text.trim().eq_ignore_ascii_case("invalid credentials") {
        return Err(CallError::Denied(format!("the box answered `{}`", shown(&text))));
    }
    Ok(())
}

/// The refusals of a token endpoint (RFC 6749 §5.2), which come with 401 or 400.
pub fn refuse_client(body: &[u8]) -> Result<(), CallError> {
    let json = serde_json::from_slice::<Value>(body).ok();
    match json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str) {
        Some(error @ ("invalid_client" | "unauthorized_client" | "invalid_grant")) => {
            Err(CallError::Denied(format!("the box answered `{error}`")))
        }
        _ => Ok(()),
    }
}

/// True for an `<error>` text that speaks of access; the vendor documents no list.
pub fn says_denied(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["permission", "access denied", "access_denied", "not authorized", "unauthorized", "invalid credentials"]
        .iter()
        .any(|word| text.contains(word))
}

/// Puts an answer's status and the beginning of its body into words.
fn said(status: StatusCode, body: &[u8]) -> String {
    match shown(&String::from_utf8_lossy(body)) {
        text if text.is_empty() => format!("the box answered {status}"),
        text => format!("the box answered {status}: `{text}`"),
    }
}

/// A failed connection (TCP or TLS, the certificate included) sent nothing of the call; any later failure may have.
pub fn lost(error: reqwest::Error) -> CallError {
    let not_reached = error.is_connect() || error.is_builder();
    let slow = not_reached && error.is_timeout();
    let text = chain(&error.without_url());
    let text = if slow { format!("{text}: no connection within the time for it ({FIXED})") } else { text };
    if not_reached { CallError::NotReached(text) } else { CallError::Lost(text) }
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
