//! What is said of a pair while its own run is open, or while it can't be read: no advice that the run forbids, none on what nobody saw.

use changeover::domain::check::{Check, Outcome};
use changeover::domain::ids::NodeId;
use changeover::engine::api::Fleet as _;

use super::Read;
use crate::stage::{SITE, Setting, Stage};

/// What only an open run may let anybody do to the pair.
const FORBIDDEN: [&str; 3] = ["establish failover", "bring both nodes", "after a sync"];

fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no `{name}` among {checks:?}"))
}

/// In the soak the versions differ and the pair is unlinked as the run has it.
#[tokio::test(start_paused = true)]
async fn check_and_plan_send_to_the_open_run() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    let checks = stage.fleet.check(SITE).await.unwrap();
    for name in ["roles", "versions_differ"] {
        assert_eq!(named(&checks, name).result, Outcome::Fail, "{checks:?}");
        assert!(named(&checks, name).remedy.contains("`changeover status support-1`"), "{checks:?}");
    }
    let problem = stage.fleet.plan(stage.request("role-swap")).await.unwrap_err();
    assert!(problem.hint.as_ref().is_some_and(|hint| hint.contains("`changeover status support-1`")), "{problem:?}");
    assert!(problem.causes.iter().any(|cause| cause.contains("run `support-1` is open")), "{problem:?}");
    let said = format!("{checks:?} {problem:?}");
    assert!(FORBIDDEN.iter().all(|advice| !said.contains(advice)), "{said}");
}

/// Before its first window the pair is as it was: a plan can be made, and says that none can be started.
#[tokio::test(start_paused = true)]
async fn a_plan_beside_an_open_run_names_it() {
    let first = "2026-11-22T12:00:00Z +4h".to_owned();
    let stage = Stage::set(Setting { first, second: "2026-11-24T07:00:00Z +4h".to_owned(), ..Setting::default() });
    let free = stage.fleet.plan(stage.request("role-swap")).await.unwrap();
    assert!(free.flags.is_empty(), "{:?}", free.flags);
    stage.start("role-swap").await;
    let beside = stage.fleet.plan(stage.request("role-swap")).await.unwrap();
    assert!(beside.flags.iter().any(|flag| flag.contains("run `support-1` is open")), "{:?}", beside.flags);
}

/// Roles that nobody could read say nothing on failover, and the site is called by its name.
#[test]
fn what_is_not_readable_is_no_word_on_failover() {
    let mut read = Read::new();
    (read.nodes.a, read.nodes.b) = (None, None);
    let checks = read.checks();
    let roles = named(&checks, "roles");
    assert!(roles.result == Outcome::Unknown && roles.remedy.contains("not readable"), "{roles:?}");
    assert!(!named(&checks, "sync_too_old").found.contains("not linked"), "{checks:?}");
    assert!(checks.iter().all(|check| FORBIDDEN.iter().all(|advice| !check.remedy.contains(advice))), "{checks:?}");
    assert!(named(&checks, "agreement").remedy.contains("`changeover traffic look support`"), "{checks:?}");
}

/// A pair that is unlinked without a run is to be linked.
#[test]
fn without_a_run_the_advice_is_to_establish() {
    let mut read = Read::new();
    read.node(NodeId::B).role = changeover::domain::site::Role::Primary;
    assert!(named(&read.checks(), "roles").remedy.contains("establish failover"));
}
