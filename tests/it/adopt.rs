//! A pair that somebody else left half-way: taken over at every step of a foreign run, with what a person vouches for.

use changeover::domain::event::Goal;
use changeover::domain::ids::{NodeId, RunId};
use changeover::engine::api::{AdoptRequest, Fleet as _, Kind, Problem};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::abort::{assert_ended, held_at, order};
use crate::close::close;
use crate::stage::{PROCEDURES, SITE, Setting, Stage};

/// Everything that a careful person would give; the node that the name leads to is the survivor.
fn request(stage: &Stage) -> AdoptRequest {
    AdoptRequest {
        survivor: stage.truth().leads_to.map(|node| node.to_string()),
        package: Some(stage.folder.path().join("base.nss")),
        accepted: true,
        second: Some("now +6h".to_owned()),
        note: Some("left by another tool".to_owned()),
        ..AdoptRequest::default()
    }
}

async fn adopt(stage: &Stage, request: AdoptRequest) -> Result<RunId, Problem> {
    stage.fleet.adopt(SITE, request, "olga").await
}

/// A pair as a run of ours left it after this record, an hour later: what was under way has ended.
async fn left_after(procedure: &str, seq: u64, setting: Setting) -> Option<Stage> {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    let run = stage.until_seq(&id, seq).await;
    if run.is_finished() || stage.word(&id, close()).await.is_err() {
        return None;
    }
    stage.pass(SignedDuration::from_hours(1)).await;
    Some(stage)
}

async fn at_each_record(procedure: &str, setting: Setting) {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    stage.to_rest(&id).await;
    let (mut home, mut harbour, mut well) = (0, 0, 0);
    for seq in 1..stage.records(&id).len() as u64 {
        let case = format!("{procedure}: left after record {seq}");
        let Some(stage) = left_after(procedure, seq, setting.clone()).await else { continue };
        let asked = request(&stage);
        let preview = stage.fleet.adoption(SITE, asked.clone()).await.unwrap();
        let id = match adopt(&stage, asked).await {
            Ok(id) => id,
            Err(problem) => {
                assert_eq!(problem.code, "nothing_to_adopt", "{case}: {problem:?} {:?}", stage.truth().nodes);
                assert!(stage.truth().linked && preview.drafted.is_err(), "{case}");
                well += 1;
                continue;
            }
        };
        assert_eq!(id.number, 2, "{case}");
        let way = preview.drafted.unwrap().1.ways.remove(0);
        let rest = stage.to_rest(&id).await;
        assert_ended(&stage, &id, &way, &rest, &case);
        *(if way.goal == Goal::Home { &mut home } else { &mut harbour }) += 1;
    }
    eprintln!("{procedure}: {home} home, {harbour} at harbour, {well} were well");
    assert!(home >= 10 && well >= 5, "{procedure}: {home} home, {harbour} at harbour, {well} were well");
}

#[tokio::test(start_paused = true)]
async fn an_in_place_update_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[0], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_by_hand_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::by_operator()).await;
}
