//! A switch of traffic is bounded: within its limit it ends as exactly one of switched, not switched, in doubt. And resolvers: what
//! their caches explain is said, what nothing explains is awaited up to the limit and then told by name.

use changeover::domain::action::Kind;
use changeover::domain::alert;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Baseline, Event, Evidence};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Run;
use changeover::domain::site::{ResolverAnswer, TrafficAnswer, TrafficLook};
use changeover::domain::world::World;
use changeover::engine::api::Fleet as _;
use jiff::{SignedDuration, Timestamp};

use crate::api::fake::Fake;
use crate::doubt;

const A: Option<NodeId> = Some(NodeId::A);
const B: Option<NodeId> = Some(NodeId::B);
const STEP: &str = "window-1.switch_traffic.b";
/// The limit of `switch_traffic` where the policy sets none. It counts from the answer, which is recorded a minute after the order.
const LIMIT: SignedDuration = SignedDuration::from_mins(30);

/// A run whose switch was ordered and then answered so.
fn answered(answer: Event) -> (Fake, RunId, Run) {
    answered_from(A, answer)
}

/// The same, with where the names led when it was ordered.
fn answered_from(traffic: Option<NodeId>, answer: Event) -> (Fake, RunId, Run) {
    let fake = Fake::default();
    let id = fake.run_at(STEP);
    let baseline = Baseline { traffic, ..Baseline::default() };
    fake.push(&id, Event::StepBegun { attempt: 1, baseline });
    fake.push(&id, answer);
    let mut run = (*fake.run(&id).unwrap().run).clone();
    let later = || changeover::domain::window::Window::parse("2026-12-22T01:00:00Z +12h", crate::api::fake::START).unwrap();
    (run.windows.first, run.windows.second) = (None, Some(later()));
    (fake, id, run)
}

fn accepted() -> Event {
    Event::ActAccepted {}
}

fn doubted() -> Event {
    Event::Doubted { message: "no answer came".to_owned() }
}

/// What the servers say, and perhaps a resolver with the time it has left, from a second after the order until `after` it.
fn seen(run: &Run, after: SignedDuration, servers: [Option<NodeId>; 2], resolver: Option<(NodeId, u32)>) -> World {
    let ordered = run.act.as_ref().unwrap().since;
    let times = [ordered + SignedDuration::from_secs(1), ordered + after - SignedDuration::from_secs(1), ordered + after];
    let mut world = doubt::world(run, &times, false);
    for at in times {
        world.traffic.take(vec![Ok(look(run, at, servers, resolver))]);
    }
    world
}

fn look(run: &Run, at: Timestamp, servers: [Option<NodeId>; 2], resolver: Option<(NodeId, u32)>) -> TrafficLook {
    let name = run.plan.service.clone();
    let answer = |(number, target): (usize, Option<NodeId>)| {
        let found = target.map_or_else(|| "no answer".to_owned(), |node| format!("the address of {node}"));
        TrafficAnswer { server: format!("ns{}", number + 1), name: name.clone(), target, ttl: Some(60), found, untold: false }
    };
    let resolved = resolver.map(|(node, left)| ResolverAnswer {
        server: "192.0.2.1:53".to_owned(),
        name: name.clone(),
        target: Some(node),
        ttl_left: Some(left),
        found: format!("the address of {node}"),
    });
    let answers = servers.into_iter().enumerate().map(answer).collect();
    TrafficLook { resolvers: resolved.into_iter().collect(), ..TrafficLook::new(at, answers) }
}

