//! Gates: who is heard, how many, when it is asked again, and what becomes of a word when what was shown changes.

mod evidence;

use std::collections::BTreeMap;

use changeover::domain::event::{Event, Verdict, WaitingOn};
use changeover::domain::gate::{Expiry, Gate, GatePolicy};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::machine;
use changeover::domain::people::{People, Person};
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Policy;
use changeover::engine::api::{Fleet as _, Kind, Problem, Word};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::InProcessOptions;
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{Setting, Stage, end};

pub fn person(user: &str, roles: &[&str]) -> Person {
    let roles = roles.iter().map(ToString::to_string).collect();
    Person { user: user.to_owned(), name: user.to_uppercase(), roles }
}

/// The run is started by `olga`, who has every role that is asked for first.
pub fn people() -> People {
    let all =
        [("olga", ["operator", "owner"].as_slice()), ("op1", &["operator"]), ("owner1", &["owner"]), ("owner2", &["owner"])];
    let people = all.into_iter().chain([("deputy1", ["deputy"].as_slice())]);
    People::new(people.map(|(user, roles)| person(user, roles)))
}

pub fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub fn word(gate: Gate, verdict: Verdict) -> Word {
    // An early acceptance is a waiver, and needs its reason.
    let note = (verdict == Verdict::AcceptEarly).then(|| "nobody is left to try it".to_owned());
    Word::Confirm { gate: Some(gate.name().to_owned()), verdict, note, evidence: None }
}

fn roles(roles: &[&str]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// A role swap that asks at every gate there is.
fn every_gate() -> Procedure {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == "role-swap").unwrap();
    let ask = |gate: &str| format!("[[steps]]\nwhen = \"prepare\"\naction = \"confirm\"\ngate = \"{gate}\"\n\n");
    let first = ["licence", "order", "go_live", "lsid_change"].map(ask).concat();
    let text = text.replacen("# Window one", &format!("{first}# Window one"), 1).replace("\"role-swap\"", "\"every-gate\"");
    Procedure::load("every-gate", &text).unwrap_or_else(|error| panic!("{error:?}"))
}

fn asked() -> impl Iterator<Item = Gate> {
    Gate::all().filter(|gate| gate.is_asked())
}

/// Two owners other than the starter; reminded after 2 minutes, escalated after 5.
fn strict() -> GatePolicy {
    GatePolicy {
        roles: roles(&["owner"]),
        persons: 2,
        not_starter: true,
        remind_after: Some(mins(2)),
        escalate_after: Some(mins(5)),
        deputies: roles(&["deputy"]),
        ..GatePolicy::default()
    }
}

fn policy(gate: &GatePolicy) -> Policy {
    Policy { gates: asked().map(|name| (name, gate.clone())).collect(), ..Policy::default() }
}

fn setting(gate: &GatePolicy) -> Setting {
    let (first, second) = ("now +10h".to_owned(), "2026-11-23T12:00:00Z +10h".to_owned());
    Setting {
        policy: policy(gate),
        own: vec![every_gate()],
        people: people(),
        first,
        second,
        checklists: false,
        ..Setting::default()
    }
}

async fn until_gate(stage: &Stage, id: &RunId) -> Option<Gate> {
    let run = stage.until(id, |run| end(run).is_some() || run.open_gate().is_some()).await;
    run.open_gate()
}

/// The records of words that were not taken: by whom, and why.
fn denials(stage: &Stage, id: &RunId) -> Vec<(String, String)> {
    let records = stage.records(id).into_iter().filter(|record| record.event == "denied");
    records.map(|record| (record.actor, record.data["reason"].as_str().unwrap().to_owned())).collect()
}

async fn refused(stage: &Stage, user: &str, id: &RunId, word: Word) -> Problem {
    let said = stage.says(user, id, word.clone()).await;
    said.err().unwrap_or_else(|| panic!("{user} was heard: {word:?}\n{}", stage.story(id)))
}

