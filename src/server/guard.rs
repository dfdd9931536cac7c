//! What every request passes: its id, the door it came through, its time-out, and a net under panics.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::answer::Refused;
use super::limits;

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The Unix socket: commands too.
    Socket,
    /// A TCP address: GET only, since nobody can tell who asks.
    Reading,
}

/// Runs a request as a task of its own.
///
/// A reading is dropped with its caller or at its time-out. A command is not: half a start would be worse than an answer
/// that nobody reads, so it goes on and the caller is told to look.
pub async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    let id = request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reads = method == Method::GET || method == Method::HEAD;
    let mut response = if door == Door::Reading && !reads {
        refuse(&method, &path, &id, reading_only())
    } else {
        let task = tokio::spawn(next.run(request));
        let response = answered(task, reads, limits::answer_time(&path)).await.unwrap_or_else(|refused| refused.with_id(&id));
        filled(response, &method, &path, &id)
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sixteen hex digits, to find the request in the daemon's log.
fn request_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn reading_only() -> Refused {
    let message = "only reading is served here: the person who asks is known on the Unix socket alone";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "reading_only", message).hint("send commands through the daemon's Unix socket")
}

async fn answered(task: JoinHandle<Response>, reads: bool, limit: Duration) -> Result<Response, Refused> {
    let joined = if reads {
        tokio::time::timeout(limit, AbortOnDropHandle::new(task)).await
    } else {
        tokio::time::timeout(limit, task).await
    };
    joined.map_err(|_| late(reads, limit))?.map_err(bug)
}

fn late(reads: bool, limit: Duration) -> Refused {
    let message = format!("no answer within {} s", limit.as_secs());
    let refused = Refused::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message);
    if reads { refused } else { refused.hint("the command goes on; look with `changeover status` before repeating it") }
}

fn bug(error: JoinError) -> Refused {
    warn!(%error, "a request ended in a bug");
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "the daemon met a bug of its own; its log has the details")
}

/// Writes the body of a problem that a handler left.
fn filled(mut response: Response, method: &Method, path: &str, id: &str) -> Response {
    match response.extensions_mut().remove::<Refused>() {
        None => response,
        Some(refused) => {
            let allow = response.headers_mut().remove(header::ALLOW);
            let mut response = refuse(method, path, id, refused);
            allow.map(|allow| response.headers_mut().insert(header::ALLOW, allow));
            response
        }
    }
}

fn refuse(method: &Method, path: &str, id: &str, refused: Refused) -> Response {
    let (status, code, message) = (refused.status.as_u16(), &refused.problem.code, &refused.problem.message);
    info!(request_id = id, %method, path, status, code, "refused: {message}");
    refused.with_id(id)
}
