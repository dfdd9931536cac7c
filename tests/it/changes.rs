//! Out-of-band changes between and during steps: whatever somebody does at the boxes or to the name, at every step where a run
//! stands, it is noticed, named and held, and nothing disruptive is done by us afterwards.

use changeover::domain::action::Kind;
use changeover::domain::alert;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Baseline, Event, Notice};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::machine;
use changeover::domain::procedure::Procedure;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{Observation, Role};
use changeover::domain::surprise;
use changeover::domain::version::Target;
use changeover::domain::world::World as Readings;
use changeover::engine::api::{Fleet as _, Snapshot};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::{SwapRole, World};
use jiff::{SignedDuration, Timestamp};

use crate::api::fake::Fake;
use crate::stage::{PROCEDURES, Setting, Stage, end};

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

/// A change that nobody planned. `None`: it can't be made as the world stands.
struct Change {
    name: &'static str,
    make: fn(&mut World, &Run) -> Option<()>,
    /// The holds of which one must be met, and what an alert must say.
    codes: &'static [&'static str],
    says: &'static str,
}

fn linked(world: &World) -> bool {
    NodeId::BOTH.into_iter().all(|node| world.node(node).role != Role::Standalone)
}

fn version(world: &mut World, node: NodeId, version: &str, build: Option<&str>) -> Option<()> {
    let target = Target { version: version.parse().unwrap(), build: build.map(str::to_owned) };
    world.update(node, Some(target)).ok()
}

const CHANGES: &[Change] = &[
    Change {
        name: "roles flipped",
        make: |world, _| world.swap_roles(B, SwapRole::Primary, false).ok(),
        codes: &["role_conflict"],
        says: "linked, node `b` primary",
    },
    Change {
        name: "link broken",
        make: |world, run| {
            let asked = run.is_at(Kind::BreakFailover);
            if asked { None } else { world.break_failover(A).ok() }
        },
        codes: &["out_of_band"],
        says: "no relationship on either node",
    },
    Change {
        name: "linked again",
        make: |world, run| {
            let asked = run.is_at(Kind::EstablishFailover);
            if linked(world) || asked { None } else { world.establish_failover(run.survivor).ok() }
        },
        codes: &["role_conflict"],
        says: "break it now unless it was you",
    },
    Change {
        name: "linked the wrong way round",
        make: |world, run| if linked(world) { None } else { world.establish_failover(run.survivor.other()).ok() },
        // While the link comes about, the serving node is standby for a moment.
        codes: &["role_conflict", "one_at_a_time"],
        says: "overwrites node",
    },
    Change {
        name: "both primary",
        make: |world, _| {
            if linked(world) {
                return None;
            }
            world.plan_fault(Planned::for_ever(Fault::EstablishHalf));
            world.establish_failover(A).ok()?;
            world.establish_failover(B).ok()
        },
        codes: &["role_conflict"],
        says: "both nodes primary",
    },
    Change {
        name: "another version on a",
        make: |world, _| version(world, A, "24.3.9", None),
        // A box that restarts is first met as one that does not answer.
        codes: &["out_of_band", "wrong_version", "known_box", "drain_limit"],
        says: "24.3.9",
    },
    Change {
        name: "another version on b",
        make: |world, _| version(world, B, "24.3.9", None),
        // A box that restarts is first met as one that does not answer.
        codes: &["out_of_band", "wrong_version", "known_box", "drain_limit"],
        says: "24.3.9",
    },
    Change {
        name: "another build on b",
        make: |world, _| {
            let now = world.node(B).version.as_str().to_owned();
            version(world, B, &now, Some("9-foreign"))
        },
        codes: &["out_of_band", "wrong_version", "known_box", "drain_limit"],
        says: "9-foreign",
    },
    Change {
        name: "the name moved",
        make: |world, run| {
            let asked = run.is_at(Kind::SwitchTraffic);
            let to = run.serving().other();
            (!asked).then(|| world.set_leads_to(Some(to)))
        },
        // Whichever of the two is judged first: R2 knows that the node to be updated would be serving.
        codes: &["out_of_band", "one_at_a_time"],
        says: "leading to node",
    },
];

