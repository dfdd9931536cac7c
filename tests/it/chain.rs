//! Package chains (BG-10, R5): laid out before the start, one hop after the other, resumable between them.

use changeover::domain::action::Kind as Action;
use changeover::domain::homeward;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::machine;
use changeover::domain::plan::Goal;
use changeover::domain::run::Run;
use changeover::domain::sheet;
use changeover::domain::site::{Policy, RehearsalPolicy};
use changeover::engine::api::{Fleet as _, Kind, PlanRequest, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::memory::Death;
use crate::stage::{LAB, PROCEDURES, Setting, Stage, TO};

const CHAINS: [&[&str]; 2] = [&["24.1.5"], &["24.1.5", "24.2.0.1"]];

fn setting(chain: &[&'static str], by_operator: bool) -> Setting {
    let base = if by_operator { Setting::by_operator() } else { Setting::default() };
    let (first, second) = ("now +10h".to_owned(), "2026-11-23T13:00:00Z +10h".to_owned());
    Setting { chain: chain.to_vec(), first, second, ..base }
}

fn versions(stage: &Stage, node: NodeId) -> Vec<String> {
    let plain = |text: &str| text.split(['+', ' ']).next().unwrap_or_default().to_owned();
    stage.truth().nodes[node].updates.iter().filter(|done| done.ended_at.is_some()).map(|done| plain(&done.to)).collect()
}

/// Every hop once on each node, in order, home at the end, and a backup of the node before each.
fn assert_walked(stage: &Stage, id: &RunId, chain: &[&str], case: &str) {
    let path: Vec<&str> = chain.iter().copied().chain([TO]).collect();
    let truth = stage.truth();
    for node in NodeId::BOTH {
        let got = versions(stage, node);
        assert!(got.iter().map(String::as_str).eq(path.iter().copied()), "{case}, node {node}: {got:?}\n{}", stage.story(id));
        assert_backed_up(stage, id, node, case);
    }
    assert!(truth.linked && truth.broken_promises.is_empty(), "{case}: {:?}", truth.broken_promises);
    assert_eq!(truth.sessions.gone, 0, "{case}");
    let records = stage.records(id);
    assert_eq!(machine::replay(&records).unwrap(), *stage.run(id), "{case}");
}

/// BG-01: between two updates of a node lies a backup of it.
fn assert_backed_up(stage: &Stage, id: &RunId, node: NodeId, case: &str) {
    let mut fresh = false;
    for record in stage.records(id).iter().filter(|record| record.event == "step_done") {
        let step = record.step.clone().unwrap_or_default();
        if step.contains(&format!(".backup.{node}")) {
            fresh = true;
        }
        if step.contains(&format!(".update.{node}")) {
            assert!(std::mem::take(&mut fresh), "{case}: {step}\n{}", stage.story(id));
        }
    }
}

async fn whole(by_operator: bool) {
    for (procedure, chain) in PROCEDURES.into_iter().flat_map(|procedure| CHAINS.map(|chain| (procedure, chain))) {
        let case = format!("{procedure} over {chain:?}");
        let stage = Stage::set(setting(chain, by_operator));
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
        assert_walked(&stage, &id, chain, &case);
    }
}

#[tokio::test(start_paused = true)]
async fn bg_10_chains_of_two_and_three_packages() {
    whole(false).await;
}

#[tokio::test(start_paused = true)]
async fn bg_10_chains_by_hand() {
    whole(true).await;
}

#[tokio::test(start_paused = true)]
async fn bg_10_the_steps_of_a_chain_have_their_ids_and_sentences() {
    let stage = Stage::set(setting(CHAINS[1], false));
    let plan = stage.fleet.plan(stage.request("role-swap")).await.unwrap().plan;
    let part = |when: &str| {
        let on = |step: &&changeover::domain::step::Step| matches!(step.kind, Action::Update | Action::Verify | Action::Backup);
        let steps = plan.steps.iter().filter(on).filter(|step| step.id.starts_with(when));
        steps.map(|step| step.id.strip_prefix(when).unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        part("window-1."),
        "update.b verify.b backup.b update.b.2 verify.b.2 backup.b.2 update.b.3 verify.b.3",
        "{:?}",
        plan.steps
    );
    assert_eq!(
        part("window-2."),
        "backup.b backup.a update.a verify.a backup.a.2 update.a.2 verify.a.2 backup.a.3 update.a.3 verify.a.3"
    );
    // The serving node is drained before each hop: users come back in between.
    let in_place = stage.fleet.plan(stage.request("in-place")).await.unwrap().plan;
    let drained = in_place.steps.windows(2).filter(|pair| pair[1].id.starts_with("window-1.update.a"));
    assert!(drained.clone().count() == 3 && drained.clone().all(|pair| pair[0].kind == Action::Drain), "{:?}", in_place.steps);
    let updates = plan.steps.iter().filter(|step| step.kind == Action::Update);
    let said: Vec<String> = updates.map(|step| plan.sentence(step)).collect();
    assert_eq!(said[1], "Update node `b` to 24.2.0.1, hop 2 of 3");
    // One package: nothing of this shows.
    let single = Stage::new();
    let plan = single.fleet.plan(single.request("role-swap")).await.unwrap().plan;
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("\"hop") && plan.hop_count() == 1, "{text}");
    let update = plan.steps.iter().find(|step| step.kind == Action::Update).unwrap();
    assert_eq!(plan.sentence(update), "Update node `b` to the target version");
}

/// The records of the chain's steps; tests/it/crashes.rs has the others.
fn of_chain(stage: &Stage, id: &RunId) -> Vec<u64> {
    let kinds = [".update.", ".verify.", ".backup."];
    let records = stage.records(id);
    let of = records.iter().filter(|record| {
        let step = record.step.as_deref().unwrap_or_default();
        step.starts_with("window") && kinds.iter().any(|kind| step.contains(kind))
    });
    of.map(|record| record.seq).collect()
}

/// Dies at each record of a chain, before and after it is durable, and goes on with the hop where it stood.
async fn dies_at_each_record(procedure: &str) {
    let calm = Stage::set(setting(CHAINS[0], false));
    let id = calm.start(procedure).await;
    calm.to_rest(&id).await;
    let steps = calm.run(&id).plan.steps.len();
    let deaths = of_chain(&calm, &id).into_iter().flat_map(|seq| [Death::Before(seq), Death::After(seq)]);
    for death in deaths {
        let case = format!("{procedure}, {death:?}");
        let mut known = setting(CHAINS[0], false);
        known.options.remembers = true;
        let mut stage = Stage::set(known);
        stage.journal.die(death);
        let id = stage.start(procedure).await;
        tokio::select! {
            biased;
            () = stage.journal.died() => {}
            rest = stage.to_rest(&id) => panic!("{case}: {}", rest.end),
        }
        stage.restart();
        let mut rest = stage.to_rest(&id).await;
        if rest.end == "in_doubt" {
            rest = stage.resume_to_end(&id).await.0;
        }
        assert_eq!((rest.end.as_str(), rest.run.plan.steps.len()), ("succeeded", steps), "{case}\n{}", stage.story(&id));
        assert_walked(&stage, &id, CHAINS[0], &case);
    }
}

#[tokio::test(start_paused = true)]
async fn bg_10_a_chain_in_place_dies_at_each_record() {
    dies_at_each_record(PROCEDURES[0]).await;
}

#[tokio::test(start_paused = true)]
async fn bg_10_a_chain_in_a_role_swap_dies_at_each_record() {
    dies_at_each_record(PROCEDURES[1]).await;
}

/// Held, and resumed, between the hops.
#[tokio::test(start_paused = true)]
async fn bg_10_a_chain_is_held_and_resumed_between_its_hops() {
    for step in ["window-1.update.b", "window-1.verify.b", "window-1.update.b.2", "window-2.verify.a", "window-2.update.a.2"] {
        let stage = Stage::set(setting(CHAINS[0], false));
        let id = stage.start("role-swap").await;
        stage.until_step(&id, step).await;
        stage.word(&id, Word::Hold).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "operator", "{step}\n{}", stage.story(&id));
        stage.pass(SignedDuration::from_mins(30)).await;
        let (_, times) = stage.resume_to_end(&id).await;
        assert_eq!(times, 1, "{step}\n{}", stage.story(&id));
        assert_walked(&stage, &id, CHAINS[0], step);
    }
}

/// The second package is refused or fails: the run is held between the versions, and goes on there.
#[tokio::test(start_paused = true)]
async fn bg_10_a_hop_that_fails_holds_the_run_there() {
    for fault in [Fault::Refused, Fault::UpdateWrongVersion] {
        let stage = Stage::set(setting(CHAINS[0], false));
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "window-1.verify.b").await;
        stage.fault(Planned::once(fault).on(NodeId::B).act("update"));
        let rest = stage.to_rest(&id).await;
        let expected = if fault == Fault::Refused { "step_failed" } else { "wrong_version" };
        assert_eq!((rest.end.as_str(), rest.run.step().unwrap().id.as_str()), (expected, "window-1.update.b.2"));
        assert_eq!(rest.run.expected_version(NodeId::B).version.as_str(), "24.1.5");
        assert!(sheet::state(&rest.run).contains("node `b` ran 24.1.5"), "{}", sheet::state(&rest.run));
        if fault == Fault::Refused {
            stage.resume_to_end(&id).await;
            assert_walked(&stage, &id, CHAINS[0], "refused once");
        }
    }
}

