//! Every fuzz target over its corpus, and over mutations of it: no panic, no endless work, no nonsense accepted.
//!
//! `FUZZ_SEED=7 FUZZ_TARGET=report FUZZ_COUNT=100000 cargo nextest run --features test-kill fuzz::` repeats or lengthens a run. An input
//! that fails is written below `target/fuzz-found`; put it into the target's corpus before it is mended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

#[path = "../../fuzz/targets.rs"]
mod targets;

use targets::TARGETS;

/// Mutations of each target in the test command.
const COUNT: u32 = 1500;
/// No input is longer.
const MAX_INPUT: usize = 64 << 10;
/// For one input, on a busy machine, in a debug build.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Pieces that mean something to one of the parsers.
const WORDS: [&str; 34] = [
    "<",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#0;",
    "&#x10FFFF;",
    "&x;",
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE x>",
    "<error>",
    "xmlns=\"x\"",
    "lsid=\"",
    "99999999999999999999",
    "-1",
    "0",
    "\u{feff}",
    "\u{0}",
    "\r\n",
    "null",
    "{",
    "[",
    "\"",
    "1e999",
    "[Europe/Berlin]",
    "+9999999w",
    "2026-03-29T02:30",
    "RRULE:FREQ=SECONDLY",
    "BEGIN:VEVENT",
    "[[steps]]",
    "\\u0000",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// Runs a target, and says which input it was where it fails.
fn run(name: &str, input: &[u8], told: &str) {
    let begun = Instant::now();
    let result = std::panic::catch_unwind(|| targets::run(name, input));
    let slow = begun.elapsed() > MAX_TIME;
    if result.is_ok() && !slow {
        return;
    }
    let folder = root().join("target/fuzz-found");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{}", fastrand::u32(..)));
    std::fs::write(&path, input).unwrap();
    panic!("{name}: {told} {}; the input is {}", if slow { "took too long" } else { "failed" }, path.display());
}

fn mutated(rng: &mut Rng, all: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut input = all[rng.usize(..all.len())].1.clone();
    for _ in 0..rng.u32(1..5) {
        let at = rng.usize(..=input.len());
        let to = (at + rng.usize(..=32)).min(input.len());
        match rng.u8(..8) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            1 => drop(input.drain(at..to)),
            2 => input.truncate(at),
            3 => drop(input.splice(at..at, WORDS[rng.usize(..WORDS.len())].bytes())),
            4 => drop(input.splice(at..to, WORDS[rng.usize(..WORDS.len())].bytes())),
            5 => {
                let piece = input[at..to].to_vec();
                let times = rng.usize(1..40);
                drop(input.splice(at..at, piece.repeat(times)));
            }
            6 => {
                let other = &all[rng.usize(..all.len())].1;
                let from = rng.usize(..=other.len());
                drop(input.splice(at.., other[from..].iter().copied()));
            }
            _ => drop(input.splice(at..at, [rng.u8(..)])),
        }
        input.truncate(MAX_INPUT);
    }
    input
}

fn fuzz(which: impl Fn(usize) -> bool) {
    let (seed, count) = (number("FUZZ_SEED", 1), number("FUZZ_COUNT", u64::from(COUNT)));
    let only = std::env::var("FUZZ_TARGET").ok();
    for (index, (name, _)) in TARGETS.into_iter().enumerate() {
        if !which(index) || only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let all = corpus(name);
        println!("FUZZ_SEED={seed} FUZZ_TARGET={name}: {} inputs, {count} mutations", all.len());
        assert!(all.len() >= 3, "{name} has a corpus of {}", all.len());
        for (path, input) in &all {
            run(name, input, &format!("corpus file {}", path.display()));
        }
        let mut rng = Rng::with_seed(seed);
        for round in 0..count {
            let input = mutated(&mut rng, &all);
            run(name, &input, &format!("seed {seed}, mutation {round},"));
        }
    }
}

#[test]
fn no_parser_panics_or_accepts_nonsense_1() {
    fuzz(|index| index % 2 == 0);
}

#[test]
fn no_parser_panics_or_accepts_nonsense_2() {
    fuzz(|index| index % 2 == 1);
}

#[test]
fn every_target_has_its_file_in_the_fuzz_crate() {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let file = std::fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("\"{name}\"")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
