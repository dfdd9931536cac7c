//! Backups in depth, and updates that begin below 10.6: what is refused, kept, extracted and asked (BG-01, BG-42, BG-50, BG-51).

use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::alert;
use changeover::domain::backups::{self, Retention};
use changeover::domain::check::Outcome;
use changeover::domain::event::{Event, Verdict};
use changeover::domain::gate::{self, Gate};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::run::Run;
use changeover::engine::api::{AdoptRequest, Fleet as _, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};

use crate::adopt::request;
use crate::close::close;
use crate::stage::{PROCEDURES, SITE, Setting, Stage, end};

const BELOW: (&str, &str) = ("10.4.1", "10.5.2");
const ACROSS: (&str, &str) = ("10.5.2", "10.6.1");
const ABOVE: (&str, &str) = ("24.1.1", "24.2.1");

fn confirm(gate: Gate, verdict: Verdict) -> Word {
    Word::Confirm { gate: Some(gate.name().to_owned()), verdict, note: Some("looked at both".to_owned()), evidence: None }
}

fn of(versions: (&'static str, &'static str)) -> Setting {
    Setting { versions, ..Setting::default() }
}

/// The gates that were confirmed, each once.
fn confirmed(stage: &Stage, id: &RunId) -> Vec<String> {
    let records = stage.records(id).into_iter().filter(|record| record.event == "confirmed");
    records.map(|record| record.data["gate"].as_str().unwrap().to_owned()).collect()
}

/// Whole runs below 10.6, across it and above it: what ended on either node is extracted in window two only where it may be lost, and
/// the checklist for session ids is asked only where they change.
#[tokio::test(start_paused = true)]
async fn bg_50_bg_51_whole_runs_on_each_side_of_10_6() {
    for (versions, old, crosses) in [(BELOW, true, false), (ACROSS, true, true), (ABOVE, false, false)] {
        for procedure in PROCEDURES {
            let stage = Stage::set(of(versions));
            let id = stage.start(procedure).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{versions:?} {procedure}\n{}", stage.story(&id));
            assert!(stage.truth().broken_promises.is_empty(), "{versions:?} {procedure}: {:?}", stage.truth().broken_promises);
            let kept = format!("window-2.extract_data.{}", rest.run.survivor);
            let extracted = stage.count(&id, "step_done", &kept);
            assert_eq!(extracted, usize::from(old), "{versions:?} {procedure}\n{}", stage.story(&id));
            let gates = confirmed(&stage, &id);
            let asked = |gate: Gate| gates.iter().filter(|name| *name == gate.name()).count();
            assert_eq!(asked(Gate::LsidChange), usize::from(crosses), "{versions:?} {procedure}: {gates:?}");
            assert_eq!(asked(Gate::NotInBackup), 1, "{versions:?} {procedure}: {gates:?}");
            assert_eq!(asked(Gate::ClientsByAddress), usize::from(procedure == "role-swap"), "{versions:?} {procedure}");
        }
    }
}

