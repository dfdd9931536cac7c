//! Windows that are waited for, missed, closed over an instruction, and booked anew; and evidence that lapses meanwhile.

use changeover::domain::ids::RunId;
use changeover::domain::run::Run;
use changeover::engine::api::Fleet as _;
use changeover::engine::api::{Kind, PlanRequest, Word};
use jiff::{SignedDuration, Timestamp};

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Rest, Setting, Stage};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The last moment in which the next step that R3 binds would begin.
pub fn last_start(run: &Run) -> Timestamp {
    let (next, _) = run.next_bound(false).unwrap();
    run.plan.not_after(&run.windows, next, false).unwrap()
}

async fn rebook(stage: &Stage, id: &RunId) -> Rest {
    let refused = stage.resume(id).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Refused, "window_missed"), "{refused:?}");
    assert!(refused.hint.as_ref().is_some_and(|hint| hint.contains("--window")), "{refused:?}");
    stage.word(id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
    stage.to_rest(id).await
}

#[tokio::test(start_paused = true)]
async fn nothing_but_preparation_happens_before_the_first_window() {
    for procedure in PROCEDURES {
        let setting = Setting {
            first: "2026-11-22T03:00:00Z +4h".to_owned(),
            second: "2026-11-23T09:00:00Z +4h".to_owned(),
            ..Setting::default()
        };
        let stage = Stage::set(setting);
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        let opens = [("window-1", at("2026-11-22T03:00:00Z")), ("window-2", at("2026-11-23T09:00:00Z"))];
        for record in stage.records(&id).iter().filter(|record| record.event != "waited" && record.event != "noticed") {
            let early = opens
                .iter()
                .find(|(when, from)| record.step.as_deref().is_some_and(|step| step.starts_with(when)) && record.at < *from);
            assert!(early.is_none(), "{procedure}: {early:?}\n{}", stage.story(&id));
        }
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

/// A gate that is answered in the last moment, too late for the break behind it; and one that nobody answers, which is not left open
/// beyond the moment in which the break would begin no more.
#[tokio::test(start_paused = true)]
async fn a_gate_answered_too_late_misses_the_window() {
    let second = SignedDuration::from_secs(1);
    for procedure in PROCEDURES {
        for (late, answered) in [(-second, true), (second * 5, false), (hours(9), false)] {
            let case = format!("{procedure}: {late:#}");
            let stage = Stage::set(Setting { second: "2026-11-24T07:00:00Z +4h".to_owned(), ..Setting::default() });
            let id = stage.start(procedure).await;
            let run = stage.until(&id, |run| run.open_gate().is_some()).await;
            stage.clock_to(last_start(&run) + late).await;
            let said = stage.accept(&id, None).await.map(|_| ()).map_err(|problem| problem.code);
            assert_eq!(said, if answered { Ok(()) } else { Err("gate_not_open".to_owned()) }, "{case}");
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "window_missed", "{case}\n{}", stage.story(&id));
            assert!(stage.truth().linked && stage.alerts().contains(&"window_missed".to_owned()), "{case}");
            let found = &rest.run.hold().unwrap().found;
            assert!(
                found.contains("up to ") && found.contains(" are needed, ") && found.ends_with(" are left"),
                "{case}: {found}"
            );
            let syncs = stage.count(&id, "step_done", "window-1.force_sync.b");
            let rest = rebook(&stage, &id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            // R17: asked again in the new window; R1: the sync before the break is proven in it.
            let asked = stage.count(&id, "confirmed", "window-1.confirm");
            assert_eq!(asked, 1 + usize::from(answered), "{case}\n{}", stage.story(&id));
            assert!(stage.count(&id, "step_done", "window-1.force_sync.b") >= syncs, "{case}");
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

/// A run held for days between the sync and the break proves the sync again, and is told again that automatic failover is off.
#[tokio::test(start_paused = true)]
async fn days_between_the_sync_and_the_break() {
    for procedure in PROCEDURES {
        let stage = Stage::set(Setting { second: "2026-11-26T07:00:00Z +5h".to_owned(), ..Setting::default() });
        let id = stage.start(procedure).await;
        stage.until_step(&id, "window-1.force_sync.b").await;
        stage.word(&id, Word::Hold).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.run.step().unwrap().id, "window-1.break_failover.a", "{}", stage.story(&id));
        stage.pass(hours(3 * 24)).await;
        let window = Some("now +5h".to_owned());
        stage.word(&id, Word::Resume { window }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert_eq!(stage.count(&id, "step_done", "window-1.force_sync.b"), 2, "{}", stage.story(&id));
        assert_eq!(stage.count(&id, "confirmed", "window-1.confirm"), 2, "{}", stage.story(&id));
        // R4: the backups of days ago are taken again before the update.
        let updated = if procedure == "in-place" { "a" } else { "b" };
        assert_eq!(stage.count(&id, "step_done", &format!("prepare.backup.{updated}")), 2, "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

/// Windows that overlap are gone through in one night where the shortest soak is short: whoever plans so is told.
#[tokio::test(start_paused = true)]
async fn a_plan_says_that_window_two_begins_before_the_first_is_over() {
    let after = "2026-11-23T07:00:00Z +4h";
    for (first, second, why, flagged) in [
        ("now +30d", "now +30d", None, true),
        ("now +8h", "2026-11-22T02:00:00Z +3d", None, true),
        ("now +8h", "2026-11-22T02:00:00Z +3d", Some("it must be this night"), false),
        ("now +4h", after, None, false),
    ] {
        let stage = Stage::set(Setting { first: first.to_owned(), second: second.to_owned(), ..Setting::default() });
        let request = PlanRequest { urgent: why.map(str::to_owned), ..stage.request("role-swap") };
        let plan = stage.fleet.plan(request).await.unwrap();
        let told = plan.flags.iter().any(|flag| flag.starts_with("window-2 begins at ") && flag.contains("before window-1 ends"));
        assert_eq!(told, flagged, "{first}, {second}: {:?}", plan.flags);
        assert!(plan.refusals.is_empty(), "{first}, {second}: {:?}", plan.refusals);
    }
}

/// R1 may ask for a second sync: whoever is to choose Sync Now again is told why.
#[tokio::test(start_paused = true)]
async fn r1_the_second_instruction_says_why_it_is_asked_again() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.break_failover.a").await;
    let records = stage.records(&id).into_iter();
    let of_sync =
        records.filter(|record| record.event == "instructed" && record.step.as_deref() == Some("window-1.force_sync.b"));
    let lines: Vec<String> = of_sync.map(|record| record.data["lines"][0].as_str().unwrap().to_owned()).collect();
    assert_eq!(lines.len(), 2, "{}", stage.story(&id));
    assert!(!lines[0].contains("once more") && lines[1].contains("once more"), "{lines:?}");
    assert!(lines[1].contains("start or its end"), "{lines:?}");
}

/// Nobody carries an instruction out: it is withdrawn while there is still time for what it asks, and named in the alert.
#[tokio::test(start_paused = true)]
async fn a_window_that_closes_withdraws_the_instruction() {
    for step in ["window-1.update.b", "window-1.quiesce.a", "window-2.update.a"] {
        let stage = Stage::set(Setting::by_operator());
        let id = stage.start("role-swap").await;
        stage.until_step(&id, step).await;
        stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
        let rest = stage.idle_to_rest(&id).await;
        assert_eq!(rest.end, "window_missed", "{step}\n{}", stage.story(&id));
        let window = rest.run.windows.of(rest.run.step().unwrap().when).unwrap().clone();
        let need = rest.run.plan.need(rest.run.step().unwrap());
        assert!(rest.run.last_at <= window.to - need + SignedDuration::from_mins(2), "{step}\n{}", stage.story(&id));
        let told = stage.last_alert("held");
        assert!(told.contains("is withdrawn, do not carry it out"), "{step}: {told}");
        assert!(rest.run.act.is_none(), "{step}");
        let rest = rebook(&stage, &id).await;
        let end = if rest.end == "succeeded" { rest } else { rebook(&stage, &id).await };
        assert_eq!(end.end, "succeeded", "{step}\n{}", stage.story(&id));
        assert_sound(&stage, &id, "role-swap", true, step);
    }
}

/// R1: the instruction to break failover lapses with the sync that justifies it; a new sync is asked for, then a new instruction.
#[tokio::test(start_paused = true)]
async fn lapsed_evidence_withdraws_the_instruction_to_break() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    let instructed = |run: &Run| run.act.as_ref().and_then(|act| act.instruction.clone());
    stage.until_step(&id, "window-1.break_failover.a").await;
    let run = stage.until(&id, |run| instructed(run).is_some()).await;
    let not_after = instructed(&run).unwrap().not_after.unwrap();
    assert_eq!(not_after, run.sync.as_ref().unwrap().proven_at + run.plan.policy.max_sync_age);
    stage.until(&id, |run| run.step().is_some_and(|step| step.id == "window-1.force_sync.b")).await;
    assert!(stage.alert_says("by_operator", "is withdrawn, do not carry it out: R1 fresh_sync"), "{}", stage.story(&id));
    // Nobody is there: after three rounds the run no longer asks for new syncs all night, but holds.
    let rest = stage.idle_to_rest(&id).await;
    assert_eq!(rest.end, "fresh_sync", "{}", stage.story(&id));
    assert_eq!(stage.count(&id, "step_done", "window-1.force_sync.b"), 3, "{}", stage.story(&id));
    assert!(stage.truth().linked && rest.run.last_at < at("2026-11-22T02:30:00Z"), "{}", stage.story(&id));
    stage.resume(&id).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert_sound(&stage, &id, "role-swap", true, "lapsed");
}

/// The second window is missed altogether, then another is given; or another is given while the run still waits for it.
#[tokio::test(start_paused = true)]
async fn the_second_window_is_booked_anew() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "window-2.confirm.2").await;
        stage.until(&id, |run| run.open_gate().is_some()).await;
        // Nobody is there on the second night.
        let rest = stage.idle_to_rest(&id).await;
        assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
        assert!(rest.run.last_at < last_start(&rest.run) + SignedDuration::from_mins(1), "{}", stage.story(&id));
        let rest = rebook(&stage, &id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        assert_eq!(stage.count(&id, "confirmed", "window-2.confirm.2"), 1, "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);

        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "window-2.confirm").await;
        let window = Some("2026-11-25T01:00:00Z +4h".to_owned());
        stage.word(&id, Word::Resume { window }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        assert!(rest.run.finished_at.unwrap() > at("2026-11-25T01:00:00Z"), "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

/// R4: backups grow old while a run is held in window two.
#[tokio::test(start_paused = true)]
async fn old_backups_are_taken_again() {
    for (procedure, step) in [("in-place", "window-2.update.b"), ("role-swap", "window-2.verify.a")] {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        let before = if step.contains("update") { "window-2.quiesce.b" } else { "window-2.update.a" };
        stage.until_step(&id, before).await;
        stage.word(&id, Word::Hold).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "operator");
        stage.pass(hours(40)).await;
        stage.word(&id, Word::Resume { window: Some("now +4h".to_owned()) }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        let survivor = if procedure == "in-place" { "a" } else { "b" };
        assert_eq!(stage.count(&id, "step_done", &format!("window-2.backup.{survivor}")), 2, "{}", stage.story(&id));
        assert_eq!(stage.count(&id, "confirmed", "window-2.confirm.2"), 2, "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_over_or_unreadable_is_refused() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    stage.word(&id, Word::Hold).await.unwrap();
    for window in ["2026-11-20T01:00:00Z +4h", "tomorrow", "2026-11-22T02:00 +4h", "now +0s"] {
        let problem = stage.word(&id, Word::Resume { window: Some(window.to_owned()) }).await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::BadInput, "bad_window"), "{window}: {problem:?}");
    }
    assert_eq!(stage.to_rest(&id).await.end, "operator");
}

/// R3 before the start: a window too short for its steps, or one that is over, is refused with the step's time.
#[tokio::test(start_paused = true)]
async fn a_start_into_too_short_a_window_is_refused() {
    let stage = Stage::new();
    let windows =
        [("now +40min", "2026-11-24T01:00:00Z +4h"), ("now +4h", "2026-11-24T01:00:00Z +30min"), ("now +4h", "now +6h")];
    for (first, second) in windows {
        let request =
            PlanRequest { first: Some(first.to_owned()), second: Some(second.to_owned()), ..stage.request("role-swap") };
        let problem = stage.fleet.start(request, "olga").await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "R3"), "{first}, {second}: {problem:?}");
        assert!(stage.fleet.runs().is_empty());
    }
}
