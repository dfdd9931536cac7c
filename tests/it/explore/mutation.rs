//! Each rule broken on purpose: the exploration must find its promise broken, and nothing while the rule is on.
//!
//! Where a built-in procedure never lets a rule become decisive, a procedure that no proof would let through is explored.
#![cfg(feature = "test-mutation")]

use changeover::domain::action::{Kind, When};
use changeover::domain::gate::Gate;
use changeover::domain::ids::NodeId;
use changeover::domain::rule::Rule;
use changeover::domain::rules::mutation;
use changeover::domain::step::Step;

use super::scenario::{self, Budget, Hands, Scenario};
use super::{FAULTS, NOTHING, OUTSIDE, search};

/// What is done to a step of the built-in procedure; none: it is left out.
type Change = fn(Step) -> Option<Step>;

struct Mutant {
    rule: Rule,
    /// The oracle's name for the promise.
    promise: &'static str,
    procedure: &'static str,
    budget: Budget,
    /// How the procedure is crippled, in words and in fact.
    without: Option<(&'static str, Change)>,
}

const fn built_in(rule: Rule, promise: &'static str, procedure: &'static str, budget: Budget) -> Mutant {
    Mutant { rule, promise, procedure, budget, without: None }
}

const fn crippled(rule: Rule, promise: &'static str, how: &'static str, change: Change) -> Mutant {
    Mutant { rule, promise, procedure: "role-swap", budget: NOTHING, without: Some((how, change)) }
}

fn drop_kind(step: Step, kind: Kind) -> Option<Step> {
    Some(step).filter(|step| step.kind != kind)
}

const MUTANTS: &[Mutant] = &[
    crippled(Rule::R1, "R1", "without `force_sync`", |step| drop_kind(step, Kind::ForceSync)),
    built_in(Rule::R2, "R2", "role-swap", FAULTS),
    built_in(Rule::R3, "R3", "role-swap", NOTHING),
    crippled(Rule::R4, "R4", "without `backup`", |step| drop_kind(step, Kind::Backup)),
    built_in(Rule::R5, "R5", "in-place", OUTSIDE),
    crippled(Rule::R6, "R6", "without the second `update`", |step| {
        Some(step).filter(|step| step.kind != Kind::Update || step.when != When::Window2)
    }),
    built_in(Rule::R7, "R7", "role-swap", FAULTS),
    crippled(Rule::R8, "R8", "`establish_failover` from the node that traffic left", |step| {
        let node = if step.kind == Kind::EstablishFailover { Some(NodeId::A) } else { step.node };
        Some(Step { node, ..step })
    }),
    crippled(Rule::R9, "R9", "without `extract_data`", |step| drop_kind(step, Kind::ExtractData)),
    crippled(Rule::R10, "R10", "without the gate `production` and the soak", |step| {
        Some(step).filter(|step| step.gate != Some(Gate::Production) && step.kind != Kind::Soak)
    }),
    built_in(Rule::R13, "R13", "role-swap", FAULTS),
    crippled(Rule::R15, "R15", "without `break_failover`", |step| drop_kind(step, Kind::BreakFailover)),
    built_in(Rule::R16, "R16", "in-place", OUTSIDE),
    crippled(Rule::R17, "R17", "without the gate `automatic_failover_off`", |step| {
        Some(step).filter(|step| step.gate != Some(Gate::AutomaticFailoverOff))
    }),
];

fn scenario(mutant: &Mutant) -> Scenario {
    match mutant.without {
        Some((_, change)) => scenario::crippled(mutant.procedure, mutant.budget, change),
        None => scenario::built_in(mutant.procedure, Hands::Interface, mutant.budget),
    }
}

/// The built-in ones with their rules on are the explorations above.
#[test]
fn crippled_procedures_break_nothing_while_the_rules_are_on() {
    for mutant in MUTANTS.iter().filter(|mutant| mutant.without.is_some()) {
        let found = search::explore(&scenario(mutant), None);
        assert!(found.breaches.is_empty(), "{:?}: {:?}", mutant.rule, found.breaches);
    }
}

#[test]
fn each_rule_that_is_off_is_missed() {
    let mut unfound = Vec::new();
    for mutant in MUTANTS {
        let found = mutation::without(mutant.rule, || search::explore(&scenario(mutant), Some(mutant.promise)));
        println!("{} off: {} states until its promise was found broken", mutant.rule, found.states);
        if !found.breaches.contains_key(mutant.promise) {
            unfound.push(format!("{} off: found {:?} in {} states", mutant.rule, found.breaches.keys(), found.states));
        }
    }
    assert!(unfound.is_empty(), "{unfound:#?}");
}

const BEGIN: &str = "<!-- generated from tests/it/explore/mutation.rs; CHANGEOVER_ACCEPT=1 rewrites it -->";
const END: &str = "<!-- end -->";

#[test]
fn the_page_shows_the_table_of_mutations() {
    let path = crate::tokens::root().join("docs/develop/exploration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the marker before the table");
    let (_, tail) = rest.split_once(END).expect("the marker behind the table");
    let wanted = format!("{head}{BEGIN}\n\n{}\n\n{END}{tail}", table());
    if page == wanted {
        return;
    }
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    assert_eq!(page, wanted, "docs/develop/exploration.md is not what the test has; CHANGEOVER_ACCEPT=1 rewrites it");
}

fn table() -> String {
    let mut lines =
        vec!["| rule | explored while it is off | broken promise found |".to_owned(), "| --- | --- | --- |".to_owned()];
    for mutant in MUTANTS {
        let explored = match mutant.without {
            Some((how, _)) => format!("`{}` {how}", mutant.procedure),
            None if mutant.budget == FAULTS => format!("`{}`, one fault", mutant.procedure),
            None if mutant.budget == OUTSIDE => format!("`{}`, one change from outside", mutant.procedure),
            None => format!("`{}`, time alone", mutant.procedure),
        };
        lines.push(format!("| {} `{}` | {explored} | {} |", mutant.promise, mutant.rule.name(), mutant.promise));
    }
    lines.join("\n")
}
