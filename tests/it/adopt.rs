//! A pair that somebody else left half-way: taken over at every step of a foreign run, with what a person vouches for.

use std::collections::BTreeMap;
use std::sync::Arc;

use changeover::domain::event::{Event, Evidence, Verdict};
use changeover::domain::gate::{Gate, GatePolicy};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::domain::machine;
use changeover::domain::plan::{Adoption, Goal};
use changeover::domain::site::Policy;
use changeover::engine::api::{AdoptRequest, Fleet as _, Kind, Problem};
use changeover::ports::{Clock as _, Journal as _};
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};

use crate::abort::{assert_ended, order};
use crate::close::close;
use crate::gates::{people, word};
use crate::memory::Death;
use crate::stage::{PROCEDURES, SITE, Setting, Stage};

/// Everything that a careful person would give; the node that the name leads to is the survivor.
pub fn request(stage: &Stage) -> AdoptRequest {
    AdoptRequest {
        survivor: stage.truth().leads_to.map(|node| node.to_string()),
        package: Some(stage.folder.path().join("base.nss")),
        accepted: true,
        second: Some("now +6h".to_owned()),
        note: Some("left by another tool".to_owned()),
        ..AdoptRequest::default()
    }
}

async fn adopt(stage: &Stage, request: AdoptRequest) -> Result<RunId, Problem> {
    stage.fleet.adopt(SITE, request, "olga").await
}

/// A pair as a run of ours left it after this record, an hour later: what was under way has ended.
async fn left_after(procedure: &str, seq: u64, setting: Setting) -> Option<Stage> {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    let run = stage.until_seq(&id, seq).await;
    if run.is_finished() || stage.word(&id, close()).await.is_err() {
        return None;
    }
    stage.pass(SignedDuration::from_hours(1)).await;
    Some(stage)
}

async fn at_each_record(procedure: &str, setting: Setting) {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    stage.to_rest(&id).await;
    let (mut home, mut harbour, mut well) = (0, 0, 0);
    for seq in 1..stage.records(&id).len() as u64 {
        let case = format!("{procedure}: left after record {seq}");
        let Some(stage) = left_after(procedure, seq, setting.clone()).await else { continue };
        let asked = request(&stage);
        let preview = stage.fleet.adoption(SITE, asked.clone()).await.unwrap();
        let id = match adopt(&stage, asked).await {
            Ok(id) => id,
            Err(problem) => {
                assert_eq!(problem.code, "nothing_to_adopt", "{case}: {problem:?} {:?}", stage.truth().nodes);
                assert!(stage.truth().linked && preview.drafted.is_err(), "{case}");
                well += 1;
                continue;
            }
        };
        assert_eq!(id.number, 2, "{case}");
        let way = preview.drafted.unwrap().1.ways.remove(0);
        let rest = stage.to_rest(&id).await;
        assert_ended(&stage, &id, &way, &rest, &case);
        *(if way.goal == Goal::Home { &mut home } else { &mut harbour }) += 1;
    }
    eprintln!("{procedure}: {home} home, {harbour} at harbour, {well} were well");
    assert!(home >= 10 && well >= 5, "{procedure}: {home} home, {harbour} at harbour, {well} were well");
}

#[tokio::test(start_paused = true)]
async fn an_in_place_update_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[0], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_by_hand_is_adopted_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::by_operator()).await;
}

/// What is missing or speaks against it is named, and nothing is started.
#[tokio::test(start_paused = true)]
async fn what_a_person_must_say_is_asked_for() {
    let stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    let full = request(&stage);
    let file = |name: &str, text: &str| {
        let path = stage.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let bare = AdoptRequest { accepted: true, ..AdoptRequest::default() };
    let cases = [
        (bare.clone(), Kind::Refused, "no_survivor"),
        (AdoptRequest { survivor: Some("c".to_owned()), ..bare.clone() }, Kind::NotFound, "unknown_node"),
        (AdoptRequest { survivor: full.survivor.clone(), ..bare.clone() }, Kind::Refused, "no_package"),
        (AdoptRequest { second: None, ..full.clone() }, Kind::Refused, "no_window"),
        (AdoptRequest { second: Some("soon".to_owned()), ..full.clone() }, Kind::BadInput, "bad_window"),
        (AdoptRequest { to: Some("new".to_owned()), ..full.clone() }, Kind::BadInput, "bad_version"),
        (AdoptRequest { to: Some("25.1.1".to_owned()), ..full.clone() }, Kind::Refused, "known_path"),
        (AdoptRequest { package: Some("base.nss".into()), ..full.clone() }, Kind::BadInput, "bad_package"),
        (AdoptRequest { backup_a: Some("/nowhere".into()), ..full.clone() }, Kind::BadInput, "bad_backup"),
        (AdoptRequest { backup_b: file("empty.nsb", ""), ..full.clone() }, Kind::BadInput, "bad_backup"),
        (AdoptRequest { since: Some(next_year(&stage)), ..full.clone() }, Kind::BadInput, "bad_since"),
        (AdoptRequest { way: Some(vec!["home.other".to_owned()]), ..full.clone() }, Kind::Conflict, "way_changed"),
    ];
    for (request, kind, code) in cases {
        let problem = adopt(&stage, request.clone()).await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (kind, code), "{request:?}: {problem:?}");
    }
    assert_eq!(stage.fleet.runs().len(), 1);
    // By identity, with a backup of before.
    let identity = stage.truth().nodes.b.identity.clone();
    let id = adopt(&stage, AdoptRequest { survivor: Some(identity), backup_b: file("b.nsb", "settings"), ..full.clone() })
        .await
        .unwrap();
    let run = stage.run(&id);
    assert_eq!((run.survivor, run.nodes.b.backup.as_ref().unwrap().1.bytes), (NodeId::B, 8));
    let busy = adopt(&stage, full).await.unwrap_err();
    assert_eq!((busy.code.as_str(), busy.hint.unwrap().contains("changeover close support-2")), ("one_run", true));
}