async fn held_between(procedure: &str, step: &str) -> (Stage, RunId, std::sync::Arc<Run>) {
    let stage = Stage::set(setting(CHAINS[0], false));
    let id = stage.start(procedure).await;
    stage.until_step(&id, step).await;
    stage.word(&id, Word::Hold).await.unwrap();
    let run = stage.to_rest(&id).await.run;
    (stage, id, run)
}

/// Between two packages a node is on no version that is known to work: the other one is the harbour.
#[tokio::test(start_paused = true)]
async fn r7_between_two_hops_the_other_node_is_the_harbour() {
    for (procedure, step, harbour) in
        [("role-swap", "window-1.verify.b", NodeId::A), ("in-place", "window-1.verify.a", NodeId::B)]
    {
        let (stage, id, _) = held_between(procedure, step).await;
        let ways = stage.fleet.ways(&id).await.unwrap().found;
        assert_eq!(ways.ways[0].goal, Goal::Harbour { node: harbour }, "{procedure}: {ways:?}");
        let goes_on = ways.ways.iter().flat_map(|way| &way.steps).any(|step| step.kind == Action::Update);
        assert!(!goes_on, "{procedure}: to finish the chain is a person's choice: {ways:?}");
        stage.word(&id, Word::Abort { way: None, note: None }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!((rest.end.as_str(), rest.run.survivor), ("harbour", harbour), "{procedure}\n{}", stage.story(&id));
        assert!(stage.truth().broken_promises.is_empty(), "{procedure}: {:?}", stage.truth().broken_promises);
    }
}

/// Accepted in production, the way home may finish the second node's chain.
#[tokio::test(start_paused = true)]
async fn r10_once_accepted_the_way_home_finishes_the_chain() {
    for (step, hops) in [("window-2.confirm", vec![0, 1]), ("window-2.verify.a", vec![1])] {
        let (stage, id, _) = held_between("role-swap", step).await;
        let found = stage.fleet.ways(&id).await.unwrap();
        let way = &found.found.ways[0];
        let updates: Vec<u32> = way.steps.iter().filter(|step| step.kind == Action::Update).map(|step| step.hop).collect();
        assert_eq!((way.goal, updates), (Goal::Home, hops), "{step}: {way:?}");
        assert_eq!(homeward::steps(&found.snapshot.run, way).len(), way.steps.len());
        stage.word(&id, Word::Abort { way: None, note: None }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "aborted", "{step}\n{}", stage.story(&id));
        assert_walked(&stage, &id, CHAINS[0], step);
    }
}

/// What is left of a chain must fit into the window before its first hop begins.
#[tokio::test(start_paused = true)]
async fn r3_a_chain_begins_only_if_all_of_it_fits() {
    // Three updates of an hour, checks and backups between them.
    let stage = Stage::set(Setting { first: "now +3h".to_owned(), ..setting(CHAINS[1], false) });
    let problem = stage.try_start("role-swap").await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "R3"), "{problem:?}");
    assert!(
        problem.causes[1].contains("at `window-1.update.b`") && problem.causes[1].contains("and to leave 2h 8m"),
        "{problem:?}"
    );
}

