//! R9's second half: settings are listed at the break, compared while the pair is unlinked, and what the next sync overwrites is
//! acknowledged line by line before it may.

mod wire;

use changeover::domain::action::Kind as Action;
use changeover::domain::asked;
use changeover::domain::event::{Event, Evidence, Verdict};
use changeover::domain::gate::{Gate, GatePolicy};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Run;
use changeover::domain::site::Policy;
use changeover::engine::api::{Kind, Word};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::InProcessOptions;
use changeover::simulator::world::SettingChanged;
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Setting, Stage, end};

/// The node that the procedure's sync overwrites at the end.
fn left(procedure: &str) -> NodeId {
    if procedure == "role-swap" { NodeId::A } else { NodeId::B }
}

/// A run that soaks, its snapshot taken.
async fn soaking(procedure: &str, setting: Setting) -> (Stage, RunId) {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    stage.until_step(&id, "soak.confirm").await;
    (stage, id)
}

fn told() -> Setting {
    Setting::default()
}

fn untold() -> Setting {
    Setting { options: InProcessOptions { tells_settings: false, ..InProcessOptions::default() }, ..Setting::default() }
}

/// The lines that are open, by id.
fn open(run: &Run) -> Vec<String> {
    run.settings.open().map(|line| line.id.clone()).collect()
}

/// Until the ledger waits for a person, with every other gate accepted on the way.
async fn until_ledger(stage: &Stage, id: &RunId) -> std::sync::Arc<Run> {
    stage.answered(id, |run| run.open_gate() == Some(Gate::SettingsLedger) || end(run).is_some()).await
}

async fn a_while(stage: &Stage) {
    stage.pass(SignedDuration::from_mins(40)).await;
}

fn names(stage: &Stage, node: NodeId) -> Vec<String> {
    stage.truth().nodes[node].settings.clone()
}

#[tokio::test(start_paused = true)]
async fn r9_a_change_on_the_idle_node_is_told_listed_acknowledged_and_overwritten() {
    for procedure in PROCEDURES {
        let (stage, id) = soaking(procedure, told()).await;
        let idle = left(procedure);
        stage.set_item(idle, "user", "7", Some("1"));
        a_while(&stage).await;
        let line = format!("{idle}.user.7");
        assert_eq!(open(&stage.run(&id)), [line.as_str()], "{procedure}\n{}", stage.story(&id));
        assert!(stage.alert_says("settings_changed", "user-7"), "{procedure}: {:?}", stage.alerts());
        let run = until_ledger(&stage, &id).await;
        assert!(run.step().is_some_and(|step| step.kind == Action::CompareSettings), "{procedure}\n{}", stage.story(&id));
        stage.acknowledge(&id, &line).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert!(!names(&stage, idle).contains(&"user.7 user-7".to_owned()), "{procedure}: it was overwritten, as the line said");
        assert_eq!(names(&stage, NodeId::A), names(&stage, NodeId::B));
    }
}

#[tokio::test(start_paused = true)]
async fn r9_one_open_line_holds_back_the_link_whatever_else_is_said() {
    let (stage, id) = soaking("role-swap", told()).await;
    for item in ["7", "8"] {
        stage.set_item(NodeId::A, "user", item, Some("1"));
    }
    stage.set_item(NodeId::B, "group", "3", Some("1"));
    let run = until_ledger(&stage, &id).await;
    assert_eq!(open(&run), ["a.user.7", "a.user.8"], "{}", stage.story(&id));
    stage.acknowledge(&id, "a.user.7").await.unwrap();
    let refusals = [
        (Word::Confirm { gate: None, verdict: Verdict::Accept, note: None, evidence: None }, "gate_not_open"),
        (
            Word::Confirm { gate: Some("settings_ledger".to_owned()), verdict: Verdict::Accept, note: None, evidence: None },
            "line_by_line",
        ),
        (Word::Acknowledge { line: "a.user.7".to_owned(), digest: None, note: None }, "line_not_open"),
        (Word::Acknowledge { line: "b.group.3".to_owned(), digest: None, note: None }, "line_not_open"),
        (Word::Acknowledge { line: "a.user.9".to_owned(), digest: None, note: None }, "unknown_line"),
    ];
    for (word, code) in refusals {
        assert_eq!(stage.word(&id, word).await.unwrap_err().code, code);
    }
    stage.pass(SignedDuration::from_hours(2)).await;
    let run = stage.run(&id);
    assert_eq!((run.open_gate(), open(&run)), (Some(Gate::SettingsLedger), vec!["a.user.8".to_owned()]));
    assert_eq!(stage.count(&id, "step_begun", "window-2.establish_failover.b"), 0);
    assert!(stage.alert_says("gate_waiting", "Open lines: 2"));
    stage.acknowledge(&id, "a.user.8").await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert!(names(&stage, NodeId::A).contains(&"group.3 group-3".to_owned()), "what the survivor has is kept, and copied");
}

