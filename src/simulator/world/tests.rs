//! What the world does, order by order.

use super::*;
use crate::simulator::files::{self, Search};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn start() -> Timestamp {
    "2026-11-22T01:00:00Z".parse().unwrap()
}

fn options(from: &str) -> WorldOptions {
    WorldOptions::new(start(), from.parse().unwrap(), "24.2.1".parse().unwrap())
}

fn world() -> World {
    World::new(options("24.1.1"))
}

fn after(world: &mut World, time: SignedDuration) {
    world.advance(world.now() + time);
}

fn events(world: &World, what: &str) -> usize {
    world.truth().events.iter().filter(|event| event.what == what).count()
}

/// Breaks the link; `b` runs on its own from then on.
fn broken(mut world: World) -> World {
    world.sync_now(NodeId::B).unwrap();
    after(&mut world, MINUTE);
    world.break_failover(NodeId::A).unwrap();
    after(&mut world, MINUTE);
    world
}

fn status(world: &World) -> String {
    format!("{:#?}", world.truth())
}

#[test]
fn users_work_where_the_name_leads() {
    let mut world = world();
    after(&mut world, HOUR * 4);
    let truth = world.truth();
    assert!((8..=60).contains(&truth.sessions.created), "three users, four hours: {}", truth.sessions.created);
    assert!(truth.sessions.records.iter().all(|record| record.created_on == NodeId::A && record.lsid.len() == 32));
    assert_eq!((truth.nodes.a.users, truth.nodes.b.users, truth.sessions.interrupted), (3, 0, 0));
    assert_eq!(truth.service_gaps, []);
}

#[test]
fn the_same_seed_gives_the_same_history_however_time_is_cut() {
    for seed in 1..=5 {
        let make = || World::new(WorldOptions { seed, ..options("24.1.1") });
        let (mut whole, mut cut) = (make(), make());
        after(&mut whole, HOUR * 9);
        let mut rng = fastrand::Rng::with_seed(seed);
        while cut.now() < whole.now() {
            let step = SignedDuration::from_millis(rng.i64(1..600_000));
            cut.advance((cut.now() + step).min(whole.now()));
        }
        assert_eq!(whole.truth(), cut.truth(), "seed {seed}");
        let mut other = World::new(WorldOptions { seed: seed + 100, ..options("24.1.1") });
        after(&mut other, HOUR * 9);
        assert_ne!(whole.truth().sessions, other.truth().sessions, "seed {seed}");
    }
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut world = world();
    after(&mut world, HOUR);
    let before = world.truth();
    world.advance(start());
    assert_eq!(world.truth(), before);
}

#[test]
fn an_automatic_sync_copies_every_five_minutes() {
    let mut world = world();
    world.change_settings(NodeId::A).unwrap();
    after(&mut world, HOUR * 2);
    assert_eq!(events(&world, "synced"), 24);
    let truth = world.truth();
    assert_eq!(truth.nodes.b.settings_revision, 2);
    let settled =
        truth.sessions.records.iter().filter(|record| record.end.is_some_and(|end| truth.now.duration_since(end) > MINUTE * 6));
    assert!(settled.clone().count() > 0 && settled.clone().all(|record| record.on == NodeId::BOTH), "{}", status(&world));
    assert!(truth.nodes.a.last_sync.is_some() && truth.nodes.b.last_sync.is_none(), "facts on the primary only");
}

#[test]
fn sync_now_takes_some_forty_seconds_and_moves_the_time() {
    let mut world = world();
    after(&mut world, MINUTE);
    let asked = world.now();
    world.sync_now(NodeId::B).unwrap();
    after(&mut world, SignedDuration::from_secs(34));
    assert!(world.node(NodeId::A).last_sync.as_ref().unwrap().at < asked);
    after(&mut world, SignedDuration::from_secs(12));
    let sync = world.node(NodeId::A).last_sync.clone().unwrap();
    assert!(sync.at > asked && sync.status == "success", "{sync:?}");
}

#[test]
fn a_sync_asked_for_during_another_runs_after_it() {
    let mut world = world();
    world.sync_now(NodeId::B).unwrap();
    world.sync_now(NodeId::B).unwrap();
    after(&mut world, SignedDuration::from_secs(100));
    assert_eq!(events(&world, "synced"), 2);
}

