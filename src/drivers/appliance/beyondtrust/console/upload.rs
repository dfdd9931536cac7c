//! A package into a form: streamed from disk, hashed on the way, its last piece let go only when the hash is the planned one.
//!
//! A body that is not whole is no upload, so up to the last piece nothing has happened. Memory is a few pieces, however large the
//! package is: one thread reads and hashes, the connection takes what is ready.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::page::{Control, Kind, Page};
use super::stop::Stop;
use super::trace::{Place, Stage};
use super::visit::{Fetch, Visit, target};
use crate::domain::journal::hex;
use crate::drivers::appliance::beyondtrust::answer::{CallError, lost};

/// Measured against 64 KiB and 1 MiB: the best of throughput and memory.
const PIECE: u64 = 256 << 10;
/// Pieces that are read ahead.
const AHEAD: usize = 4;

/// What is sent, and into which field.
pub struct Upload<'a> {
    pub page: &'a Page,
    pub field: &'a Control,
    pub button: &'a Control,
    pub package: &'a Path,
    pub sha256: &'a str,
}

/// What became of it.
pub enum Sent {
    /// The box answered this.
    Answered(StatusCode, Box<Page>),
    /// The box answered this before the last piece left, which stays here: nothing was uploaded.
    Early(StatusCode, Box<Page>),
    /// All of it left, and its answer did not come.
    Unanswered(String),
}

/// How far the sending has come.
#[derive(Default)]
struct Progress {
    handed: AtomicU64,
    end: OnceLock<End>,
    /// Ends the handing over, also of what waits for room.
    stop: CancellationToken,
}

/// What comes first decides: once the box has answered, the last piece is held back for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The last piece was let go.
    Whole,
    /// An answer came, or the connection ended.
    Cut,
}

impl Progress {
    /// True if this end is the one that came first.
    fn ends(&self, end: End) -> bool {
        *self.end.get_or_init(|| end) == end
    }

    /// Holds back what is not handed over yet; false if the last piece was let go before.
    fn cut(&self) -> bool {
        let cut = self.ends(End::Cut);
        if cut {
            self.stop.cancel();
        }
        cut
    }
}

/// An act that runs out of time lets nothing go after it.
struct CutAtEnd<'a>(&'a Progress);

impl Drop for CutAtEnd<'_> {
    fn drop(&mut self) {
        self.0.cut();
    }
}

