//! The procedure by hand: every act names its box, what to do in the terms of what stands behind the node, and what to check;
//! and whoever follows it comes to where it says.

use std::path::Path;
use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::alert;
use changeover::domain::by_hand::{self, Act, Course};
use changeover::domain::event::Verdict;
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::plan::{Adoption, Goal};
use changeover::domain::run::{Hold, Phase, Run};
use changeover::domain::sheet;
use changeover::domain::site::{Hands, Role};
use changeover::domain::unsynced::data_since;
use changeover::engine::api::{Fleet as _, Word};
use changeover::ports::{ActAnswer, Appliance as _, Intent, NodeAct};
use changeover::server::view::Left;
use jiff::{SignedDuration, Timestamp};

use crate::api::fake::{Fake, led_to};
use crate::stage::{PROCEDURES, Setting, Stage};

fn hands(kind: &str, node: NodeId) -> Hands {
    match kind {
        "console" => Hands::Console { url: format!("https://{node}.example.com:8443/"), driven: false },
        "program" => Hands::Program { program: vec!["/opt/pair/ctl".to_owned(), node.to_string()] },
        _ => Hands::Unknown,
    }
}

fn state() -> &'static Path {
    Path::new("/var/lib/changeover")
}

/// A run of the role swap at this step, with hands of this kind at both nodes.
fn at(step: &str, kind: &str) -> Run {
    let fake = Fake::default();
    let id = fake.run_at(step);
    let mut run = (*fake.run(&id).unwrap().run).clone();
    Arc::make_mut(&mut run.plan).hands = PerNode::new(|node| hands(kind, node));
    run
}

fn steps() -> Vec<String> {
    let run = at("prepare.preflight", "");
    run.plan.steps.iter().map(|step| step.id.clone()).collect()
}

/// Each act's own words, beside identity and address of its box.
fn words(kind: &str, act: &Act, of: Kind) -> Vec<String> {
    let verb = of.name();
    let page = match of {
        Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover => "/login > Management > Failover",
        Kind::Update => "/appliance > Updates",
        Kind::Backup => "/login > Management > Software",
        _ => "",
    };
    match (kind, of) {
        (_, Kind::Preflight | Kind::CheckSync | Kind::FinalCheck) => vec!["support.example.com".to_owned()],
        (_, of) if of.is_of_traffic() => vec!["support.example.com".to_owned()],
        (_, Kind::Soak) => vec!["Keep watching".to_owned()],
        (_, Kind::Confirm) if act.id.starts_with("soak") => vec!["24.2.1 is good in production".to_owned()],
        (_, Kind::Confirm) if act.sentence.contains("automatic failover") => {
            vec!["utomatic failover is".to_owned(), "appliance-b".to_owned()]
        }
        (_, Kind::Confirm) => vec!["Ask whoever can tell".to_owned(), "has said yes".to_owned()],
        ("console", _) => vec![page.to_owned(), ".example.com:8443".to_owned()],
        ("program", Kind::Verify) => vec!["`/opt/pair/ctl ".to_owned(), " observe`".to_owned()],
        ("program", _) => vec![format!(" {verb}` with this on standard input: {{"), " observe`".to_owned(), act.id.clone()],
        _ => vec!["do it there".to_owned()],
    }
}

fn is_complete(kind: &str, run: &Run, act: &Act, of: Kind, node: Option<NodeId>) {
    let text = [act.text.steps.join("\n"), act.text.never.join("\n"), act.text.seen.clone()].join("\n");
    let case = format!("{kind} {}: {}\n{text}", act.id, act.sentence);
    assert!(!act.text.steps.is_empty() && act.text.seen.len() > 5, "{case}");
    assert!(
        text.lines().all(|line| !line.is_empty() && !line.contains("..") && !line.contains("``")) || act.text.never.is_empty(),
        "{case}"
    );
    for word in words(kind, act, of) {
        assert!(text.contains(&word), "`{word}` is missing: {case}");
    }
    let Some(node) = node else { return };
    let facts = &run.plan.nodes[node];
    assert!(text.contains(&facts.identity) && text.contains(&facts.address.to_string()), "{case}");
}

