//! Exhaustive exploration: breadth first over machine × world × faults × crashes × people's words × window edges.
//!
//! Always: no promise is broken, judged on the truth of an abstract pair. Sometimes: each way a run can go is reached. No dead
//! end: from every state an end can be reached. `docs/develop/exploration.md` says what is explored, and how far.

mod engine;
mod key;
mod moves;
mod mutation;
mod oracle;
mod scenario;
mod search;
mod slow_node;
mod sometimes;
mod truth;

use changeover::domain::action::Kind;
use changeover::domain::machine::edges::{self, Edge};
use engine::Taken;
use moves::Change;
use scenario::{Budget, Hands, Scenario, Trouble};
use search::Found;

/// What may go wrong on each path. Apart they take minutes in a debug build, together they would take hours.
const NOTHING: Budget = Budget { faults: 0, crashes: 0, outside: 0, words: 0 };
const FAULTS: Budget = Budget { faults: 1, ..NOTHING };
const CRASHES: Budget = Budget { crashes: 1, ..NOTHING };
const WORDS: Budget = Budget { words: 1, ..NOTHING };
const OUTSIDE: Budget = Budget { outside: 1, ..NOTHING };

/// Acts that are over at once, or never left half done: a run rests at them only if they fail.
const BRIEF: fn(Kind) -> bool = |kind| matches!(kind, Kind::Backup | Kind::ExtractData | Kind::Drain | Kind::SwitchTraffic);
const A_FAULT_AND_A_WORD: Budget = Budget { faults: 1, words: 1, ..NOTHING };
const A_FAULT_AND_A_CRASH: Budget = Budget { faults: 1, crashes: 1, ..NOTHING };

