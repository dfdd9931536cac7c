//! Answers that a box has kept: while a step waits on one the status says so, and nothing is called done from it.

use std::collections::BTreeSet;

use changeover::domain::action::Kind;
use changeover::domain::cached;
use changeover::domain::ids::{NodeId, RunId};
use changeover::engine::api::Snapshot;
use changeover::ports::Clock as _;
use changeover::server::view::{MayBeCached, Status};
use jiff::SignedDuration;

use crate::stage::{Setting, Stage};

/// The snapshots of a whole run, in order; of two in one moment the later one.
async fn snapshots(stage: &Stage, id: &RunId) -> Vec<Snapshot> {
    let (mut watch, mut seen) = (stage.fleet.watch(id).unwrap(), Vec::new());
    let mut rest = std::pin::pin!(stage.to_rest(id));
    loop {
        tokio::select! {
            biased;
            changed = watch.changed() => {
                changed.unwrap();
                seen.push(watch.borrow_and_update().clone());
            }
            rest = &mut rest => {
                assert_eq!(rest.end, "succeeded", "{}", stage.story(id));
                return seen;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_on_a_kept_answer_says_so_and_until_when() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    let (mut told, mut shown) = (BTreeSet::new(), None);
    let snapshots = snapshots(&stage, &id).await;
    for snapshot in &snapshots {
        let (Some(step), found) = (snapshot.run.step(), cached::of(&snapshot.run, &snapshot.world)) else { continue };
        for reading in &found {
            told.insert(step.kind.name());
            assert_eq!(reading.may_be_old, SignedDuration::from_secs(60), "{reading:?}");
            assert!(reading.next_look.is_some_and(|next| next > reading.read_at), "{reading:?}");
        }
        shown = shown.or((!found.is_empty()).then_some(snapshot));
    }
    for action in ["break_failover", "establish_failover", "update", "force_sync"] {
        assert!(told.contains(action), "{action} was never said to wait on a kept answer: {told:?}");
    }
    let breaks = |snapshot: &Snapshot| snapshot.run.step().is_some_and(|step| step.kind == Kind::BreakFailover);
    let over = snapshots.windows(2).find(|two| breaks(&two[0]) && !breaks(&two[1])).unwrap();
    let since = over[0].run.act.as_ref().unwrap().since;
    for node in NodeId::BOTH {
        let reading = &over[1].world.readings[node];
        assert!(reading.proven_after(since), "the break of {since} was called done from {reading:?}");
    }

    let status = Status::full(shown.unwrap(), stage.clock.now());
    let line = status.may_be_cached.first().map(MayBeCached::to_string).unwrap_or_default();
    assert!(line.contains("may be cached, up to 60 s old") && line.contains("; next look at "), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_source_without_a_cache_is_never_said_to_have_one() {
    let mut setting = Setting::by_operator();
    setting.options.cache_time = SignedDuration::ZERO;
    let stage = Stage::set(setting);
    let id = stage.start("role-swap").await;
    for snapshot in snapshots(&stage, &id).await {
        assert_eq!(cached::of(&snapshot.run, &snapshot.world), Vec::new());
    }
}