/// A note beside the package of this number; requests count packages from 0.
struct Case {
    notes: &'static [(usize, &'static str)],
    order: &'static [usize],
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        notes: &[],
        order: &[1],
        says: "hop 2 of 2 (base.nss): the package may be installed on 24.2.0.1 only, the hop before leads to 24.1.5",
    },
    Case {
        notes: &[],
        order: &[2, 1],
        says: "hop 2 of 3 (24.1.5.nss): the target 24.1.5 is not newer than 24.2.0.1, to which the hop before leads",
    },
    Case { notes: &[], order: &[], says: "the package may be installed on 24.2.0.1 only, the nodes run 24.1.1" },
    Case {
        notes: &[],
        order: &[2],
        says: "hop 1 of 2 (24.2.0.1.nss): the package may be installed on 24.1.5 only, the nodes run 24.1.1",
    },
    Case { notes: &[], order: &[1, 1, 2], says: "hop 2 of 4 (24.1.5.nss): the target 24.1.5 is not newer than 24.1.5" },
    Case {
        notes: &[(2, "version = \"24.2.0.1\"\nminimum = \"24.1.7\"\n")],
        order: &[1, 2],
        says: "hop 2 of 3 (24.2.0.1.nss): the package needs at least 24.1.7, the hop before leads to 24.1.5",
    },
    Case {
        notes: &[(1, "version = \"24.1.5\"\nminimum = \"24.1.2\"\n")],
        order: &[1, 2],
        says: "hop 1 of 3 (24.1.5.nss): the package needs at least 24.1.2, the nodes run 24.1.1",
    },
    Case {
        notes: &[(0, "after = \"24.1.6\"\n")],
        order: &[1, 2],
        says: "hop 3 of 3 (base.nss): the package comes only after `24.1.6`",
    },
    Case { notes: &[(0, "after = \"other.nss\"\n")], order: &[1, 2], says: "the package comes only after `other.nss`" },
    Case {
        notes: &[(2, "version = \"24.3\"\n")],
        order: &[1, 2],
        says: "hop 3 of 3 (base.nss): the target 24.2.1 is not newer than 24.3",
    },
    Case {
        notes: &[(1, "version = \"24.1.5\"\nsha256 = \"00\"\n")],
        order: &[1, 2],
        says: "hop 1 of 3 (24.1.5.nss): the package's SHA-256 is",
    },
    Case {
        notes: &[(0, "version = \"24.2.2\"\n")],
        order: &[1, 2],
        says: "hop 3 of 3 (base.nss): the package's note says that it holds 24.2.2",
    },
    Case { notes: &[(1, "kind = \"base\"\n")], order: &[1, 2], says: "hop 1 of 3: nothing tells to which version package" },
    // In order, and what speaks for it.
    Case { notes: &[], order: &[1, 2], says: "" },
    Case { notes: &[(0, "after = \"24.1.5\"\nminimum = \"24.2\"\n")], order: &[1, 2], says: "" },
    Case { notes: &[(0, "after = \"24.1.5.nss\"\n")], order: &[1, 2], says: "" },
    Case { notes: &[(2, "version = \"24.2.0.1\"\nafter = \"24.1\"\nminimum = \"24.1.5\"\n")], order: &[1, 2], says: "" },
];