/// A built-in procedure without the steps that speak of 10.6.
fn newer_only(procedure: &str) -> Procedure {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == procedure).unwrap();
    let steps = text.split("[[steps]]").filter(|step| !step.contains("only ="));
    let text = steps.collect::<Vec<_>>().join("[[steps]]").replace(&format!("name = \"{procedure}\""), "name = \"newer\"");
    Procedure::load("newer", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// BG-50: a document that was proved for newer releases is refused where it would lose sessions, before anything is done.
#[tokio::test(start_paused = true)]
async fn bg_50_r9_a_plan_from_below_10_6_without_the_extraction_is_refused() {
    for procedure in PROCEDURES {
        let with = |versions| Setting { own: vec![newer_only(procedure)], ..of(versions) };
        let problem = Stage::set(with(BELOW)).try_start("newer").await.unwrap_err();
        assert_eq!(problem.code, "R9", "{problem:?}");
        assert!(problem.causes.iter().any(|cause| cause.contains("10.6 (BG-50)")), "{problem:?}");
        let stage = Stage::set(with(ABOVE));
        let id = stage.start("newer").await;
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    }
}

/// BG-51: a procedure that crosses 10.6 and does not ask leaves a warning that a person accepts by name.
#[tokio::test(start_paused = true)]
async fn bg_51_a_procedure_that_does_not_ask_leaves_a_warning() {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == "in-place").unwrap();
    let steps = text.split("[[steps]]").filter(|step| !step.contains("lsid_change"));
    let text = steps.collect::<Vec<_>>().join("[[steps]]").replace("name = \"in-place\"", "name = \"silent\"");
    let own = vec![Procedure::load("silent", &text).unwrap_or_else(|error| panic!("{error}"))];
    let stage = Stage::set(Setting { own, ..of(ACROSS) });
    let id = stage.start("silent").await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "warning_not_accepted", "{}", stage.story(&id));
    assert!(rest.run.hold().unwrap().found.contains("`lsid_change`"), "{:?}", rest.run.hold());
}

/// The word on a checklist stands although what is read of the pair changes: no reading says anything of it.
#[tokio::test(start_paused = true)]
async fn a_checklists_word_stands_whatever_is_read() {
    let stage = Stage::set(Setting { first: "2026-11-22T06:00:00Z +4h".to_owned(), ..Setting::default() });
    let id = stage.start("role-swap").await;
    stage.until(&id, |run| run.step().is_some_and(|step| step.id == "window-1.confirm") || run.soaked).await;
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    stage.pass(SignedDuration::from_mins(20)).await;
    stage.mend();
    let lapsed = stage.records(&id).iter().filter(|record| record.event == "evidence_lapsed").count();
    assert_eq!((lapsed, confirmed(&stage, &id)), (0, vec!["not_in_backup".to_owned()]), "{}", stage.story(&id));
}

/// BG-01: the second backup of a node is a tenth of the first. Held; a repeat takes another one; a person's word takes it as it is.
#[tokio::test(start_paused = true)]
async fn bg_01_a_backup_far_smaller_than_the_last_waits_for_a_person() {
    for accepted in [false, true] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        let times = Some(if accepted { 2 } else { 1 });
        stage.at("confirmed", "window-2.confirm.2", move |world| {
            world.plan_fault(Planned { times, ..Planned::once(Fault::BackupSmall).on(NodeId::B) });
        });
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, gate::BACKUP_FAR_SMALLER, "{}", stage.story(&id));
        let hold = rest.run.hold().unwrap().clone();
        assert!(hold.message.contains("50 % of the ") && hold.found.ends_with(" bytes"), "{hold:?}");
        assert_eq!(rest.run.open_gate(), Some(Gate::SmallerBackup));
        let problem = stage.word(&id, Word::Confirm { gate: None, verdict: Verdict::Accept, note: None, evidence: None }).await;
        assert_eq!(problem.unwrap_err().code, "gate_not_open", "it is confirmed only by its name");
        if accepted {
            stage.word(&id, confirm(Gate::SmallerBackup, Verdict::Accept)).await.unwrap();
        } else {
            stage.resume(&id).await.unwrap();
        }
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "accepted: {accepted}\n{}", stage.story(&id));
        let bytes = rest.run.nodes.b.backup.as_ref().unwrap().1.bytes;
        assert_eq!(format!("{bytes} bytes") == hold.found, accepted, "{bytes} and {}", hold.found);
    }
}