fn next_year(stage: &Stage) -> Timestamp {
    stage.clock.now() + SignedDuration::from_hours(365 * 24)
}

/// R9: a typo in the year would have left out of the extraction all that there is.
#[tokio::test(start_paused = true)]
async fn r9_since_a_moment_that_is_to_come_no_pair_is_adopted() {
    let stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    let (now, since) = (stage.clock.now(), next_year(&stage));
    let asked = AdoptRequest { since: Some(since), ..request(&stage) };
    let problem = stage.fleet.adoption(SITE, asked).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::BadInput, "bad_since"), "{problem:?}");
    assert!(problem.message.contains(&since.to_string()) && problem.message.contains(&now.to_string()), "{problem:?}");
    // As it is now is no typo.
    stage.fleet.adoption(SITE, AdoptRequest { since: Some(now), ..request(&stage) }).await.unwrap().drafted.unwrap();
}

/// A run that an earlier build took over with a moment that was to come: its first record as that build wrote it.
async fn adopted_since(stage: &mut Stage, since: Timestamp) -> RunId {
    let (run, found) = stage.fleet.adoption(SITE, request(stage)).await.unwrap().drafted.unwrap();
    let mut plan = (*run.plan).clone();
    plan.steps = Arc::new(found.ways[0].steps.clone());
    plan.adopted = plan.adopted.map(|adoption| Box::new(Adoption { since: Some(since), ..*adoption }));
    let (event, data) = Event::Started { plan: Box::new(plan) }.to_parts();
    let (at, actor) = (stage.clock.now(), "olga".to_owned());
    let record = Record::chain(&run.id, None, Entry { at, actor, event, step: None, reason: String::new(), data });
    stage.journal.append(vec![record], Vec::new(), true).await.unwrap();
    stage.restart();
    run.id.clone()
}

/// R9: nothing is extracted of a range that ends before it begins, and no link is made over that.
#[tokio::test(start_paused = true)]
async fn r9_an_empty_range_is_never_all_that_is_there() {
    let mut stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    let since = next_year(&stage);
    let id = adopted_since(&mut stage, since).await;
    let rest = stage.to_rest(&id).await;
    let (truth, story) = (stage.truth(), stage.story(&id));
    assert!(truth.acts.iter().all(|act| !matches!(act.what.as_str(), "extract" | "establish")), "{story}");
    let (hold, step) = (rest.run.hold().unwrap(), rest.run.step().unwrap());
    assert_eq!((hold.code.as_str(), step.kind), ("step_failed", changeover::domain::action::Kind::ExtractData), "{story}");
    assert!(hold.message.contains(&since.to_string()) && hold.message.contains("changeover adopt support --since"), "{story}");
    // What an earlier build recorded as done of it counts as little.
    let records = stage.records(&id);
    let begun = records.iter().rposition(|record| record.event == "step_begun").unwrap();
    let acting = machine::replay(&records[..=begun]).unwrap();
    let evidence = Evidence::Files { files: Vec::new(), records: Some(0), bytes: None, missing: 0 };
    let done = Event::StepDone { evidence, already: false };
    let (run, _) = machine::next(&acting, &done, stage.clock.now()).unwrap();
    assert_eq!(run.nodes[step.node.unwrap()].extracted_at, None);
}

/// R10: without the person's word for the version the way ends at harbour, where the word may be given.
#[tokio::test(start_paused = true)]
async fn r10_without_acceptance_an_adopted_pair_is_left_at_harbour() {
    let stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    let id = adopt(&stage, AdoptRequest { accepted: false, ..request(&stage) }).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "harbour", "{}", stage.story(&id));
    stage.accept(&id, Some("production")).await.unwrap();
    let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{problem:?}\n{}", stage.story(&id)));
    assert_eq!(way.goal, Goal::Home);
    let rest = stage.to_rest(&id).await;
    assert_ended(&stage, &id, &way, &rest, "accepted at harbour");
}