#[test]
fn a_break_leaves_both_standalone_and_without_sync_facts() {
    let world = broken(world());
    for node in NodeId::BOTH {
        assert_eq!((world.node(node).role, world.node(node).last_sync.clone()), (Role::Standalone, None));
        assert!(world.takes_clients(node));
    }
    let truth = world.truth();
    assert_eq!((truth.linked, truth.service_gaps), (false, vec![]));
}

#[test]
fn bg_02_an_update_ends_sessions_and_silences_the_box() {
    let mut world = broken(world());
    while world.facts(NodeId::A).unwrap().sessions == 0 {
        after(&mut world, MINUTE);
    }
    let open = u64::from(world.facts(NodeId::A).unwrap().sessions);
    world.update(NodeId::A, None).unwrap();
    assert_eq!(world.facts(NodeId::A), None);
    assert_eq!(world.sync_now(NodeId::A), Err(Refusal::Silent(NodeId::A)));
    assert_eq!((world.truth().sessions.interrupted, world.serving()), (open, None));
    after(&mut world, MINUTE * 19);
    assert!(!world.answers(NodeId::A));
    after(&mut world, MINUTE * 22);
    let facts = world.facts(NodeId::A).unwrap();
    assert_eq!((facts.version.as_str(), facts.build), ("24.2.1", build_of(&"24.2.1".parse().unwrap())));
    let truth = world.truth();
    assert_eq!(truth.nodes.a.users, 3, "they come back");
    assert_eq!((truth.nodes.a.updates.len(), truth.service_gaps.len(), truth.broken_promises), (1, 1, vec![]));
    let minutes = truth.longest_gap_ms / 60_000;
    assert!((20..=40).contains(&minutes), "{minutes} min");
}

#[test]
fn an_update_while_linked_is_done_and_written_down() {
    let mut world = world();
    world.update(NodeId::A, None).unwrap();
    after(&mut world, HOUR);
    let truth = world.truth();
    let promises: Vec<&str> = truth.broken_promises.iter().map(|entry| &entry.note[..3]).collect();
    assert_eq!((truth.nodes.a.version.as_str(), promises), ("24.2.1", vec!["R15", "R2:"]));
    assert!(events(&world, "version-mismatch") > 0);
}

#[test]
fn bg_02_users_leave_a_draining_node_in_their_time() {
    let mut world = broken(world());
    after(&mut world, HOUR);
    world.drain(NodeId::A).unwrap();
    after(&mut world, MINUTE * 17);
    assert_eq!((world.facts(NodeId::A).unwrap().users, world.truth().sessions.interrupted), (0, 0));
    after(&mut world, HOUR);
    assert_eq!(world.facts(NodeId::A).unwrap().users, 0, "and stay away");
    world.set_leads_to(Some(NodeId::B));
    after(&mut world, MINUTE);
    assert_eq!(world.facts(NodeId::B).unwrap().users, 3);
    assert_eq!(world.truth().service_gaps, []);
}

#[test]
fn a_closed_node_lets_nobody_in_until_it_is_opened() {
    let mut world = world();
    after(&mut world, HOUR);
    world.close(NodeId::A).unwrap();
    let records = |world: &World| world.truth().sessions.created;
    let before = records(&world);
    after(&mut world, HOUR);
    assert_eq!((world.facts(NodeId::A).unwrap().users, records(&world)), (0, before));
    assert_eq!(world.truth().longest_gap_ms, 3_600_000);
    world.open(NodeId::A).unwrap();
    after(&mut world, MINUTE);
    assert_eq!(world.facts(NodeId::A).unwrap().users, 3);
}

/// Both sides get settings and sessions of their own, then `primary` establishes.
fn relinked(from: &str, primary: NodeId) -> World {
    let mut world = broken(World::new(options(from)));
    world.change_settings(NodeId::A).unwrap();
    after(&mut world, HOUR * 3);
    world.set_leads_to(Some(NodeId::B));
    world.change_settings(NodeId::B).unwrap();
    after(&mut world, HOUR * 3);
    world.set_users(0);
    world.establish_failover(primary).unwrap();
    after(&mut world, MINUTE * 3);
    assert!(world.truth().linked, "{}", status(&world));
    world
}