/// R9: recordings that can't be had are asked about once, before the link overwrites them. Going on asks the box once more.
#[tokio::test(start_paused = true)]
async fn r9_missing_recordings_hold_the_run_once_and_are_taken_as_lost_by_a_resume() {
    for (times, missing) in [(1, 0), (9, 1)] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        stage.at("step_begun", "window-1.extract_data.a", move |world| {
            world.plan_fault(Planned { times: Some(times), ..Planned::once(Fault::RecordingLate).on(NodeId::A) });
        });
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, backups::MISSING, "{}", stage.story(&id));
        let hold = rest.run.hold().unwrap().clone();
        assert!(hold.message.contains("`missing-recordings.csv`") && hold.found == "1 recordings missing", "{hold:?}");
        assert_eq!((rest.run.nodes.a.extracted_at, rest.run.protected_at), (None, None), "nothing was overwritten");
        assert!(alert::hint_of(backups::MISSING, &rest.run).contains("taken as lost"));
        stage.resume(&id).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        let holds = stage.records(&id).iter().filter(|record| record.event == "held").count();
        let told = stage.story(&id).contains("1 recordings are missing");
        assert_eq!((holds, told), (1, missing == 1), "{}", stage.story(&id));
    }
}

/// BG-50: two updated nodes don't show what ran when somebody broke the link. With a person's word both nodes are extracted.
#[tokio::test(start_paused = true)]
async fn bg_50_a_pair_that_was_broken_below_10_6_is_taken_over_with_both_extractions() {
    let stage = Stage::set(of(ACROSS));
    let id = stage.start("role-swap").await;
    stage.at("step_begun", "window-2.extract_data.a.2", |world| {
        world.plan_fault(Planned::once(Fault::RecordingLate).on(NodeId::A));
    });
    assert_eq!(stage.to_rest(&id).await.end, backups::MISSING, "both nodes are updated by now");
    stage.word(&id, close()).await.unwrap();
    stage.pass(SignedDuration::from_hours(1)).await;
    let extracted = async |broken_on: Option<&str>| {
        let request = AdoptRequest { broken_on: broken_on.map(str::to_owned), ..request(&stage) };
        let way = stage.fleet.adoption(SITE, request).await.unwrap().drafted.unwrap().1.ways.remove(0);
        way.steps.iter().filter(|step| step.kind == Kind::ExtractData).count()
    };
    assert_eq!(extracted(None).await, 1, "the limit that the page names");
    assert_eq!(extracted(Some("10.6.1")).await, 1);
    assert_eq!(extracted(Some("10.5.2")).await, 2);
    let wrong = AdoptRequest { broken_on: Some("old".to_owned()), ..request(&stage) };
    assert_eq!(stage.fleet.adopt(SITE, wrong, "olga").await.unwrap_err().code, "bad_version");
}

/// BG-01: the last backup is the node's, of whatever run.
#[tokio::test(start_paused = true)]
async fn bg_01_the_next_run_compares_with_the_last_one() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    let first = stage.to_rest(&id).await;
    assert_eq!(first.end, "succeeded", "{}", stage.story(&id));
    let known = backups::known(&first.run.plan.nodes, &[&first.run]);
    for node in NodeId::BOTH {
        assert_eq!(known[node].backup, first.run.nodes[node].backup.as_ref().map(|(_, file)| file.bytes), "node {node}");
    }
    let mut next = (*first.run).clone();
    Arc::make_mut(&mut next.plan).sizes = known;
    next.nodes = Default::default();
    next.progress.begun_mut().for_each(|progress| progress.done_at = None);
    let step = next.plan.steps.iter().find(|step| step.id == "prepare.backup.a").unwrap().clone();
    let last = known.a.backup.unwrap();
    assert_eq!(backups::far_smaller(&next, &step, last / 2), None);
    let held = backups::far_smaller(&next, &step, last / 2 - 1).unwrap();
    assert!(matches!(&held, Event::Held { code, given_up: true, .. } if code == gate::BACKUP_FAR_SMALLER), "{held:?}");
    // Another box: nothing is known of it.
    let mut replaced = (*first.run).clone();
    Arc::make_mut(&mut replaced.plan).nodes.a.identity = "another".to_owned();
    assert_eq!(backups::known(&first.run.plan.nodes, &[&replaced]).a.backup, None);
    assert!(backups::needed(&next) >= backups::RESERVE_BYTES + 2 * last);
}

