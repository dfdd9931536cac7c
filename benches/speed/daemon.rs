//! The release daemon as a process of its own, and its command line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Long for anything that is waited for here.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Daemon {
    folder: PathBuf,
    child: Child,
}

impl Daemon {
    /// Writes the configuration: each site's name and the text of its file.
    pub fn configure(folder: &Path, sites: &[(String, String)]) {
        let config = folder.join("config");
        std::fs::create_dir_all(config.join("sites.d")).expect("a folder");
        std::fs::write(config.join("changeover.toml"), "state = \"../state\"\n").expect("a file");
        for (name, text) in sites {
            std::fs::write(config.join("sites.d").join(format!("{name}.toml")), text).expect("a file");
        }
        std::fs::write(folder.join("base.nss"), b"a package").expect("a package");
    }

    pub fn spawn(folder: &Path) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.args(["serve", "--config"]).arg(folder.join("config/changeover.toml"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon");
        Self { folder: folder.to_owned(), child }
    }

    /// Returns when the daemon answers.
    pub fn ready(&self) {
        until(&format!("the daemon in {}", self.folder.display()), || {
            self.cli(&["runs"]).output().ok()?.status.success().then_some(())
        });
    }

    /// A command that asks this daemon.
    pub fn cli(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.args(args).env("CHANGEOVER_SOCKET", self.folder.join("state/changeover.sock"));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// A command that must succeed.
    pub fn said(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.cli(args).output().expect("it starts");
        assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("killed");
    }
}

/// Waits until something is there.
pub fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
