//! A thousand runs that wait in their soak, against an idle daemon: memory, and processor time between looks.
//!
//! Both sides are processes of their own: the real store, the engine and the server's runtime settings, a thousand sites on
//! pairs that cost nothing; in the one no site has a run, in the other each. Memory is what the kernel says is resident.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::drivers::clock::SystemClock;
use changeover::drivers::store::{Opened, Options, Store};
use changeover::engine::Around;
use changeover::engine::hooks::Hooks;
use changeover::engine::untouched;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::figures::Figures;
use super::pair::Pair;
use super::play;

/// The mode in which this program is one of the two sides.
pub const CHILD: &str = "waiting-side";
const SITES: usize = 1000;
const TURNS: usize = 3;

/// Looks grow apart by half each time; after this long the next one is more than [`QUIET`] away.
const WARM: Duration = Duration::from_secs(40);
const QUIET: Duration = Duration::from_secs(10);

pub fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    play::soaking(&folder.path().join("waiting"), SITES);
    let turns: Vec<[Value; 2]> = (0..TURNS).map(|_| ["idle", "waiting"].map(|side| one(&folder.path().join(side)))).collect();
    let figures = |side: usize, key: &str| Figures::new(turns.iter().map(|turn| number(&turn[side], key)).collect());
    let (idle, waiting) = (figures(0, "resident_kib"), figures(1, "resident_kib"));
    idle.print("resident, idle [KiB]");
    waiting.print("resident, 1,000 runs in soak [KiB]");
    println!("difference {:.1} MiB (at most 16)", (waiting.median() as f64 - idle.median() as f64) / 1024.0);
    figures(0, "cpu_us").print("processor time in 10 s, idle [µs]");
    figures(1, "cpu_us").print("processor time in 10 s between looks, waiting [µs]");
    figures(1, "cpu_us_a_look").print("processor time of one look at one site [µs]");
}

fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().expect("a number")
}

fn one(state: &Path) -> Value {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.arg(CHILD).arg(state).arg(SITES.to_string()).stderr(Stdio::inherit());
    let output = child.output().expect("it starts");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// One side: takes the folder's runs over, waits, and prints its figures.
pub fn child(state: &Path, sites: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let Opened { store, runs, .. } = Store::open(state, &Options::default()).expect("a store");
        let (runs, _) = untouched::fold_all(runs).expect("runs");
        let (clock, soak) = (Arc::new(SystemClock), SignedDuration::from_hours(30 * 24));
        let around = Arc::new(Around::new(Arc::new(store), clock.clone(), Hooks::default(), state.to_owned()));
        let pair = Pair::new(clock, false);
        pair.half_way();
        let entries = (1..=sites).map(|number| play::entry(&format!("site-{number}"), &pair, soak)).collect();
        let fleet = play::fleet(around, entries);
        fleet.take_over(runs);
        println!("{}", figures(&pair).await);
        drop(fleet);
    });
}

async fn figures(pair: &Pair) -> Value {
    let (start, before) = (Instant::now(), cpu());
    tokio::time::sleep(WARM).await;
    // Each look is three calls.
    let (looks, of_looks) = (pair.count() / 3, cpu() - before);
    let quiet = loop {
        let (calls, before) = (pair.count(), cpu());
        tokio::time::sleep(QUIET).await;
        let used = cpu() - before;
        if pair.count() == calls {
            break used;
        }
        assert!(start.elapsed() < WARM * 4, "there are always looks");
    };
    let a_look = of_looks.as_micros() / u128::from(looks.max(1));
    json!({ "resident_kib": resident_kib(), "cpu_us": quiet.as_micros() as u64, "cpu_us_a_look": a_look as u64 })
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("KiB")
}

/// What all threads have used so far, in nanoseconds: the ticks of `/proc/self/stat` are too coarse.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.expect("a thread").path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.map(of_task).sum())
}