#[tokio::test(start_paused = true)]
async fn r9_a_line_whose_item_changes_again_is_open_again() {
    let (stage, id) = soaking("role-swap", told()).await;
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    until_ledger(&stage, &id).await;
    // Between the last look and the word, so that only a comparison after the word can find it.
    stage.set_item(NodeId::A, "user", "7", Some("2"));
    stage.acknowledge(&id, "a.user.7").await.unwrap();
    stage.pass(SignedDuration::from_mins(5)).await;
    let run = stage.run(&id);
    assert_eq!((run.open_gate(), open(&run)), (Some(Gate::SettingsLedger), vec!["a.user.7".to_owned()]), "{}", stage.story(&id));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// A word is on the line as it was seen: one that is another by now is seen first.
#[tokio::test(start_paused = true)]
async fn r9_a_word_is_on_the_line_as_it_was_seen() {
    let (stage, id) = soaking("role-swap", told()).await;
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    let run = until_ledger(&stage, &id).await;
    let seen = run.settings.lines[0].digest.clone();
    stage.set_item(NodeId::A, "user", "7", Some("2"));
    a_while(&stage).await;
    let word = |digest: &str| Word::Acknowledge { line: "a.user.7".to_owned(), digest: Some(digest.to_owned()), note: None };
    for other in [seen.as_str(), &seen[..12], "", "7"] {
        assert_eq!(stage.word(&id, word(other)).await.unwrap_err().code, "line_changed", "{other}");
    }
    let now = stage.run(&id).settings.lines[0].digest.clone();
    assert_ne!(now, seen);
    stage.word(&id, word(&now[..12])).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// Lines that nobody acknowledges are reminded of, like every gate.
#[tokio::test(start_paused = true)]
async fn open_lines_are_reminded_of() {
    let remind = GatePolicy { remind_after: Some(SignedDuration::from_mins(30)), ..GatePolicy::default() };
    let gates = std::collections::BTreeMap::from([(Gate::SettingsLedger, remind)]);
    let setting = Setting { policy: Policy { gates, ..Policy::default() }, ..told() };
    let (stage, id) = soaking("role-swap", setting).await;
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    until_ledger(&stage, &id).await;
    stage.pass(SignedDuration::from_mins(70)).await;
    let reminded = stage.records(&id).iter().filter(|record| record.event == "reminded").count();
    assert_eq!(reminded, 2, "{}", stage.story(&id));
    assert!(stage.alert_says("gate_waiting", "has been open for 1h"), "{:?}", stage.alerts());
}

#[tokio::test(start_paused = true)]
async fn r9_what_is_undone_or_entered_again_on_the_survivor_needs_no_word() {
    for entered_again in [false, true] {
        let (stage, id) = soaking("role-swap", told()).await;
        stage.set_item(NodeId::A, "user", "7", Some("1"));
        a_while(&stage).await;
        assert_eq!(open(&stage.run(&id)), ["a.user.7"]);
        let (node, value) = if entered_again { (NodeId::B, Some("1")) } else { (NodeId::A, None) };
        stage.set_item(node, "user", "7", value);
        a_while(&stage).await;
        assert!(open(&stage.run(&id)).is_empty(), "{}", stage.story(&id));
        assert_eq!(until_ledger(&stage, &id).await.open_gate(), None, "{}", stage.story(&id));
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    }
}

/// Each kind of item, each change, on each node: one line for what the sync takes away, none for the rest.
#[tokio::test(start_paused = true)]
async fn r9_each_kind_of_change_is_a_line() {
    for (kind, item) in [("user", "2"), ("group", "1"), ("jump_group", "1"), ("jump_shell", "1")] {
        for value in [Some("9"), None] {
            for node in NodeId::BOTH {
                let (stage, id) = soaking("in-place", told()).await;
                stage.set_item(node, kind, item, value);
                a_while(&stage).await;
                let expected = if node == NodeId::B { vec![format!("b.{kind}.{item}")] } else { Vec::new() };
                assert_eq!(open(&stage.run(&id)), expected, "{kind} {value:?} on {node}\n{}", stage.story(&id));
                assert_eq!(stage.run(&id).settings.lines.len(), 1);
                let told = stage.alerts().iter().any(|alert| alert == "settings_changed");
                assert_eq!(told, node == NodeId::B, "what is kept is no breach");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r9_a_change_is_told_once() {
    let (stage, id) = soaking("role-swap", told()).await;
    let count = |stage: &Stage| stage.alerts().iter().filter(|alert| *alert == "settings_changed").count();
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    a_while(&stage).await;
    stage.pass(SignedDuration::from_hours(5)).await;
    assert_eq!(count(&stage), 1, "{}", stage.story(&id));
    stage.set_item(NodeId::A, "user", "8", Some("1"));
    a_while(&stage).await;
    assert_eq!(count(&stage), 2);
    assert!(!stage.last_alert("settings_changed").contains("user-7"), "told already");
    stage.set_item(NodeId::A, "user", "7", Some("2"));
    a_while(&stage).await;
    assert_eq!(count(&stage), 3);
}

/// Before the switch the node that serves is the one that will be overwritten: its changes are told at once, not days later.
#[tokio::test(start_paused = true)]
async fn r9_before_the_switch_it_is_the_serving_node_whose_changes_are_lost() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    stage.until_step(&id, "soak.confirm").await;
    a_while(&stage).await;
    assert_eq!(open(&stage.run(&id)), ["a.user.7"], "{}", stage.story(&id));
}

#[tokio::test(start_paused = true)]
async fn r9_where_nothing_is_told_the_evidence_says_so_and_the_freeze_stays_the_gates() {
    for procedure in PROCEDURES {
        let (stage, id) = soaking(procedure, untold()).await;
        stage.set_item(left(procedure), "user", "7", Some("1"));
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        let records = stage.records(&id);
        let found = |step: &str| {
            let done = records.iter().find(|record| record.event == "step_done" && record.step.as_deref() == Some(step));
            done.unwrap().reason.clone()
        };
        assert!(found("window-1.record_settings").contains("not told"), "{}", stage.story(&id));
        assert!(found("window-2.compare_settings").contains("by hand"), "{}", stage.story(&id));
        assert!(stage.run(&id).settings.lines.is_empty());
    }
}

/// The journal has the hash of what was listed, and no listing.
#[tokio::test(start_paused = true)]
async fn r14_the_snapshot_is_a_file_that_the_journal_names_by_its_hash() {
    let (stage, id) = soaking("role-swap", told()).await;
    let records = stage.records(&id);
    let done = records
        .iter()
        .find(|record| record.event == "step_done" && record.step.as_deref() == Some("window-1.record_settings"))
        .unwrap();
    let Event::StepDone { evidence: Evidence::Settings { snapshot, .. }, .. } =
        Event::from_parts(&done.event, &done.data).unwrap()
    else {
        panic!("{done:?}")
    };
    for file in [snapshot.a.unwrap(), snapshot.b.unwrap()] {
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.contains("linux-server") && file.bytes == text.len() as u64);
    }
    assert!(records.iter().all(|record| !record.data.to_string().contains("linux-server")));
}

#[tokio::test(start_paused = true)]
async fn r9_a_snapshot_that_was_touched_is_one_open_line() {
    let (stage, id) = soaking("role-swap", told()).await;
    let file = stage.run(&id).settings.snapshot[NodeId::A].clone().unwrap();
    for spoil in ["", "{}"] {
        std::fs::write(&file.path, spoil).unwrap();
        a_while(&stage).await;
        assert_eq!(open(&stage.run(&id)), ["a.settings.*"], "{}", stage.story(&id));
    }
    std::fs::remove_file(&file.path).unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// A daemon that comes up again after any record finds the same ledger, and no word is needed twice.
#[tokio::test(start_paused = true)]
async fn r14_the_ledger_survives_a_restart_after_each_record() {
    for procedure in PROCEDURES {
        let scene = async |stop: Option<u64>| {
            let mut stage = Stage::new();
            let idle = left(procedure);
            stage.at("step_done", "soak.soak", move |world| {
                let (kind, name) = ("user".to_owned(), Some("anna".to_owned()));
                let (id, value) = ("7".to_owned(), "1".to_owned());
                world.change_setting(idle, SettingChanged { kind, id, name, value, enabled: None }).unwrap();
            });
            let id = stage.start(procedure).await;
            if let Some(seq) = stop {
                stage.until_seq(&id, seq).await;
                stage.restart();
            }
            // An update whose answer was lost with the daemon is a person's.
            if stage.to_rest(&id).await.end != "succeeded" {
                stage.resume_to_end(&id).await;
            }
            let words = stage.records(&id).iter().filter(|record| record.event == "line_acknowledged").count();
            assert_eq!(words, 1, "{procedure}, restarted after {stop:?}\n{}", stage.story(&id));
            let first = stage
                .records(&id)
                .iter()
                .position(|record| record.event == "step_done" && record.step.as_deref() == Some("soak.soak"));
            (first.unwrap() as u64, stage.records(&id).len() as u64)
        };
        let (from, to) = scene(None).await;
        for seq in from..to {
            scene(Some(seq)).await;
        }
    }
}

/// The way home links from the other node: what was changed on this one is the ledger then, and waits for its word too.
#[tokio::test(start_paused = true)]
async fn r9_a_way_home_compares_before_it_links() {
    for (setting, compares) in [(told(), true), (untold(), false)] {
        let stage = Stage::set(setting);
        let id = stage.start("role-swap").await;
        until_gate(&stage, &id, Gate::BackgroundJobs).await;
        stage.set_item(NodeId::B, "user", "7", Some("1"));
        stage.set_item(NodeId::A, "user", "8", Some("1"));
        stage.word(&id, Word::Abort { way: None, note: None }).await.unwrap();
        let steps: Vec<Action> = stage.run(&id).plan.steps.iter().map(|step| step.kind).collect();
        let links = steps.iter().rposition(|kind| *kind == Action::EstablishFailover).unwrap();
        assert_eq!(steps[links - 1] == Action::CompareSettings, compares, "{steps:?}");
        if compares {
            let run = until_ledger(&stage, &id).await;
            assert_eq!(open(&run), ["b.user.7"], "{}", stage.story(&id));
        }
        assert_eq!(stage.to_rest(&id).await.end, "aborted", "{}", stage.story(&id));
        let both = [NodeId::A, NodeId::B].map(|node| names(&stage, node));
        assert!(both.iter().all(|names| names.contains(&"user.8 user-8".to_owned())), "the survivor's are kept");
        assert!(!both.concat().contains(&"user.7 user-7".to_owned()));
    }
}

/// Until this gate waits, with all before it accepted.
async fn until_gate(stage: &Stage, id: &RunId, gate: Gate) {
    loop {
        let run = stage.until(id, |run| run.open_gate().is_some()).await;
        if run.open_gate() == Some(gate) {
            return;
        }
        stage.accept(id, None).await.unwrap();
    }
}

/// The lists are tried for some minutes; window one does not wait for them longer.
#[tokio::test(start_paused = true)]
async fn r9_a_node_that_lists_nothing_for_minutes_is_named_in_the_evidence() {
    for (silent, expected) in [(3, 2), (60, 1)] {
        let stage = Stage::new();
        stage.at("step_done", "window-1.break_failover.a", |world| {
            world.plan_fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::B))
        });
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "window-1.record_settings").await;
        stage.pass(SignedDuration::from_mins(silent)).await;
        stage.mend();
        stage.until_step(&id, "window-1.update.b").await;
        let snapshot = stage.run(&id).settings.snapshot.clone();
        let count = NodeId::BOTH.into_iter().filter(|&node| snapshot[node].is_some()).count();
        assert_eq!(count, expected, "{}", stage.story(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn r9_a_job_that_runs_on_the_idle_node_keeps_its_gate_from_being_accepted() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        let set = |node, enabled| {
            let (kind, id, name) = ("job".to_owned(), "1".to_owned(), Some("nightly export".to_owned()));
            let changed = SettingChanged { kind, id, name, value: String::new(), enabled: Some(enabled) };
            stage.site.current().change_setting(node, changed).unwrap();
        };
        for node in NodeId::BOTH {
            set(node, true);
        }
        until_gate(&stage, &id, Gate::BackgroundJobs).await;
        let refused = stage.accept(&id, None).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_str()), (Kind::Refused, "background_jobs"), "{refused:?}");
        assert!(refused.causes[0].contains("nightly export"), "{refused:?}");
        set(NodeId::B, false);
        stage.accept(&id, None).await.unwrap();
        // After the switch it is the other one that idles, on the old version, until window two.
        if procedure == "role-swap" {
            until_gate(&stage, &id, Gate::Production).await;
            let question = asked::question(&stage.run(&id), Gate::Production);
            assert!(question.contains("good in production") && question.ends_with("off on node `a`, which has served before?"));
            let refused = stage.accept(&id, None).await.unwrap_err();
            assert_eq!((refused.kind, refused.code.as_str()), (Kind::Refused, "background_jobs"), "{refused:?}");
            assert!(refused.message.contains("node `a`") && refused.causes[0].contains("nightly export"), "{refused:?}");
            // One that is dead for good does not keep the version from being accepted.
            stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
            let said = stage.accept(&id, None).await.map(drop).err();
            assert!(said.is_none_or(|problem| problem.code != "background_jobs"));
            stage.mend();
            set(NodeId::A, false);
        }
        assert_eq!(asked::question(&stage.run(&id), Gate::BackgroundJobs), Gate::BackgroundJobs.question());
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{procedure}\n{}", stage.story(&id));
    }
}

/// The box whose settings were listed is gone: those of another are not compared with its.
#[tokio::test(start_paused = true)]
async fn r13_the_snapshot_of_a_replaced_box_counts_no_more() {
    let (stage, id) = soaking("role-swap", told()).await;
    assert!(stage.run(&id).compares_settings());
    let identity = "f".repeat(32);
    stage.word(&id, Word::ReplaceNode { node: NodeId::A, identity, note: None }).await.unwrap();
    assert!(!stage.run(&id).compares_settings());
}
