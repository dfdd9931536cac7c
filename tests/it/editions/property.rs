//! What the simulator says the driver reads back: random worlds, releases and moments.

use changeover::domain::ids::NodeId;
use changeover::domain::site::{Observation, Role};
use changeover::ports::Reader as _;
use changeover::simulator::server::generation::Generation;
use changeover::simulator::world::NodeTruth;
use jiff::SignedDuration;

use super::Bed;

/// Worlds of one test; the variable `EDITIONS` plays one seed.
const WORLDS: u64 = 12;
const ACTS: usize = 8;

#[tokio::test]
async fn what_the_simulator_says_the_driver_reads_back() {
    let only = std::env::var("EDITIONS").ok().map(|seed| seed.parse::<u64>().unwrap());
    let first = only.unwrap_or(0);
    println!("seeds {first} to {}; one again: EDITIONS=SEED", only.unwrap_or(WORLDS - 1));
    for seed in first..=only.unwrap_or(WORLDS - 1) {
        one_world(seed).await;
    }
}

async fn one_world(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let generations = Generation::ALL;
    let from = rng.usize(..generations.len());
    let to = rng.usize(from..generations.len());
    let (primary, users) = (*rng.choice(&NodeId::BOTH).unwrap_or(&NodeId::A), rng.usize(..8));
    let linked = rng.bool().then_some(primary);
    let (from, to) = (generations[from].example(), generations[to].example());
    let bed = Bed::with(from, to, |options| {
        (options.world.seed, options.world.primary, options.world.users) = (seed, linked, users);
        options.health_cached = seed.is_multiple_of(2);
    })
    .await;
    let drivers = NodeId::BOTH.map(|node| bed.driver(node));
    for act in 0..ACTS {
        let node = *rng.choice(&NodeId::BOTH).unwrap_or(&NodeId::A);
        let before = roles(&bed);
        let verb = *rng.choice(&["break", "establish", "sync-now", "update", "close", "open", "end-sessions"]).unwrap_or(&"open");
        // What the world refuses is an act that changes nothing.
        let _ = bed.simulator.current().perform(verb, node, None);
        bed.pass(SignedDuration::from_secs(rng.i64(0..=40)));
        let what = format!("seed {seed}, act {act} ({verb} on {node}), {from} to {to}; EDITIONS={seed}");
        for (node, driver) in NodeId::BOTH.into_iter().zip(&drivers) {
            if let Ok(read) = driver.observe().await {
                let possible = [before[node.index()], roles(&bed)[node.index()]];
                assert!(possible.contains(&read.role) && read.identity == bed.simulator.identities[node], "{what}: {read:?}");
            }
        }
        bed.pass(SignedDuration::from_hours(2));
        for (node, driver) in NodeId::BOTH.into_iter().zip(&drivers) {
            // The first look may have an answer that was kept; two hours later none is.
            let read = driver.observe().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let truth = bed.simulator.current().truth().nodes[node].clone();
            same(&read, &truth, &what);
        }
    }
}

fn roles(bed: &Bed) -> [Role; 2] {
    NodeId::BOTH.map(|node| bed.simulator.current().node(node).role)
}

fn same(read: &Observation, truth: &NodeTruth, what: &str) {
    assert_eq!((&read.identity, read.role), (&truth.identity, truth.role), "{what}");
    assert_eq!((read.version.to_string(), read.build.as_ref()), (truth.version.clone(), Some(&truth.build)), "{what}");
    assert_eq!((read.users, read.sessions), (Some(truth.users), Some(truth.open_sessions)), "{what}");
    let syncs = (read.last_sync.as_ref(), truth.last_sync.as_ref());
    let seen = syncs.0.map(|sync| (sync.at.as_second(), sync.status.as_deref()));
    assert_eq!(seen, syncs.1.map(|sync| (sync.at.as_second(), Some(sync.status.as_str()))), "{what}");
    assert_eq!((read.healthy, read.takes_clients), (true, Some(truth.takes_clients)), "{what}");
}