/// At one open gate everybody speaks who may not, then those who may.
async fn ask_everybody(stage: &Stage, id: &RunId, gate: Gate) {
    let not_heard = async |user: &str, why: &str| {
        let before = denials(stage, id).len();
        let problem = refused(stage, user, id, word(gate, Verdict::Accept)).await;
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::NotAllowed, "not_allowed"), "{gate}: {problem:?}");
        let denied = denials(stage, id);
        assert_eq!(denied.len(), before + 1, "{gate}");
        let (by, reason) = denied.last().unwrap();
        assert!(by == user && reason.contains(why) && problem.causes[0].contains(why), "{gate}: {by}: {reason}");
    };
    not_heard("stranger", "is not among the people").await;
    not_heard("op1", "one of `owner` is asked for").await;
    not_heard("olga", "started the run").await;
    not_heard("deputy1", "has `deputy`").await;
    let reminders = |stage: &Stage| stage.records(id).iter().filter(|record| record.event == "reminded").count();
    let before = reminders(stage);
    stage.pass(mins(3)).await;
    assert_eq!(reminders(stage), before + 1, "{gate}\n{}", stage.story(id));
    assert!(stage.alert_says("gate_waiting", "reminder"), "{gate}");
    not_heard("deputy1", "has `deputy`").await;
    stage.pass(mins(3)).await;
    assert!(stage.run(id).asked.as_ref().unwrap().escalated_at.is_some(), "{gate}\n{}", stage.story(id));
    assert!(stage.alert_says("gate_escalated", gate.name()), "{gate}");
    stage.says("deputy1", id, word(gate, Verdict::Accept)).await.unwrap();
    let twice = refused(stage, "deputy1", id, word(gate, Verdict::Accept)).await;
    assert_eq!((twice.kind, twice.code.as_str()), (Kind::Conflict, "answered_already"), "{twice:?}");
    assert_eq!(stage.run(id).open_gate(), Some(gate), "one of two");
    stage.says("owner1", id, word(gate, Verdict::Accept)).await.unwrap();
}

/// What each gate asks for, from the first to the last of a whole run; and nothing that the run does itself voids a word.
#[tokio::test(start_paused = true)]
async fn bg_06_every_gate_hears_only_those_it_asks_and_counts_persons() {
    let stage = Stage::set(setting(&strict()));
    let id = stage.start("every-gate").await;
    let mut met: BTreeMap<Gate, u32> = BTreeMap::new();
    while let Some(gate) = until_gate(&stage, &id).await {
        ask_everybody(&stage, &id, gate).await;
        *met.entry(gate).or_default() += 1;
    }
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("succeeded"), "{}", stage.story(&id));
    assert!(asked().all(|gate| met.contains_key(&gate)), "{met:?}");
    let void = stage.records(&id).iter().filter(|record| record.event == "evidence_lapsed").count();
    assert_eq!(void, 0, "{}", stage.story(&id));
    assert_sound(&stage, &id, "every-gate", true, "strict");
    let record = stage.records(&id).into_iter().rfind(|record| record.event == "confirmed").unwrap();
    assert_eq!(record.data["by"]["name"], "OWNER1");
    assert!(record.reason.ends_with("accepted by OWNER1 (owner1), 2 of 2"), "{}", record.reason);
}

/// The gates of a whole run, in their order; each with how many are answered before it.
async fn gates_of(procedure: &str) -> Vec<(usize, Gate)> {
    let stage = Stage::set(setting(&GatePolicy::default()));
    let id = stage.start(procedure).await;
    let mut gates = Vec::new();
    while let Some(gate) = until_gate(&stage, &id).await {
        gates.push((gates.len(), gate));
        stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
    }
    gates
}

/// Until this gate is open, all before it accepted.
async fn at_gate(setting: Setting, nth: usize) -> (Stage, RunId, Gate) {
    let stage = Stage::set(setting);
    let id = stage.start("every-gate").await;
    for _ in 0..nth {
        let gate = until_gate(&stage, &id).await.unwrap();
        stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
    }
    let gate = until_gate(&stage, &id).await.unwrap();
    (stage, id, gate)
}

fn is_open(gate: Gate) -> impl Fn(&Run) -> bool {
    move |run| run.open_gate() == Some(gate)
}

fn lapse(stage: &Stage, id: &RunId) -> String {
    let records = stage.records(id);
    records.iter().rfind(|record| record.event == "evidence_lapsed").unwrap().reason.clone()
}

async fn accept_all(stage: &Stage, id: &RunId) -> String {
    while let Some(gate) = until_gate(stage, id).await {
        stage.says("owner1", id, word(gate, Verdict::Accept)).await.unwrap();
    }
    end(&stage.run(id)).unwrap()
}