#[test]
fn every_act_names_its_box_what_to_do_and_what_to_check() {
    for kind in ["console", "program", "unknown"] {
        for step in steps() {
            let run = at(&step, kind);
            let world = by_hand::believed(&run);
            let courses = by_hand::courses(&run, &world);
            let (back, finish) = (courses.first().unwrap(), courses.last().unwrap());
            assert!(back.title.starts_with("To ") && finish.title == "To finish the plan", "{step}: {courses:?}");
            let here = run.position().unwrap();
            let rest: Vec<&str> = run.plan.steps[here..].iter().map(|step| step.id.as_str()).collect();
            assert_eq!(finish.acts.iter().map(|act| act.id.as_str()).collect::<Vec<_>>(), rest);
            for (act, step) in finish.acts.iter().zip(&run.plan.steps[here..]) {
                is_complete(kind, &run, act, step.kind, step.node);
            }
            for act in &back.acts {
                let of: Kind = act.id.split('.').nth(1).unwrap().parse().unwrap();
                is_complete(kind, &run, act, of, None);
            }
            let text = sheet::of_journal(&run, state());
            for course in &courses {
                assert!(text.contains(&course.title), "{text}");
                assert!(course.acts.iter().all(|act| text.contains(&act.text.seen)), "{text}");
            }
        }
    }
}

/// The sheet that leaves the host is the same text as what `status --by-hand` prints, without what was read.
#[test]
fn one_text_for_the_sheet_and_for_the_command() {
    let fake = Fake::default();
    let id = led_to(&fake, "gate");
    let snapshot = fake.run(&id).unwrap();
    let believed = by_hand::believed(&snapshot.run);
    let read = |line: &&str| !line.starts_with("  read at ");
    let command = sheet::text(&snapshot.run, &believed.with_state(state()));
    assert_eq!(
        command.lines().filter(read).collect::<Vec<_>>(),
        sheet::of_journal(&snapshot.run, state()).lines().collect::<Vec<_>>()
    );
    for part in [
        "  - stop the daemon, or hold the run (`changeover hold support-1`): two pairs of hands are one too many\n",
        "To rest at harbour (node `b` serves alone, the other is left alone), 0s expected:\n  against home now: R10 confirmed",
        "To finish the plan, ",
    ] {
        assert!(command.contains(part), "{part}\n{command}");
    }
}

/// What is over needs no hands; one that was closed unprotected does.
#[test]
fn a_finished_run_has_no_course() {
    let fake = Fake::default();
    let id = led_to(&fake, "finished");
    let run = fake.run(&id).unwrap().run;
    assert_eq!(by_hand::courses(&run, &by_hand::believed(&run)), []);
    assert!(!sheet::of_journal(&run, state()).contains("Before anything is done by hand"));
}

