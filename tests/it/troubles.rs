//! A node that falls silent, is unwell, or is answered for by another box, for a while, from every record on.

use std::sync::atomic::Ordering;

use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage};

async fn count(procedure: &str, setting: &Setting) -> u64 {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    stage.to_rest(&id).await;
    stage.records(&id).len() as u64
}

/// Longer than `policy.max_silence`, shorter than any act's limit.
const WHILE: SignedDuration = SignedDuration::from_mins(20);

/// `every`: from each so many-th record on, shifted by one for node `b`.
async fn from_each_record(procedure: &str, fault: Fault, setting: &Setting, every: u64) {
    for seq in 1..count(procedure, setting).await {
        for node in NodeId::BOTH.into_iter().filter(|node| (seq + node.index() as u64).is_multiple_of(every)) {
            let case = format!("{procedure}: {fault} on node {node} from record {seq}");
            let stage = Stage::set(setting.clone());
            let (site, trouble_at) = (stage.site.clone(), stage.trouble_at.clone());
            let (began, mut begin) = tokio::sync::oneshot::channel();
            let mut began = Some(began);
            stage.journal.witness(move |record| {
                if record.seq == seq {
                    let mut world = site.current();
                    world.plan_fault(Planned::for_ever(fault).on(node));
                    trouble_at.lock().unwrap().push(world.now());
                    let _ = began.take().map(|began| began.send(()));
                }
            });
            let id = stage.start(procedure).await;
            let mut rest = None;
            tokio::select! {
                biased;
                _ = &mut begin => {}
                end = stage.to_rest(&id) => rest = Some(end),
            }
            assert!(rest.is_none(), "{case}: it never began: {rest:?}");
            tokio::select! {
                biased;
                () = stage.pass(WHILE) => {}
                // At rest already: the trouble goes on for its time.
                _ = stage.to_rest(&id) => stage.pass(WHILE).await,
            }
            stage.mend();
            let mut rest = stage.to_rest(&id).await;
            if rest.end != "succeeded" {
                let alerts = stage.alerts();
                assert!(alerts.iter().any(|alert| alert == "held" || alert == "in_doubt"), "{case}: {alerts:?}");
                assert_sound(&stage, &id, procedure, false, &case);
                // The pair syncs again by itself, as the preflight asks.
                stage.pass(SignedDuration::from_mins(6)).await;
                rest = stage.resume_to_end(&id).await.0;
            }
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

macro_rules! troubles {
    ($($name:ident: $procedure:expr, $fault:expr, $setting:expr, every $every:expr;)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $name() {
            from_each_record($procedure, $fault, &$setting, $every).await;
        })*
    };
}

troubles! {
    silent_in_place: PROCEDURES[0], Fault::NodeSilent, Setting::default(), every 2;
    silent_in_a_role_swap: PROCEDURES[1], Fault::NodeSilent, Setting::default(), every 2;
    silent_in_a_role_swap_by_hand: PROCEDURES[1], Fault::NodeSilent, Setting::by_operator(), every 2;
    unhealthy_in_place: PROCEDURES[0], Fault::Unhealthy, Setting::default(), every 4;
    unhealthy_in_a_role_swap: PROCEDURES[1], Fault::Unhealthy, Setting::default(), every 4;
    wrong_box_in_place: PROCEDURES[0], Fault::WrongBox, Setting::default(), every 4;
    wrong_box_in_a_role_swap: PROCEDURES[1], Fault::WrongBox, Setting::default(), every 4;
    wrong_box_in_place_by_hand: PROCEDURES[0], Fault::WrongBox, Setting::by_operator(), every 4;
}

/// R2, R7: no server tells where the name leads, from each third record on, for minutes or for an hour. Nothing moves
/// on a guess, and a person is told.
#[tokio::test(start_paused = true)]
async fn the_name_cannot_be_read_for_a_while() {
    for procedure in PROCEDURES {
        for (minutes, first) in [(8, 1), (50, 2)] {
            for seq in (first..count(procedure, &Setting::default()).await).step_by(3) {
                let case = format!("{procedure}: deaf from record {seq} for {minutes} min");
                let stage = Stage::new();
                let id = stage.start(procedure).await;
                stage.until_seq(&id, seq).await;
                stage.deaf.store(true, Ordering::SeqCst);
                let deafness = SignedDuration::from_mins(minutes);
                tokio::select! {
                    biased;
                    () = stage.pass(deafness) => {}
                    _ = stage.to_rest(&id) => stage.pass(deafness).await,
                }
                stage.deaf.store(false, Ordering::SeqCst);
                let mut rest = stage.to_rest(&id).await;
                if rest.end != "succeeded" {
                    assert!(stage.alerts().contains(&"held".to_owned()), "{case}");
                    rest = stage.resume_to_end(&id).await.0;
                }
                assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
                assert_sound(&stage, &id, procedure, true, &case);
            }
        }
    }
}
