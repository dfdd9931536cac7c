//! The sockets: a Unix socket for the people of the host, and a TCP address for reading where one is set.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixSocket, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::warn;

use crate::engine::api::Fleet;

use super::guard::Door;
use super::input::Peer;
use super::limits;
use super::patient::Patient;
use super::routes::router;

/// Where the API is served.
#[derive(Clone, Debug)]
pub struct Settings {
    pub socket: PathBuf,
    /// Serves GET only.
    pub listen: Option<SocketAddr>,
}

/// The API could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("another daemon answers at `{0}`; stop it first, or give this one a socket of its own")]
    Taken(PathBuf),
    #[error("`{0}` is there and is no socket; remove it, or name another path in `api.socket`")]
    NoSocket(PathBuf),
    #[error("the socket `{path}` could not be opened; its folder must be there, and this user must be able to write to it")]
    Socket {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the address `{address}` of `api.listen` could not be opened")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// The API with its sockets open, not serving yet. Removes its socket file when it ends.
pub struct Server {
    unix: UnixListener,
    tcp: Option<TcpListener>,
    _file: SocketFile,
}

impl Server {
    /// Opens the sockets.
    ///
    /// # Effect
    /// The socket file is there, mode 0660. A file that a dead daemon left is replaced.
    ///
    /// # Errors
    /// [`BindError`]; a living daemon's socket is left alone.
    pub async fn bind(settings: &Settings) -> Result<Self, BindError> {
        let path = &settings.socket;
        make_room(path).await?;
        let failed = |source| BindError::Socket { path: path.clone(), source };
        let unix = open(path).map_err(failed)?;
        let file = SocketFile::new(path).map_err(failed)?;
        let tcp = match settings.listen {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })?),
            None => None,
        };
        Ok(Self { unix, tcp, _file: file })
    }

    /// The TCP address in use; with port 0 in the settings, the one that was given.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Serves until `stop` ends, then gives requests under way a moment.
    pub async fn run(self, fleet: Arc<dyn Fleet>, stop: impl Future<Output = ()>) {
        // A hall for each door: readers over TCP can't take the places of those who command.
        let (inner, outer) = (Hall::new(), Hall::new());
        let socket = serve_unix(&self.unix, router(fleet.clone(), Door::Socket), &inner);
        let reading = async {
            match &self.tcp {
                Some(tcp) => serve_tcp(tcp, router(fleet, Door::Reading), &outer).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = socket => {}
            () = reading => {}
            () = stop => {}
        }
        tokio::join!(inner.close(), outer.close());
    }
}

/// Refuses a living daemon's socket, removes a dead one's.
async fn make_room(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Socket { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NoSocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
        Ok(_) => Err(BindError::Taken(path.to_owned())),
    }
}

/// Between `bind` and `listen` nobody can connect, so the mode is right before the first client.
fn open(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.listen(128)
}

/// The socket's file, removed at the end if it is still ours.
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: inode(path)? })
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // What is left is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The connections of one door: how many there may be, and how they end.
struct Hall {
    places: Arc<Semaphore>,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Hall {
    fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            stop: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Serves one connection as a task of its own; `place` is free again when it ends.
    fn seat<S>(&self, stream: S, router: Router, peer: Option<Peer>, place: tokio::sync::OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stop = self.stop.clone();
        self.connections.spawn(async move {
            connection(stream, router, peer, stop).await;
            drop(place);
        });
    }

    async fn place(&self) -> tokio::sync::OwnedSemaphorePermit {
        match self.places.clone().acquire_owned().await {
            Ok(place) => place,
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    async fn close(self) {
        self.stop.cancel();
        self.connections.close();
        // Who is slower than this is cut off; a command that was taken goes on or is in the journal.
        let _ = tokio::time::timeout(limits::LINGER, self.connections.wait()).await;
    }
}

async fn serve_unix(listener: &UnixListener, router: Router, hall: &Hall) {
    loop {
        let place = hall.place().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = stream.peer_cred().ok().map(|peer| Peer { uid: peer.uid() });
                hall.seat(stream, router.clone(), peer, place);
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn serve_tcp(listener: &TcpListener, router: Router, hall: &Hall) {
    loop {
        let place = hall.place().await;
        match listener.accept().await {
            Ok((stream, _)) => hall.seat(stream, router.clone(), None, place),
            Err(error) => pause(&error).await,
        }
    }
}

/// Out of descriptors, mostly: connections that end make room.
async fn pause(error: &io::Error) {
    warn!(%error, "the API can't take a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection<S>(stream: S, router: Router, peer: Option<Peer>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        peer.map(|peer| request.extensions_mut().insert(peer));
        request
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits::READ);
    http.max_buf_size(limits::HEAD_BYTES).max_headers(limits::HEADERS);
    let stream = TokioIo::new(Patient::new(stream, limits::WRITE, limits::ANSWER));
    let mut serving = std::pin::pin!(http.serve_connection(stream, TowerToHyperService::new(service)));
    // A connection's own errors (a client that went away) concern nobody.
    let _ = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    /// One request after the other, and no answer is read: the connection ends, and its place is free again. One whose answers are
    /// read is served meanwhile.
    #[tokio::test(start_paused = true)]
    async fn who_asks_and_does_not_read_loses_the_place() {
        let router = Router::new().route("/", get(|| async { "x".repeat(1000) }));
        let (hall, since) = (Hall::new(), Instant::now());
        let (server, mut mute) = tokio::io::duplex(4096);
        hall.seat(server, router.clone(), None, hall.place().await);
        mute.write_all(&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100)).await.unwrap();
        let (server, mut other) = tokio::io::duplex(4096);
        hall.seat(server, router, None, hall.place().await);
        other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        other.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let all = u32::try_from(limits::CONNECTIONS).unwrap();
        let places = hall.places.acquire_many(all);
        drop(tokio::time::timeout(4 * limits::WRITE, places).await.expect("all places are free again").unwrap());
        assert!(since.elapsed() >= limits::WRITE, "{:?}", since.elapsed());
        drop(mute);
    }

    /// A little of the answer now and then, each time before the wait for one write is over: the place is free again all the same.
    /// One that reads its answers is served for as long as it asks.
    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_now_and_then_loses_the_place() {
        let long = || async { "x".repeat(1_000_000) };
        let router = Router::new().route("/long", get(long)).route("/", get(|| async { "x".repeat(10_000) + "END" }));
        let (hall, since) = (Hall::new(), Instant::now());
        // What is on its way when the connection ends is read all the same; here that is little.
        let (server, mut slow) = tokio::io::duplex(1000);
        hall.seat(server, router.clone(), None, hall.place().await);
        let (server, mut other) = tokio::io::duplex(4096);
        hall.seat(server, router, None, hall.place().await);
        slow.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        while since.elapsed() < 2 * limits::ANSWER && slow.read(&mut [0; 1000]).await.is_ok_and(|read| read > 0) {
            other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"END") {
                assert!(other.read_buf(&mut answer).await.unwrap() > 0, "after {:?}", since.elapsed());
            }
            tokio::time::advance(limits::READ - Duration::from_secs(1)).await;
        }
        let lasted = since.elapsed();
        assert!(lasted >= limits::ANSWER && lasted < limits::ANSWER + 2 * limits::WRITE, "{lasted:?}");
    }
}
