//! Answers that a box has kept: while a step waits on one the status says so, and nothing is called done from it.

use std::collections::{BTreeMap, BTreeSet};

use changeover::domain::ids::RunId;
use changeover::engine::api::Snapshot;
use changeover::ports::Clock as _;
use changeover::server::view::Status;
use jiff::SignedDuration;

use crate::stage::{Setting, Stage};

/// Every snapshot of a whole run, in order.
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

#[tokio::test]
async fn a_step_that_waits_on_a_kept_answer_says_so_and_until_when() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    let mut told = BTreeSet::new();
    // Of each step, what its last snapshot said while it waited.
    let mut last: BTreeMap<String, Status> = BTreeMap::new();
    for snapshot in snapshots(&stage, &id).await {
        let status = Status::full(&snapshot, stage.clock.now());
        let Some(step) = status.step.clone().filter(|_| status.phase == "waiting") else { continue };
        for cached in &status.may_be_cached {
            told.insert(step.action.name());
            assert_eq!(cached.may_be_old_seconds, 60, "{cached:?}");
            assert!(cached.next_look.is_some_and(|next| next > cached.read_at), "{cached:?}");
            let line = cached.to_string();
            assert!(line.contains("may be cached, up to 60 s old") && line.contains("; next look at "), "{line}");
        }
        last.insert(step.id, status);
    }
    for action in ["break_failover", "establish_failover", "update", "force_sync"] {
        assert!(told.contains(action), "{action} was never said to wait on a kept answer: {told:?}");
    }
    for (step, status) in last.iter().filter(|(step, _)| step.contains("break_failover")) {
        assert!(status.may_be_cached.is_empty(), "{step} was called done from {:?}", status.may_be_cached);
    }
}

#[tokio::test]
async fn a_source_without_a_cache_is_never_said_to_have_one() {
    let mut setting = Setting::by_operator();
    setting.options.cache_time = SignedDuration::ZERO;
    let stage = Stage::set(setting);
    let id = stage.start("role-swap").await;
    for snapshot in snapshots(&stage, &id).await {
        let status = Status::full(&snapshot, stage.clock.now());
        assert!(status.may_be_cached.is_empty(), "{:?}", status.may_be_cached);
    }
}
