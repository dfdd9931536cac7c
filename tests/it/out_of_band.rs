//! Hands that do what nobody asked for: too early, half, on the wrong box, after the instruction was withdrawn. The run names
//! it, holds, tells, and does nothing disruptive; a person's word leads on, once the pair is fit for it.

use changeover::domain::by_hand;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Run;
use changeover::domain::sheet;
use changeover::domain::version::Target;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::World;
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{Rest, Setting, Stage};

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

type Hand = fn(&mut World);

/// Something done by hand at a step of a run, and how it must end.
struct Case {
    procedure: &'static str,
    by_operator: bool,
    /// The record right after which it is done.
    at: (&'static str, &'static str),
    hand: Hand,
    /// The holds' codes, of which one must be met, and what the alert must say.
    codes: &'static [&'static str],
    says: &'static str,
    /// What a careful person then does before resuming.
    mend: Hand,
    /// How the run ends after some resumes: `succeeded`, or `held` for good.
    end: &'static str,
}

fn nothing(_: &mut World) {}

fn update(world: &mut World, node: NodeId, version: &str) {
    let version = version.parse().unwrap();
    world.update(node, Some(Target { version, build: None })).unwrap();
}

const CASES: &[Case] = &[
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("step_begun", "window-1.break_failover.a"),
        hand: |world| world.plan_fault(Planned::once(Fault::BreakHalf)),
        codes: &["half_broken"],
        says: "node `a` standalone, node `b` standby",
        mend: |world| world.break_failover(B).unwrap(),
        end: "succeeded",
    },
    Case {
        procedure: "in-place",
        by_operator: true,
        at: ("step_begun", "window-1.break_failover.a"),
        hand: |world| world.plan_fault(Planned::once(Fault::BreakHalf)),
        codes: &["half_broken"],
        says: "node `a` standalone, node `b` standby",
        mend: |world| world.break_failover(B).unwrap(),
        end: "succeeded",
    },
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("step_begun", "window-2.establish_failover.b"),
        hand: |world| world.plan_fault(Planned::once(Fault::EstablishHalf)),
        codes: &["half_established"],
        says: "node `a` standalone, node `b` primary",
        mend: |world| world.break_failover(B).unwrap(),
        end: "succeeded",
    },
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("step_begun", "window-2.establish_failover.b"),
        hand: |world| world.plan_fault(Planned::once(Fault::EstablishReversed)),
        codes: &["role_conflict"],
        says: "break the link now",
        mend: |world| world.break_failover(A).unwrap(),
        end: "succeeded",
    },
    Case {
        procedure: "in-place",
        by_operator: true,
        at: ("step_begun", "window-2.establish_failover.a"),
        hand: |world| world.plan_fault(Planned::once(Fault::EstablishReversed)),
        codes: &["role_conflict"],
        says: "break the link now",
        mend: |world| world.break_failover(A).unwrap(),
        end: "succeeded",
    },
    // Broken by hand before anybody asked: no sync of this run is proven, so the way on leads over a new link.
    Case {
        procedure: "role-swap",
        by_operator: true,
        at: ("instructed", "window-1.force_sync.b"),
        hand: |world| world.break_failover(A).unwrap(),
        codes: &["out_of_band"],
        says: "no relationship on either node",
        mend: |world| world.establish_failover(A).unwrap(),
        end: "succeeded",
    },
    // As before, but nobody mends it: it goes no further.
    Case {
        procedure: "in-place",
        by_operator: true,
        at: ("instructed", "window-1.force_sync.b"),
        hand: |world| world.break_failover(A).unwrap(),
        codes: &["out_of_band"],
        says: "no relationship on either node",
        mend: nothing,
        end: "held",
    },
    // Updated by hand too early, while the pair is linked.
    Case {
        procedure: "role-swap",
        by_operator: true,
        at: ("instructed", "window-1.force_sync.b"),
        hand: |world| update(world, B, "24.2.1"),
        codes: &["known_box"],
        says: "node `b` does not answer",
        mend: nothing,
        end: "succeeded",
    },
    // The other box was updated, the one that serves.
    Case {
        procedure: "role-swap",
        by_operator: true,
        at: ("instructed", "window-1.update.b"),
        hand: |world| update(world, A, "24.2.1"),
        codes: &["out_of_band"],
        says: "on node `a`",
        mend: nothing,
        end: "succeeded",
    },
    // Linked by hand during the soak, from the survivor: broken again, the run goes on.
    Case {
        procedure: "in-place",
        by_operator: false,
        at: ("waited", "soak.soak"),
        hand: |world| world.establish_failover(A).unwrap(),
        codes: &["role_conflict"],
        says: "break it now unless it was you",
        mend: |world| world.break_failover(A).unwrap(),
        end: "succeeded",
    },
    // Linked by hand during the soak, the wrong way round.
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("waited", "soak.soak"),
        hand: |world| world.establish_failover(A).unwrap(),
        codes: &["role_conflict"],
        says: "its next sync overwrites node `b`",
        mend: |world| world.break_failover(A).unwrap(),
        end: "succeeded",
    },
    // The name was moved by hand, too early.
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("step_begun", "window-1.update.b"),
        hand: |world| world.set_leads_to(Some(B)),
        codes: &["out_of_band"],
        says: "leading to node `a`",
        mend: |world| world.set_leads_to(Some(A)),
        end: "succeeded",
    },
    // The name was moved back by hand during the soak.
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("waited", "soak.soak"),
        hand: |world| world.set_leads_to(Some(A)),
        codes: &["out_of_band"],
        says: "leading to node `b`",
        mend: |world| world.set_leads_to(Some(B)),
        end: "succeeded",
    },
    // The serving node was patched during the soak: the pair can't become equal by this plan.
    Case {
        procedure: "role-swap",
        by_operator: false,
        at: ("waited", "soak.soak"),
        hand: |world| update(world, B, "24.2.2"),
        codes: &["out_of_band"],
        says: "version 24.2.2",
        mend: nothing,
        end: "held",
    },
    // The other node was updated by hand during the soak: acknowledged, that is what window two would have done.
    Case {
        procedure: "in-place",
        by_operator: false,
        at: ("waited", "soak.soak"),
        hand: |world| update(world, B, "24.2.1"),
        codes: &["out_of_band"],
        says: "version 24.2.1",
        mend: nothing,
        end: "succeeded",
    },
];