#[test]
fn bg_50_from_10_6_on_sessions_of_both_sides_come_together() {
    for primary in NodeId::BOTH {
        let truth = relinked("10.6", primary).truth();
        assert!(truth.sessions.records.len() > 10 && truth.sessions.gone == 0);
        assert!(truth.sessions.records.iter().all(|record| record.on == NodeId::BOTH), "{primary}");
    }
}

#[test]
fn bg_50_before_10_6_what_only_the_standby_has_is_lost() {
    for primary in NodeId::BOTH {
        let truth = relinked("10.5.3", primary).truth();
        let (kept, gone): (Vec<_>, Vec<_>) = truth.sessions.records.iter().partition(|record| !record.on.is_empty());
        assert!(!kept.is_empty() && gone.len() > 3, "{primary}: {} kept, {} gone", kept.len(), gone.len());
        assert!(gone.iter().all(|record| record.created_on == primary.other()));
    }
}

#[test]
fn the_first_sync_overwrites_the_settings_of_the_wrong_side_too() {
    for (primary, kept) in [(NodeId::A, 2), (NodeId::B, 3)] {
        let world = relinked("24.1.1", primary);
        let truth = world.truth();
        assert_eq!((truth.nodes.a.settings_revision, truth.nodes.b.settings_revision), (kept, kept));
        assert_eq!(events(&world, "settings-overwritten"), 1);
    }
}

#[test]
fn the_first_sync_begins_a_minute_after_establishing() {
    let mut world = broken(world());
    world.establish_failover(NodeId::A).unwrap();
    after(&mut world, SignedDuration::from_secs(90));
    assert_eq!(world.node(NodeId::A).last_sync, None);
    after(&mut world, SignedDuration::from_secs(45));
    assert!(world.node(NodeId::A).last_sync.is_some());
}

#[test]
fn senseless_orders_are_refused() {
    let mut world = world();
    assert_eq!(world.establish_failover(NodeId::A), Err(Refusal::Linked));
    let mut world = broken(world);
    assert_eq!(world.break_failover(NodeId::A), Err(Refusal::NotLinked));
    assert_eq!(world.sync_now(NodeId::A), Err(Refusal::NotLinked));
    world.update(NodeId::B, None).unwrap();
    assert_eq!(world.update(NodeId::B, None), Err(Refusal::Silent(NodeId::B)));
    assert_eq!(world.establish_failover(NodeId::A), Err(Refusal::PeerSilent(NodeId::A)));
    assert_eq!(world.perform("dance", NodeId::A, None), Err(Refusal::UnknownAct("dance".into())));
}

#[test]
fn a_swap_by_api_leaves_both_standby_for_a_moment() {
    let mut world = world();
    after(&mut world, MINUTE);
    assert_eq!(world.swap_roles(NodeId::A, SwapRole::Primary, false), Err(Refusal::SameRole(NodeId::A)));
    world.swap_roles(NodeId::A, SwapRole::Standby, true).unwrap();
    assert_eq!(world.facts(NodeId::A).unwrap().users, 0);
    let mut seen = Vec::new();
    for _ in 0..60 {
        after(&mut world, SignedDuration::from_secs(1));
        let roles = (world.node(NodeId::A).role, world.node(NodeId::B).role);
        if seen.last() != Some(&roles) {
            seen.push(roles);
        }
    }
    use Role::{Primary, Standby};
    assert_eq!(seen, [(Primary, Standby), (Standby, Standby), (Standby, Primary)]);
}

#[test]
fn terminating_a_session_ends_it() {
    let mut world = world();
    while world.facts(NodeId::A).unwrap().sessions == 0 {
        after(&mut world, MINUTE);
    }
    let open = world.node(NodeId::A).records.values().find(|record| record.end.is_none()).unwrap().lsid.clone();
    assert!(world.terminate_session(NodeId::A, &open));
    assert!(!world.terminate_session(NodeId::A, &open), "already ended");
    assert_eq!(world.truth().sessions.interrupted, 1);
}