/// BG-01: too little room on the disk fails the preflight, and what is free is no news by itself.
#[tokio::test(start_paused = true)]
async fn bg_01_room_is_checked_before_the_backup() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    let run = stage.until(&id, |run| run.checked.is_some()).await;
    let found = run.checked.as_ref().unwrap().results.iter().find(|finding| finding.name == "disk_space").unwrap();
    assert_eq!((found.result, found.basis.as_str()), (Outcome::Pass, "enough"));
}

fn finished(base: &Run, number: u32, days_ago: i64, now: Timestamp) -> Run {
    let at = now - SignedDuration::from_hours(24 * days_ago);
    let mut run = base.clone();
    run.id.number = number;
    run.finished_at = Some(at);
    for node in NodeId::BOTH {
        run.nodes[node].backup = run.nodes[node].backup.clone().map(|(_, file)| (at, file));
    }
    run
}

/// BG-01: never those of a run that is open, of the latest finished one, the newest of a node, nor what an open run took over.
#[tokio::test(start_paused = true)]
async fn bg_01_only_old_backups_that_nobody_needs_may_go() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    let base = stage.to_rest(&id).await.run;
    let now: Timestamp = "2027-11-22T01:00:00Z".parse().unwrap();
    let gone = |runs: &[Run], keep: u32, days: i64| {
        let retention = Retention { keep, keep_for: SignedDuration::from_hours(24 * days) };
        let runs: Vec<&Run> = runs.iter().collect();
        backups::removable(&runs, retention, now).iter().map(|id| id.number).collect::<Vec<_>>()
    };
    let runs: Vec<Run> = (1..=8).map(|number| finished(&base, number, 400 - 40 * i64::from(number), now)).collect();
    assert_eq!(gone(&runs, 5, 90), [3, 2, 1]);
    assert_eq!(gone(&runs, 1, 90), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(gone(&runs, 1, 250), [3, 2, 1], "8, 7, 6, 5, 4 are younger");
    assert_eq!(gone(&runs, 0, 0), gone(&runs, 1, 0), "the latest finished run's are kept");
    assert_eq!(gone(&runs[..1], 1, 0), [] as [u32; 0]);
    // The newest of node b is of run 2: the others failed before.
    let mut some = runs.clone();
    some.iter_mut().skip(2).for_each(|run| run.nodes.b.backup = None);
    assert_eq!(gone(&some, 1, 90), [7, 6, 5, 4, 3, 1]);
    // Run 2 is open, run 3 is only watched.
    let mut open = runs.clone();
    open[1].phase = changeover::domain::run::Phase::Ready;
    assert_eq!(gone(&open, 5, 90), [3, 1]);
    // An open run took over a backup of run 1.
    let file = changeover::domain::file::FileEvidence {
        path: "/state/backups/support-1/prepare.backup.a.1/x.nsb".into(),
        sha256: String::new(),
        bytes: 1,
    };
    Arc::make_mut(&mut open[1].plan).adopted = Some(Box::new(changeover::domain::plan::Adoption {
        survivor: NodeId::A,
        broken: true,
        since: None,
        broken_on: None,
        updated: changeover::domain::ids::PerNode::default(),
        backups: changeover::domain::ids::PerNode { a: Some(file), b: None },
        accepted: false,
        goal: changeover::domain::plan::Goal::Home,
        note: String::new(),
    }));
    assert_eq!(gone(&open, 5, 90), [3]);
    // With the usual setting a finished run's files stay.
    stage.fleet.delete_old_backups().await;
    assert!(base.nodes.a.backup.as_ref().unwrap().1.path.exists() || stage.setting.options.by_operator);
    assert!(end(&base).is_some());
}
