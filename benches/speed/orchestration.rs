//! A whole role swap through the engine, against the same calls made bare with one durable append before and after each.
//!
//! Measured: from the order to start (two looks, the package copied, the first record) to the durable record of the end; polls,
//! windows and soak take no time, since the clock jumps over them, and gates are answered at once. The bare side makes the very
//! calls that the engine made, readings included, on a pair of the same kind, through the same store, with records of the
//! engine's own average size. A second, harder comparison appends around acts only and makes the readings bare.

use std::sync::Arc;
use std::time::Duration;

use changeover::domain::ids::RunId;
use changeover::domain::journal::Record;
use changeover::domain::run::Run;
use changeover::drivers::store::Store;
use changeover::engine::site::SitePorts;
use changeover::ports::Journal as _;
use jiff::SignedDuration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::figures::{Figures, timed};
use super::pair::{Call, Pair};
use super::play::{JumpingClock, Stage, open, retold};

pub fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let bench = Bench { store: open(&folder.path().join("state")), folder, runtime, names: 0 };
    bench.run();
}

struct Bench {
    store: Arc<Store>,
    folder: tempfile::TempDir,
    runtime: Runtime,
    names: u32,
}

/// What one turn gave: the engine, all calls bare, acts bare.
type Turn = [Duration; 3];

impl Bench {
    fn run(mut self) {
        let (calls, records) = self.sample();
        let acts = calls.iter().filter(|call| is_act(call)).count();
        println!("one role swap: {} records, {} calls, {acts} of them acts", records.len(), calls.len());
        for (pairs, turns) in [(1, 31), (100, 7)] {
            let turns: Vec<Turn> = (0..turns).map(|_| self.turn(pairs, &calls, &records)).collect();
            report(pairs, &turns);
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("site-{}", self.names)
    }

    fn stage(&mut self) -> Stage {
        let name = self.name();
        Stage::new(&self.store, self.folder.path(), &name, SignedDuration::from_hours(24))
    }

    /// One run, for its calls and records.
    fn sample(&mut self) -> (Vec<Call>, Vec<Record>) {
        let stage = self.stage();
        let id = self.runtime.block_on(stage.play(Run::is_finished));
        (stage.pair.calls(), self.store.records(&id, 0).expect("its records"))
    }

    fn turn(&mut self, pairs: usize, calls: &[Call], records: &[Record]) -> Turn {
        let engine = self.engine(pairs);
        let all = self.bare(pairs, calls, records, |_| true);
        let acts = self.bare(pairs, calls, records, is_act);
        [engine, all, acts]
    }

    fn engine(&mut self, pairs: usize) -> Duration {
        let stages: Vec<Stage> = (0..pairs).map(|_| self.stage()).collect();
        let swap = |stage: Stage| async move { drop(stage.play(Run::is_finished).await) };
        at_once(&self.runtime, stages.into_iter().map(swap))
    }

    fn bare(&mut self, pairs: usize, calls: &[Call], records: &[Record], recorded: fn(&Call) -> bool) -> Duration {
        let wanted = 2 * calls.iter().filter(|call| recorded(call)).count();
        // Without the first, which holds the whole plan: the bare side gets the small ones.
        let records: Vec<Record> = records[1..].iter().cycle().take(wanted).cloned().collect();
        let tasks: Vec<_> = (0..pairs)
            .map(|_| {
                let run = RunId { site: self.name(), number: 1 };
                let ports = Pair::new(Arc::new(JumpingClock::default()), true).ports();
                bare(self.store.clone(), ports, calls.to_vec(), retold(&run, &records), recorded)
            })
            .collect();
        at_once(&self.runtime, tasks.into_iter())
    }
}

/// How long it takes until all are done.
fn at_once(runtime: &Runtime, tasks: impl Iterator<Item = impl Future<Output = ()> + Send + 'static>) -> Duration {
    timed(|| {
        let _entered = runtime.enter();
        let tasks: JoinSet<()> = tasks.collect();
        runtime.block_on(tasks.join_all());
    })
}

fn is_act(call: &Call) -> bool {
    matches!(call, Call::Act(..) | Call::Switch(..))
}

async fn bare(store: Arc<Store>, ports: SitePorts, calls: Vec<Call>, records: Vec<Record>, recorded: fn(&Call) -> bool) {
    let mut records = records.into_iter();
    for call in &calls {
        if recorded(call) {
            append(&store, records.next()).await;
        }
        make(&ports, call).await;
        if recorded(call) {
            append(&store, records.next()).await;
        }
    }
}

async fn append(store: &Store, record: Option<Record>) {
    let record = record.expect("two records a call");
    store.append(vec![record], Vec::new(), false).await.expect("appended");
}

async fn make(ports: &SitePorts, call: &Call) {
    match call {
        Call::Observe(node) => drop(ports.nodes[*node].observe().await),
        Call::Look => drop(ports.traffic[0].look().await),
        Call::Act(node, intent, act) => drop(ports.nodes[*node].act(intent, act).await),
        Call::Switch(intent, from, to) => drop(ports.traffic[0].switch(intent, *from, *to).await),
    }
}

fn report(pairs: usize, turns: &[Turn]) {
    let limit = if pairs == 1 { 2 } else { 3 };
    let side = |index: usize| Figures::new(turns.iter().map(|turn| turn[index]).collect());
    let [engine, all, acts] = [side(0), side(1), side(2)];
    println!("{pairs} at once");
    engine.print("  the engine");
    all.print("  bare, an append before and after each call");
    acts.print("  bare, an append before and after each act only");
    let ratio = |bare: &Figures<Duration>| engine.median().as_secs_f64() / bare.median().as_secs_f64();
    println!("  ratio {:.2} (at most {limit}); to the appends around acts only {:.2}", ratio(&all), ratio(&acts));
}