async fn hours(stage: &Stage, hours: i64) {
    stage.pass(SignedDuration::from_hours(hours)).await;
}

/// The acts that disturb, after this many of all.
fn disruptive_after(stage: &Stage, seen: usize) -> Vec<String> {
    let quiet = ["drain", "close", "open", "sync-now"];
    let acts = stage.truth().acts;
    acts[seen..]
        .iter()
        .filter(|act| !quiet.contains(&act.what.as_str()))
        .map(|act| format!("{} {:?}", act.what, act.node))
        .collect()
}

async fn held(stage: &Stage, id: &RunId, case: &str, codes: &[&str]) -> Rest {
    let rest = stage.to_rest(id).await;
    assert!(codes.contains(&rest.end.as_str()), "{case}: {}\n{}", rest.end, stage.story(id));
    assert!(stage.alerts().contains(&"held".to_owned()), "{case}");
    rest
}

/// What is said of the pair where other hands have changed it: neither on when it is off, nor a version that nobody has seen.
fn assert_sheet(run: &Run, says: &str, case: &str) {
    let (state, may, must_not) = (sheet::state(run), sheet::may(run).join("; "), sheet::must_not(run).join("; "));
    let off = says == "no relationship on either node";
    if off {
        assert!(state.starts_with("failover is off, by no act of this run"), "{case}: {state}");
        assert!(may.contains("establish failover from node `a`") && !may.contains("use the pair as usual"), "{case}: {may}");
        assert!(must_not.contains("do not establish failover from node `b`"), "{case}: {must_not}");
        assert!(run.off_since().is_some(), "{case}");
    }
    if off || run.unprotected_since().is_some() && by_hand::link_trouble(run).is_none() {
        assert!(must_not.contains("do not establish failover while the versions differ"), "{case}: {must_not}");
    }
    let foreign = run.hold().and_then(|hold| hold.node).filter(|_| run.unprotected_since().is_some());
    if let Some(node) = foreign {
        assert!(may.contains(&format!("see first which version node `{node}` shows")), "{case}: {may}");
        assert!(!may.contains("update node") && !may.contains("go back to a pair"), "{case}: {may}");
    }
}

