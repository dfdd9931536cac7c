//! In doubt: for every kind of act the status says what is read, from when on "not done" may be concluded, and both
//! continuations; and that is what is then decided.

use std::sync::Arc;

use changeover::domain::action::{Kind, Repeat, TABLE};
use changeover::domain::decide::{Next, decide};
use changeover::domain::doubt::{self, Doubt};
use changeover::domain::event::{Baseline, Event, Evidence, NameTtl};
use changeover::domain::ids::NodeId;
use changeover::domain::run::{Lowered, Run};
use changeover::domain::site::{Observation, Role, SyncFact, TrafficAnswer, TrafficLook};
use changeover::domain::window::Window;
use changeover::domain::world::World;
use changeover::engine::api::Fleet as _;
use jiff::{SignedDuration, Timestamp};

use crate::api::fake::{Fake, START};

struct Case {
    step: &'static str,
    reads: &'static str,
    if_done: &'static str,
    /// `{from}` is the moment from which on "not done" may be concluded.
    if_not: &'static str,
    /// How long after the intent, and after the doubt, that is; the later counts. `None`: never.
    not_done_after: Option<(i64, i64)>,
}

const CASES: &[Case] = &[
    Case {
        step: "prepare.backup.a",
        reads: "nothing: only its files would show it, and they were not handed over",
        if_done: "that can't be seen; the step is done and `prepare.backup.b` follows",
        if_not: "from {from} on it is asked for again, into a folder of its own; after 6 tries the run is held",
        not_done_after: Some((0, 5)),
    },
    Case {
        step: "window-1.force_sync.b",
        reads: "time and status of the last sync on node `a`, the primary",
        if_done: "a good sync newer than that of 2026-11-22T01:00:00Z is shown in two readings; the step is done and `window-1.break_failover.a` follows",
        if_not: "from {from} on another one is asked for if the pair is still linked and shows no new sync; after 6 tries the run is held",
        not_done_after: Some((300, 5)),
    },
    Case {
        step: "window-1.break_failover.a",
        reads: "the roles of both nodes",
        if_done: "no relationship on either node; the step is done and `window-1.update.b` follows",
        if_not: "from {from} on it is ordered again if both nodes still show the link and every promise holds; one of the two alone holds the run after its limit (30m, from the order to its proof; the default, `policy.limits.break_failover` sets another); after 6 tries the run is held",
        not_done_after: Some((60, 5)),
    },
    Case {
        step: "window-1.update.b",
        reads: "version, build and health of node `b`; while it updates it is silent",
        if_done: "node `b` is healthy on 24.2.1 in two readings; the step is done and `window-1.verify.b` follows",
        if_not: "it is never sent again without a person: see at the box whether it is under way; if certainly not, `changeover resume support-1` orders it again",
        not_done_after: None,
    },
    Case {
        step: "window-1.drain.a",
        reads: "users and sessions of node `a`",
        if_done: "node `a` has no users and no sessions; the step is done and `window-1.quiesce.a` follows",
        if_not: "from {from} on it is ordered again if a reading younger than the doubt does not show it; after 6 tries the run is held",
        not_done_after: Some((0, 60)),
    },
    Case {
        step: "window-1.quiesce.a",
        reads: "whether node `a` takes clients, and its sessions",
        if_done: "node `a` takes no client and has no session; the step is done and `window-1.extract_data.a` follows",
        if_not: "from {from} on it is ordered again if a reading younger than the doubt does not show it; after 6 tries the run is held",
        not_done_after: Some((0, 60)),
    },
    Case {
        step: "window-1.extract_data.a",
        reads: "nothing: only its files would show it, and they were not handed over",
        if_done: "that can't be seen; the step is done and `window-1.switch_traffic.b` follows",
        if_not: "from {from} on it is asked for again, into a folder of its own; after 6 tries the run is held",
        not_done_after: Some((0, 5)),
    },
    Case {
        step: "window-1.switch_traffic.b",
        reads: "where every server leads `support.example.com`",
        if_done: "every server leads to node `b`; the step is done and `soak.confirm` follows",
        if_not: "from {from} on it is ordered again if every server still leads to where it did; after 6 tries the run is held",
        not_done_after: Some((300, 5)),
    },
    Case {
        step: "window-2.establish_failover.b",
        reads: "the roles of both nodes",
        if_done: "linked, node `b` primary, then a first good sync, awaited for 1h, for the link, and once more for its first sync; the default, `policy.limits.establish_failover` sets another; the vendor names no time for a sync, it grows with the data; the step is done and `finish.final_check` follows",
        if_not: "from {from} on it is ordered again if both nodes still show none and every promise holds; one of the two alone holds the run after its limit (1h, for the link, and once more for its first sync; the default, `policy.limits.establish_failover` sets another; the vendor names no time for a sync, it grows with the data); after 6 tries the run is held",
        not_done_after: Some((300, 5)),
    },
    Case {
        step: "prepare.lower_ttl",
        reads: "with which TTL every server gives out `support.example.com`",
        if_done: "every server gives out a TTL of at most 1m; the step is done and `window-1.check_sync` follows",
        if_not: "from {from} on it is ordered again if some name still has its TTL of before on all its servers; after 6 tries the run is held",
        not_done_after: Some((300, 5)),
    },
    Case {
        step: "finish.restore_ttl",
        reads: "with which TTL every server gives out `support.example.com`",
        if_done: "every server gives out the old TTL, or one that somebody has set since; the step is done and `window-1.check_sync` follows",
        if_not: "from {from} on it is ordered again if some name still has its TTL of before on all its servers; after 6 tries the run is held",
        not_done_after: Some((300, 5)),
    },
    Case {
        step: "switch-back.reopen.a",
        reads: "whether node `a` takes clients",
        if_done: "node `a` takes clients; the step is done and `switch-back.verify.a` follows",
        if_not: "from {from} on it is ordered again if a reading younger than the doubt does not show it; after 6 tries the run is held",
        not_done_after: Some((0, 60)),
    },
];

fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

/// A run whose act at this step was ordered and then, a minute later, in doubt.
fn doubtful(step: &str) -> Run {
    let fake = Fake::default();
    let id = if step.starts_with("switch-back") {
        let id = fake.run_at("soak.confirm");
        fake.push(&id, Event::SwitchBackOrdered { note: "too slow".to_owned() });
        id
    } else {
        // The short procedure has no step that sets a TTL: one of its others makes way for it.
        fake.run_at(match step {
            "prepare.lower_ttl" | "finish.restore_ttl" => "prepare.backup.b",
            step => step,
        })
    };
    let sync = SyncFact { at: START, ok: Some(true), status: Some("success".to_owned()) };
    let baseline = Baseline { sync: Some(sync), first_sync: None, traffic: Some(NodeId::A), ..Baseline::default() };
    fake.push(&id, Event::StepBegun { attempt: 1, baseline });
    fake.push(&id, Event::Doubted { message: "no answer came".to_owned() });
    let mut run = (*fake.run(&id).unwrap().run).clone();
    // The fake's clock knows no windows; but failover is broken only with the second one booked.
    let later = || Window::parse("2026-12-22T01:00:00Z +12h", START).unwrap();
    (run.windows.first, run.windows.second) = (None, step.starts_with("window-1").then(later));
    set_ttl(&mut run, step);
    run
}

/// The step's act sets the TTL from an hour, or back to it.
fn set_ttl(run: &mut Run, step: &str) {
    let kind = match step {
        "prepare.lower_ttl" => Kind::LowerTtl,
        "finish.restore_ttl" => Kind::RestoreTtl,
        _ => return,
    };
    let here = run.position().unwrap();
    let known = &mut Arc::make_mut(&mut Arc::make_mut(&mut run.plan).steps)[here];
    (known.id, known.kind, known.node) = (step.to_owned(), kind, None);
    let before = vec![NameTtl { entry: 0, name: run.plan.service.clone(), ttl: OLD_TTL }];
    run.act.as_mut().unwrap().baseline.ttl.clone_from(&before);
    run.ttl = Some(Lowered { before, ..Lowered::default() });
}

const OLD_TTL: u32 = 3600;

/// What a server says where the act of the step had its effect, or had none.
fn ttl(kind: Kind, done: bool) -> Option<u32> {
    match kind {
        Kind::LowerTtl => Some(if done { 60 } else { OLD_TTL }),
        Kind::RestoreTtl => Some(if done { OLD_TTL } else { 60 }),
        _ => None,
    }
}