/// What one forced sync under a fault shows a minute later, as (time moved on a, on b, status on a, records copied).
fn synced_under(fault: Fault) -> (bool, bool, Option<String>, bool) {
    let mut world = world();
    world.plan_fault(Planned::for_ever(fault));
    while world.truth().sessions.created == 0 {
        after(&mut world, SignedDuration::from_secs(1));
    }
    let before = world.node(NodeId::A).last_sync.clone();
    world.sync_now(NodeId::B).unwrap();
    after(&mut world, MINUTE);
    let (a, b) = (world.node(NodeId::A).last_sync.clone(), world.node(NodeId::B).last_sync.clone());
    let moved = a.as_ref().map(|sync| sync.at) != before.map(|sync| sync.at);
    (moved, b.is_some(), a.map(|sync| sync.status), !world.node(NodeId::B).records.is_empty())
}

#[test]
fn bg_22_sync_faults_do_what_their_sentences_say() {
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (Fault::SyncFails, (true, false, text("failed: connection to peer was lost"), false)),
        (Fault::SyncStuck, (false, false, text("success"), false)),
        (Fault::SyncStale, (false, false, text("success"), false)),
        (Fault::SyncEarly, (true, false, text("success"), false)),
        (Fault::SyncWrongSide, (false, true, text("success"), false)),
        (Fault::SyncOddStatus, (true, false, text("completed with notices"), true)),
    ];
    for (fault, expected) in cases {
        assert_eq!(synced_under(fault), expected, "{fault}");
    }
}

#[test]
fn a_sync_fault_for_ever_also_strikes_the_automatic_syncs_after_it() {
    let mut world = world();
    world.plan_fault(Planned::for_ever(Fault::SyncStale));
    after(&mut world, MINUTE * 10);
    assert_eq!(events(&world, "synced"), 2);
    let before = world.node(NodeId::A).last_sync.clone();
    assert!(before.as_ref().unwrap().at > start(), "automatic syncs are good until the fault has struck");
    world.sync_now(NodeId::B).unwrap();
    after(&mut world, MINUTE * 30);
    assert_eq!(world.node(NodeId::A).last_sync, before);
}

#[test]
fn update_faults_do_what_their_sentences_say() {
    let cases = [
        (Fault::UpdateFails, MINUTE * 41, Some("24.1.1")),
        (Fault::UpdateWrongVersion, MINUTE * 41, Some("24.2.2")),
        (Fault::UpdateSlow, MINUTE * 99, None),
        (Fault::UpdateSlow, MINUTE * 201, Some("24.2.1")),
    ];
    for (fault, time, expected) in cases {
        let mut world = broken(world());
        world.plan_fault(Planned::once(fault).on(NodeId::B));
        world.update(NodeId::B, None).unwrap();
        after(&mut world, time);
        let found = world.facts(NodeId::B).map(|facts| facts.version.to_string());
        assert_eq!(found.as_deref(), expected, "{fault} after {time:#}");
    }
}

#[test]
fn break_and_establish_faults_do_what_their_sentences_say() {
    use Role::{Primary, Standalone, Standby};
    let mut half = world();
    half.plan_fault(Planned::once(Fault::BreakHalf));
    let half = broken(half);
    assert_eq!((half.node(NodeId::A).role, half.node(NodeId::B).role), (Standalone, Standby));
    for (fault, expected) in [(Fault::EstablishHalf, (Primary, Standalone)), (Fault::EstablishReversed, (Standby, Primary))] {
        let mut world = broken(world());
        world.plan_fault(Planned::once(fault));
        world.establish_failover(NodeId::A).unwrap();
        after(&mut world, MINUTE);
        assert_eq!((world.node(NodeId::A).role, world.node(NodeId::B).role), expected, "{fault}");
    }
}

#[test]
fn states_do_what_their_sentences_say() {
    let mut world = world();
    after(&mut world, HOUR);
    world.plan_fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A));
    assert_eq!((world.box_at(NodeId::A), world.box_at(NodeId::B)), (NodeId::B, NodeId::B));
    world.plan_fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    assert!(!world.facts(NodeId::B).unwrap().healthy && world.facts(NodeId::A).unwrap().healthy);
    world.plan_fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    assert_eq!((world.facts(NodeId::A), world.link(), world.serving()), (None, None, None));
    assert_eq!(world.truth().sessions.interrupted, 0);
}

#[test]
fn a_stray_user_keeps_working_on_the_node_that_was_left() {
    let mut world = broken(world());
    after(&mut world, HOUR);
    world.plan_fault(Planned::for_ever(Fault::StrayUser).on(NodeId::A));
    world.set_leads_to(Some(NodeId::B));
    let switched = world.now();
    after(&mut world, HOUR * 5);
    assert_eq!((world.facts(NodeId::A).unwrap().users, world.facts(NodeId::B).unwrap().users), (1, 2));
    let strays =
        world.truth().sessions.records.into_iter().filter(|record| record.created_on == NodeId::A && record.start > switched);
    assert!(strays.count() > 1);
}

