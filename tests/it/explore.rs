//! Exhaustive exploration: breadth first over machine × world × faults × crashes × operator's words × window edges.

mod engine;
mod key;
mod moves;
mod oracle;
mod scenario;
mod search;
mod truth;

use scenario::{Budget, Hands};

fn run(procedure: &str, hands: Hands) {
    let number = |name: &str, or| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let budget = Budget { faults: number("F", 1), crashes: number("C", 1), outside: number("O", 1), words: number("W", 1) };
    let scenario = scenario::built_in(procedure, hands, budget);
    let begun = std::time::Instant::now();
    let found = search::explore(&scenario, None);
    println!("{}: {} states, {} transitions, {:?}", scenario.name, found.states, found.transitions, begun.elapsed());
    for story in found.breaches.values() {
        println!("{story}\n");
    }
    println!("dead ends: {} {}", found.dead_ends, found.dead_end.clone().unwrap_or_default());
    assert!(found.complete);
    assert!(found.breaches.is_empty() && found.dead_ends == 0);
}

#[test]
fn role_swap_by_interface() {
    run("role-swap", Hands::Interface);
}

#[test]
fn role_swap_by_hand() {
    run("role-swap", Hands::Operator);
}

#[test]
fn in_place_by_interface() {
    run("in-place", Hands::Interface);
}

#[test]
fn in_place_by_hand() {
    run("in-place", Hands::Operator);
}
