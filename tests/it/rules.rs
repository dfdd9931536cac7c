//! Each rule over facts: what it refuses, and what it lets pass.

use changeover::domain::action::{Kind, When};
use changeover::domain::facts::{Facts, Known, Link, SettingsFact, TtlFact, WindowFact};
use changeover::domain::gate::Gate;
use changeover::domain::ids::NodeId;
use changeover::domain::rule::Rule;
use changeover::domain::rules;
use changeover::domain::site::Role;
use changeover::domain::step::Step;

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

/// A change of the facts.
type Change = fn(&mut Facts);

/// A moment of a run, with every promise kept; each case then changes one fact.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before the break.
    Linked,
    /// A role swap, broken: `a` serves, `b` is to be updated.
    Broken,
    /// `b` updated, verified and proven, `a` still serves.
    Ready,
    /// `b` serves, `a` is closed, accepted and soaked, backups and extraction of window two are done.
    Second,
    /// As before, `a` updated, ready to be linked.
    Equal,
}

fn linked() -> Facts {
    let mut facts = Facts::ideal(A, "24.1.1".parse().unwrap(), "24.2.1".parse().unwrap());
    facts.autopilot_off = true;
    facts.fresh_sync = true;
    facts.nodes.a.backed_up = true;
    facts.nodes.b.backed_up = true;
    facts
}

fn step(when: When, kind: Kind, node: Option<NodeId>, gate: Option<Gate>) -> Step {
    Step { id: format!("{}.{kind}", when.as_str()), when, kind, node, gate, hop: 0 }
}

fn facts(moment: Moment) -> Facts {
    let (one, two) = (When::Window1, When::Window2);
    let done = |facts: Facts, when, kind, node| facts.after(&step(when, kind, Some(node), None));
    match moment {
        Moment::Linked => linked(),
        Moment::Broken => done(linked(), one, Kind::BreakFailover, A),
        Moment::Ready => done(done(facts(Moment::Broken), one, Kind::Update, B), one, Kind::Verify, B),
        Moment::Second => {
            let mut facts = done(done(facts(Moment::Ready), one, Kind::Quiesce, A), one, Kind::SwitchTraffic, B);
            facts = facts.entering(two);
            (facts.autopilot_off, facts.confirmed, facts.soaked) = (true, true, true);
            facts.nodes.a.backed_up = true;
            facts.nodes.b.backed_up = true;
            done(facts, two, Kind::ExtractData, A)
        }
        Moment::Equal => {
            let facts = done(done(facts(Moment::Second), two, Kind::Update, A), two, Kind::Verify, A);
            done(facts, two, Kind::ExtractData, A)
        }
    }
}

struct Case {
    moment: Moment,
    when: When,
    kind: Kind,
    node: Option<NodeId>,
    /// What is wrong, and the rule that must say so; `None` where it must pass.
    change: Change,
    rule: Option<Rule>,
}

const fn refused(rule: Rule, moment: Moment, when: When, kind: Kind, node: Option<NodeId>, change: Change) -> Case {
    Case { moment, when, kind, node, change, rule: Some(rule) }
}

const fn passes(moment: Moment, when: When, kind: Kind, node: Option<NodeId>, change: Change) -> Case {
    Case { moment, when, kind, node, change, rule: None }
}

use Kind::{
    Backup, BreakFailover, Drain, EstablishFailover, FinalCheck, ForceSync, Quiesce, Reopen, Soak, SwitchTraffic, Update,
};
use Moment::{Broken, Equal, Linked, Ready, Second};
use When::{Finish, Prepare, Window1 as W1, Window2 as W2};

const REMEMBERED: TtlFact = TtlFact::Remembered { until: jiff::Timestamp::MAX };

fn same(_: &mut Facts) {}

fn unread(facts: &mut Facts, node: NodeId) {
    facts.nodes[node].known = Known::Unread("no answer".to_owned());
}

fn unreleased(facts: &mut Facts) {
    facts.unrehearsed = Some("the release has expired".to_owned());
}