#[test]
fn the_text_of_an_update_at_the_console_and_with_a_program() {
    let act = |kind: &str| {
        let mut run = at("window-1.update.b", kind);
        Arc::make_mut(&mut run.plan).to.build = Some("58437".to_owned());
        let courses = by_hand::courses(&run, &by_hand::believed(&run).with_state(state()));
        courses.last().unwrap().acts[0].text.steps.clone()
    };
    let copy = format!("/var/lib/changeover/packages/{}/24.2.1.bin", "ab".repeat(32));
    let original = format!(
        "The package is named by the run's own copy on the daemon's machine. The file that was named at the start, /packages/24.2.1.bin, does as well if its SHA-256 is {}.",
        "ab".repeat(32)
    );
    assert_eq!(
        act("program"),
        [
            "This is node `b`, box appliance-b at 192.0.2.20: run `/opt/pair/ctl b observe` first; its `identity` must say so.".to_owned(),
            original.clone(),
            format!(
                "Run `/opt/pair/ctl b update` with this on standard input: {}",
                serde_json::json!({
                    "site": "support", "node": "b", "expect_identity": "appliance-b", "run": "support-1",
                    "step": "window-1.update.b", "attempt": 1, "intent": "by-hand/support-1/window-1.update.b",
                    "package": { "path": copy, "sha256": "ab".repeat(32), "version": "24.2.1", "build": "58437" },
                })
            ),
            "Exit 0: the order was taken; 10: refused; 11: never reached; 64: there is no such verb, do it at the box; anything else: not known.".to_owned(),
        ]
    );
    assert_eq!(
        act("console")[..3],
        [
            format!("Take the package {copy} from the machine of this run; its SHA-256 must be {}.", "ab".repeat(32)),
            original.clone(),
            "Open https://b.example.com:8443/appliance > Updates as the box's administrator: this is node `b` at https://b.example.com:8443/ (192.0.2.20, GUID appliance-b).".to_owned(),
        ]
    );
}

/// R5: the sheet names the copy that the daemon itself would use.
#[test]
fn r5_the_package_by_hand_is_the_copy_of_the_run() {
    let run = at("window-1.update.b", "console");
    let named = by_hand::copy_of(&run.plan.package, &by_hand::believed(&run).with_state(state()));
    assert_eq!(named, changeover::engine::package::place(state(), &run.plan.package));
    let text = sheet::of_journal(&run, state());
    assert!(text.contains(&format!("Package: {} (SHA-256 ", named.display())), "{text}");
}

/// R9: what was written while a pair that was taken over was unlinked is saved by hand as the daemon saves it, and shown as left behind.
#[test]
fn r9_the_data_of_an_adopted_pair_are_saved_by_hand_since_it_was_unlinked() {
    let hour = SignedDuration::from_hours(1);
    for kind in ["console", "program"] {
        let mut run = at("window-1.extract_data.a", kind);
        let synced = run.sync.as_ref().unwrap().sync.at;
        assert!(saved_since(&run).contains(&(synced - hour).to_string()), "{kind}: {}", saved_since(&run));
        run.sync = None;
        for (told, since) in
            [(Some(run.started_at - hour * 50), run.started_at - hour * 50), (None, run.started_at - hour * (24 * 30))]
        {
            Arc::make_mut(&mut run.plan).adopted = Some(Box::new(adoption(told)));
            let text = saved_since(&run);
            assert!(text.contains(&(since - hour).to_string()), "{kind} {told:?}: {text}");
            assert_eq!(Left::on(NodeId::A, &run, &by_hand::believed(&run)).since, Some(since), "{kind} {told:?}");
        }
    }
}

fn saved_since(run: &Run) -> String {
    by_hand::courses(run, &by_hand::believed(run)).last().unwrap().acts[0].text.steps.join("\n")
}

fn adoption(since: Option<Timestamp>) -> Adoption {
    Adoption {
        survivor: NodeId::B,
        broken: true,
        since,
        broken_on: None,
        updated: PerNode::default(),
        backups: PerNode::default(),
        accepted: true,
        goal: Goal::Home,
        note: "left by another tool".to_owned(),
    }
}

/// Each gate is asked in its own words; what is seen at the boxes is asked of none but its own.
#[test]
fn every_gate_by_hand_asks_its_own_question() {
    for kind in ["console", "program", "unknown"] {
        let asked = at("soak.confirm", kind);
        for gate in Gate::all().filter(|gate| *gate != Gate::Production) {
            let mut run = asked.clone();
            let here = run.position().unwrap();
            Arc::make_mut(&mut Arc::make_mut(&mut run.plan).steps)[here].gate = Some(gate);
            let courses = by_hand::courses(&run, &by_hand::believed(&run));
            let text = &courses.last().unwrap().acts[0].text;
            let of_boxes = gate == Gate::AutomaticFailoverOff;
            let steps = text.steps.join("\n");
            assert_eq!(steps.contains("utomatic failover is"), of_boxes, "{kind} {gate}: {text:?}");
            assert_eq!(steps.contains(gate.question()), !of_boxes, "{kind} {gate}: {text:?}");
            let seen = text.seen == "a named person has said yes, and it is written down.";
            assert_eq!(seen, !of_boxes, "{kind} {gate}: {text:?}");
        }
    }
}

