//! "If you stop here": what each step of both procedures leaves to be done, and which of them is the point of no return.

use changeover::domain::action::Kind;
use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::plan::{Goal, Order, Package, Plan, Windows};
use changeover::domain::procedure::Procedure;
use changeover::domain::site::{Node, Policy, Site};
use changeover::domain::stop_here::{self, StopHere};
use changeover::domain::version::Target;
use changeover::domain::window::calendar::Calendar;

fn plan(procedure: &str) -> Plan {
    let node = |id: NodeId| Node { identity: format!("box-{id}"), address: "192.0.2.10".parse().unwrap() };
    let site = Site {
        name: "support".to_owned(),
        service: "support.example.com".to_owned(),
        procedure: None,
        nodes: PerNode::new(node),
        policy: Policy::default(),
        calendar: Calendar::default(),
    };
    let target = |text: &str| Target { version: text.parse().unwrap(), build: None };
    let order = Order {
        from: target("24.1.1"),
        to: target("24.2.1"),
        package: Package { path: "/p".into(), sha256: "ab".repeat(32), bytes: 1 },
        note: None,
        before: Vec::new(),
        primary: NodeId::A,
        windows: Windows::default(),
    };
    Plan::new(&Procedure::built_in(procedure).unwrap(), &site, order)
}

fn told(stop: &StopHere) -> String {
    let steps = |way: &changeover::domain::way_home::Way| {
        let of = |step: &changeover::domain::step::Step| step.id.split_once('.').unwrap().1.to_owned();
        way.steps.iter().map(of).collect::<Vec<_>>().join(" ")
    };
    let Some(way) = stop.way() else { return "none".to_owned() };
    let goal = match way.goal {
        Goal::Home => "home".to_owned(),
        Goal::Harbour { node } => format!("harbour {node}"),
    };
    let left = way.leaves_behind.map(|node| format!(" leaves {node}")).unwrap_or_default();
    let last = if stop.point_of_no_return { " NO RETURN" } else { "" };
    format!("{goal}{left}{last} | {}", steps(way))
}

/// From which step on it stands so, and how many minutes it is expected to take.
type Line = (&'static str, i64, &'static str);

const IN_PLACE: &[Line] = &[
    ("prepare.preflight", 1, "home | final_check"),
    ("window-1.record_settings", 10, "home | quiesce.b extract_data.b establish_failover.a reopen.b final_check"),
    ("window-1.verify.b", 11, "home | quiesce.b extract_data.b compare_settings establish_failover.a reopen.b final_check"),
    (
        "window-1.update.a",
        11,
        "home NO RETURN | quiesce.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    ("window-1.verify.a", 2, "harbour a | verify.a"),
    ("soak.confirm", 0, "harbour a | "),
    (
        "soak.soak",
        72,
        "home | confirm quiesce.b update.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    (
        "window-2.confirm",
        76,
        "home | confirm quiesce.b backup.a backup.b update.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    (
        "window-2.backup.a",
        75,
        "home | quiesce.b backup.a backup.b update.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    (
        "window-2.quiesce.b",
        73,
        "home | quiesce.b backup.b update.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    (
        "window-2.extract_data.b",
        72,
        "home | backup.b update.b extract_data.b compare_settings establish_failover.a reopen.b final_check",
    ),
    ("window-2.update.b", 70, "home | update.b extract_data.b compare_settings establish_failover.a reopen.b final_check"),
    ("window-2.verify.b", 10, "home | extract_data.b compare_settings establish_failover.a reopen.b final_check"),
    ("window-2.compare_settings", 8, "home | compare_settings establish_failover.a reopen.b final_check"),
    ("window-2.establish_failover.a", 7, "home | establish_failover.a reopen.b final_check"),
    ("finish.confirm", 2, "home | reopen.b final_check"),
];

const ROLE_SWAP: &[Line] = &[
    ("prepare.preflight", 1, "home | final_check"),
    ("prepare.confirm", 2, "home | restore_ttl final_check"),
    ("window-1.record_settings", 11, "home | quiesce.b extract_data.b establish_failover.a reopen.b restore_ttl final_check"),
    (
        "window-1.confirm.3",
        12,
        "home | quiesce.b extract_data.b compare_settings establish_failover.a reopen.b restore_ttl final_check",
    ),
    (
        "window-1.update.b",
        12,
        "home NO RETURN | quiesce.b extract_data.b compare_settings establish_failover.a reopen.b restore_ttl final_check",
    ),
    ("window-1.verify.b", 0, "harbour a | "),
    ("window-1.extract_data.a", 1, "harbour a | reopen.a"),
    ("soak.confirm", 0, "harbour b | "),
    (
        "soak.confirm.2",
        74,
        "home | confirm backup.a update.a extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check",
    ),
    (
        "window-2.confirm",
        76,
        "home | confirm backup.a backup.b update.a extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check",
    ),
    (
        "window-2.backup.b",
        75,
        "home | backup.a backup.b update.a extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check",
    ),
    (
        "window-2.backup.a",
        73,
        "home | backup.a update.a extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check",
    ),
    (
        "window-2.extract_data.a",
        71,
        "home | update.a extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check",
    ),
    ("window-2.verify.a", 11, "home | extract_data.a compare_settings establish_failover.b reopen.a restore_ttl final_check"),
    ("window-2.compare_settings", 9, "home | compare_settings establish_failover.b reopen.a restore_ttl final_check"),
    ("window-2.establish_failover.b", 8, "home | establish_failover.b reopen.a restore_ttl final_check"),
    ("finish.restore_ttl", 3, "home | reopen.a restore_ttl final_check"),
    ("finish.confirm", 2, "home | reopen.a final_check"),
];

/// R10, R7: one update on, only a person's acceptance opens the way home again; until then harbour is where it may be left.
#[test]
fn each_step_of_both_procedures_has_its_way() {
    for (procedure, lines) in [("in-place", IN_PLACE), ("role-swap", ROLE_SWAP)] {
        let plan = plan(procedure);
        let mut told_of: Vec<(String, i64, String)> = Vec::new();
        for (step, stop) in plan.steps.iter().zip(stop_here::of_plan(&plan, true)) {
            let line = (step.id.clone(), stop.expected.as_secs() / 60, told(&stop));
            if told_of.last().is_none_or(|last| (last.1, &last.2) != (line.1, &line.2)) {
                told_of.push(line);
            }
            assert_eq!(stop.way().is_some_and(|way| way.goal == Goal::Home), stop.found.not_home.is_empty(), "{}", step.id);
        }
        let found: Vec<(&str, i64, &str)> =
            told_of.iter().map(|(id, minutes, way)| (id.as_str(), *minutes, way.as_str())).collect();
        assert_eq!(found, lines, "{procedure}: {found:#?}");
    }
}

/// Where nothing can move the name, no way moves it.
#[test]
fn a_name_that_cannot_be_moved_is_on_no_way() {
    for procedure in ["in-place", "role-swap"] {
        for stop in stop_here::of_plan(&plan(procedure), false) {
            let moves = stop.found.ways.iter().flat_map(|way| &way.steps).any(|step| step.kind == Kind::SwitchTraffic);
            assert!(!moves, "{procedure}: {}", told(&stop));
        }
    }
}