/// Expired, a gate leads to a hold or home, never on; asked again, it is a gate like any other.
#[tokio::test(start_paused = true)]
async fn r10_an_expired_gate_holds_or_goes_home() {
    for (nth, gate) in gates_of("every-gate").await {
        for on_expiry in [Expiry::Hold, Expiry::Home] {
            let case = format!("{nth} {gate} {on_expiry:?}");
            let policy = GatePolicy { expires_after: Some(mins(20)), on_expiry, ..GatePolicy::default() };
            let (stage, id, _) = at_gate(setting(&policy), nth).await;
            stage.pass(mins(21)).await;
            let acts = stage.truth().acts.len();
            if on_expiry == Expiry::Hold {
                let late = refused(&stage, "owner1", &id, word(gate, Verdict::Accept)).await;
                assert_eq!(late.code, "gate_not_open", "{case}: {late:?}");
                assert_eq!(end(&stage.run(&id)).as_deref(), Some("gate_expired"), "{case}\n{}", stage.story(&id));
                assert_eq!(stage.truth().acts.len(), acts, "{case}");
                stage.says("op1", &id, Word::Resume { window: None }).await.unwrap();
                assert_eq!(until_gate(&stage, &id).await, Some(gate), "{case}");
                assert_eq!(accept_all(&stage, &id).await, "succeeded", "{case}\n{}", stage.story(&id));
            } else {
                let rest = stage.to_rest(&id).await;
                let revised = stage.records(&id).into_iter().find(|record| record.event == "revised").unwrap();
                assert_eq!((revised.actor.as_str(), &revised.data["cause"]), ("daemon", &"gate_expired".into()), "{case}");
                assert!(stage.alert_says("gate_escalated", "gate_expired"), "{case}");
                assert!(["aborted", "harbour"].contains(&rest.end.as_str()), "{case}: {}\n{}", rest.end, stage.story(&id));
                // Nobody asked for it.
                let told = stage.alert_says("held", "\"severity\":\"critical\",\"code\":\"harbour\"");
                assert_eq!(told, rest.end == "harbour", "{case}");
            }
        }
    }
}

/// A daemon that comes up after the expiry, or an answer that is lost just then, shows no way home for a look or two: it is awaited.
#[tokio::test(start_paused = true)]
async fn r10_an_expired_gate_goes_home_also_after_a_restart_or_a_lost_answer() {
    let policy = GatePolicy { expires_after: Some(mins(20)), on_expiry: Expiry::Home, ..GatePolicy::default() };
    for (nth, gate) in gates_of("every-gate").await {
        for restart in [true, false] {
            let case = format!("{nth} {gate} {restart}");
            let (mut stage, id, _) = at_gate(setting(&policy), nth).await;
            if restart {
                stage.stop();
                stage.pass(mins(25)).await;
                stage.restart();
            } else {
                stage.pass(mins(18)).await;
                stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::B));
                stage.pass(mins(3)).await;
                stage.mend();
            }
            stage.until(&id, |run| run.way.is_some() || end(run).is_some()).await;
            let rest = stage.to_rest(&id).await;
            assert!(["aborted", "harbour"].contains(&rest.end.as_str()), "{case}: {}\n{}", rest.end, stage.story(&id));
            let revised = stage.records(&id).into_iter().find(|record| record.event == "revised").unwrap();
            assert_eq!(revised.data["cause"], "gate_expired", "{case}");
        }
    }
}

/// Where no way leads home or to harbour, the policy's way home is a hold.
#[tokio::test(start_paused = true)]
async fn r10_an_expired_gate_without_a_way_home_holds() {
    let policy = GatePolicy { expires_after: Some(mins(60)), on_expiry: Expiry::Home, ..GatePolicy::default() };
    let gates = gates_of("every-gate").await;
    let (nth, _) = gates.into_iter().find(|(_, gate)| *gate == Gate::Production).unwrap();
    let (stage, id, _) = at_gate(setting(&policy), nth).await;
    for node in NodeId::BOTH {
        stage.fault(Planned::for_ever(Fault::NodeSilent).on(node));
    }
    stage.pass(mins(70)).await;
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("gate_expired"), "{}", stage.story(&id));
}

/// One of two has accepted and thinks again; what the first was shown must be what the second is shown.
#[tokio::test(start_paused = true)]
async fn half_an_acceptance_can_be_taken_back_and_lapses() {
    let two = GatePolicy { persons: 2, ..GatePolicy::default() };
    let (stage, id, gate) = at_gate(setting(&two), 0).await;
    stage.pass(mins(2)).await;
    stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A));
    stage.until(&id, |run| run.asked.as_ref().is_none_or(|asked| asked.answers.is_empty())).await;
    assert!(lapse(&stage, &id).contains("node a health"), "{}", stage.story(&id));
    stage.mend();
    stage.pass(mins(3)).await;
    stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
    stage.says("owner1", &id, word(gate, Verdict::Reject)).await.unwrap();
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("rejected"));
    assert!(stage.last_alert("held").contains("by OWNER1 (owner1)"), "{}", stage.last_alert("held"));
    stage.says("op1", &id, Word::Resume { window: None }).await.unwrap();
    stage.until(&id, is_open(gate)).await;
    assert!(stage.run(&id).asked.as_ref().unwrap().answers.is_empty(), "asked anew");
}