#[test]
fn bg_01_a_backup_is_the_same_for_the_same_state() {
    let mut world = world();
    let first = files::backup(&mut world, NodeId::A, None);
    assert!(first.len() > 10 * 1024 && first == files::backup(&mut world, NodeId::A, None));
    world.change_settings(NodeId::A).unwrap();
    assert_ne!(first, files::backup(&mut world, NodeId::A, None));
    world.plan_fault(Planned::once(Fault::BackupErrorText));
    world.plan_fault(Planned::once(Fault::BackupEmpty));
    assert!(files::backup(&mut world, NodeId::A, None).starts_with(b"Error"));
    assert!(files::backup(&mut world, NodeId::A, None).is_empty());
    assert!(files::backup(&mut world, NodeId::A, None).len() > 10 * 1024);
}

#[test]
fn bg_51_session_ids_are_integers_before_10_6() {
    for (from, length) in [("10.5", None), ("10.6", Some(32))] {
        let mut world = World::new(options(from));
        after(&mut world, HOUR * 2);
        let all = Search::Touched { from: start(), to: world.now() };
        let found = files::sessions(&mut world, NodeId::A, &all).unwrap();
        assert!(!found.is_empty());
        for session in found {
            assert_eq!(session.lsid.parse::<u64>().is_ok(), length.is_none(), "{}", session.lsid);
            assert_eq!(session.lseq.is_some(), length.is_some());
        }
        assert!(world.truth().sessions.records.iter().any(|record| record.handed_out));
    }
}

#[test]
fn an_instant_world_does_everything_at_once() {
    let mut world = World::new(WorldOptions { instant: true, users: 0, ..options("24.1.1") });
    let orders = [("force_sync", NodeId::B), ("break_failover", NodeId::A), ("update", NodeId::B), ("update", NodeId::A)];
    for (verb, node) in orders.into_iter().chain([("establish_failover", NodeId::B)]) {
        world.perform(verb, node, None).unwrap();
        after(&mut world, SignedDuration::from_millis(1));
    }
    let truth = world.truth();
    assert_eq!((truth.linked, truth.nodes.b.role, truth.nodes.b.last_sync.is_some()), (true, Role::Primary, true));
    assert_eq!((truth.nodes.a.version.as_str(), truth.broken_promises), ("24.2.1", vec![]));
}

/// BG-10: what waits is shown or hidden until its turn; a package is fetched while the box works, then installed once.
#[test]
fn bg_10_offers_come_one_after_the_other() {
    let version = |text: &str| text.parse::<Version>().unwrap();
    let offer = |to: &str, needs: Option<&str>, hidden| Offered { to: version(to), after: needs.map(version), hidden };
    let offers = vec![
        offer("24.1.9", None, false),
        offer("24.2.1", Some("24.1.9"), false),
        offer("24.3.1", Some("24.2.1"), true),
        offer("24.1.1", None, false),
    ];
    let paired = World::new(WorldOptions { offers: offers.clone(), ..options("24.1.1") });
    assert_eq!(paired.offers(NodeId::A), []);
    let mut world = World::new(WorldOptions { offers, primary: None, ..options("24.1.1") });
    let wait = Some(version("24.1.9"));
    assert_eq!(world.offers(NodeId::A), [(version("24.1.9"), None), (version("24.2.1"), wait)]);
    assert!(matches!(world.fetch(NodeId::A, version("24.2.1")), Err(Refusal::NotOn { .. })));
    world.fetch(NodeId::A, version("24.1.9")).unwrap();
    assert!(matches!(world.fetch(NodeId::A, version("24.1.9")), Err(Refusal::Fetching(_))));
    assert!(world.answers(NodeId::A));
    after(&mut world, MINUTE * 21);
    assert!(!world.answers(NodeId::A), "it installs by now");
    after(&mut world, MINUTE * 41);
    assert_eq!(world.offers(NodeId::A), [(version("24.2.1"), None)]);
    assert_eq!(world.truth().nodes.a.updates.len(), 1);
}
