//! The service gap of a role swap, seen by a client that resolves and connects every 50 ms, and what part of it is ours.
//!
//! `cargo bench --bench gap [-- SWAPS [CALLS]]` (default: 30 swaps, some fifteen minutes, five pairs at a time, and 10 calls a second for
//! the pair's API account, as `[accounts]` has it by default). Needs `nsupdate` and `curl`.
//!
//! **The scene.** The simulated pair over TLS at 127.0.1.1 and 127.0.1.2, keeping health answers for a minute as the vendor's boxes do;
//! its zone at 127.0.1.53 with a TTL of 1 s; the real daemon, a process of its own with its store, in the middle of a `role-swap`. The
//! client asks through a resolver of its own that remembers an answer for its TTL and no longer, makes a new TLS connection to the
//! address, asks for the site page, and notes which node gave it, or why none did.
//!
//! **The time.** Everything before the swap (backups, sync, break, an update of half an hour) runs 600 times faster. Then the daemon is
//! ended, and started anew on the machine's clock, as is the pair's: from there on a second is a second, also for kept answers and for
//! the waits between looks, which are ours and would shrink to nothing in faster time. The clock that goes faster runs behind the
//! machine's and meets it at the change, so that neither jumps.
//!
//! **The gap** is from the last site page of the node left to the first of the node that serves next. What it consists of:
//!
//! - *until proven*: a person closes the node left, as the run asks; the run sees that it takes no client and has no session, in a
//!   reading that can't be from before the order. Three kinds of people: one closes it within seconds of being asked, when answers
//!   may still be older than the order; one takes more than a minute, and then only the wait between looks is left; one does too,
//!   and says so at once with `changeover confirm RUN node_closed`, which the run takes for a proof;
//! - *extraction*: what was written on the node left is fetched, before anybody writes on the other. It is a step of the procedure: who
//!   swaps by hand and leaves it out has a shorter gap, and lost records;
//! - *decision*: from the extraction's record to the moment at which the zone has the new address;
//! - *caches*: from there to the client's first page; up to the TTL, and up to 50 ms for the client's own beat.
//!
//! The first three are ours. **By hand**: the same pair, zone and client after the daemon's swap, no daemon any more; a shell script
//! closes the serving node with `curl` and moves the name with `nsupdate`, at once and without looking. Nothing is quicker that closes
//! first, so the difference of the medians is what the run adds.

mod by_hand;
mod client;
mod clock;
mod daemon;
mod figures;
mod person;
mod stage;

use self::figures::{Gap, Swap};
use self::person::Person;
use self::stage::Stage;

const SWAPS: usize = 30;
/// The default of `calls_per_second` in `[accounts]`.
const CALLS: usize = 10;
/// More would compete for the machine's cores: each has a client that makes 20 connections a second.
const AT_ONCE: usize = 5;
/// Swaps by hand on each pair, after the daemon's.
const BY_HAND: usize = 2;

fn main() {
    let mut wanted = std::env::args().filter_map(|argument| argument.parse().ok());
    let (swaps, calls) = (wanted.next().unwrap_or(SWAPS), wanted.next().unwrap_or(CALLS));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
    let numbers: Vec<usize> = (0..swaps).collect();
    for group in numbers.chunks(AT_ONCE) {
        let played = std::thread::scope(|scope| {
            let threads: Vec<_> = group.iter().map(|number| scope.spawn(|| play(*number, calls, runtime.handle()))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a swap")).collect::<Vec<_>>()
        });
        for (swap, others) in played {
            println!("{swap}");
            ours.push(swap);
            by_hand.extend(others);
        }
    }
    figures::report(&ours, &by_hand);
}

/// One swap by the daemon, then some by hand on the same pair.
fn play(number: usize, calls: usize, runtime: &tokio::runtime::Handle) -> (Swap, Vec<Gap>) {
    let person = Person::ALL[number % Person::ALL.len()];
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut stage = Stage::new(runtime, number as u64, calls);
    let swap = stage.swap(person, &mut random);
    let others = (0..BY_HAND).map(|_| by_hand::swap(&stage, &mut random)).collect();
    (swap, others)
}