/// R5: the refusal names the hop and what is missing; nothing is touched.
#[tokio::test(start_paused = true)]
async fn r5_a_chain_is_laid_out_before_the_start() {
    for (number, case) in CASES.iter().enumerate() {
        let stage = Stage::set(setting(CHAINS[1], false));
        let file =
            |index: usize| ["base.nss", "24.1.5.nss", "24.2.0.1.nss"].map(|name| stage.folder.path().join(name))[index].clone();
        for (index, note) in case.notes {
            std::fs::write(file(*index).with_extension("nss.toml"), note).unwrap();
        }
        let before = case.order.iter().map(|index| file(*index)).collect();
        let request = PlanRequest { before, ..stage.request("role-swap") };
        match stage.fleet.plan(request.clone()).await {
            Ok(preview) => {
                let said: Vec<&str> = preview.refusals.iter().map(|refusal| refusal.message.as_str()).collect();
                let expected =
                    if case.says.is_empty() { said.is_empty() } else { said.iter().any(|text| text.contains(case.says)) };
                assert!(expected, "case {number}, {}: {said:?}", case.says);
                let rules = preview.refusals.iter().all(|refusal| refusal.rule == "R5");
                assert!(rules && (case.says.is_empty() || stage.fleet.start(request, "op1").await.is_err()), "case {number}");
            }
            Err(problem) => {
                assert_eq!((problem.kind, problem.code.as_str()), (Kind::BadInput, "bad_package"), "case {number}: {problem:?}");
                assert!(!case.says.is_empty() && problem.message.contains(case.says), "case {number}: {problem:?}");
            }
        }
        assert!(stage.truth().acts.is_empty() || case.says.is_empty(), "case {number}");
    }
}

