//! The real server on a real socket, over the fleet in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use changeover::server::{Server, Settings};
use tokio::sync::oneshot;

use super::fake::Fake;

/// The real server over a fake fleet, on a thread of its own.
pub struct Daemon {
    pub fake: Arc<Fake>,
    pub socket: PathBuf,
    pub tcp: Option<std::net::SocketAddr>,
    pub dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub fn start() -> Self {
        Self::with(None)
    }

    pub fn with(listen: Option<std::net::SocketAddr>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { socket: dir.path().join("changeover.sock"), listen };
        let fake = Arc::new(Fake::default());
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let (fleet, socket) = (fake.clone(), settings.socket.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&settings).await.unwrap();
                ready.send(server.tcp_address()).unwrap();
                server.run(fleet, async { drop(stopped.await) }).await;
            });
        });
        let tcp = bound.recv().unwrap();
        Self { fake, socket, tcp, dir, stop: Some(stop), thread: Some(thread) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends the server and waits for it.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The user that runs the tests, as the kernel knows it.
pub fn user() -> String {
    let uid = nix::unistd::Uid::current();
    nix::unistd::User::from_uid(uid).unwrap().map_or_else(|| uid.to_string(), |user| user.name)
}

/// A file in a folder, for commands that read one.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