/// Where a run of this procedure stands for a while when every act waits for a person.
fn places(procedure: &str) -> Vec<String> {
    let steps = Procedure::built_in(procedure).unwrap().resolve(A);
    let stays = |kind: Kind| {
        matches!(
            kind,
            Kind::Confirm
                | Kind::ForceSync
                | Kind::BreakFailover
                | Kind::Update
                | Kind::Drain
                | Kind::Quiesce
                | Kind::Soak
                | Kind::EstablishFailover
        )
    };
    // Checklists are answered on this stage as soon as they open.
    let asked = |gate: Option<Gate>| gate.is_none_or(|gate| !gate.is_checklist());
    steps.into_iter().filter(|step| stays(step.kind) && asked(step.gate)).map(|step| step.id).collect()
}

async fn stage_at(procedure: &str, place: &str) -> (Stage, RunId) {
    let setting =
        Setting { first: "now +40h".to_owned(), second: "2026-11-25T01:00:00Z +60h".to_owned(), ..Setting::by_operator() };
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    stage.until_step(&id, place).await;
    // Until it waits for a person, a gate or time.
    stage.pass(SignedDuration::from_mins(3)).await;
    (stage, id)
}

/// Whether somebody is told: by an alert, or, for what shows only later, by the status.
fn is_told(stage: &Stage, id: &RunId, says: &str) -> bool {
    let alert = stage.journal.outbox.lock().unwrap().iter().any(|item| item.document.contains(says));
    let Snapshot { run, world, .. } = stage.fleet.run(id).unwrap();
    alert || surprise::differences(&run, &world).iter().any(|line| line.contains(says))
}

async fn is_noticed(procedure: &str, place: &str, change: &Change) -> bool {
    let case = format!("{procedure} at {place}: {}", change.name);
    let (stage, id) = stage_at(procedure, place).await;
    let run = stage.run(&id);
    if (change.make)(&mut stage.site.current(), &run).is_none() {
        return false;
    }
    let acts = stage.truth().acts.len();
    let held = stage.within(&id, SignedDuration::from_hours(3), |run| run.hold().is_some()).await;
    let run = held.unwrap_or_else(|run| panic!("{case}: not held, {:?}\n{}", run.phase, stage.story(&id)));
    let code = run.hold().unwrap().code.clone();
    assert!(change.codes.contains(&code.as_str()), "{case}: {code}\n{}", stage.story(&id));
    stage.pass(SignedDuration::from_hours(2)).await;
    assert!(is_told(&stage, &id, change.says), "{case}: nothing says `{}`\n{}", change.says, stage.story(&id));
    // The run does nothing more, and a resumption that comes without anything having been mended does nothing disruptive.
    let _ = stage.resume(&id).await;
    let _ = stage.within(&id, SignedDuration::from_hours(1), |run| end(run).is_some()).await;
    assert_eq!(stage.truth().acts.len(), acts, "{case}\n{}", stage.story(&id));
    true
}

