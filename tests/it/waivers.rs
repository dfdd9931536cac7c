//! Waivers: who may set a promise aside, for which step, and when that holds no more.

use std::collections::BTreeMap;

use changeover::domain::event::{Verdict, WaitingOn};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::late;
use changeover::domain::people::People;
use changeover::domain::run::Phase;
use changeover::domain::sheet;
use changeover::domain::site::Policy;
use changeover::engine::api::{Kind, Word};
use changeover::simulator::faults::{Fault, Planned};

use crate::gates::{mins, people, word};
use crate::stage::{Setting, Stage, end};

fn waive(rule: &str, reason: &str) -> Word {
    Word::Waive { rule: rule.to_owned(), reason: reason.to_owned() }
}

fn setting() -> Setting {
    let owner = || vec!["owner".to_owned()];
    let waivers = BTreeMap::from([("in_window".to_owned(), owner()), ("min_soak".to_owned(), owner())]);
    Setting { policy: Policy { waivers, ..Policy::default() }, people: people(), ..Setting::default() }
}

/// Held at the first gate of the second window, which nobody opened in time; and the step that the gate keeps waiting.
async fn missed(setting: Setting) -> (Stage, RunId, String) {
    let stage = Stage::set(setting);
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-2.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let rest = stage.idle_to_rest(&id).await;
    assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
    let stopped = late::kept_waiting(&rest.run).unwrap().id.clone();
    assert_eq!(stopped, "window-2.update.a");
    (stage, id, stopped)
}