/// R10: who vouches for the version by `--accepted` needs what the gate and the waiver of the soak ask for; the others take the
/// pair to harbour, where the gate is answered. The journal says who vouched.
#[tokio::test(start_paused = true)]
async fn r10_who_vouches_for_the_version_needs_the_roles_of_the_gate_and_of_the_soak() {
    let owner = || vec!["owner".to_owned()];
    let gate = GatePolicy { roles: owner(), ..GatePolicy::default() };
    let waivers = BTreeMap::from([("min_soak".to_owned(), owner())]);
    let (starter, two) = (GatePolicy { not_starter: true, ..gate.clone() }, GatePolicy { persons: 2, ..gate.clone() });
    let cases = [
        (gate.clone(), waivers.clone(), "op1", "gate `production`: user `op1` has `operator`, and one of `owner` is asked for"),
        (GatePolicy::default(), waivers.clone(), "op1", "user `op1` has `operator`, and one of `owner` is asked for"),
        (GatePolicy::default(), BTreeMap::new(), "owner1", "`min_soak` in `[policy.waivers]` of the site's file names no role"),
        (starter, waivers.clone(), "owner1", "user `owner1` would be the starter of the run"),
        (two, waivers.clone(), "owner1", "the gate's policy asks for 2 persons"),
        (gate, waivers, "owner1", ""),
    ];
    for (gate, waivers, user, why) in cases {
        let gates = BTreeMap::from([(Gate::Production, gate)]);
        let policy = Policy { gates, waivers, ..Policy::default() };
        let stage = left_after("role-swap", 34, Setting { policy, people: people(), ..Setting::default() }).await.unwrap();
        let asked = request(&stage);
        let vouched = stage.fleet.adopt(SITE, asked.clone(), user).await;
        let Err(problem) = vouched else {
            assert_eq!(why, "", "{user}");
            let reason = stage.records(&vouched.unwrap())[0].reason.clone();
            assert!(reason.contains("; OWNER1 (owner1) vouches that 24.2.1+"), "{reason}");
            assert!(reason.ends_with(" is accepted in production"), "{reason}");
            continue;
        };
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::NotAllowed, "not_allowed"), "{problem:?}");
        assert!(problem.causes[0].contains(why) && !why.is_empty(), "{why}: {problem:?}");
        assert_eq!(stage.fleet.runs().len(), 1, "nothing was started");
        // Without that word the pair is taken over by whoever may speak.
        let id = stage.fleet.adopt(SITE, AdoptRequest { accepted: false, ..asked }, user).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "harbour", "{}", stage.story(&id));
        assert!(!stage.records(&id)[0].reason.contains("vouches"), "{}", stage.story(&id));
        for owner in ["owner1", "owner2"] {
            let said = stage.says(owner, &id, word(Gate::Production, Verdict::Accept)).await.map(|_| ());
            assert!(said.is_ok() || stage.run(&id).verdict.is_some() || why.contains("starter"), "{owner}: {said:?}");
        }
        assert_eq!(stage.run(&id).verdict, Some(Verdict::Accept), "{}", stage.story(&id));
    }
}

/// The other node is dead: the pair is taken over at harbour, and home is found once it is back.
#[tokio::test(start_paused = true)]
async fn a_pair_with_a_dead_node_is_adopted_at_harbour() {
    let stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    stage.pass(SignedDuration::from_mins(10)).await;
    let id = adopt(&stage, request(&stage)).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "harbour", "{}", stage.story(&id));
    stage.mend();
    stage.pass(SignedDuration::from_mins(10)).await;
    let found = stage.fleet.ways(&id).await.unwrap();
    assert!(!found.found.ways.is_empty(), "{:?}", found.found);
    stage.fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A));
    stage.word(&id, close()).await.unwrap();
    stage.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(adopt(&stage, request(&stage)).await.unwrap_err().code, "wrong_box");
}

/// An adopted run is a run: the daemon dies after each record, and the end is the same.
#[tokio::test(start_paused = true)]
async fn an_adopted_run_survives_a_restart_after_each_record() {
    let stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
    let id = adopt(&stage, request(&stage)).await.unwrap();
    stage.to_rest(&id).await;
    for seq in 2..stage.run(&id).seq {
        let case = format!("after record {seq}");
        let mut stage = left_after("role-swap", 34, Setting::default()).await.unwrap();
        let asked = request(&stage);
        let way = stage.fleet.adoption(SITE, asked.clone()).await.unwrap().drafted.unwrap().1.ways.remove(0);
        stage.journal.die(Death::After(seq));
        let id = RunId { site: SITE.to_owned(), number: 2 };
        let whole = async {
            let _ = adopt(&stage, asked).await;
            stage.to_rest(&id).await
        };
        tokio::select! {
            biased;
            () = stage.journal.died() => {}
            rest = whole => panic!("{case}: it never died: {rest:?}"),
        }
        stage.restart();
        let mut rest = stage.to_rest(&id).await;
        if rest.end == "in_doubt" {
            stage.resume(&id).await.unwrap();
            rest = stage.to_rest(&id).await;
        }
        assert_ended(&stage, &id, &way, &rest, &case);
    }
}
