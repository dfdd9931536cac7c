//! The slow node that comes back: node a, which serves, falls silent while traffic is about to be taken from it, and returns at
//! any later moment, also restarted and open again, while old DNS answers still lead clients to it.
//!
//! Judged by the promises of all explorations: closed before anything else is done with it, never taken for serving, and what was
//! written on it taken before its data are overwritten (R9, R16).

use changeover::domain::action::Kind;
use changeover::domain::ids::NodeId;

use super::engine::State;
use super::explored;
use super::scenario::{self, Budget, Hands, Mark, PRIMARY, Scenario, Trouble};
use super::truth::Health;

/// Once silent; to harbour, and from there home.
const SILENT_ONCE: Budget = Budget { faults: 1, crashes: 0, outside: 0, words: 2 };

const TAKES_TRAFFIC: fn(Kind) -> bool = |kind| matches!(kind, Kind::Drain | Kind::Quiesce | Kind::SwitchTraffic);

/// What must have been seen, or the exploration proves nothing of it.
const SEEN: &[Mark] = &[
    ("the name leads to node b, node a is silent", |state| moved(state) && health(state) == Health::Silent),
    ("node a is back, open, and clients write there", |state| moved(state) && stray(state)),
    ("node a is back and open where the plan's own way goes on", |state| moved(state) && stray(state) && state.run.way.is_none()),
    ("node a is back and open where the run lies at harbour", |state| stray(state) && harbour(state)),
    ("node a is closed again on the way home, with data of its own", |state| {
        moved(state) && state.run.way.is_some() && state.truth.now.nodes[PRIMARY].closed && state.truth.now.nodes[PRIMARY].unsaved
    }),
    ("linked from node b by the plan", |state| linked(state) && state.run.way.is_none()),
    ("linked from node b on the way home", |state| linked(state) && state.run.way.is_some()),
];

fn moved(state: &State) -> bool {
    state.truth.name == Some(PRIMARY.other()) && state.left.faults == 0
}

fn health(state: &State) -> Health {
    state.truth.now.nodes[PRIMARY].health
}

fn stray(state: &State) -> bool {
    let a = &state.truth.now.nodes[PRIMARY];
    a.health == Health::Well && !a.closed && a.unsaved && state.truth.cached == Some(NodeId::A)
}

fn harbour(state: &State) -> bool {
    state.run.hold().is_some_and(|hold| hold.code == "harbour")
}

fn linked(state: &State) -> bool {
    moved(state) && state.truth.primary() == Some(PRIMARY.other())
}

fn comes_back(hands: Hands) {
    let scenario = scenario::built_in("role-swap", hands, SILENT_ONCE);
    let scenario = Scenario { trouble: Trouble::Silence(PRIMARY, TAKES_TRAFFIC), marks: SEEN, ..scenario };
    let found = explored(&scenario);
    let never: Vec<_> = SEEN.iter().map(|(what, _)| *what).filter(|what| !found.marks.contains(what)).collect();
    assert!(never.is_empty(), "{}: never seen: {never:#?}", scenario.name);
    for end in ["Finished(Succeeded)", "Finished(Aborted)", "harbour"] {
        assert!(found.ends.contains(end), "{}: never ended {end}: {:?}", scenario.name, found.ends);
    }
}

#[test]
fn r9_r16_a_slow_node_comes_back_after_traffic_was_taken_from_it() {
    comes_back(Hands::Interface);
}