/// R3: waived for one step by the role that may; the next step that it stops is stopped again.
#[tokio::test(start_paused = true)]
async fn r3_is_waived_for_one_step_with_a_reason_by_a_role() {
    let (stage, id, stopped) = missed(setting()).await;
    for (user, rule, reason, kind, code) in [
        ("owner1", "known_box", "it is late", Kind::BadInput, "not_waivable"),
        ("owner1", "min_soak", "it is late", Kind::BadInput, "not_waivable"),
        ("owner1", "in_window", "  ", Kind::BadInput, "note_missing"),
        ("op1", "in_window", "it is late", Kind::NotAllowed, "not_allowed"),
        ("stranger", "in_window", "it is late", Kind::NotAllowed, "not_allowed"),
    ] {
        let problem = stage.says(user, &id, waive(rule, reason)).await.map(|_| ()).unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (kind, code), "{user} {rule}: {problem:?}");
    }
    stage.says("owner1", &id, waive("in_window", "the night is ours")).await.unwrap();
    assert!(stage.last_alert("waived").contains("R3 in_window") && stage.last_alert("waived").contains("the night is ours"));
    let text = sheet::of_journal(&stage.run(&id), stage.folder.path());
    assert!(text.contains(&format!("Waived: R3 in_window for {stopped}")), "{text}");
    let rest = stage.to_rest(&id).await;
    let next = rest.run.step().unwrap().id.clone();
    assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
    assert_ne!(next, stopped, "the step that it was waived for is done, and no other\n{}", stage.story(&id));
    let [waiver] = rest.run.waivers.as_slice() else { panic!("{:?}", rest.run.waivers) };
    assert!(waiver.over && waiver.used && waiver.step == stopped && waiver.by.user == "owner1");
    stage.says("owner1", &id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// Held at a gate, and waived hours later: the gate is asked anew, its time counts from then, and who had answered is forgotten.
#[tokio::test(start_paused = true)]
async fn r3_a_gate_that_was_held_is_asked_anew_after_a_waiver() {
    let (stage, id, _) = missed(setting()).await;
    stage.pass(mins(180)).await;
    stage.says("owner1", &id, waive("in_window", "the night is ours")).await.unwrap();
    let run = stage.until(&id, |run| run.open_gate().is_some()).await;
    let asked = run.asked.as_ref().unwrap();
    assert!(asked.since >= run.waivers[0].at && asked.answers.is_empty(), "{asked:?}\n{}", stage.story(&id));
}

/// Where people are named and no role is, nobody may; where nobody is named, whoever may speak.
#[tokio::test(start_paused = true)]
async fn r3_without_a_role_nobody_waives_and_without_people_everybody() {
    for named in [true, false] {
        let people = if named { people() } else { People::default() };
        let (stage, id, _) = missed(Setting { people, ..Setting::default() }).await;
        let said = stage.says("owner1", &id, waive("in_window", "why")).await.map(|_| ());
        assert_eq!(said.err().map(|problem| problem.code), named.then(|| "not_allowed".to_owned()));
    }
}

/// Only what stands against the step now can be waived, and what was waived on other evidence holds no more.
#[tokio::test(start_paused = true)]
async fn r3_a_waiver_is_for_now_and_lapses_with_its_evidence() {
    let (first, second) = ("2026-11-22T02:00:00Z +4h".to_owned(), "2026-11-23T08:00:00Z +4h".to_owned());
    let stage = Stage::set(Setting { first, second, ..setting() });
    let id = stage.start("role-swap").await;
    let early = stage.says("owner1", &id, waive("in_window", "why")).await.map(|_| ());
    assert_eq!(early.unwrap_err().code, "nothing_to_waive");
    let waits = |run: &changeover::domain::run::Run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
    let run = stage.until(&id, waits).await;
    assert_eq!(run.step().unwrap().id, "window-1.check_sync");
    stage.says("owner1", &id, waive("in_window", "everybody is here already")).await.unwrap();
    // The first step looks only and is done at once; the second waits for the window as before.
    let run = stage.until(&id, waits).await;
    assert_eq!(run.step().unwrap().id, "window-1.confirm", "{}", stage.story(&id));
    stage.says("owner1", &id, waive("in_window", "the first too")).await.unwrap();
    stage.until(&id, |run| run.open_gate() == Some(Gate::AutomaticFailoverOff)).await;
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    let run = stage.until(&id, waits).await;
    assert!(run.waivers.iter().all(|waiver| waiver.over), "{}", stage.story(&id));
    let why = "the waiver of OWNER1 (owner1) holds no more: node b health: was healthy, is not healthy";
    assert!(stage.records(&id).last().unwrap().reason.contains(why), "{}", stage.story(&id));
    stage.mend();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    let again = stage.says("owner1", &id, waive("in_window", "why")).await.map(|_| ());
    assert_eq!(again.unwrap_err().code, "not_in_this_phase");
}

/// A daemon that dies after any record of it comes up with the same waiver.
#[tokio::test(start_paused = true)]
async fn r3_a_waiver_survives_a_restart() {
    let (mut stage, id, stopped) = missed(setting()).await;
    stage.says("owner1", &id, waive("in_window", "the night is ours")).await.unwrap();
    stage.until_step(&id, &stopped).await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.accepted)).await;
    let (before, step) = (stage.run(&id).waivers.clone(), stage.run(&id).step().unwrap().id.clone());
    stage.restart();
    assert_eq!(stage.run(&id).waivers, before);
    assert_eq!(stage.to_rest(&id).await.end, "window_missed", "{}", stage.story(&id));
    assert_ne!(stage.run(&id).step().unwrap().id, step);
}

/// R10: the shortest soak is waived by accepting early, and that has a role of its own.
#[tokio::test(start_paused = true)]
async fn r10_an_early_acceptance_needs_the_role_of_its_waiver() {
    let setting = setting();
    let stage = Stage::set(Setting { second: "2026-11-22T09:00:00Z +22h".to_owned(), ..setting });
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let early = || word(Gate::Production, Verdict::AcceptEarly);
    let refused = stage.says("op1", &id, early()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code, "not_allowed", "{refused:?}");
    stage.says("op1", &id, word(Gate::Production, Verdict::Accept)).await.unwrap();
    stage.until(&id, |run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Soak, .. })).await;
    let refused = stage.says("op1", &id, early()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code, "not_allowed", "{refused:?}");
    let unreasoned = Word::Confirm { gate: None, verdict: Verdict::AcceptEarly, note: None, evidence: None };
    assert_eq!(stage.says("owner1", &id, unreasoned).await.map(|_| ()).unwrap_err().code, "note_missing");
    stage.says("owner1", &id, early()).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("succeeded"));
    assert!(stage.run(&id).finished_at.unwrap() < "2026-11-22T13:00:00Z".parse().unwrap(), "{}", stage.story(&id));
    stage.pass(mins(1)).await;
}