/// Each package is copied at the start, and its copy checked before its hop.
#[tokio::test(start_paused = true)]
async fn r5_a_changed_copy_of_the_second_package_is_found_before_its_hop() {
    let stage = Stage::set(setting(CHAINS[0], false));
    let id = stage.start("role-swap").await;
    let run = stage.until_step(&id, "window-1.verify.b").await;
    let copy = changeover::engine::package::place(stage.folder.path(), run.plan.package_of(1));
    std::fs::write(&copy, b"changed").unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!((rest.end.as_str(), rest.run.step().unwrap().id.as_str()), ("step_failed", "window-1.update.b.2"));
    assert!(rest.run.hold().unwrap().message.contains("planned was"), "{:?}", rest.run.hold());
    std::fs::write(&copy, b"a package").unwrap();
    stage.resume_to_end(&id).await;
    assert_walked(&stage, &id, CHAINS[0], "mended");
}

/// The sheet that leaves this host names each package with its hop.
#[tokio::test(start_paused = true)]
async fn bg_10_the_sheet_by_hand_goes_hop_by_hop() {
    let (stage, id, run) = held_between("role-swap", "window-1.verify.b").await;
    let text = sheet::of_journal(&run, stage.folder.path());
    for line in ["Package to 24.1.5: ", "Package to 24.2.1: ", "Update node `b` to 24.2.1, hop 2 of 2", "node `b` runs 24.1.5"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // What is printed here names the same files, and they are there.
    let snapshot = stage.fleet.run(&id).unwrap();
    let read = sheet::text(&snapshot.run, &snapshot.world);
    for package in run.plan.packages() {
        let copy = changeover::engine::package::place(stage.folder.path(), package);
        let told = format!("{} (SHA-256 ", copy.display());
        assert!(copy.is_file() && text.contains(&told) && read.contains(&told), "{told}\n{text}\n{read}");
    }
}

/// R11: a chain is rehearsed with all its packages.
#[tokio::test(start_paused = true)]
async fn r11_a_chain_counts_only_on_a_rehearsal_of_all_its_packages() {
    let rehearsal = RehearsalPolicy { site: LAB.to_owned(), valid_for: SignedDuration::from_hours(24 * 30), roles: Vec::new() };
    let policy = Policy { rehearsal: Some(rehearsal), ..Policy::default() };
    let stage = Stage::set(Setting { policy, lab: Some(Policy::default()), ..setting(CHAINS[0], false) });
    let request = PlanRequest { site: LAB.to_owned(), ..stage.request("role-swap") };
    let lab = stage.fleet.start(request, "op1").await.unwrap();
    assert_eq!(stage.to_rest(&lab).await.end, "succeeded", "{}", stage.story(&lab));
    let release = Word::Release { withdraw: false, note: "good".to_owned() };
    stage.fleet.command(&lab, release, "owner1", None).await.unwrap();
    let second = Some(format!("{} +10h", stage.fleet.now() + SignedDuration::from_hours(40)));
    let request = PlanRequest { second, ..stage.request("role-swap") };
    assert!(stage.fleet.plan(request.clone()).await.unwrap().refusals.is_empty());
    std::fs::write(stage.folder.path().join("24.1.5.nss"), b"another one").unwrap();
    let refusals = stage.fleet.plan(request).await.unwrap().refusals;
    assert!(refusals.iter().any(|refusal| refusal.rule == "R11" && refusal.message.contains("package: rehearsed with")));
}