/// Both boxes as they are where the act had its effect, or had none.
fn observation(run: &Run, node: NodeId, at: Timestamp, done: bool) -> Observation {
    let step = run.step().unwrap();
    let here = step.node == Some(node);
    let (kind, now) = (step.kind, run.expected_version(node));
    let linked = match kind {
        Kind::BreakFailover => !done,
        Kind::EstablishFailover => done,
        _ => run.unprotected_since().is_none(),
    };
    let primary = if kind == Kind::EstablishFailover { run.survivor } else { run.plan.primary };
    let role = if node == primary { Role::Primary } else { Role::Standby };
    let new_sync = done && matches!(kind, Kind::ForceSync | Kind::EstablishFailover);
    let synced = if new_sync { run.act.as_ref().unwrap().since + secs(2) } else { START };
    let closed = run.nodes[node].closed_at.is_some();
    let takes = match kind {
        Kind::Quiesce if here => !done,
        Kind::Reopen if here => done,
        _ => !closed,
    };
    let busy = here && !done && matches!(kind, Kind::Drain | Kind::Quiesce);
    Observation {
        at,
        identity: run.plan.nodes[node].identity.clone(),
        version: if kind == Kind::Update && here && done { run.plan.to.version.clone() } else { now.version },
        build: None,
        role: if linked { role } else { Role::Standalone },
        healthy: true,
        updating: false,
        last_sync: Some(SyncFact { at: synced, ok: Some(true), status: Some("success".to_owned()) }),
        users: Some(u32::from(busy)),
        sessions: Some(u32::from(busy)),
        as_of: None,
        may_be_old: secs(60),
        clock_skew: None,
        takes_clients: Some(takes),
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

/// What was read at these moments, the last of which is now.
pub fn world(run: &Run, at: &[Timestamp], done: bool) -> World {
    let mut world = World::new(*at.last().unwrap(), true, secs(300));
    let moving = run.step().unwrap().kind == Kind::SwitchTraffic;
    let target = if moving && done { NodeId::B } else { run.serving() };
    for &at in at {
        for node in NodeId::BOTH {
            world.readings[node].take(Ok(observation(run, node, at, done)), at);
        }
        let (server, name) = ("ns1".to_owned(), run.plan.service.clone());
        let answer = TrafficAnswer {
            server,
            name,
            target: Some(target),
            ttl: ttl(run.step().unwrap().kind, done),
            found: String::new(),
            untold: false,
        };
        world.traffic.take(vec![Ok(TrafficLook::new(at, vec![answer]))]);
    }
    world
}

/// The doubt, when the act was ordered, when the doubt arose.
fn told(run: &Run) -> (Doubt, Timestamp, Timestamp) {
    let ordered = run.act.as_ref().unwrap().since;
    let world = world(run, &[ordered - secs(2), ordered - secs(1)], false);
    let doubt = doubt::of(run, &world).unwrap();
    let since = doubt.since;
    (doubt, ordered, since)
}

#[test]
fn every_act_in_doubt_says_what_is_read_and_what_follows() {
    for case in CASES {
        let run = doubtful(case.step);
        let (doubt, ordered, since) = told(&run);
        let from = case.not_done_after.map(|(act, doubt)| (ordered + secs(act)).max(since + secs(doubt)));
        assert_eq!(doubt.not_done_from, from, "{}", case.step);
        let if_not = case.if_not.replace("{from}", &from.map(|from| from.to_string()).unwrap_or_default());
        let found = (doubt.reads.as_str(), doubt.if_done.as_str(), doubt.if_not.as_str());
        assert_eq!(found, (case.reads, case.if_done, if_not.as_str()), "{}", case.step);
        assert_eq!(doubt.message, "no answer came");
    }
    let acting = TABLE.iter().filter(|row| row.repeat != Repeat::Look).map(|row| row.kind);
    for kind in acting {
        assert!(CASES.iter().any(|case| case.step.split('.').nth(1) == Some(kind.name())), "{kind} has no case");
    }
}

/// Each continuation as it was told: proven by readings younger than the order; ordered again, but not a moment earlier than
/// told; an update never.
#[test]
fn what_is_told_is_what_is_decided() {
    for case in CASES {
        let run = doubtful(case.step);
        let (doubt, _, since) = told(&run);
        let kind = run.step().unwrap().kind;
        let later = doubt.not_done_from.unwrap_or(since + secs(4 * 3600)).max(since) + secs(70);
        let next = decide(&run, &world(&run, &[since + secs(1), later], true));
        let files = matches!(kind, Kind::Backup | Kind::ExtractData);
        let done = matches!(&next, Next::Record { event: Event::StepDone { .. }, .. });
        assert_eq!(done, !files, "{}: {next:?}", case.step);
        let next = decide(&run, &world(&run, &[since + secs(1), later], false));
        match doubt.not_done_from {
            Some(from) => {
                let again = matches!(&next, Next::Record { event: Event::StepBegun { attempt: 2, .. }, .. });
                assert!(again, "{}: {next:?}", case.step);
                let early = [since + secs(1), from - secs(1)];
                let next = decide(&run, &world(&run, &early, false));
                assert!(matches!(next, Next::Rest { .. }), "{} a second early: {next:?}", case.step);
            }
            None => assert_eq!(next, Next::Rest { until: None }, "{}", case.step),
        }
    }
}

/// While nothing can be read nothing is concluded, however long.
#[test]
fn a_doubt_is_never_resolved_by_silence() {
    for case in CASES.iter().filter(|case| !case.reads.starts_with("nothing")) {
        let run = doubtful(case.step);
        let since = told(&run).2;
        let mut world = world(&run, &[since + secs(1)], false);
        for minutes in 1..600 {
            world.now = since + SignedDuration::from_mins(minutes);
            for node in NodeId::BOTH {
                world.readings[node].take(Err("no answer".to_owned()), world.now);
            }
            world.traffic.take(vec![Err("no answer".to_owned())]);
            let next = decide(&run, &world);
            let acts = matches!(&next, Next::Record { event: Event::StepBegun { .. } | Event::StepDone { .. }, .. });
            assert!(!acts, "{} after {minutes} min: {next:?}", case.step);
        }
    }
}

/// What the file evidence looks like plays no part: the words are for people.
#[test]
fn a_run_that_is_not_in_doubt_has_none() {
    let fake = Fake::default();
    let id = fake.run_at("window-1.update.b");
    let snapshot = fake.run(&id).unwrap();
    assert_eq!(doubt::of(&snapshot.run, &snapshot.world), None);
    fake.push(&id, Event::StepDone { evidence: Evidence::seen("so"), already: false });
    assert_eq!(doubt::of(&fake.run(&id).unwrap().run, &snapshot.world), None);
}
