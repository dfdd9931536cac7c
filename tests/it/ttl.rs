//! R7, the TTL protocol: the name moves only once every cache has forgotten the old TTL, nothing of it is forgotten by a crash, and
//! it is as it was at the end.

use changeover::domain::event::WaitingOn;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::Record;
use changeover::domain::procedure::Procedure;
use changeover::domain::run::{Phase, Run};
use changeover::domain::sheet;
use changeover::engine::api::{Fleet as _, Word};
use changeover::ports::Clock as _;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::{InProcessOptions, Zone};
use jiff::{SignedDuration, Timestamp};

use crate::abort;
use crate::audit::assert_sound;
use crate::close::close;
use crate::stage::{Setting, Stage};

const LOWER: &str = "prepare.lower_ttl";
const SWITCH: &str = "window-1.switch_traffic.b";
const RESTORE: &str = "finish.restore_ttl";
const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn of_ttl(ttl: u32) -> Zone {
    Zone { ttls: vec![Some(ttl)], ..Zone::default() }
}

/// A role swap with this zone, whose first window is long enough for hours of waiting.
fn setting(zone: Zone) -> Setting {
    let second = "2026-11-24T07:00:00Z +4h".to_owned();
    Setting { zone, first: "now +12h".to_owned(), second, ..Setting::default() }
}

