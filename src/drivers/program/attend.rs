//! A running program: its input, its output, its end or its limit.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join3;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};

use super::group::{self, Process};

/// What a program may print on standard output.
pub const MOST_OUTPUT: usize = 1024 * 1024;

/// Standard error in the log: so much of a line, so much of all lines of one program; the rest is read and thrown away.
const MOST_LINE: usize = 1000;
const MOST_LOGGED: usize = 64 * 1024;

/// What a program printed is in its pipes when it ends. More can come only from a process that it left behind, which is not
/// waited for longer than this.
const AFTER_END: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signalled(i32),
    /// Its limit passed and its group was ended.
    OverLimit,
    /// It was started, and then lost sight of.
    Unknown(String),
}

/// What a program left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub ended: Ended,
    /// At most `MOST_OUTPUT` bytes.
    pub stdout: Vec<u8>,
    /// There was more.
    pub too_much: bool,
    /// The last line that it wrote on standard error.
    pub last_words: Option<String>,
}

impl Output {
    pub(super) fn unknown(why: String) -> Self {
        Self { ended: Ended::Unknown(why), stdout: Vec::new(), too_much: false, last_words: None }
    }
}

/// Feeds the program, reads what it prints, and waits for its end; at `limit` ends its group.
///
/// A program that prints too much is not ended (it may be half-way through an update): the rest is thrown away.
pub(super) async fn attend(
    mut child: Child,
    input: Vec<u8>,
    limit: impl Future<Output = ()>,
    grace: Duration,
    label: String,
) -> Output {
    let heard = Heard::default();
    let talk = tokio::spawn(talk(&mut child, input, heard.clone(), label));
    let ended = until_end(&mut child, limit, grace).await;
    // If a process that was left behind holds the pipes open, the task goes on emptying them.
    let _ = tokio::time::timeout(AFTER_END, talk).await;
    let mut heard = heard.lock();
    Output { ended, stdout: std::mem::take(&mut heard.stdout), too_much: heard.too_much, last_words: heard.last_words.take() }
}

/// Empties the pipes of a program that outlived the daemon before, so that it does not stand still at a full one.
pub(super) fn drain_survivor(process: &Process, label: &str) {
    for number in [1, 2] {
        let path = format!("/proc/{}/fd/{number}", process.pid);
        if let Ok(pipe) = pipe::OpenOptions::new().open_receiver(path) {
            let lines = Lines::new(format!("{label} (from before)"));
            tokio::spawn(listen(Some(pipe), lines, Heard::default()));
        }
    }
}

async fn until_end(child: &mut Child, limit: impl Future<Output = ()>, grace: Duration) -> Ended {
    let group = group::number(child.id());
    tokio::select! {
        status = child.wait() => return ended(status),
        () = limit => {}
    }
    // The leader must be collected while its group is ended: uncollected it would count as a member.
    let (collected, ()) = tokio::join!(tokio::time::timeout(grace + group::AFTER_KILL, child.wait()), group::end(group, grace));
    if collected.is_err() {
        tracing::error!(group = group.map(|group| group.as_raw_nonzero().get()), "a program does not end although it was killed");
    }
    Ended::OverLimit
}

fn ended(status: std::io::Result<ExitStatus>) -> Ended {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, Some(signal)) => Ended::Signalled(signal),
            (None, None) => Ended::Unknown(status.to_string()),
        },
        Err(error) => Ended::Unknown(error.to_string()),
    }
}

fn talk(child: &mut Child, input: Vec<u8>, heard: Heard, label: String) -> impl Future<Output = ()> + Send + use<> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    async move {
        join3(feed(stdin, input), keep(stdout, heard.clone()), listen(stderr, Lines::new(label), heard)).await;
    }
}

/// A program that does not read its input is no error here; its exit code tells.
async fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(&input).await;
    }
}

async fn keep(stdout: Option<impl AsyncRead + Unpin>, heard: Heard) {
    let Some(mut stdout) = stdout else { return };
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stdout.read(&mut chunk).await {
        let mut heard = heard.lock();
        let room = MOST_OUTPUT - heard.stdout.len();
        heard.stdout.extend_from_slice(&chunk[..length.min(room)]);
        heard.too_much |= length > room;
    }
}

async fn listen(stderr: Option<impl AsyncRead + Unpin>, mut lines: Lines, heard: Heard) {
    let Some(mut stderr) = stderr else { return };
    let mut chunk = vec![0; 4 * 1024];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        lines.take(&chunk[..length]);
        heard.lock().last_words.clone_from(&lines.last);
    }
    lines.end();
    heard.lock().last_words.clone_from(&lines.last);
}

/// What was heard so far; shared, because a task may outlive the wait for it.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Words>>);

#[derive(Default)]
struct Words {
    stdout: Vec<u8>,
    too_much: bool,
    last_words: Option<String>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Words> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts a stream into lines for the log.
struct Lines {
    label: String,
    line: Vec<u8>,
    logged: usize,
    last: Option<String>,
}

impl Lines {
    fn new(label: String) -> Self {
        Self { label, line: Vec::new(), logged: 0, last: None }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(),
                _ if self.line.len() < MOST_LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    fn end(&mut self) {
        let text: String = String::from_utf8_lossy(&self.line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.line.clear();
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.last = Some(text.to_owned());
        self.log(text);
    }

    fn log(&mut self, text: &str) {
        if self.logged >= MOST_LOGGED {
            return;
        }
        self.logged += text.len();
        tracing::info!(program = self.label, "{text}");
        if self.logged >= MOST_LOGGED {
            tracing::warn!(program = self.label, "{MOST_LOGGED} bytes of its standard error were logged; the rest is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_clean() {
        let mut lines = Lines::new("test".to_owned());
        lines.take(b"one\ntw");
        assert_eq!(lines.last.as_deref(), Some("one"));
        lines.take(b"o\x1b[31m\xff\n\n");
        assert_eq!(lines.last.as_deref(), Some("two [31m\u{fffd}"));
        lines.take(&[b'x'; 5000]);
        lines.end();
        assert_eq!(lines.last.as_deref().map(str::len), Some(MOST_LINE));
        lines.take(&b"flood\n".repeat(100_000));
        assert!(lines.logged < MOST_LOGGED + MOST_LINE, "{}", lines.logged);
    }
}
