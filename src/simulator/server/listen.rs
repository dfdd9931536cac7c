//! Taking connections, with a limit on everything that comes in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections open at once at one listener; more wait.
const MOST_CONNECTIONS: usize = 256;
/// Head of a request; hyper takes no less than 8 KiB.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// Forms and small JSON only.
const LARGEST_BODY: usize = 64 * 1024;
/// Handshake, head, an ordinary body, and the whole connection (a file may have gigabytes), machine time.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(60);
const WHOLE: Duration = Duration::from_secs(3600);

/// A request with its body read.
pub struct Call {
    pub method: hyper::Method,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub content_type: String,
    pub cookie: Option<String>,
    pub body: Bytes,
}

/// The answer, or `None` to close the connection without one.
pub type Answer = Option<Response<Full<Bytes>>>;

/// In an answer's extensions: it is sent so much later, by the machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Late(pub Duration);

/// Who answers calls at a listener.
pub trait Answerer: Send + Sync + 'static {
    /// False if connections are closed at once, as by a box that is down.
    fn listens(&self) -> bool {
        true
    }

    fn answer(&self, call: Call) -> Answer;

    /// True for a call whose body is a file, which is taken in by [`Answerer::receive`] and not kept here.
    fn is_file(&self, _call: &Call) -> bool {
        false
    }

    /// Answers a call that brings a file.
    fn receive(&self, call: Call, _body: Incoming) -> BoxFuture<'_, Answer> {
        Box::pin(std::future::ready(self.answer(call)))
    }
}

/// Serves one listener until the token is cancelled.
pub async fn serve<A: Answerer>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answerer: Arc<A>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &slots) => accepted,
            () = stop.cancelled() => return,
        };
        let Some((stream, slot)) = accepted else { continue };
        let (tls, answerer, stop) = (tls.clone(), answerer.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                _ = tokio::time::timeout(WHOLE, connection(stream, tls, answerer)) => {}
                () = stop.cancelled() => {}
            }
            drop(slot);
        });
    }
}

async fn next(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    // Never closed, so a slot always comes.
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            // Out of file descriptors, say: wait for some to be closed rather than spin.
            tracing::warn!(%error, "the simulator could not take a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection<A: Answerer>(stream: TcpStream, tls: Option<TlsAcceptor>, answerer: Arc<A>) {
    if !answerer.listens() {
        return;
    }
    match tls {
        None => exchange(stream, answerer).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => exchange(stream, answerer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client broke off the handshake with the simulator"),
            Err(_) => tracing::debug!("a client did not finish the handshake with the simulator"),
        },
    }
}

async fn exchange<S, A>(stream: S, answerer: Arc<A>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answerer,
{
    let service = service_fn(move |request| {
        let answerer = answerer.clone();
        async move { respond(request, &*answerer).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        // The vendor's clients close the connection after each call.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the simulator ended early");
    }
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer is given")]
struct Silence;

async fn respond<A: Answerer>(request: Request<Incoming>, answerer: &A) -> Result<Response<Full<Bytes>>, Silence> {
    let (head, body) = request.into_parts();
    let call = call(&head);
    if answerer.is_file(&call) {
        return answerer.receive(call, body).await.ok_or(Silence);
    }
    match tokio::time::timeout(BODY, read(body)).await {
        Ok(Ok(body)) => {
            let mut answer = answerer.answer(Call { body, ..call }).ok_or(Silence)?;
            if let Some(Late(by)) = answer.extensions_mut().remove() {
                tokio::time::sleep(by).await;
            }
            Ok(answer)
        }
        Ok(Err(status)) => Ok(text(status, "the request could not be read")),
        Err(_) => Ok(text(StatusCode::REQUEST_TIMEOUT, "the request could not be read")),
    }
}

/// A request without its body.
fn call(head: &Parts) -> Call {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Call {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        content_type: header("content-type").unwrap_or_default(),
        cookie: header("cookie"),
        method: head.method.clone(),
        body: Bytes::new(),
    }
}

async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| {
        let too_large = error.downcast_ref::<LengthLimitError>().is_some();
        if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
    })?;
    Ok(body.to_bytes())
}

/// A short text.
pub fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=UTF-8", body.to_owned())
}

/// An answer with a content type.
pub fn typed(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    // Every type that is passed in is a plain word; an answer without one would do no harm.
    if let Ok(kind) = hyper::header::HeaderValue::from_str(content_type) {
        response.headers_mut().insert("content-type", kind);
    }
    response
}

/// A JSON document.
pub fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(value) {
        Ok(body) => typed(status, "application/json", body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