/// Between two looks of the run's own the pair changes and the second person confirms: the first one's word is void, and the gate
/// is not accepted on two different things.
#[tokio::test(start_paused = true)]
async fn r10_persons_add_up_only_on_the_same_evidence() {
    let two = GatePolicy { persons: 2, ..GatePolicy::default() };
    for (nth, gate) in gates_of("every-gate").await {
        // What a driver caches would be seen a minute later, and void the word then.
        let options = InProcessOptions { cache_time: SignedDuration::ZERO, ..InProcessOptions::default() };
        let (stage, id, _) = at_gate(Setting { options, ..setting(&two) }, 0).await;
        for user in ["owner1", "owner2"].into_iter().cycle().take(2 * nth) {
            until_gate(&stage, &id).await;
            stage.says(user, &id, word(stage.run(&id).open_gate().unwrap(), Verdict::Accept)).await.unwrap();
        }
        until_gate(&stage, &id).await;
        // Another's word lapses first, and an unhealthy node is not accepted in production, whatever was shown.
        if !stage.run(&id).bound.is_empty() || gate == Gate::Production {
            continue;
        }
        stage.pass(mins(2)).await;
        stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
        stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
        let problem = refused(&stage, "owner2", &id, word(gate, Verdict::Accept)).await;
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::Conflict, "evidence_changed"), "{gate}: {problem:?}");
        assert!(problem.causes[0].contains("node b health: was healthy, is not healthy"), "{gate}: {problem:?}");
        assert!(lapse(&stage, &id).contains("the confirmation is void"), "{gate}\n{}", stage.story(&id));
        stage.mend();
        stage.until(&id, is_open(gate)).await;
        stage.pass(mins(3)).await;
        assert!(stage.run(&id).asked.as_ref().unwrap().answers.is_empty(), "{gate}: asked anew\n{}", stage.story(&id));
        stage.says("owner2", &id, word(gate, Verdict::Accept)).await.unwrap();
        assert_eq!(stage.run(&id).open_gate(), Some(gate), "one of two\n{}", stage.story(&id));
        stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
        stage.until(&id, |run| run.open_gate() != Some(gate)).await;
    }
}

/// R10: while another gate of the soak is open, or the run waits there for a reading, the version can be rejected all the same, and
/// accepted early.
#[tokio::test(start_paused = true)]
async fn r10_a_version_is_rejected_or_accepted_early_wherever_it_soaks() {
    let clients = |run: &Run| run.open_gate() == Some(Gate::ClientsByAddress);
    for verdict in [Verdict::Reject, Verdict::AcceptEarly] {
        let stage = Stage::set(Setting { checklists: false, ..Setting::default() });
        let id = stage.start("role-swap").await;
        stage.answered(&id, clients).await;
        stage.word(&id, word(Gate::Production, verdict)).await.unwrap();
        if verdict == Verdict::Reject {
            assert_eq!(end(&stage.run(&id)).as_deref(), Some("rejected"));
            stage.resume(&id).await.unwrap();
            stage.until(&id, is_open(Gate::Production)).await;
            stage.accept(&id, None).await.unwrap();
        }
        // The gate that was open is open still, and is answered for itself.
        assert_eq!(stage.until(&id, |run| run.open_gate().is_some()).await.open_gate(), Some(Gate::ClientsByAddress));
        stage.accept(&id, None).await.unwrap();
        if verdict == Verdict::AcceptEarly {
            stage.until(&id, |run| run.soaked).await;
            assert!(stage.truth().now < stage.run(&id).soak_from.unwrap() + mins(60), "{}", stage.story(&id));
        }
        stage.answered(&id, |run| end(run).is_some()).await;
        assert_eq!(end(&stage.run(&id)).as_deref(), Some("succeeded"), "{}", stage.story(&id));
    }
}