async fn plays(number: usize, case: &Case) {
    let name = format!("case {number}: {} at {:?}", case.procedure, case.at);
    let options = if case.by_operator { Setting::by_operator() } else { Setting::default() };
    // Long windows: hours go by until a person comes.
    let setting = Setting { first: "now +20h".to_owned(), second: "2026-11-24T01:00:00Z +40h".to_owned(), ..options };
    let stage = Stage::set(setting);
    stage.at(case.at.0, case.at.1, case.hand);
    let id = stage.start(case.procedure).await;
    let rest = held(&stage, &id, &name, case.codes).await;
    assert_sheet(&rest.run, case.says, &name);
    let told = stage.journal.outbox.lock().unwrap().iter().any(|item| item.document.contains(case.says));
    assert!(told, "{name}: no alert says `{}`\n{}", case.says, stage.story(&id));
    let seen = stage.truth().acts.len();
    hours(&stage, 2).await;
    assert_eq!(disruptive_after(&stage, seen), Vec::<String>::new(), "{name}");
    (case.mend)(&mut stage.site.current());
    stage.pass(SignedDuration::from_mins(8)).await;
    let mut end = String::new();
    for _ in 0..6 {
        match stage.resume(&id).await {
            Ok(_) => end = stage.to_rest(&id).await.end,
            Err(problem) => panic!("{name}: {problem:?}\n{}", stage.story(&id)),
        }
        if end == "succeeded" {
            break;
        }
    }
    let ended = if end == "succeeded" { "succeeded" } else { "held" };
    assert_eq!(case.end, ended, "{name}: {end}\n{}", stage.story(&id));
    let truth = stage.truth();
    let ours = truth.broken_promises.iter().filter(|broken| !broken.note.starts_with("R15") && !broken.note.starts_with("R2"));
    assert_eq!(ours.count(), 0, "{name}: {:?}", truth.broken_promises);
    assert!(truth.nodes.a.updates.len() <= 1 && truth.nodes.b.updates.len() <= 2, "{name}");
    assert_eq!(truth.sessions.gone, 0, "{name}");
    if end == "succeeded" {
        assert!(truth.linked && truth.nodes.a.version == "24.2.1" && truth.nodes.b.version == "24.2.1", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asked_for_is_named_and_held() {
    for (number, case) in CASES.iter().enumerate() {
        plays(number, case).await;
    }
}

/// An instruction that a hold withdrew is carried out all the same: it counts only once a person has said so.
#[tokio::test(start_paused = true)]
async fn an_act_after_its_instruction_was_withdrawn() {
    let steps: [(&str, Hand); 3] = [
        ("window-1.break_failover.a", |world| world.break_failover(A).unwrap()),
        ("window-1.update.b", |world| update(world, B, "24.2.1")),
        ("window-2.establish_failover.b", |world| world.establish_failover(B).unwrap()),
    ];
    for (step, hand) in steps {
        let stage = Stage::set(Setting::by_operator());
        let id = stage.start("role-swap").await;
        stage.until_step(&id, step).await;
        stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
        stage.word(&id, Word::Hold).await.unwrap();
        let rest = held(&stage, &id, step, &["operator"]).await;
        assert!(rest.run.act.is_none() && stage.last_alert("held").contains("is withdrawn"), "{step}");
        hand(&mut stage.site.current());
        // Long enough to see an update's end and a first sync.
        stage.pass(SignedDuration::from_mins(50)).await;
        stage.resume(&id).await.unwrap();
        let rest = held(&stage, &id, step, &["out_of_band", "role_conflict"]).await;
        let done = stage.count(&id, "step_done", step);
        assert_eq!(done, 0, "{step}\n{}", stage.story(&id));
        drop(rest);
        stage.resume(&id).await.unwrap();
        let rest = stage.to_rest(&id).await;
        let seen = stage.story(&id);
        match step {
            // R1: nothing proves any more that the sync before it was fresh. A new link, and the run goes on from there.
            "window-1.break_failover.a" => {
                assert_eq!(rest.end, "fresh_sync", "{seen}");
                stage.hand("establish", A);
                stage.pass(SignedDuration::from_mins(10)).await;
                let (rest, _) = stage.resume_to_end(&id).await;
                assert_eq!(rest.end, "succeeded");
            }
            _ => assert_eq!(rest.end, "succeeded", "{step}\n{seen}"),
        }
        let truth = stage.truth();
        assert!(truth.broken_promises.is_empty() && truth.linked, "{step}: {:?}", truth.broken_promises);
    }
}

/// Two primaries: named at once, whatever the step, and again while the run is held for something else.
#[tokio::test(start_paused = true)]
async fn two_primaries_are_a_role_conflict() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.word(&id, Word::Hold).await.unwrap();
    held(&stage, &id, "held", &["operator"]).await;
    // Each becomes primary of a link that the other knows nothing of.
    stage.fault(Planned::for_ever(Fault::EstablishHalf));
    stage.hand("establish", A);
    stage.hand("establish", B);
    stage.pass(SignedDuration::from_mins(10)).await;
    assert!(stage.alerts().contains(&"role_conflict".to_owned()), "{}", stage.story(&id));
    stage.resume(&id).await.unwrap();
    held(&stage, &id, "two primaries", &["role_conflict"]).await;
    stage.resume(&id).await.unwrap();
    held(&stage, &id, "still two", &["role_conflict"]).await;
    stage.mend();
    for node in NodeId::BOTH {
        stage.hand("break", node);
    }
    stage.pass(SignedDuration::from_mins(5)).await;
    let (rest, _) = stage.resume_to_end(&id).await;
    assert_eq!(rest.end, "succeeded");
    assert_sound(&stage, &id, "role-swap", true, "two primaries");
}