const CASES: &[Case] = &[
    // The acts of a role swap, everything in order.
    passes(Linked, W1, ForceSync, Some(B), same),
    passes(Linked, W1, BreakFailover, Some(A), same),
    passes(Broken, W1, Update, Some(B), same),
    passes(Ready, W1, Quiesce, Some(A), same),
    passes(Ready, W1, SwitchTraffic, Some(B), same),
    passes(Second, W2, Update, Some(A), same),
    passes(Equal, W2, EstablishFailover, Some(B), same),
    // R1
    refused(Rule::R1, Linked, W1, BreakFailover, Some(A), |f| f.fresh_sync = false),
    passes(Linked, W1, ForceSync, Some(B), |f| f.fresh_sync = false),
    // R2
    refused(Rule::R2, Broken, W1, Update, Some(B), |f| f.nodes.a.healthy = false),
    refused(Rule::R2, Broken, W1, Update, Some(B), |f| f.nodes.a.denied = true),
    refused(Rule::R2, Broken, W1, Update, Some(B), |f| f.nodes.a.closed = true),
    refused(Rule::R2, Broken, W1, Update, Some(B), |f| f.serving = None),
    refused(Rule::R2, Broken, W1, Update, Some(A), same),
    refused(Rule::R2, Ready, W1, Quiesce, Some(A), |f| f.nodes.b.proven = false),
    refused(Rule::R2, Ready, W1, Quiesce, Some(A), |f| f.nodes.b.healthy = false),
    refused(Rule::R2, Ready, W1, Quiesce, Some(A), |f| f.nodes.b.denied = true),
    refused(Rule::R2, Second, W2, Quiesce, Some(B), same),
    passes(Second, W2, Update, Some(A), |f| f.nodes.b.healthy = false),
    passes(Ready, W1, Drain, Some(A), |f| f.nodes.b.healthy = false),
    // R3
    refused(Rule::R3, Linked, W1, BreakFailover, Some(A), |f| f.window = WindowFact::TooShort),
    refused(Rule::R3, Linked, W1, BreakFailover, Some(A), |f| f.window = WindowFact::NotYet),
    refused(Rule::R3, Linked, W1, ForceSync, Some(B), |f| f.window = WindowFact::NotYet),
    refused(Rule::R3, Ready, W1, SwitchTraffic, Some(B), |f| f.window = WindowFact::TooShort),
    refused(Rule::R3, Second, W2, Update, Some(A), |f| f.window = WindowFact::TooShort),
    refused(Rule::R3, Linked, Prepare, BreakFailover, Some(A), |_| {}),
    refused(Rule::R3, Second, When::Soak, Update, Some(A), |_| {}),
    passes(Second, When::Soak, Quiesce, Some(A), |f| f.ordered = true),
    passes(Ready, W1, Drain, Some(A), |f| f.window = WindowFact::TooShort),
    passes(Linked, Prepare, Backup, Some(A), |f| f.window = WindowFact::NotYet),
    passes(Ready, W1, SwitchTraffic, Some(B), |f| (f.window, f.ordered) = (WindowFact::TooShort, true)),
    // R4
    refused(Rule::R4, Broken, W1, Update, Some(B), |f| f.nodes.b.backed_up = false),
    refused(Rule::R4, Second, W2, Update, Some(A), |f| f.nodes.a.backed_up = false),
    refused(Rule::R4, Equal, W2, EstablishFailover, Some(B), |f| f.nodes.b.backed_up = false),
    passes(Broken, W1, Update, Some(B), |f| f.nodes.a.backed_up = false),
    // R5
    refused(Rule::R5, Broken, W1, Update, Some(B), |f| f.nodes.b.version = Some("24.2.1".parse().unwrap())),
    refused(Rule::R5, Broken, W1, Update, Some(B), |f| f.nodes.b.version = Some("23.3.4".parse().unwrap())),
    refused(Rule::R5, Broken, W1, Update, Some(B), |f| f.nodes.b.version = None),
    refused(Rule::R5, Broken, W1, Update, Some(B), |f| f.target = "24.1.1".parse().unwrap()),
    refused(Rule::R5, Broken, W1, Update, Some(B), |f| f.target = "23.1".parse().unwrap()),
    // R6
    refused(Rule::R6, Equal, W2, EstablishFailover, Some(B), |f| f.nodes.a.version = Some("24.1.1".parse().unwrap())),
    refused(Rule::R6, Equal, W2, EstablishFailover, Some(B), |f| f.nodes.a.version = None),
    refused(Rule::R6, Equal, W2, EstablishFailover, Some(B), |f| {
        (f.nodes.a.build, f.nodes.b.build) = (Some("1".to_owned()), Some("2".to_owned()));
    }),
    passes(Equal, W2, EstablishFailover, Some(B), |f| f.nodes.a.build = Some("1".to_owned())),
    // R7
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.proven = false),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.verified = false),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.healthy = false),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.denied = true),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.version = Some("24.2.2".parse().unwrap())),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.nodes.b.role = Some(Role::Standby)),
    refused(Rule::R7, Second, W2, SwitchTraffic, Some(A), same),
    // R7: what caches remember.
    refused(Rule::R7, Linked, W1, ForceSync, Some(B), |f| f.ttl = REMEMBERED),
    refused(Rule::R7, Ready, W1, Drain, Some(A), |f| f.ttl = REMEMBERED),
    refused(Rule::R7, Ready, W1, Quiesce, Some(A), |f| f.ttl = REMEMBERED),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.ttl = REMEMBERED),
    refused(Rule::R7, Ready, W1, SwitchTraffic, Some(B), |f| f.ttl = TtlFact::Raised),
    refused(Rule::R7, Linked, W1, ForceSync, Some(B), |f| f.ttl = TtlFact::Raised),
    passes(Ready, W1, SwitchTraffic, Some(B), |f| f.ttl = TtlFact::Low),
    passes(Ready, W1, SwitchTraffic, Some(B), |f| (f.ttl, f.ordered) = (REMEMBERED, true)),
    passes(Ready, W1, SwitchTraffic, Some(B), |f| (f.ttl, f.ordered) = (TtlFact::Raised, true)),
    passes(Ready, W1, SwitchTraffic, Some(B), |f| (f.ttl, f.nodes.a.closed) = (REMEMBERED, true)),
    passes(Broken, W1, Update, Some(B), |f| f.ttl = REMEMBERED),
    passes(Linked, W1, BreakFailover, Some(A), |f| f.ttl = REMEMBERED),
    // R8
    refused(Rule::R8, Equal, W2, EstablishFailover, Some(A), same),
    refused(Rule::R8, Linked, W1, ForceSync, Some(B), |f| f.link = Link::Linked { primary: B }),
    // R9
    refused(Rule::R9, Equal, W2, EstablishFailover, Some(B), |f| f.nodes.a.closed = false),
    refused(Rule::R9, Equal, W2, EstablishFailover, Some(B), |f| f.nodes.a.extracted = false),
    refused(Rule::R9, Equal, W2, EstablishFailover, Some(B), |f| f.settings = SettingsFact::Open),
    passes(Equal, W2, EstablishFailover, Some(B), |f| f.settings = SettingsFact::Settled),
    // R10
    refused(Rule::R10, Second, W2, Update, Some(A), |f| f.confirmed = false),
    refused(Rule::R10, Second, W2, Update, Some(A), |f| f.soaked = false),
    refused(Rule::R10, Second, W2, Backup, Some(A), |f| f.confirmed = false),
    refused(Rule::R10, Equal, Finish, FinalCheck, None, |f| f.confirmed = false),
    passes(Second, W2, Reopen, Some(A), |f| (f.confirmed, f.ordered) = (false, true)),
    // R11
    refused(Rule::R11, Linked, W1, BreakFailover, Some(A), unreleased),
    refused(Rule::R11, Broken, W1, Update, Some(B), unreleased),
    refused(Rule::R11, Second, W2, Update, Some(A), unreleased),
    passes(Equal, W2, EstablishFailover, Some(B), unreleased),
    passes(Ready, W1, SwitchTraffic, Some(B), unreleased),
    passes(Second, W2, Update, Some(A), |f| (f.unrehearsed, f.ordered) = (Some("expired".to_owned()), true)),
    // R13
    refused(Rule::R13, Linked, W1, BreakFailover, Some(A), |f| unread(f, B)),
    refused(Rule::R13, Linked, W1, ForceSync, Some(B), |f| unread(f, A)),
    refused(Rule::R13, Broken, W1, Update, Some(B), |f| unread(f, A)),
    refused(Rule::R13, Equal, W2, EstablishFailover, Some(B), |f| unread(f, A)),
    refused(Rule::R13, Linked, Prepare, Backup, Some(A), |f| f.nodes.a.known = Known::WrongBox("x".to_owned())),
    refused(Rule::R13, Broken, W1, Update, Some(B), |f| f.nodes.a.known = Known::WrongBox("x".to_owned())),
    passes(Linked, Prepare, Backup, Some(A), |f| unread(f, B)),
    // R15
    refused(Rule::R15, Broken, W1, Update, Some(B), |f| f.link = Link::Half),
    refused(Rule::R15, Broken, W1, Update, Some(B), |f| f.link = Link::Unknown),
    refused(Rule::R15, Broken, W1, Update, Some(B), |f| f.link = Link::Linked { primary: A }),
    refused(Rule::R15, Broken, W1, Update, Some(B), |f| f.link = Link::BothPrimary),
    refused(Rule::R15, Broken, W1, Update, Some(B), |f| f.link = Link::BothStandby),
    refused(Rule::R15, Linked, W1, Update, Some(B), same),
    // R16
    refused(Rule::R16, Second, When::Soak, Soak, None, |f| f.nodes.a.stray = true),
    passes(Second, When::Soak, Soak, None, |f| f.nodes.b.stray = true),
    // R17
    refused(Rule::R17, Linked, W1, ForceSync, Some(B), |f| f.autopilot_off = false),
    refused(Rule::R17, Linked, W1, BreakFailover, Some(A), |f| f.autopilot_off = false),
    refused(Rule::R17, Equal, W2, EstablishFailover, Some(B), |f| f.autopilot_off = false),
    refused(Rule::R17, Linked, W1, BreakFailover, Some(A), |f| f.link = Link::Linked { primary: B }),
    refused(Rule::R17, Linked, W1, BreakFailover, Some(A), |f| f.link = Link::Broken),
    refused(Rule::R17, Linked, W1, BreakFailover, Some(A), |f| f.link = Link::Half),
    refused(Rule::R17, Equal, W2, EstablishFailover, Some(B), |f| f.link = Link::Half),
    refused(Rule::R17, Equal, W2, EstablishFailover, Some(B), |f| f.link = Link::Linked { primary: B }),
    refused(Rule::R17, Equal, W2, EstablishFailover, Some(B), |f| f.link = Link::Unknown),
];

