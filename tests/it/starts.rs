//! What stands against a start: a second run, the package, the version, and each check of the preflight.

use changeover::domain::ids::NodeId;
use changeover::domain::version::Target;
use changeover::engine::api::{Fleet as _, Kind, PlanRequest};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::World;
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Stage};

/// A journal that was thrown away without the files of its runs: none of theirs is taken for a new run's own.
#[tokio::test(start_paused = true)]
async fn numbers_go_on_behind_the_files_of_runs_that_no_journal_knows() {
    let stage = Stage::new();
    for folder in
        ["backups/support-3", "console/support-5", "extracts/support-4", "extracts/other-9", "backups/.deleted-support-8"]
    {
        std::fs::create_dir_all(stage.folder.path().join(folder)).unwrap();
    }
    assert_eq!(stage.start("role-swap").await.to_string(), "support-6");
}

/// R12: one site, one run; and it is free again once that run is finished.
#[tokio::test(start_paused = true)]
async fn a_site_has_one_run_at_most() {
    let stage = Stage::new();
    let (first, second) =
        tokio::join!(stage.fleet.start(stage.request("role-swap"), "olga"), stage.fleet.start(stage.request("in-place"), "piet"));
    let id = first.unwrap();
    let refused = second.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Conflict, "one_run"), "{refused:?}");
    assert!(refused.message.contains("support-1"), "{refused:?}");
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded");
    // The node that served before was closed for the update; the last words say that it must be opened again.
    let last = changeover::domain::sheet::may(&rest.run).join("; ");
    assert!(last.contains("open node `a` to clients again") && stage.alert_says("finished", "open node `a`"), "{last}");
    stage.hand("open", NodeId::A);
    // Now `b` is primary and both run 24.2.1: the next run begins where this one ended.
    let request = PlanRequest {
        to: "24.3.1".to_owned(),
        second: Some("2026-11-26T07:00:00Z +4h".to_owned()),
        ..stage.request("role-swap")
    };
    let next = stage.fleet.start(request, "olga").await.unwrap();
    assert_eq!(next.to_string(), "support-2");
    let rest = stage.to_rest(&next).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&next));
    let truth = stage.truth();
    assert_eq!(
        (truth.serving, truth.nodes.a.version.as_str(), truth.nodes.b.version.as_str()),
        (Some(NodeId::A), "24.3.1", "24.3.1")
    );
    assert!(truth.broken_promises.is_empty() && truth.sessions.gone == 0);
}

/// R5: the version and what the package's note says.
#[tokio::test(start_paused = true)]
async fn r5_a_wrong_package_or_version_is_refused() {
    let sha = "sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"";
    let cases: &[(&str, &str, Kind, &str)] = &[
        ("24.1.1", "", Kind::Refused, "R5"),
        ("23.9", "", Kind::Refused, "R5"),
        ("24.2.1", "version = \"24.3.1\"", Kind::Refused, "R5"),
        ("24.2.1", "from = [\"23.1\", \"22\"]", Kind::Refused, "R5"),
        ("24.2.1", sha, Kind::Refused, "R5"),
        ("24.2.1", "colour = 1", Kind::BadInput, "bad_package"),
        ("twenty", "", Kind::BadInput, "bad_version"),
    ];
    for (to, note, kind, code) in cases {
        let stage = Stage::new();
        if !note.is_empty() {
            std::fs::write(stage.folder.path().join("base.nss.toml"), note).unwrap();
        }
        let request = PlanRequest { to: (*to).to_owned(), ..stage.request("role-swap") };
        let problem = stage.fleet.start(request, "olga").await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (*kind, *code), "{to}, {note}: {problem:?}");
        assert!(stage.fleet.runs().is_empty() && stage.truth().acts.is_empty(), "{to}, {note}");
    }
    let stage = Stage::new();
    std::fs::write(stage.folder.path().join("base.nss.toml"), "version = \"24.2.1\"\nfrom = [\"24.1\"]\n").unwrap();
    stage.start("role-swap").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_not_found() {
    let stage = Stage::new();
    let requests = [
        (PlanRequest { site: "moon".to_owned(), ..stage.request("in-place") }, Kind::NotFound, "unknown_site"),
        (stage.request("upside-down"), Kind::NotFound, "unknown_procedure"),
        (PlanRequest { package: "/nowhere".into(), ..stage.request("in-place") }, Kind::BadInput, "bad_package"),
        (PlanRequest { first: None, ..stage.request("in-place") }, Kind::BadInput, "no_window"),
    ];
    for (request, kind, code) in requests {
        let problem = stage.fleet.start(request.clone(), "olga").await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (kind, code), "{request:?}: {problem:?}");
    }
}

type Spoil = fn(&mut World);

fn target(version: &str, build: Option<&str>) -> Target {
    Target { version: version.parse().unwrap(), build: build.map(str::to_owned) }
}

/// Each check × what makes it fail. The time is how long the world goes on before the start.
const SPOILED: &[(&str, i64, Spoil)] = &[
    ("node_unreachable", 0, |world| world.plan_fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::B))),
    ("wrong_box", 0, |world| world.plan_fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A))),
    ("unhealthy", 0, |world| world.plan_fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A))),
    ("not_serving", 0, |world| world.close(NodeId::A).unwrap()),
    ("roles", 60, |world| world.break_failover(NodeId::A).unwrap()),
    ("versions_differ", 3600, |world| world.update(NodeId::B, Some(target("24.1.2", None))).unwrap()),
    ("builds_differ", 3600, |world| world.update(NodeId::B, Some(target("24.1.1", Some("7")))).unwrap()),
    ("sync_too_old", 3600, |world| world.plan_fault(Planned::for_ever(Fault::SyncStuck))),
    ("traffic", 0, |world| world.set_leads_to(Some(NodeId::B))),
    ("traffic", 0, |world| world.set_leads_to(None)),
];

/// BG-20: a failed check is refused with its name, before anything is recorded or done.
#[tokio::test(start_paused = true)]
async fn bg_20_each_failed_check_refuses_the_start() {
    for procedure in PROCEDURES {
        for (code, seconds, spoil) in SPOILED {
            let stage = Stage::new();
            {
                let mut world = stage.site.current();
                spoil(&mut world);
                if *code == "sync_too_old" {
                    // A planned fault strikes the syncs that were asked for; the automatic ones then wait behind it.
                    world.sync_now(NodeId::B).unwrap();
                }
            }
            stage.pass(SignedDuration::from_secs(*seconds)).await;
            let acts = stage.truth().acts.len();
            let problem = stage.fleet.start(stage.request(procedure), "olga").await.unwrap_err();
            assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, *code), "{procedure}: {problem:?}");
            assert!(problem.causes.iter().all(|cause| cause.contains("expected") && cause.contains("found")), "{problem:?}");
            assert_eq!(problem.state.as_deref(), Some("nothing was changed"), "{code}");
            assert!(stage.fleet.runs().is_empty() && stage.truth().acts.len() == acts, "{code}");
        }
    }
}