/// R16: sessions on the node that does not serve make the soak wait for a reading; the version is rejected all the same.
#[tokio::test(start_paused = true)]
async fn r10_a_version_is_rejected_while_the_soak_waits_for_a_reading() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    let run = stage.until_step(&id, "soak.soak").await;
    let phase = Phase::Waiting { on: WaitingOn::Appliance, since: run.last_at, until: None };
    let run = Run { phase, ..(*run).clone() };
    assert!(run.is_rethinkable());
    let word = Event::Confirmed { gate: Gate::Production, verdict: Verdict::Reject, note: None, by: None, shown: None };
    let (run, _) = machine::next(&run, &word, run.last_at).unwrap();
    assert_eq!((end(&run).as_deref(), run.step().unwrap().gate), (Some("rejected"), Some(Gate::Production)));
}

/// R10: found bad after days, the version is rejected in the soak; resumed, it is asked about again.
#[tokio::test(start_paused = true)]
async fn r10_a_version_is_rejected_in_the_soak() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.soak").await;
    stage.pass(mins(60)).await;
    stage.word(&id, word(Gate::Production, Verdict::Reject)).await.unwrap();
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("rejected"));
    stage.resume(&id).await.unwrap();
    stage.until(&id, is_open(Gate::Production)).await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// A daemon that dies after any record of such a path comes up with the same gate, answers and reminders.
#[tokio::test(start_paused = true)]
async fn a_restart_at_each_record_forgets_no_answer() {
    let setting = || Setting { own: vec![], ..setting(&GatePolicy { persons: 2, remind_after: Some(mins(4)), ..strict() }) };
    let play = async |stage: &Stage, id: &RunId| {
        for user in ["owner1", "owner2"] {
            stage.pass(mins(5)).await;
            let Some(gate) = stage.run(id).open_gate() else { continue };
            // Whoever has said it before the restart need not say it again.
            match stage.says(user, id, word(gate, Verdict::Accept)).await {
                Ok(_) => {}
                Err(problem) => assert_eq!(problem.code, "answered_already", "{problem:?}"),
            }
        }
    };
    let stage = Stage::set(setting());
    let id = stage.start("role-swap").await;
    for _ in 0..3 {
        play(&stage, &id).await;
    }
    let last = stage.records(&id).iter().rposition(|record| record.event == "confirmed").unwrap() as u64;
    for seq in 1..=last {
        let mut stage = Stage::set(setting());
        let id = stage.start("role-swap").await;
        while stage.run(&id).seq < seq {
            tokio::select! {
                biased;
                _ = stage.until(&id, |run| run.seq >= seq) => {}
                () = play(&stage, &id) => {}
            }
        }
        let before = stage.run(&id).asked.clone();
        stage.restart();
        let after = stage.run(&id);
        assert!(after.asked == before || after.asked.is_some() != before.is_some(), "{seq}\n{}", stage.story(&id));
        for _ in 0..4 {
            play(&stage, &id).await;
        }
        assert!(stage.run(&id).broken_at.is_some(), "{seq}\n{}", stage.story(&id));
    }
}

/// Words of strangers move nothing, whatever they say, and each is on record; nobody unknown starts a run.
#[tokio::test(start_paused = true)]
async fn what_strangers_say_is_recorded_and_moves_nothing() {
    let stage = Stage::set(setting(&GatePolicy::default()));
    let id = stage.start("every-gate").await;
    let gate = until_gate(&stage, &id).await.unwrap();
    let (text, none) = (|| "because".to_owned(), || None::<String>);
    let words = [
        word(gate, Verdict::Accept),
        Word::Waive { rule: "in_window".to_owned(), reason: text() },
        Word::Hold,
        Word::Resume { window: None },
        Word::SwitchBack { note: text() },
        Word::Abort { way: None, note: none() },
        Word::Close { state: text(), note: text() },
        Word::ReplaceNode { node: NodeId::B, identity: text(), note: none() },
    ];
    for word in words {
        let (phase, seq) = (stage.run(&id).phase.clone(), stage.run(&id).seq);
        let problem = refused(&stage, "stranger", &id, word.clone()).await;
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::NotAllowed, "not_allowed"), "{word:?}");
        let record = stage.records(&id).into_iter().next_back().unwrap();
        assert_eq!((record.seq, record.event.as_str(), record.actor.as_str()), (seq + 1, "denied", "stranger"), "{word:?}");
        assert_eq!(record.data["word"], word.name());
        assert_eq!(stage.run(&id).phase, phase, "{word:?}");
    }
    let started = stage.fleet.start(stage.request("every-gate"), "stranger").await.unwrap_err();
    assert_eq!(started.code, "not_allowed", "{started:?}");
}