fn judged(case: &Case) -> Vec<rules::Violation> {
    let mut facts = facts(case.moment);
    (case.change)(&mut facts);
    rules::violations(&step(case.when, case.kind, case.node, None), &facts)
}

#[test]
fn each_rule_refuses_what_breaks_it_and_nothing_else() {
    for (number, case) in CASES.iter().enumerate() {
        let found = judged(case);
        let what = format!("case {number}: {:?} {} on {:?}: {found:?}", case.moment, case.kind, case.node);
        match case.rule {
            Some(rule) => assert!(found.iter().any(|violation| violation.rule == rule), "{rule} is silent; {what}"),
            None => assert!(found.is_empty(), "{what}"),
        }
    }
}

/// Every message says what was expected and what was found, and never the same.
#[test]
fn every_refusal_names_expected_and_found() {
    for violation in CASES.iter().flat_map(judged) {
        assert!(violation.expected.len() > 3 && violation.found.len() > 3, "{violation:?}");
        assert_ne!(violation.expected, violation.found, "{violation:?}");
    }
}

#[test]
fn every_rule_with_a_function_has_cases() {
    use Rule::{R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R13, R15, R16, R17};
    for rule in [R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R13, R15, R16, R17] {
        assert!(CASES.iter().any(|case| case.rule == Some(rule)), "{rule}");
    }
}

/// R16 also at the gate, which a step with a gate stands for.
#[test]
fn r16_the_gate_is_not_accepted_over_stray_sessions() {
    let gate = step(When::Soak, Kind::Confirm, None, Some(Gate::Production));
    let mut facts = facts(Moment::Second);
    assert!(rules::violations(&gate, &facts).is_empty());
    facts.nodes.a.stray = true;
    assert_eq!(rules::violations(&gate, &facts)[0].rule, Rule::R16);
}
