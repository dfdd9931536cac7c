//! How long a durable append takes: against a bare 1-KiB append and fdatasync, and 16 writers against one.
//!
//! `cargo bench --bench append [-- DIRECTORY]`; the directory (default: the temporary one) names the disk to measure. Both
//! sides of a ratio take turns in one process, so that a busy machine slows both. Prints medians and ratios.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::journal::{Entry, Record};
use changeover::drivers::store::{Options, Store};
use changeover::ports::Journal;

/// Turns of each side, and appends in a turn.
const TURNS: usize = 40;
const APPENDS: usize = 50;
const WRITERS: usize = 16;

fn main() {
    // cargo passes `--bench`.
    let place = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(place).expect("a folder to measure in");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let store = Arc::new(Store::open(&folder.path().join("state"), &Options::default()).expect("an empty store").store);
    let mut writer = Writer::new(0);
    let mut bare = File::create(folder.path().join("bare")).expect("a file");

    let (mut bare_times, mut times) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare_times.extend((0..APPENDS).map(|_| timed(|| bare_append(&mut bare))));
        times.extend((0..APPENDS).map(|_| {
            let record = writer.next();
            timed(|| runtime.block_on(append(&store, record)))
        }));
    }
    let (bare, own) = (median(&mut bare_times), median(&mut times));
    println!("bare 1 KiB append + fdatasync   median {bare:?}");
    println!("durable append                  median {own:?}   ratio {:.2} (limit 1.8)", ratio(own, bare));

    let mut writers: Vec<Writer> = (1..=WRITERS).map(Writer::new).collect();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(timed(|| (0..APPENDS).for_each(|_| runtime.block_on(writer.append(&store)))));
        together.push(timed(|| writers = runtime.block_on(all_at_once(&store, std::mem::take(&mut writers)))));
    }
    let (alone, together) = (median(&mut alone), median(&mut together) / u32::try_from(WRITERS).unwrap_or(1));
    let per_second = |time: Duration| APPENDS as f64 / time.as_secs_f64();
    println!("one writer                      {:.0} records/s", per_second(alone));
    println!(
        "{WRITERS} writers                      {:.0} records/s   ratio {:.1} (at least 4)",
        per_second(together),
        ratio(alone, together)
    );
    reopening(folder.path());
}

/// How long a store with 1,000 waiting runs takes to open.
fn reopening(folder: &Path) {
    let state = folder.join("thousand");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = Store::open(&state, &Options::default()).expect("an empty store").store;
    for run in 1..=1000 {
        let mut writer = Writer::new(run);
        let records = (0..40).map(|_| writer.next()).collect();
        runtime.block_on(store.append(records, Vec::new(), false)).expect("appended");
    }
    drop(store);
    let open = timed(|| drop(Store::open(&state, &Options::default()).expect("the store again")));
    println!("opening 1,000 runs of 40        {open:?}");
}

async fn all_at_once(store: &Arc<Store>, writers: Vec<Writer>) -> Vec<Writer> {
    let tasks = writers.into_iter().map(|mut writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for _ in 0..APPENDS {
                writer.append(&store).await;
            }
            writer
        })
    });
    let mut back = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        back.push(task.await.expect("a writer"));
    }
    back
}

/// Writes one run's records of 1 KiB, as JSON.
struct Writer {
    run: String,
    last: Option<Record>,
}

impl Writer {
    fn new(number: usize) -> Self {
        Self { run: format!("site-{}", number + 1), last: None }
    }

    fn next(&mut self) -> Record {
        let entry = Entry {
            at: jiff::Timestamp::UNIX_EPOCH,
            actor: "daemon".into(),
            event: "noticed".into(),
            step: Some("window-1.update.a".into()),
            reason: "measured".into(),
            data: serde_json::json!({"text": "x".repeat(720)}),
        };
        let record = Record::chain(&self.run.parse().expect("a run's name"), self.last.as_ref(), entry);
        self.last = Some(record.clone());
        record
    }

    async fn append(&mut self, store: &Store) {
        append(store, self.next()).await;
    }
}

async fn append(store: &Store, record: Record) {
    store.append(vec![record], Vec::new(), false).await.expect("appended");
}

fn bare_append(file: &mut File) {
    file.write_all(&[b'x'; 1024]).and_then(|()| file.sync_data()).expect("a disk");
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