fn explored(scenario: &Scenario) -> Found {
    let found = search::explore(scenario, None);
    println!("{}, {:?}: {} states, {} transitions", scenario.name, scenario.budget, found.states, found.transitions);
    println!("arrows not taken: {}", arrows_not_taken(&found).join("; "));
    let stories: Vec<&String> = found.breaches.values().collect();
    assert!(stories.is_empty(), "{}: {}", scenario.name, stories.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n\n"));
    assert!(found.complete, "{}: more states than the search keeps", scenario.name);
    let dead = found.dead_end.clone().unwrap_or_default();
    assert_eq!(found.dead_ends, 0, "{}: states without a way out: {:#?}\n{dead}", scenario.name, found.dead);
    found
}

/// The machine's arrows that this exploration never took. Told, not judged: `tests/it/machine.rs` asks for each of them to be
/// taken by some test.
fn arrows_not_taken(found: &Found) -> Vec<String> {
    let took =
        |edge: &Edge, taken: &Taken| (taken.phase, taken.event, taken.to) == (edge.from.name(), edge.event, edge.to.name());
    let never = edges::all().into_iter().filter(|edge| !found.taken.iter().any(|taken| took(edge, taken)));
    never.map(|edge| format!("{} --{}--> {}", edge.from.name(), edge.event, edge.to.name())).collect()
}

/// One test a procedure, hands and budget, so that they run beside each other.
macro_rules! explorations {
    ($($name:ident: $procedure:literal, $hands:ident, $budget:ident, $sometimes:expr;)*) => {$(
        #[test]
        fn $name() {
            let scenario = scenario::built_in($procedure, Hands::$hands, $budget);
            sometimes::check(&scenario, &explored(&scenario), $sometimes);
        }
    )*};
}

explorations! {
    role_swap_by_interface_with_a_fault: "role-swap", Interface, FAULTS, sometimes::OF_FAULTS;
    role_swap_by_hand_with_a_fault: "role-swap", Operator, FAULTS, &[];
    in_place_by_interface_with_a_fault: "in-place", Interface, FAULTS, sometimes::OF_FAULTS;
    in_place_by_hand_with_a_fault: "in-place", Operator, FAULTS, &[];
    role_swap_by_interface_with_a_crash: "role-swap", Interface, CRASHES, sometimes::OF_CRASHES;
    role_swap_by_hand_with_a_crash: "role-swap", Operator, CRASHES, sometimes::OF_CRASHES;
    in_place_by_interface_with_a_crash: "in-place", Interface, CRASHES, sometimes::OF_CRASHES;
    in_place_by_hand_with_a_crash: "in-place", Operator, CRASHES, sometimes::OF_CRASHES;
    role_swap_by_interface_with_a_word: "role-swap", Interface, WORDS, sometimes::OF_WORDS;
    role_swap_by_hand_with_a_word: "role-swap", Operator, WORDS, sometimes::OF_WORDS_BY_HAND;
    in_place_by_interface_with_a_word: "in-place", Interface, WORDS, sometimes::OF_WORDS;
    in_place_by_hand_with_a_word: "in-place", Operator, WORDS, sometimes::OF_WORDS_BY_HAND;
}

/// One change on a path, so that two explorations of half the kinds find what one of all kinds does, each in half the time.
const TO_THE_PAIR: fn(Change) -> bool = |change| {
    matches!(change, Change::RolesFlipped | Change::Linked(_) | Change::Unlinked | Change::BothPrimary | Change::NameMoved)
};
const TO_A_NODE: fn(Change) -> bool = |change| !TO_THE_PAIR(change);

fn changed(procedure: &str, changes: fn(Change) -> bool) {
    let scenario = scenario::built_in(procedure, Hands::Interface, OUTSIDE);
    let scenario = Scenario { trouble: Trouble::Changes(changes), ..scenario };
    sometimes::check(&scenario, &explored(&scenario), &[]);
}

#[test]
fn role_swap_by_interface_with_a_change_to_the_pair() {
    changed("role-swap", TO_THE_PAIR);
}

#[test]
fn role_swap_by_interface_with_a_change_to_a_node() {
    changed("role-swap", TO_A_NODE);
}

#[test]
fn in_place_by_interface_with_a_change_to_the_pair() {
    changed("in-place", TO_THE_PAIR);
}

#[test]
fn in_place_by_interface_with_a_change_to_a_node() {
    changed("in-place", TO_A_NODE);
}

/// Acts that set a TTL: where the name's is low already they are over before they begin.
const OF_TTL: fn(Kind) -> bool = |kind| matches!(kind, Kind::LowerTtl | Kind::RestoreTtl);

/// A TTL of an hour, which is lowered, waited for and restored: these acts go wrong, and on top the daemon dies.
#[test]
fn role_swap_by_interface_with_a_ttl_that_must_be_lowered() {
    let scenario = scenario::built_in("role-swap", Hands::Interface, A_FAULT_AND_A_CRASH);
    let scenario = Scenario { trouble: Trouble::Acts(OF_TTL), ttl: scenario::OLD_TTL, ..scenario };
    sometimes::check(&scenario, &explored(&scenario), sometimes::OF_TTLS);
}

#[test]
fn role_swap_by_hand_with_a_ttl_that_must_be_lowered() {
    let scenario = scenario::built_in("role-swap", Hands::Operator, CRASHES);
    let scenario = Scenario { ttl: scenario::OLD_TTL, ..scenario };
    sometimes::check(&scenario, &explored(&scenario), &[]);
}

/// What nobody can order at an act that is over at once can be ordered when it has failed.
fn brief_acts_fail(procedure: &str) {
    let scenario = scenario::built_in(procedure, Hands::Interface, A_FAULT_AND_A_WORD);
    let scenario = Scenario { trouble: Trouble::Acts(BRIEF), ..scenario };
    sometimes::check(&scenario, &explored(&scenario), sometimes::OF_BRIEF_ACTS);
}

#[test]
fn the_way_home_is_taken_from_acts_of_role_swap_that_failed() {
    brief_acts_fail("role-swap");
}

#[test]
fn the_way_home_is_taken_from_acts_of_in_place_that_failed() {
    brief_acts_fail("in-place");
}

/// Acts that cannot be repeated blindly, the only ones that go wrong where a crash comes on top: all of them together would
/// take minutes.
const WEIGHTY: fn(Kind) -> bool =
    |kind| matches!(kind, Kind::BreakFailover | Kind::Update | Kind::SwitchTraffic | Kind::EstablishFailover);

/// An act goes wrong, and the daemon dies before it, during it or at any time after it.
#[test]
fn role_swap_by_interface_with_a_fault_and_a_crash() {
    let scenario = scenario::built_in("role-swap", Hands::Interface, A_FAULT_AND_A_CRASH);
    let scenario = Scenario { trouble: Trouble::Acts(WEIGHTY), ..scenario };
    sometimes::check(&scenario, &explored(&scenario), sometimes::OF_CRASHES);
}