impl Upload<'_> {
    /// Sends the package.
    ///
    /// # Errors
    /// Whatever ends it before the last piece left: nothing has happened then.
    pub async fn send(&self, visit: &Visit<'_>, trace: &Place, decisive: &Arc<AtomicBool>) -> Result<Sent, Stop> {
        let (url, post) = target(self.page, self.button).map_err(Fetch::before)?;
        if !post {
            return Err(visit.surprise(self.page, "a form that takes no file"));
        }
        trace.mark(Stage::Uploading).await?;
        let file = File::open(self.package).map_err(|error| self.unreadable(&error))?;
        let length = file.metadata().map_err(|error| self.unreadable(&error))?.len();
        let progress = Arc::new(Progress::default());
        let _ended = CutAtEnd(&progress);
        let (sender, pieces) = mpsc::channel(AHEAD);
        let feed = Feed {
            sha256: self.sha256.to_owned(),
            trace: trace.clone(),
            decisive: decisive.clone(),
            progress: progress.clone(),
            runtime: Handle::current(),
        };
        let fed = tokio::task::spawn_blocking(move || feed.all(file, &sender));
        let body = Body::wrap_stream(counted(pieces, progress.clone(), length));
        let request = visit.post(url.clone()).multipart(self.form(body, length)?);
        let answer = watched(request.send(), &progress, length, visit).await;
        let whole = !progress.cut();
        // Waited for, so that no later attempt finds this one at its trace. What ended the reading of the package explains it
        // better than the connection that broke with it.
        let unread = if whole { None } else { fed.await.ok().and_then(Result::err).flatten() };
        if let Some(stop) = unread {
            return Err(stop);
        }
        match answer {
            Ok(response) => match visit.follow(response, url).await {
                Ok((status, page)) if whole => Ok(Sent::Answered(status, Box::new(page))),
                Ok((status, page)) => Ok(Sent::Early(status, Box::new(page))),
                Err(fetch) if whole => Ok(Sent::Unanswered(fetch.after().to_string())),
                Err(fetch) => Err(fetch.before()),
            },
            Err(error) if whole => Ok(Sent::Unanswered(error.to_string())),
            Err(error) => Err(Stop::from(error)),
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Stop {
        Stop::Refused(format!("package {}: {error}", self.package.display()))
    }

    /// The form as a browser sends it, in the page's order.
    fn form(&self, body: Body, length: u64) -> Result<Form, Stop> {
        let name = self.package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let part = Part::stream_with_length(body, length).file_name(name).mime_str("application/octet-stream");
        let mut part = Some(part.map_err(|error| Stop::Refused(error.to_string()))?);
        let mut form = Form::new().percent_encode_noop();
        let sent = self.page.sent_by(self.button);
        for control in self.page.controls.iter().filter(|control| control.form == self.button.form) {
            let Some(name) = control.name.clone() else { continue };
            if std::ptr::eq(control, self.field) {
                if let Some(part) = part.take() {
                    form = form.part(name, part);
                }
            } else if control.kind != Kind::File && sent.contains(&(name.as_str(), control.value.as_str())) {
                form = form.text(name, control.value.clone());
            }
        }
        Ok(form)
    }
}

/// The side that reads.
struct Feed {
    sha256: String,
    trace: Place,
    decisive: Arc<AtomicBool>,
    progress: Arc<Progress>,
    runtime: Handle,
}

type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

impl Feed {
    /// Hands over the whole file; the last piece only after the hash and a durable trace, and while nobody has answered.
    ///
    /// # Errors
    /// `None`: nobody takes the pieces any more.
    fn all(&self, mut file: File, pieces: &Pieces) -> Result<(), Option<Stop>> {
        let hand = |piece: Bytes| self.hand(pieces, Ok(piece));
        let result = self.but_last(&mut file, hand).and_then(|last| {
            self.trace.write(Stage::Uploaded).map_err(Some)?;
            self.decisive.store(true, Ordering::SeqCst);
            if self.progress.ends(End::Whole) {
                return last.map_or(Ok(()), hand);
            }
            self.decisive.store(false, Ordering::SeqCst);
            self.trace.write(Stage::Uploading).map_err(Some).and(Err(None))
        });
        if let Err(Some(stop)) = &result {
            // The body must break off, not end.
            let _ = self.hand(pieces, Err(std::io::Error::other(stop.to_string())));
        }
        result
    }

    /// Blocks until there is room for it.
    fn hand(&self, pieces: &Pieces, piece: Result<Bytes, std::io::Error>) -> Result<(), Option<Stop>> {
        let taken = self.runtime.block_on(async {
            tokio::select! {
                sent = pieces.send(piece) => sent.is_ok(),
                () = self.progress.stop.cancelled() => false,
            }
        });
        if taken { Ok(()) } else { Err(None) }
    }

    fn but_last(&self, file: &mut File, hand: impl Fn(Bytes) -> Result<(), Option<Stop>>) -> Result<Option<Bytes>, Option<Stop>> {
        let mut hash = Sha256::new();
        let mut held: Option<Bytes> = None;
        loop {
            let mut piece = Vec::with_capacity(usize::try_from(PIECE).unwrap_or_default());
            let read = file.by_ref().take(PIECE).read_to_end(&mut piece);
            read.map_err(|error| Some(Stop::Refused(format!("the package can't be read: {error}"))))?;
            if piece.is_empty() {
                break;
            }
            hash.update(&piece);
            if let Some(before) = held.replace(piece.into()) {
                hand(before)?;
            }
        }
        let found = hex(&hash.finalize());
        if found == self.sha256 {
            return Ok(held);
        }
        Err(Some(Stop::Refused(format!("the package has SHA-256 {found}, planned was {}; it was not uploaded", self.sha256))))
    }
}

/// The pieces as a body, counted and told of at every tenth.
fn counted(
    pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>,
    progress: Arc<Progress>,
    length: u64,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    stream::unfold((pieces, progress), move |(mut pieces, progress)| async move {
        let piece = pieces.recv().await?;
        let more = piece.as_ref().map_or(0, Bytes::len) as u64;
        let before = progress.handed.fetch_add(more, Ordering::Relaxed);
        let tenths = |bytes: u64| bytes.saturating_mul(10).checked_div(length).unwrap_or_default();
        if tenths(before) < tenths(before + more) {
            tracing::info!(sent = before + more, of = length, "the package is being uploaded");
        }
        Some((piece, (pieces, progress)))
    })
}

/// Waits for the answer as long as the sending goes on, and then as long as an answer may take.
async fn watched(
    send: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    progress: &Progress,
    length: u64,
    visit: &Visit<'_>,
) -> Result<reqwest::Response, CallError> {
    let mut send = std::pin::pin!(send);
    let limits = &visit.door.limits;
    loop {
        let before = progress.handed.load(Ordering::Relaxed);
        let patience: Duration = if before < length { limits.stall } else { limits.first_byte };
        match tokio::time::timeout(patience, &mut send).await {
            Ok(answer) => return answer.map_err(lost),
            Err(_) if progress.handed.load(Ordering::Relaxed) == before => {
                return Err(CallError::Lost(format!("nothing went on for {patience:?}, after {before} of {length} bytes")));
            }
            Err(_) => {}
        }
    }
}