/// R10: nobody finishes by hand with a version that was rejected, or that nobody has accepted; a program has no pages.
#[test]
fn r10_finishing_by_hand_waits_for_the_word_on_the_version() {
    for kind in ["console", "program"] {
        for (verdict, begins) in [
            (None, Some("once a person has accepted 24.2.1 in production, finish: save the settings")),
            (Some(Verdict::Accept), Some("finish: save the settings")),
            (Some(Verdict::AcceptEarly), Some("finish: save the settings")),
            (Some(Verdict::Reject), None),
        ] {
            let mut run = at("soak.confirm", kind);
            run.verdict = verdict;
            let may = sheet::may(&run);
            let finish = may.iter().find(|line| line.contains("finish"));
            assert_eq!(finish.is_some(), begins.is_some(), "{kind} {verdict:?}: {may:?}");
            let Some((line, begins)) = finish.zip(begins) else { continue };
            assert!(line.starts_with(begins), "{kind} {verdict:?}: {may:?}");
            assert_eq!(line.contains("(/appliance > Updates)"), kind == "console", "{line}");
        }
    }
}

/// The hint at harbour is a sentence whether or not the version was accepted.
#[test]
fn the_hint_at_harbour_begins_where_it_begins() {
    let mut run = at("soak.confirm", "console");
    let hold = Hold { code: "harbour".to_owned(), message: String::new(), found: String::new(), node: None, since: run.last_at };
    run.phase = Phase::Held(hold);
    let hint = alert::hint_of("harbour", &run);
    let asks = "if the new version is good in production: `changeover confirm support-1 production`, then, or once node `a` is put right";
    assert!(hint.starts_with(asks), "{hint}");
    run.verdict = Some(Verdict::Accept);
    let hint = alert::hint_of("harbour", &run);
    assert!(hint.starts_with("once node `a` is put right"), "{hint}");
}

/// A person who follows a course act by act, and waits for what each says to check.
async fn follow(stage: &Stage, run: &Run, course: &Course) {
    for act in &course.acts {
        let of: Kind = act.id.split('.').nth(1).unwrap().parse().unwrap();
        let node = act.id.split('.').nth(2).map(|node| if node == "a" { NodeId::A } else { NodeId::B });
        let node = node.unwrap_or(run.plan.primary);
        match of {
            Kind::SwitchTraffic => stage.site.current().set_leads_to(Some(node)),
            Kind::LowerTtl => stage.site.zone().set(60),
            Kind::RestoreTtl => stage.site.zone().set(3600),
            Kind::Backup | Kind::ExtractData => save(stage, run, of, node).await,
            Kind::Soak => stage.pass(SignedDuration::from_hours(24)).await,
            Kind::RecordSettings | Kind::CompareSettings => {}
            Kind::Drain | Kind::Confirm | Kind::Verify | Kind::Preflight | Kind::CheckSync | Kind::FinalCheck => {}
            _ => {
                let done = stage.site.current().perform(of.name(), node, Some(run.plan.to.clone()));
                done.unwrap_or_else(|refusal| panic!("{}: {refusal}\n{:#?}", act.id, course));
            }
        }
        let wait = if of == Kind::Update { 90 } else { 10 };
        stage.pass(SignedDuration::from_mins(wait)).await;
    }
}

