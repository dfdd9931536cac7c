use super::*;
use crate::domain::version::Version;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn done(steps: &[Step]) -> Facts {
    done_from("24.1.1", "24.2.1", steps)
}

fn done_from(start: &str, target: &str, steps: &[Step]) -> Facts {
    steps.iter().fold(Facts::ideal(NodeId::A, version(start), version(target)), |facts, step| facts.after(step))
}

fn at(kind: Kind, node: Option<NodeId>) -> Step {
    step(kind, node, When::Window1)
}

fn told(found: &Found) -> Vec<(Goal, Vec<String>)> {
    found.ways.iter().map(|way| (way.goal, way.steps.iter().map(|step| step.id.clone()).collect())).collect()
}

const A: Option<NodeId> = Some(NodeId::A);
const B: Option<NodeId> = Some(NodeId::B);

fn broken() -> Vec<Step> {
    vec![at(Kind::Backup, A), at(Kind::Backup, B), at(Kind::Confirm, None), at(Kind::ForceSync, B), at(Kind::BreakFailover, A)]
}

#[test]
fn before_the_break_the_pair_is_home_already() {
    let found = find(&done(&[]), When::Prepare);
    assert_eq!(told(&found)[0], (Goal::Home, vec!["home.final_check".to_owned()]));
}

#[test]
fn after_the_break_home_is_the_link_from_the_survivor() {
    let found = find(&done(&broken()), When::Window1);
    let (goal, steps) = &told(&found)[0];
    assert_eq!(*goal, Goal::Home);
    assert_eq!(
        steps,
        &["home.quiesce.b", "home.extract_data.b", "home.establish_failover.a", "home.reopen.b", "home.final_check"]
            .map(str::to_owned),
        "{found:#?}"
    );
}

/// BG-50: below 10.6 the sessions that ended on the node that is kept are extracted too before the link.
#[test]
fn bg_50_below_10_6_the_way_home_extracts_both_nodes() {
    let found = find(&done_from("10.5.2", "10.6.1", &broken()), When::Window1);
    let steps = told(&found)[0].1.clone();
    let place = |id: &str| steps.iter().position(|step| step == id).unwrap_or_else(|| panic!("{id}: {steps:?}"));
    assert!(place("home.extract_data.a") < place("home.establish_failover.a"), "{steps:?}");
    assert!(place("home.extract_data.b") < place("home.establish_failover.a"), "{steps:?}");
}

/// R10: the second node is not updated before a person has accepted the version on the first.
#[test]
fn r10_with_one_node_updated_harbour_is_found_and_home_needs_a_person() {
    let steps = [broken(), vec![at(Kind::Update, B), at(Kind::Verify, B)]].concat();
    let found = find(&done(&steps), When::Window1);
    assert_eq!(told(&found)[0], (Goal::Harbour { node: NodeId::A }, vec![]));
    assert!(found.not_home.iter().any(|violation| violation.rule == Rule::R10), "{:#?}", found.not_home);
}

#[test]
fn r7_a_rejected_version_is_left_although_data_stay_behind() {
    let steps =
        [broken(), vec![at(Kind::Update, B), at(Kind::Verify, B), at(Kind::Quiesce, A), at(Kind::ExtractData, A)]].concat();
    let switched = done(&[steps, vec![at(Kind::SwitchTraffic, B)]].concat());
    let accepted = find(&Facts { confirmed: true, soaked: true, ..switched.clone() }, When::Soak);
    assert_eq!(accepted.ways[0].goal, Goal::Home);
    let stays = find(&switched, When::Soak);
    assert_eq!(told(&stays)[0], (Goal::Harbour { node: NodeId::B }, vec![]));
    let rejected = find(&Facts { rejected: true, ..switched }, When::Soak);
    let (goal, steps) = &told(&rejected)[0];
    assert_eq!(*goal, Goal::Harbour { node: NodeId::A });
    let expected =
        ["harbour.reopen.a", "harbour.verify.a", "harbour.switch_traffic.a", "harbour.quiesce.b", "harbour.extract_data.b"];
    assert_eq!(steps, &expected.map(str::to_owned));
    assert_eq!(rejected.ways[0].leaves_behind, Some(NodeId::B));
}

#[test]
fn r8_a_crooked_link_is_broken_before_anything_else() {
    for link in [Link::Half, Link::BothPrimary, Link::Linked { primary: NodeId::B }] {
        let found = find(&Facts { link, ..done(&broken()) }, When::Window1);
        let (goal, steps) = &told(&found)[0];
        assert_eq!(*goal, Goal::Home, "{link:?}");
        assert!(steps[0].starts_with("home.break_failover."), "{link:?}: {steps:?}");
    }
}

/// R2, R7: the serving node fails in its update; the other is proven and takes the service.
#[test]
fn a_failed_update_of_the_serving_node_leads_to_the_other() {
    let mut facts = done(&[broken(), vec![at(Kind::Verify, B)]].concat());
    facts.nodes.a.healthy = false;
    facts.nodes.a.version = Some(version("1.5"));
    let found = find(&facts, When::Window1);
    let (goal, steps) = &told(&found)[0];
    assert_eq!((*goal, &steps[0]), (Goal::Harbour { node: NodeId::B }, &"harbour.switch_traffic.b".to_owned()), "{found:#?}");
}

#[test]
fn with_nobody_able_to_serve_the_promise_is_named() {
    let mut facts = done(&broken());
    for node in NodeId::BOTH {
        facts.nodes[node].known = Known::Unread("no answer".to_owned());
    }
    let found = find(&facts, When::Window1);
    assert!(found.ways.is_empty(), "{found:#?}");
    assert_eq!(found.not_home[0].rule, Rule::R7);
}