async fn all(procedure: &str) {
    let mut met = vec![0; CHANGES.len()];
    for place in places(procedure) {
        for (change, met) in CHANGES.iter().zip(&mut met) {
            *met += u32::from(is_noticed(procedure, &place, change).await);
        }
    }
    for (change, met) in CHANGES.iter().zip(met) {
        assert!(met > 0, "{procedure}: `{}` could never be made", change.name);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_changed_out_of_band_in_place_is_noticed_named_and_held() {
    all(PROCEDURES[0]).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_is_changed_out_of_band_in_a_role_swap_is_noticed_named_and_held() {
    all(PROCEDURES[1]).await;
}

/// A world in which both nodes were read as this role from `since` on, every half minute until `now`.
fn read_as(run: &Run, roles: [Role; 2], since: Timestamp, now: Timestamp) -> Readings {
    let mut world = Readings::new(now, true, SignedDuration::ZERO);
    let mut at = since;
    while at <= now {
        for node in NodeId::BOTH {
            let Target { version, build } = run.expected_version(node);
            let observation = Observation {
                at,
                identity: run.plan.nodes[node].identity.clone(),
                version,
                build,
                role: roles[node.index()],
                healthy: true,
                updating: false,
                last_sync: None,
                users: None,
                sessions: None,
                as_of: Some(at),
                may_be_old: SignedDuration::ZERO,
                clock_skew: None,
                takes_clients: None,
                certificate_until: None,
                licence_until: None,
                shared_ips: None,
                at_work: Vec::new(),
            };
            world.readings[node].take(Ok(observation), at);
        }
        at += SignedDuration::from_secs(30);
    }
    world
}

/// Two standbys are the middle of a change of roles for two minutes, whatever the step; then nobody serves, and a person is
/// called. No word makes it good.
#[test]
fn both_standby_is_awaited_for_a_moment_and_then_held() {
    for step in ["prepare.backup.a", "window-1.confirm", "window-1.force_sync.b", "window-1.break_failover.a", "soak.confirm"] {
        let fake = Fake::default();
        let id = fake.run_at(step);
        let run = fake.run(&id).unwrap().run;
        let (since, standby) = (run.last_at + SignedDuration::from_mins(10), [Role::Standby; 2]);
        let later = |secs: i64| since + SignedDuration::from_secs(secs);
        let rest = Next::Rest { until: Some(since + surprise::BOTH_STANDBY_LIMIT) };
        assert_eq!(decide(&run, &read_as(&run, standby, since, later(90))), rest, "{step}");
        let next = decide(&run, &read_as(&run, standby, since, later(120)));
        let Next::Record { event: event @ Event::Held { .. }, why } = &next else { panic!("{step}: {next:?}") };
        assert!(matches!(event, Event::Held { code, .. } if code == "both_standby"), "{step}: {event:?}");
        assert!(why.contains("nobody serves"), "{step}: {why}");
        let (held, _) = machine::next(&run, event, later(120)).unwrap();
        assert!(alert::hint_of("both_standby", &held).contains("make node `"), "{step}");
        let (resumed, _) =
            machine::next(&held, &Event::Resumed { first: None, second: None, responsible: None }, later(180)).unwrap();
        let again = decide(&resumed, &read_as(&run, standby, since, later(180)));
        assert!(
            matches!(&again, Next::Record { event: Event::Held { code, .. }, .. } if code == "both_standby"),
            "{step}: {again:?}"
        );
    }
}

/// Two primaries are told while an act is on its way, once, and that it is over.
#[test]
fn both_primary_is_told_at_once_while_an_act_is_on_its_way() {
    let fake = Fake::default();
    let id = fake.run_at("window-1.update.b");
    fake.push(&id, Event::StepBegun { attempt: 1, baseline: Baseline::default() });
    let run = fake.run(&id).unwrap().run;
    assert_eq!(run.phase, Phase::Acting);
    let now = run.last_at + SignedDuration::from_mins(10);
    let next = decide(&run, &read_as(&run, [Role::Primary; 2], now, now));
    let Next::Record { event, .. } = next else { panic!("{next:?}") };
    assert!(matches!(event, Event::Noticed { notice: Notice::RoleConflict, raised: true, .. }), "{event:?}");
    let (told, _) = machine::next(&run, &event, now).unwrap();
    assert_eq!(decide(&told, &read_as(&run, [Role::Primary; 2], now, now)), Next::Rest { until: None });
    let next = decide(&told, &read_as(&run, [Role::Standalone; 2], now, now));
    let Next::Record { event, .. } = next else { panic!("{next:?}") };
    assert!(matches!(event, Event::Noticed { notice: Notice::RoleConflict, raised: false, .. }), "{event:?}");
    assert!(alert::hint_of("role_conflict", &told).contains("docs/guides/both-primary.md"));
}