/// What is decided, in one word, and what it says.
fn end(run: &Run, world: &World) -> (&'static str, String) {
    match decide(run, world) {
        Next::Rest { .. } => ("awaited", String::new()),
        Next::Record { event: Event::StepDone { evidence: Evidence::Seen { found, .. }, .. }, .. } => ("switched", found),
        Next::Record { event: Event::StepBegun { .. }, .. } => ("again", String::new()),
        Next::Record { event: Event::Held { message, .. }, .. } => ("not switched", message),
        Next::Record { event: Event::Doubted { message }, .. } => ("in doubt", message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_switch_ends_within_its_limit_as_one_of_three() {
    let (soon, late) = (SignedDuration::from_mins(20), LIMIT + SignedDuration::from_secs(62));
    let (all_b, all_a, half, lost) = ([B, B], [A, A], [B, A], [None, None]);
    // The answer, when it is looked, what the servers say, the end.
    let cases = [
        (accepted(), soon, all_b, "switched"),
        (accepted(), soon, all_a, "awaited"),
        (accepted(), soon, half, "awaited"),
        (accepted(), soon, lost, "awaited"),
        (accepted(), late, all_b, "switched"),
        (accepted(), late, all_a, "in doubt"),
        (accepted(), late, half, "in doubt"),
        (accepted(), late, lost, "in doubt"),
        // Lost after the effect, lost before it.
        (doubted(), soon, all_b, "switched"),
        (doubted(), soon, all_a, "again"),
        (doubted(), soon, half, "awaited"),
        (doubted(), soon, lost, "awaited"),
        (doubted(), late, all_b, "switched"),
    ];
    for (answer, after, servers, expected) in cases {
        let (_, _, run) = answered(answer.clone());
        assert_eq!((run.step().unwrap().kind, run.plan.limit(Kind::SwitchTraffic)), (Kind::SwitchTraffic, LIMIT));
        let (word, said) = end(&run, &seen(&run, after, servers, None));
        assert_eq!(word, expected, "{answer:?}, {after:#}, {servers:?}: {said}");
    }
}

/// Ordered while a server was silent or the names were split: what can't be told now either proves nothing.
#[test]
fn names_that_could_not_be_told_before_the_order_prove_nothing() {
    let late = LIMIT + SignedDuration::from_mins(2);
    for servers in [[B, None], [None, None], [B, A]] {
        let (_, _, run) = answered_from(None, doubted());
        assert_eq!(end(&run, &seen(&run, late, servers, None)).0, "awaited", "{servers:?}: it stays in doubt");
        let (fake, id, template) = answered_from(None, accepted());
        fake.push(&id, Event::Doubted { message: "not seen within the limit of `switch_traffic`".to_owned() });
        let mut run = (*fake.run(&id).unwrap().run).clone();
        run.windows = template.windows;
        assert_eq!(end(&run, &seen(&run, late, servers, None)).0, "awaited", "{servers:?}: it stays in doubt");
    }
    let (_, _, run) = answered_from(None, doubted());
    assert_eq!(end(&run, &seen(&run, late, [A, A], None)).0, "again", "every server leads to where it did");
    assert_eq!(end(&run, &seen(&run, late, [B, B], None)).0, "switched");
}

/// A server that takes the order and moves nothing is not asked for ever: nothing has moved, and the run is held with that.
#[test]
fn what_was_accepted_and_never_came_is_not_ordered_again_by_itself() {
    let (fake, id, _) = answered(accepted());
    fake.push(&id, Event::Doubted { message: "not seen within the limit of `switch_traffic`".to_owned() });
    let (_, _, template) = answered(accepted());
    let mut run = (*fake.run(&id).unwrap().run).clone();
    run.windows = template.windows;
    let (word, said) = end(&run, &seen(&run, LIMIT + SignedDuration::from_mins(2), [A, A], None));
    assert_eq!(word, "not switched", "{said}");
    assert!(said.contains("nothing has moved") && said.contains("ns2 says the address of a"), "{said}");
    // Half of it has moved: that is a doubt, whatever time passes.
    assert_eq!(end(&run, &seen(&run, LIMIT + SignedDuration::from_mins(2), [A, B], None)).0, "awaited");
}

#[test]
fn a_cache_is_told_and_what_nothing_explains_is_awaited_up_to_the_limit_and_then_named() {
    let (soon, late) = (SignedDuration::from_secs(31), LIMIT + SignedDuration::from_secs(62));
    for answer in [accepted(), doubted()] {
        let (_, _, run) = answered(answer);
        let at = |after, resolver| end(&run, &seen(&run, after, [B, B], resolver));
        assert_eq!(at(soon, Some((NodeId::B, 9999))).0, "switched");
        let (word, said) = at(soon, Some((NodeId::A, 30)));
        assert_eq!(word, "switched");
        assert!(
            said.contains("resolver 192.0.2.1:53 still says the address of a for 30 s more") && !said.contains("not explain"),
            "{said}"
        );
        assert_eq!(at(soon, Some((NodeId::A, 3500))).0, "awaited");
        let (word, said) = at(late, Some((NodeId::A, 1700)));
        assert_eq!(word, "switched");
        assert!(
            said.contains(
                "resolver 192.0.2.1:53 still says the address of a for 1700 s more, which the record's TTL does not explain"
            ),
            "{said}"
        );
        // A resolver proves nothing, however new what it says: every server must have moved.
        assert_ne!(end(&run, &seen(&run, soon, [B, A], Some((NodeId::B, 60)))).0, "switched");
    }
}

/// Never silently: the alert of the switch is a warning and names the resolver.
#[test]
fn the_alert_names_a_resolver_that_nothing_explains() {
    let late = LIMIT + SignedDuration::from_secs(62);
    for (resolver, severity) in [((NodeId::A, 1700), "warning"), ((NodeId::B, 60), "info")] {
        let (fake, id, run) = answered(accepted());
        let Next::Record { event, .. } = decide(&run, &seen(&run, late, [B, B], Some(resolver))) else { panic!() };
        let before = fake.run(&id).unwrap().run;
        fake.push(&id, event.clone());
        let after = fake.run(&id).unwrap().run;
        let record = fake.journal(&id, 0).unwrap().pop().unwrap();
        let alerts = alert::of(&before, &after, &record, &event);
        let told: Vec<_> = alerts.iter().filter(|alert| alert.kind == "traffic_switched").collect();
        let [told] = told.as_slice() else { panic!("{alerts:?}") };
        let text = serde_json::to_string(told).unwrap();
        assert!(text.contains(&format!("\"severity\":\"{severity}\"")), "{text}");
        assert_eq!(text.contains("192.0.2.1:53"), severity == "warning", "{text}");
    }
}