/// The switch comes before any closing: nothing of the run waits for caches in between.
fn closes_later() -> Procedure {
    let text = std::fs::read_to_string("tests/fixtures/procedures/right/role-swap-lowers-the-ttl.toml").unwrap();
    Procedure::load("role-swap-lowers-the-ttl", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn at(stage: &Stage, id: &RunId, event: &str, step: &str) -> Timestamp {
    let record = stage.records(id).into_iter().rfind(|record| record.event == event && record.step.as_deref() == Some(step));
    record.unwrap_or_else(|| panic!("no {event} of {step}\n{}", stage.story(id))).at
}

fn seconds(ttl: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(ttl))
}

fn waits_for_caches(run: &Run, until: Timestamp) -> bool {
    matches!(run.phase, Phase::Waiting { on: WaitingOn::Traffic, until: Some(at), .. } if at == until)
}

#[tokio::test(start_paused = true)]
async fn r7_the_switch_is_not_sent_a_second_before_the_old_ttl_has_run_out_and_is_after() {
    let ttl = 6 * 3600;
    let stage = Stage::set(Setting { own: vec![closes_later()], ..setting(of_ttl(ttl)) });
    let id = stage.start("role-swap-lowers-the-ttl").await;
    let clear = {
        stage.answered(&id, |run| run.step().is_some_and(|step| step.id == "window-1.force_sync.b")).await;
        at(&stage, &id, "step_done", LOWER) + seconds(ttl)
    };
    let waiting = stage.answered(&id, |run| run.step().is_some_and(|step| step.id == SWITCH)).await;
    stage.clock_to(clear - SECOND).await;
    let run = stage.run(&id);
    assert!(run.step() == waiting.step() && waits_for_caches(&run, clear), "{:?}\n{}", run.phase, stage.story(&id));
    assert_eq!(stage.site.calls.of("switch_traffic", None), 0);
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    let sent = at(&stage, &id, "step_begun", SWITCH);
    assert!(sent >= clear && sent < clear + SignedDuration::from_mins(2), "{sent}, clear {clear}\n{}", stage.story(&id));
    assert_eq!(stage.site.zone().ttls, [Some(ttl)]);
}

/// Failover is broken as early as the steps up to the switch are likely to take, and nobody has to leave before the name can move.
#[tokio::test(start_paused = true)]
async fn r7_failover_is_not_broken_and_no_node_is_closed_too_early_for_the_switch() {
    for ttl in [3600, 3 * 3600, 6 * 3600] {
        let stage = Stage::set(setting(of_ttl(ttl)));
        let id = stage.start("role-swap").await;
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{ttl}\n{}", stage.story(&id));
        let clear = at(&stage, &id, "step_done", LOWER) + seconds(ttl);
        let lead = SignedDuration::from_mins(90);
        for (step, from) in
            [("window-1.force_sync.b", clear - lead), ("window-1.drain.a", clear), ("window-1.quiesce.a", clear), (SWITCH, clear)]
        {
            let begun = at(&stage, &id, "step_begun", step);
            assert!(begun >= from, "{ttl}: {step} at {begun}, before {from}\n{}", stage.story(&id));
        }
        assert_eq!(stage.site.zone().ttls, [Some(ttl)], "{ttl}");
        assert_sound(&stage, &id, "role-swap", true, "with a TTL");
    }
}

/// What is low already, or has no TTL, is left alone; of what somebody else has lowered only the present TTL is known.
#[tokio::test(start_paused = true)]
async fn what_is_low_already_is_not_touched() {
    for (ttl, wait) in [(Some(60), 60), (Some(20), 20), (None, 0)] {
        let stage = Stage::set(setting(Zone { ttls: vec![ttl], ..Zone::default() }));
        let id = stage.start("role-swap").await;
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{ttl:?}\n{}", stage.story(&id));
        assert_eq!(stage.count(&id, "step_begun", LOWER) + stage.count(&id, "step_begun", RESTORE), 0, "{ttl:?}");
        assert_eq!(stage.site.calls.of("lower_ttl", None) + stage.site.calls.of("restore_ttl", None), 0, "{ttl:?}");
        assert_eq!(stage.site.zone().ttls, [ttl]);
        let clear = stage.run(&id).ttl.as_ref().unwrap().clear_from;
        assert_eq!(clear, Some(at(&stage, &id, "step_done", LOWER) + seconds(wait)), "{ttl:?}");
    }
}

/// The wait counts from the moment at which the last authoritative server has the low TTL.
#[tokio::test(start_paused = true)]
async fn the_last_server_counts() {
    let zone = Zone { ttls: vec![Some(3600), Some(3600)], lags: true, ..Zone::default() };
    let stage = Stage::set(setting(zone));
    let id = stage.start("role-swap").await;
    let run = stage.until(&id, |run| run.step().is_some_and(|step| step.id == LOWER) && run.act.is_some()).await;
    assert!(run.ttl.as_ref().unwrap().is_left(), "what it was is remembered with the intent");
    stage.pass(SignedDuration::from_mins(45)).await;
    assert_eq!((stage.site.zone().ttls.clone(), stage.count(&id, "step_done", LOWER)), (vec![Some(60), Some(3600)], 0));
    let caught_up = stage.clock.now();
    (stage.site.zone().lags, stage.site.zone().ttls) = (false, vec![Some(60), Some(60)]);
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert!(at(&stage, &id, "step_begun", SWITCH) >= caught_up + seconds(3600), "{}", stage.story(&id));
    assert_eq!(stage.site.zone().ttls, [Some(3600), Some(3600)]);
}

/// Two views of the name with TTLs of their own: the longest counts, and each gets its own back.
#[tokio::test(start_paused = true)]
async fn several_entries_have_ttls_of_their_own() {
    for (inner, outer) in [(7200, 1800), (1800, 7200), (30, 7200), (7200, 30)] {
        let stage = Stage::set(Setting { view: Some(of_ttl(outer)), ..setting(of_ttl(inner)) });
        let id = stage.start("role-swap").await;
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{inner}, {outer}\n{}", stage.story(&id));
        let clear = at(&stage, &id, "step_done", LOWER) + seconds(7200);
        assert!(at(&stage, &id, "step_begun", SWITCH) >= clear, "{inner}, {outer}\n{}", stage.story(&id));
        let after = (stage.site.zone().ttls.clone(), stage.view.as_ref().unwrap().lock().unwrap().ttls.clone());
        assert_eq!(after, (vec![Some(inner)], vec![Some(outer)]));
    }
}

/// RFC 2308: where the switch replaces an A record by an AAAA record, or the other way round, what caches deny counts too.
#[tokio::test(start_paused = true)]
async fn the_negative_ttl_counts_where_the_switch_adds_a_record_type() {
    for (other_kind, wait) in [(false, 3600), (true, 5 * 3600)] {
        let zone = Zone { negative_ttl: Some(5 * 3600), ..of_ttl(3600) };
        let stage = Stage::set(Setting { two_kinds: other_kind, ..setting(zone) });
        let id = stage.start("role-swap").await;
        stage.answered(&id, |run| run.step().is_some_and(|step| step.id == "window-1.force_sync.b")).await;
        let clear = stage.run(&id).ttl.as_ref().unwrap().clear_from;
        assert_eq!(clear, Some(at(&stage, &id, "step_done", LOWER) + seconds(wait)), "{}", stage.story(&id));
    }
}

/// Somebody sets the TTL up again before the switch: it is told, lowered once more, and waited for.
#[tokio::test(start_paused = true)]
async fn a_ttl_that_somebody_raises_is_lowered_once_more() {
    for step in ["window-1.force_sync.b", "window-1.update.b", "window-1.verify.b"] {
        let stage = Stage::set(setting(of_ttl(1800)));
        let id = stage.start("role-swap").await;
        stage.until_step(&id, step).await;
        stage.site.zone().set(7200);
        let raised = stage.clock.now();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{step}\n{}", stage.story(&id));
        let lapsed = stage.records(&id).into_iter().find(|record| record.event == "evidence_lapsed").unwrap();
        assert_eq!((lapsed.data["step"].as_str(), lapsed.data["rule"].as_str()), (Some(LOWER), Some("serves_first")), "{step}");
        assert_eq!(stage.count(&id, "step_begun", LOWER), 2, "{step}\n{}", stage.story(&id));
        assert!(at(&stage, &id, "step_begun", SWITCH) >= raised + seconds(7200), "{step}\n{}", stage.story(&id));
        assert_eq!(stage.site.zone().ttls, [Some(7200)], "{step}: the later word counts");
    }
}

/// Once the node that is left is closed, waiting gives nobody the service back.
#[tokio::test(start_paused = true)]
async fn a_ttl_that_somebody_raises_after_the_closing_does_not_keep_the_service_closed() {
    let stage = Stage::set(setting(of_ttl(1800)));
    let site = stage.site.clone();
    stage.at("step_done", "window-1.quiesce.a", move |_| site.zone().set(7200));
    let id = stage.start("role-swap").await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    let closed = at(&stage, &id, "step_done", "window-1.quiesce.a");
    assert!(at(&stage, &id, "step_begun", SWITCH) < closed + SignedDuration::from_mins(10), "{}", stage.story(&id));
    assert!(stage.last_alert("traffic_switched").contains("caches may lead some clients to the node left until"));
    assert!(stage.story(&id).contains("which somebody set meanwhile; it was 1800 s"), "{}", stage.story(&id));
}

/// What somebody sets after the switch is theirs, and told.
#[tokio::test(start_paused = true)]
async fn a_ttl_that_somebody_sets_after_the_switch_is_left() {
    let stage = Stage::set(setting(of_ttl(1800)));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.site.zone().set(600);
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_eq!((stage.site.zone().ttls.clone(), stage.site.calls.of("restore_ttl", None)), (vec![Some(600)], 0));
    assert!(stage.story(&id).contains("a TTL of 600 s, which somebody set meanwhile; it was 1800 s"), "{}", stage.story(&id));
}

#[tokio::test(start_paused = true)]
async fn a_person_sets_the_ttl_where_there_is_no_interface() {
    let stage = Stage::set(setting(Zone { by_operator: true, ..of_ttl(3600) }));
    let id = stage.start("role-swap").await;
    let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
    let run = stage.until(&id, |run| told(run)).await;
    assert_eq!(run.step().unwrap().id, LOWER);
    // Nobody begins for hours: there is nothing to be in doubt of.
    stage.pass(SignedDuration::from_hours(3)).await;
    assert!(matches!(stage.run(&id).phase, Phase::Waiting { on: WaitingOn::Operator, .. }), "{}", stage.story(&id));
    assert_eq!((stage.count(&id, "doubted", LOWER), stage.count(&id, "instructed", LOWER)), (0, 1), "{}", stage.story(&id));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert!(at(&stage, &id, "step_begun", SWITCH) >= at(&stage, &id, "step_done", LOWER) + seconds(3600));
    assert_eq!(stage.site.zone().ttls, [Some(3600)]);
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_ttl_verbs_settle() {
    for verb in ["lower_ttl", "restore_ttl"] {
        for fault in [Fault::AnswerLost, Fault::NeverReached, Fault::Slow] {
            let stage = Stage::set(setting(of_ttl(1800)));
            stage.fault(Planned { act: Some(verb.to_owned()), ..Planned::once(fault) });
            let id = stage.start("role-swap").await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{verb}, {fault:?}\n{}", stage.story(&id));
            assert_eq!(stage.site.zone().ttls, [Some(1800)], "{verb}, {fault:?}");
            assert!(at(&stage, &id, "step_begun", SWITCH) >= at(&stage, &id, "step_done", LOWER) + seconds(1800));
        }
        let stage = Stage::set(setting(of_ttl(1800)));
        stage.fault(Planned { act: Some(verb.to_owned()), ..Planned::once(Fault::Refused) });
        let id = stage.start("role-swap").await;
        assert_eq!(stage.to_rest(&id).await.end, "step_failed", "{verb}\n{}", stage.story(&id));
        assert_eq!(stage.resume_to_end(&id).await.1, 1, "{verb}");
        assert_eq!(stage.site.zone().ttls, [Some(1800)], "{verb}");
    }
}

/// The way home restores the TTL; a run that is closed says what it was.
#[tokio::test(start_paused = true)]
async fn the_way_home_restores_the_ttl_and_a_closed_run_tells_it() {
    const TTL: u32 = 4 * 3600;
    for step in ["window-1.force_sync.b", "window-1.confirm.3", "soak.confirm"] {
        let stage = Stage::set(setting(of_ttl(TTL)));
        let id = stage.start("role-swap").await;
        stage.until_step(&id, step).await;
        assert!(sheet::of_journal(&stage.run(&id), stage.folder.path()).contains("`support.example.com` had 14400 s"), "{step}");
        let way = abort::order(&stage, &id).await.unwrap_or_else(|problem| panic!("{step}: {problem:?}"));
        let rest = stage.to_rest(&id).await;
        let home = rest.end == "aborted";
        assert_eq!(stage.site.zone().ttls, [Some(if home { TTL } else { 60 })], "{step}: {way:?}\n{}", stage.story(&id));
        if !home {
            assert_eq!(rest.end, "harbour", "{step}");
            assert!(sheet::may(&stage.run(&id)).join("\n").contains("had 14400 s"), "{step}");
        }

        let stage = Stage::set(setting(of_ttl(TTL)));
        let id = stage.start("role-swap").await;
        let run = stage.until_step(&id, step).await;
        assert!(!sheet::may(&run).join("\n").contains("14400"), "{step}: the run restores it");
        stage.word(&id, close()).await.unwrap();
        assert!(stage.alert_says("finished", "`support.example.com` had 14400 s"), "{step}");
    }
}

/// Traffic that a person orders back does not wait.
#[tokio::test(start_paused = true)]
async fn what_a_person_orders_back_does_not_wait() {
    let stage = Stage::set(setting(of_ttl(1800)));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.site.zone().set(7200);
    let asked = stage.clock.now();
    stage.word(&id, Word::SwitchBack { note: "it prints nothing".to_owned() }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "switched_back", "{}", stage.story(&id));
    assert_eq!(stage.truth().serving, Some(NodeId::A));
    assert!(at(&stage, &id, "step_begun", "switch-back.switch_traffic.a") < asked + SignedDuration::from_mins(10));
    assert!(stage.last_alert("traffic_switched").contains("caches may lead"), "{}", stage.last_alert("traffic_switched"));
}

/// Told before the start: a TTL that can't run out in time, and one that no step lowers.
#[tokio::test(start_paused = true)]
async fn a_plan_tells_what_the_ttl_means_for_it() {
    let day = 24 * 3600;
    let stage = Stage::set(setting(of_ttl(day)));
    let plan = stage.fleet.plan(stage.request("role-swap")).await.unwrap();
    let against = plan.refusals.iter().find(|refusal| refusal.rule == "R7").unwrap_or_else(|| panic!("{:?}", plan.refusals));
    assert_eq!(against.step.as_deref(), Some(SWITCH));
    assert!(against.message.contains("is 86400 s"), "{}", against.message);
    assert_eq!(stage.try_start("role-swap").await.unwrap_err().code, "R7");

    let flags = |zone: Zone, procedure: &'static str| async move {
        let short = Procedure::load("closes-later", &without_ttl()).unwrap();
        let stage = Stage::set(Setting { own: vec![short], ..setting(zone) });
        let plan = stage.fleet.plan(stage.request(procedure)).await.unwrap();
        assert_eq!(plan.refusals, [], "{procedure}");
        plan.flags.join("\n")
    };
    assert!(flags(of_ttl(3600), "closes-later").await.contains("no step of this procedure lowers it"));
    assert!(flags(of_ttl(3600), "role-swap").await.contains("waits for that"));
    assert_eq!(flags(of_ttl(60), "closes-later").await, "");
    assert_eq!(flags(of_ttl(60), "role-swap").await, "");
    assert_eq!(flags(of_ttl(3600), "in-place").await, "");
}

fn without_ttl() -> String {
    let text = std::fs::read_to_string("tests/fixtures/procedures/right/role-swap-closes-later.toml").unwrap();
    text.replace("\"role-swap-closes-later\"", "\"closes-later\"")
}

/// A procedure that lowers nothing waits for nothing.
#[tokio::test(start_paused = true)]
async fn without_a_step_that_lowers_it_nothing_is_waited_for() {
    let short = Procedure::load("closes-later", &without_ttl()).unwrap();
    let stage = Stage::set(Setting { own: vec![short], ..setting(of_ttl(5 * 3600)) });
    let id = stage.start("closes-later").await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert!(stage.run(&id).ttl.is_none() && stage.count(&id, "waited", SWITCH) == 0, "{}", stage.story(&id));
    assert!(stage.last_alert("traffic_switched").contains("caches may lead some clients to the node left until"));
}

fn assert_remembered(stage: &Stage, id: &RunId, ttl: u32, case: &str) {
    let (proven, sent) = (at(stage, id, "step_done", LOWER), at(stage, id, "step_begun", SWITCH));
    assert!(sent >= proven + seconds(ttl), "{case}\n{}", stage.story(id));
    assert_eq!(stage.site.zone().ttls, [Some(ttl)], "{case}\n{}", stage.story(id));
}

/// Nothing is forgotten by a crash: neither what it was, nor from when on it counts.
async fn dies_after(options: InProcessOptions, records: impl IntoIterator<Item = u64>) {
    for seq in records {
        let mut stage = Stage::set(Setting { options, ..setting(of_ttl(3600)) });
        let id = stage.start("role-swap").await;
        stage.until_seq(&id, seq).await;
        stage.restart();
        let case = format!("after record {seq}");
        let mut rest = stage.to_rest(&id).await;
        if rest.end == "in_doubt" {
            rest = stage.resume_to_end(&id).await.0;
        }
        assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
        assert_remembered(&stage, &id, 3600, &case);
    }
}

fn knowing() -> InProcessOptions {
    InProcessOptions { remembers: true, ..InProcessOptions::default() }
}

/// The records of the preparations and of window one's begin; that every record is died at is `crashes`' business.
#[tokio::test(start_paused = true)]
async fn a_crash_around_the_lowering_forgets_nothing() {
    dies_after(InProcessOptions::default(), 6..16).await;
    dies_after(knowing(), 6..12).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_around_the_switch_and_the_restoring_forgets_nothing() {
    let stage = Stage::set(setting(of_ttl(3600)));
    let id = stage.start("role-swap").await;
    stage.to_rest(&id).await;
    let records = stage.records(&id);
    let of = |steps: &[&str]| -> Vec<u64> {
        let here = |record: &&Record| record.step.as_deref().is_some_and(|step| steps.contains(&step));
        records.iter().filter(here).map(|record| record.seq).collect()
    };
    let seqs = of(&["window-1.quiesce.a", SWITCH, RESTORE]);
    assert!(seqs.len() >= 8, "{seqs:?}");
    dies_after(InProcessOptions::default(), seqs).await;
    dies_after(knowing(), of(&[RESTORE])).await;
}

/// A daemon that dies after every record of one and the same run.
#[tokio::test(start_paused = true)]
async fn a_crash_at_every_record_of_one_run_forgets_nothing() {
    let mut stage = Stage::set(Setting { options: knowing(), ..setting(of_ttl(3600)) });
    let id = stage.start("role-swap").await;
    let mut seq = 1;
    while !stage.run(&id).is_finished() {
        let run = stage.until_seq(&id, seq).await;
        if !run.is_finished() {
            stage.restart();
        }
        seq = run.seq + 2;
    }
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_remembered(&stage, &id, 3600, "after every record");
}
