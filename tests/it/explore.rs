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
mod sometimes;
mod truth;

use scenario::{Budget, Hands, Scenario};
use search::Found;

/// What may go wrong on each path. Apart they take minutes in a debug build, together they would take hours.
const FAULTS: Budget = Budget { faults: 1, crashes: 0, outside: 0, words: 0 };
const CRASHES: Budget = Budget { faults: 0, crashes: 1, outside: 0, words: 0 };
const WORDS: Budget = Budget { faults: 0, crashes: 0, outside: 0, words: 1 };
const OUTSIDE: Budget = Budget { faults: 0, crashes: 0, outside: 1, words: 0 };

fn explored(procedure: &str, hands: Hands, budget: Budget) -> (Scenario, Found) {
    let scenario = scenario::built_in(procedure, hands, budget);
    let found = search::explore(&scenario, None);
    println!("{}, {budget:?}: {} states, {} transitions", scenario.name, found.states, found.transitions);
    let stories: Vec<&String> = found.breaches.values().collect();
    assert!(stories.is_empty(), "{}: {}", scenario.name, stories.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n\n"));
    assert!(found.complete, "{}: more states than the search keeps", scenario.name);
    let dead = found.dead_end.clone().unwrap_or_default();
    assert_eq!(found.dead_ends, 0, "{}: states without a way out: {:#?}\n{dead}", scenario.name, found.dead);
    (scenario, found)
}

/// One test a procedure, hands and budget, so that they run beside each other.
macro_rules! explorations {
    ($($name:ident: $procedure:literal, $hands:ident, $budget:ident, $sometimes:expr;)*) => {$(
        #[test]
        fn $name() {
            let (scenario, found) = explored($procedure, Hands::$hands, $budget);
            sometimes::check(&scenario, &found, $sometimes);
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
    role_swap_by_hand_with_a_word: "role-swap", Operator, WORDS, sometimes::OF_WORDS;
    in_place_by_interface_with_a_word: "in-place", Interface, WORDS, sometimes::OF_WORDS;
    in_place_by_hand_with_a_word: "in-place", Operator, WORDS, sometimes::OF_WORDS;
    role_swap_by_interface_with_a_change_from_outside: "role-swap", Interface, OUTSIDE, &[];
    in_place_by_interface_with_a_change_from_outside: "in-place", Interface, OUTSIDE, &[];
}