async fn save(stage: &Stage, run: &Run, of: Kind, node: NodeId) {
    let directory = stage.folder.path().join(format!("hand-{}", stage.clock_now().as_second()));
    let extract = NodeAct::ExtractData { since: data_since(run), until: stage.clock_now(), directory: directory.clone() };
    let act = if of == Kind::Backup { NodeAct::Backup { directory } } else { extract };
    let intent = Intent {
        site: run.id.site.clone(),
        run: run.id.clone(),
        step: "by.hand".to_owned(),
        attempt: 1,
        key: format!("by-hand/{}", stage.clock_now()),
        since: stage.clock_now(),
        limit: SignedDuration::from_hours(1),
    };
    let answer = stage.site.appliance(node).act(&intent, &act).await;
    assert!(matches!(answer, ActAnswer::Accepted { .. }), "{answer:?}");
}

/// A run that was held at the first safe point from this step on, and what was read of it.
async fn held_at(procedure: &str, step: &str) -> (Stage, RunId) {
    // Long windows: a step's time plays no part here.
    let setting = Setting { first: "now +20h".to_owned(), second: "2026-11-24T01:00:00Z +40h".to_owned(), ..Setting::default() };
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    stage.until_step(&id, step).await;
    stage.word(&id, Word::Hold).await.unwrap();
    stage.until(&id, |run| run.hold().is_some()).await;
    stage.pass(SignedDuration::from_mins(5)).await;
    (stage, id)
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_it_comes_to_where_it_says() {
    for procedure in PROCEDURES {
        let plan = changeover::domain::procedure::Procedure::built_in(procedure).unwrap().resolve(NodeId::A);
        // The others are over within the moment in which they begin.
        let waits = |kind: Kind| {
            !matches!(
                kind,
                Kind::Preflight
                    | Kind::CheckSync
                    | Kind::Backup
                    | Kind::RecordSettings
                    | Kind::CompareSettings
                    | Kind::ExtractData
                    | Kind::SwitchTraffic
                    | Kind::LowerTtl
                    | Kind::RestoreTtl
                    | Kind::FinalCheck
            )
        };
        // Checklists are answered on this stage as soon as they open.
        let asked = |step: &changeover::domain::step::Step| step.gate.is_none_or(|gate| !gate.is_checklist());
        for step in plan.into_iter().filter(|step| waits(step.kind) && asked(step)) {
            for title in ["To go home", "To rest at harbour", "To finish"] {
                let (stage, id) = held_at(procedure, &step.id).await;
                let snapshot = stage.fleet.run(&id).unwrap();
                let courses = by_hand::courses(&snapshot.run, &snapshot.world);
                let Some(course) = courses.iter().find(|course| course.title.starts_with(title)) else { continue };
                follow(&stage, &snapshot.run, course).await;
                arrived(&stage, &snapshot.run, course, &format!("{procedure} {}: {title}", step.id));
            }
        }
    }
}

fn arrived(stage: &Stage, run: &Run, course: &Course, case: &str) {
    let truth = stage.truth();
    let case = format!("{case}\n{course:#?}\n{}", stage.story(&run.id));
    assert!(truth.broken_promises.is_empty(), "{:?} {case}", truth.broken_promises);
    let serving = truth.serving.unwrap_or_else(|| panic!("nobody serves: {case}"));
    if course.title.starts_with("To rest") {
        assert!(!truth.linked, "{case}");
        assert!(course.title.contains(&format!("node `{serving}`")), "{case}");
        return;
    }
    assert!(truth.linked && truth.nodes[serving].role == Role::Primary && truth.leads_to == Some(serving), "{case}");
    assert_eq!(truth.nodes.a.version, truth.nodes.b.version, "{case}");
    if course.title.starts_with("To finish") {
        assert_eq!(truth.nodes.a.version, "24.2.1", "{case}");
    }
    let lost = truth.events.iter().find(|event| event.what == "records-overwritten" || event.what == "settings-overwritten");
    assert!(lost.is_none(), "{lost:?} {case}");
}

trait Now {
    fn clock_now(&self) -> Timestamp;
}

impl Now for Stage {
    fn clock_now(&self) -> Timestamp {
        changeover::ports::Clock::now(&*self.clock)
    }
}
