//! Nights on which everything goes wrong: thousands of whole runs in virtual time, each determined by its seed alone.
//!
//! `night` plays one: the setting, then random troubles ([`troubles`]) and people of all kinds ([`people`]), then a diligent
//! person at dawn who looks, mends and resumes. [`oracle`] judges on the simulator's truth, throughout and at the end. What the
//! nights have found stands in [`found`], one scenario each.
//!
//! `STORM=<seed>` repeats one night and tells its story; `STORMS=<count>` plays so many, on from `STORM_FROM` or from a start
//! that is drawn and printed.

mod dawn;
mod found;
mod leaving;
mod night;
mod oracle;
mod people;
mod setting;
mod troubles;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use night::{Ending, Night};
use sha2::{Digest, Sha256};

/// The nights that the test command plays, in four tests so that several cores share them. Always the same: what fails, fails
/// for everybody. The soak begins anywhere.
const FIRST: u64 = 1;
const NIGHTS: u64 = 1_000;
const PARTS: u64 = 4;
/// After so many failed nights a test has seen enough.
const ENOUGH: usize = 10;
/// How a failed night is repeated.
const REPEAT: &str = "cargo nextest run --features test-kill --no-capture storms::nights_1";

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{name}` is a number, not `{text}`")))
}

/// Where a soak begins: anywhere, but its four tests at the same place, so that together they leave no seed out. The runner starts
/// each test as a process of its own and gives all of them the same word for the whole run.
fn drawn() -> u64 {
    static ALONE: OnceLock<u64> = OnceLock::new();
    let of_run = std::env::var("NEXTEST_RUN_ID").ok().map(|word| {
        let digest = Sha256::digest(word);
        digest.iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte))
    });
    of_run.unwrap_or_else(|| *ALONE.get_or_init(|| fastrand::u64(1..1 << 48)))
}

/// Plays one night in a runtime of its own, whose time stands still while anybody works.
fn play(seed: u64) -> Ending {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(Night::play(seed))
}

/// One part of the nights: every fourth seed.
fn part(number: u64) {
    if let Some(seed) = variable("STORM") {
        if number == 0 {
            println!("{}", play(seed).told());
        }
        return;
    }
    let count = variable("STORMS").unwrap_or(NIGHTS);
    let first = variable("STORM_FROM").unwrap_or_else(|| if variable("STORMS").is_some() { drawn() } else { FIRST });
    println!("seeds {first} to {}, of which every {PARTS}th", first + count - 1);
    let mut ends = BTreeMap::<String, u64>::new();
    let mut failures = Vec::new();
    for seed in (first + number..first + count).step_by(PARTS as usize) {
        match std::panic::catch_unwind(|| play(seed)) {
            Ok(ending) => *ends.entry(ending.end).or_default() += 1,
            Err(why) => failures.push(format!("STORM={seed} {REPEAT}\n    {}", first_lines(why.as_ref()))),
        }
        assert!(failures.len() < ENOUGH, "{}", failures.join("\n"));
    }
    println!("{ends:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What a failed night says before its story, which was printed when it failed.
fn first_lines(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().map_or("it panicked", String::as_str);
    text.split("\nseed ").next().unwrap_or(text).lines().take(5).collect::<Vec<_>>().join("\n    ")
}

#[test]
fn nights_1() {
    part(0);
}

#[test]
fn nights_2() {
    part(1);
}

#[test]
fn nights_3() {
    part(2);
}

#[test]
fn nights_4() {
    part(3);
}

/// The seed alone determines a night: no wall clock, no order of a hash map, no timing of threads.
#[test]
fn a_seed_gives_the_same_journal_every_time() {
    for seed in FIRST..FIRST + 40 {
        let (first, second) = (play(seed), play(seed));
        let differs = first.journal.iter().zip(&second.journal).find(|(first, second)| first != second);
        assert_eq!(first.fingerprint(), second.fingerprint(), "seed {seed}: {differs:#?}");
    }
}
