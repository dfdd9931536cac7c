//! Resume after a person did steps by hand during a hold: the world is read first, the answer and the journal say what is not as
//! the plan has it, and what was done counts once it is verified, not because somebody says so.

use changeover::domain::ids::NodeId;
use changeover::domain::version::Target;
use changeover::engine::api::Word;
use changeover::server::view::Status;
use changeover::simulator::world::World;
use jiff::SignedDuration;

use crate::stage::{Setting, Stage};

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

struct Case {
    procedure: &'static str,
    /// The step at whose instruction the run is held.
    step: &'static str,
    hand: fn(&mut World),
    /// What the resumption says; empty where the plan is met, or where no reading shows it.
    says: &'static str,
    /// The holds that follow, one for each resumption.
    holds: &'static [&'static str],
    /// Whether the step is then taken as done without our asking for it.
    counts: bool,
    /// What a person then does where more is needed.
    mend: fn(&mut World),
}

fn nothing(_: &mut World) {}

fn update(world: &mut World, node: NodeId, version: &str) {
    world.update(node, Some(Target { version: version.parse().unwrap(), build: None })).unwrap();
}

const fn case(procedure: &'static str, step: &'static str, hand: fn(&mut World)) -> Case {
    Case { procedure, step, hand, says: "", holds: &[], counts: false, mend: nothing }
}

const CASES: &[Case] = &[
    // A sync by hand was not asked for by this run: it proves nothing, another one is asked for.
    case("role-swap", "window-1.force_sync.b", |world| world.sync_now(A).unwrap()),
    case("in-place", "window-1.force_sync.b", |world| world.sync_now(A).unwrap()),
    // R1: nothing proves that the sync before the break was fresh. Linked again, the run breaks it itself.
    Case {
        says: "no relationship on either node",
        holds: &["out_of_band", "fresh_sync"],
        mend: |world| world.establish_failover(A).unwrap(),
        ..case("role-swap", "window-1.break_failover.a", |world| world.break_failover(A).unwrap())
    },
    Case {
        says: "no relationship on either node",
        holds: &["out_of_band", "fresh_sync"],
        mend: |world| world.establish_failover(A).unwrap(),
        ..case("in-place", "window-1.break_failover.a", |world| world.break_failover(A).unwrap())
    },
    Case {
        says: "node `b`: expected version 24.1.1",
        holds: &["out_of_band"],
        counts: true,
        ..case("role-swap", "window-1.update.b", |world| update(world, B, "24.2.1"))
    },
    Case {
        says: "node `a`: expected version 24.1.1",
        holds: &["out_of_band"],
        counts: true,
        ..case("in-place", "window-1.update.a", |world| update(world, A, "24.2.1"))
    },
    Case {
        says: "node `b`: expected version 24.1.1",
        holds: &["out_of_band"],
        counts: true,
        ..case("in-place", "window-2.update.b", |world| update(world, B, "24.2.1"))
    },
    Case {
        says: "node `a`: expected version 24.1.1",
        holds: &["out_of_band"],
        counts: true,
        ..case("role-swap", "window-2.update.a", |world| update(world, A, "24.2.1"))
    },
    // Closing is asked for all the same: it does no harm twice, and the run must know that it is so.
    case("role-swap", "window-1.quiesce.a", |world| world.close(A).unwrap()),
    case("in-place", "window-2.quiesce.b", |world| world.close(B).unwrap()),
    // The name moved before the node it left was closed and its data taken: both are done, then the move counts.
    Case {
        says: "it leads to node `b`",
        holds: &["out_of_band"],
        ..case("role-swap", "window-1.quiesce.a", |world| world.set_leads_to(Some(B)))
    },
    Case {
        says: "linked, node `b` primary",
        holds: &["role_conflict"],
        counts: true,
        ..case("role-swap", "window-2.establish_failover.b", |world| world.establish_failover(B).unwrap())
    },
    Case {
        says: "linked, node `a` primary",
        holds: &["role_conflict"],
        counts: true,
        ..case("in-place", "window-2.establish_failover.a", |world| world.establish_failover(A).unwrap())
    },
];

async fn plays(number: usize, case: &Case) {
    let name = format!("case {number}: {} held at {}", case.procedure, case.step);
    let setting =
        Setting { first: "now +40h".to_owned(), second: "2026-11-25T01:00:00Z +60h".to_owned(), ..Setting::by_operator() };
    let stage = Stage::set(setting);
    let id = stage.start(case.procedure).await;
    stage.until_step(&id, case.step).await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
    stage.word(&id, Word::Hold).await.unwrap();
    stage.until(&id, |run| run.hold().is_some()).await;
    (case.hand)(&mut stage.site.current());
    // Long enough to see an update's end and a first sync.
    stage.pass(SignedDuration::from_mins(50)).await;
    let before = stage.count(&id, "step_begun", case.step);
    for (times, hold) in std::iter::once(&"operator").chain(case.holds).enumerate() {
        let run = stage.run(&id);
        assert_eq!(run.hold().map(|hold| hold.code.as_str()), Some(*hold), "{name}\n{}", stage.story(&id));
        if times > 0 && times == case.holds.len() {
            (case.mend)(&mut stage.site.current());
            stage.pass(SignedDuration::from_mins(10)).await;
        }
        let answer = stage.resume(&id).await.unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        if times == 0 {
            says(&stage, &id, &answer, case.says, &name);
        }
        let held = |run: &changeover::domain::run::Run| run.hold().is_some();
        let _ = stage.within(&id, SignedDuration::from_mins(5), held).await;
    }
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{name}\n{}", stage.story(&id));
    let again = stage.count(&id, "step_begun", case.step) - before;
    assert_eq!(again == 0, case.counts, "{name}: ordered {again} times more\n{}", stage.story(&id));
    let truth = stage.truth();
    let lost = truth.sessions.records.iter().find(|record| record.on.is_empty() && !record.handed_out);
    assert!(truth.broken_promises.is_empty() && lost.is_none(), "{name}: {:?} {lost:?}", truth.broken_promises);
    assert!(truth.linked && truth.nodes.a.version == "24.2.1" && truth.nodes.b.version == "24.2.1", "{name}");
    assert!(truth.nodes.a.updates.len() == 1 && truth.nodes.b.updates.len() == 1, "{name}");
}

/// The answer and the journal's reason name what is not as the plan has it, and nothing where all is.
fn says(stage: &Stage, id: &changeover::domain::ids::RunId, answer: &changeover::engine::api::Snapshot, what: &str, name: &str) {
    let differs = Status::full(answer, answer.world.now).guide.unwrap().differs.join("; ");
    let reason = stage.records(id).into_iter().rfind(|record| record.event == "resumed").unwrap().reason;
    for text in [&differs, &reason] {
        assert!(text.contains(what), "{name}: `{what}` is not in `{text}`");
    }
    assert_eq!(what.is_empty(), differs.is_empty(), "{name}: {differs}");
    assert_eq!(what.is_empty(), !reason.contains("not as the plan has it"), "{name}: {reason}");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_by_hand_during_a_hold_is_named_and_verified() {
    for (number, case) in CASES.iter().enumerate() {
        plays(number, case).await;
    }
}
