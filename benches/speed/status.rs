//! `changeover status RUN` against a daemon with a thousand runs, against starting `true`.
//!
//! The runs are in the daemon's store and shown by it; their sites are not configured, as a thousand sites behind programs
//! would load the machine with their looks.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::daemon::Daemon;
use super::figures::{Figures, timed};
use super::play;

const RUNS: usize = 1000;
const TURNS: usize = 201;

pub fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    play::soaking(&folder.path().join("state"), RUNS);
    Daemon::configure(folder.path(), &[]);
    let daemon = Daemon::spawn(folder.path());
    daemon.ready();
    let mut sides = [Command::new("true"), daemon.cli(&["status", "site-500-1"])];
    let turns: Vec<[Duration; 2]> = (0..TURNS).map(|_| sides.each_mut().map(|side| timed(|| started(side)))).collect();
    let [nothing, status] = [0, 1].map(|side| Figures::new(turns.iter().map(|turn| turn[side]).collect()));
    nothing.print("true");
    status.print("changeover status RUN");
    println!("difference {:?} (at most 10 ms)", status.median() - nothing.median());
    daemon.kill();
}

fn started(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
}
