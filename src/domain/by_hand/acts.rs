//! What a person does for each action, in the terms of what stands behind the node.

use std::fmt::Display;

use serde_json::{Value, json};

use super::package::{copy_of, original};
use crate::domain::action::Kind;
use crate::domain::asked;
use crate::domain::console::{BoxAt, Boxes, People, Text};
use crate::domain::gate::Gate;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::run::Run;
use crate::domain::site::Hands;
use crate::domain::step::Step;
use crate::domain::ttl;
use crate::domain::unsynced::data_since;
use crate::domain::window::format_duration;
use crate::domain::world::World;

/// What to do, what not, and what to check.
pub fn text(run: &Run, world: &World, step: &Step) -> Text {
    let node = step.node.unwrap_or(run.plan.primary);
    let text = of_pair(run, world, step).or_else(|| match &run.plan.hands[node] {
        Hands::Console { .. } => at_console(run, world, step, node),
        Hands::Program { program } if step.kind != Kind::Confirm => Some(with_program(run, world, step, node, program)),
        Hands::Program { .. } | Hands::Unknown => None,
    });
    with_word(run, step, text.unwrap_or_else(|| plainly(run, step, node)))
}

/// What a daemon that is back may not see, a person tells it.
fn with_word(run: &Run, step: &Step, mut text: Text) -> Text {
    if let Some(gate) = Gate::of_act(step.kind) {
        let word = format!(
            " If the run goes on later and still waits for this, say so: `changeover confirm {} {}`.",
            run.id,
            gate.name()
        );
        text.seen.push_str(&word);
    }
    text
}

fn lines(steps: &[&dyn Display], never: &[&dyn Display], seen: impl Into<String>) -> Text {
    let told = |lines: &[&dyn Display]| lines.iter().map(ToString::to_string).collect();
    Text { steps: told(steps), never: told(never), seen: seen.into() }
}

/// What is the same whatever stands behind the nodes: the name, a person's decisions, time, and looks at both.
fn of_pair(run: &Run, world: &World, step: &Step) -> Option<Text> {
    Some(match (step.kind, step.gate) {
        (Kind::SwitchTraffic, _) => switch_traffic(run, step.node?),
        (Kind::LowerTtl, _) => lower_ttl(run, world),
        (Kind::RestoreTtl, _) => restore_ttl(run),
        (Kind::Confirm, Some(Gate::Production)) => production(run),
        // Seen at the boxes, so it depends on what stands behind them.
        (Kind::Confirm, Some(Gate::AutomaticFailoverOff)) => return None,
        (Kind::Confirm, _) => ask(run, step),
        (Kind::RecordSettings, _) => {
            lines(&[&"Note for both nodes which users, groups and Jump items there are."], &[], "both lists are kept.")
        }
        (Kind::CompareSettings, _) => settings(run),
        (Kind::Soak, _) => soak(run),
        (Kind::Preflight, _) => linked(run, run.plan.primary, "the pair is as the plan expects it"),
        (Kind::CheckSync, _) => linked(run, run.plan.primary, "the last sync was good"),
        (Kind::FinalCheck, _) => linked(run, run.survivor, "the first sync after establishing was good; the pair is home"),
        _ => return None,
    })
}

fn named(run: &Run, node: NodeId) -> String {
    let facts = &run.plan.nodes[node];
    format!("node `{node}`, box {} at {}", facts.identity, facts.address)
}

/// What the next sync overwrites, from the journal; the rest by eye.
fn settings(run: &Run) -> Text {
    let left = run.keeper().other();
    let eye = format!("Compare users, groups and Jump items of {} with those of {}.", named(run, left), named(run, left.other()));
    let known =
        run.settings.lines.iter().filter(|line| line.lost).map(|line| format!("{}: it {}.", line.describe(), line.fate()));
    let steps: Vec<String> = std::iter::once(eye).chain(known).collect();
    Text {
        steps,
        never: vec![format!("take for granted that a sync carries over what was entered on node `{left}`: it overwrites it")],
        seen: format!(
            "whatever was entered on node `{left}` since the break is entered on node `{}` too, or given up.",
            left.other()
        ),
    }
}

fn switch_traffic(run: &Run, to: NodeId) -> Text {
    let (service, address) = (&run.plan.service, run.plan.nodes[to].address);
    lines(
        &[
            &format!(
                "Where the name `{service}` is kept (its zone, NAT or balancer; each view of it), let it lead to {address}."
            ),
            &format!("That is {}; it led to {}.", named(run, to), run.plan.nodes[to.other()].address),
        ],
        &[&"leave one view or server behind: whoever asks it goes on working on the other node"],
        format!(
            "each authoritative server answers {address} for `{service}`, and the box that answers at the name is {}.",
            run.plan.nodes[to].identity
        ),
    )
}

fn lower_ttl(run: &Run, world: &World) -> Text {
    let (service, low) = (&run.plan.service, format_duration(run.plan.policy.switch_ttl));
    let now = ttl::longest(&world.traffic).map(|now| format!(", {now} s when it was last read,")).unwrap_or_default();
    lines(
        &[
            &format!(
                "Where the name `{service}` is kept (each zone and view of it), note the TTL of its record{now} and set it to {low}."
            ),
            &"A record that has less already is left as it is.",
        ],
        &[&"move the name before the TTL that was noted has passed: until then caches keep the old answer for as long"],
        format!("each authoritative server gives `{service}` out with a TTL of at most {low}; note the time."),
    )
}

fn restore_ttl(run: &Run) -> Text {
    let service = &run.plan.service;
    let before = run.ttl.iter().flat_map(|lowered| &lowered.before);
    let mut steps: Vec<String> = before.map(|name| format!("Set the TTL of `{}` back to {} s.", name.name, name.ttl)).collect();
    if steps.is_empty() {
        steps.push(format!("If the TTL of `{service}` was lowered, set it back to what was noted then."));
    }
    Text { steps, never: Vec::new(), seen: format!("each authoritative server gives `{service}` out with its old TTL.") }
}

fn production(run: &Run) -> Text {
    lines(
        &[
            &format!("Decide, with those who work with it, whether {} is good in production.", run.plan.to),
            &"If it is not, end here and go back.",
        ],
        &[&"go on because nobody has said anything"],
        SAID_YES,
    )
}

/// A gate that no reading answers: its own question, to whoever can tell.
fn ask(run: &Run, step: &Step) -> Text {
    let question = step.gate.map_or_else(|| run.plan.sentence(step), |gate| asked::question(run, gate));
    lines(
        &[&format!("Ask whoever can tell, and write down who says what: {question}")],
        &[&"go on because nobody has said anything"],
        SAID_YES,
    )
}

const SAID_YES: &str = "a named person has said yes, and it is written down.";

fn soak(run: &Run) -> Text {
    let until =
        run.soak_from.map_or_else(|| "the agreed time is over".to_owned(), |from| (from + run.plan.shortest_soak()).to_string());
    lines(
        &[&format!("Keep watching the service until {until}.")],
        &[&"update or link the other node meanwhile"],
        "nobody has reported trouble with the new version.",
    )
}

fn linked(run: &Run, primary: NodeId, what: &str) -> Text {
    let other = primary.other();
    lines(
        &[
            &format!("See that {} is primary, healthy and serves `{}`.", named(run, primary), run.plan.service),
            &format!("See that {} is standby and healthy, and that both run the same version and build.", named(run, other)),
        ],
        &[&"mend by a sync what looks wrong: a sync replaces the standby's data"],
        format!("{what}."),
    )
}

/// At the vendor's pages.
fn at_console(run: &Run, world: &World, step: &Step, node: NodeId) -> Option<Text> {
    let boxes = boxes(run);
    let current = world.readings[node].current.as_ref();
    let people = People {
        users: current.and_then(|observation| observation.users),
        sessions: current.and_then(|observation| observation.sessions),
    };
    let package = run.plan.package_of(step.hop);
    Some(match (step.kind, step.gate) {
        (Kind::Backup, _) => boxes.backup(node),
        (Kind::ForceSync, _) => boxes.force_sync(node.other(), node),
        (Kind::BreakFailover, _) => boxes.break_failover(node),
        (Kind::Update, _) => {
            let mut text = boxes.update(node, &copy_of(package, world), &package.sha256, run.plan.target_of(step.hop));
            text.steps.insert(1, original(package));
            text
        }
        (Kind::Verify, _) => boxes.verify(node, &run.expected_version(node)),
        (Kind::Drain, _) => boxes.drain(node, "the next act", people),
        (Kind::Quiesce, _) => boxes.quiesce(node, people),
        (Kind::Reopen, _) => boxes.reopen(node),
        (Kind::ExtractData, _) => boxes.extract_data(node, &data_since(run).to_string()),
        (Kind::EstablishFailover, _) => boxes.establish_failover(node),
        (Kind::Confirm, Some(Gate::AutomaticFailoverOff)) => boxes.automatic_failover_off(),
        _ => return None,
    })
}

fn boxes(run: &Run) -> Boxes {
    let at = |node: NodeId| {
        let facts = &run.plan.nodes[node];
        let url = match &run.plan.hands[node] {
            Hands::Console { url, .. } => url.clone(),
            _ if facts.address.is_ipv6() => format!("https://[{}]", facts.address),
            _ => format!("https://{}", facts.address),
        };
        BoxAt { url, address: Some(facts.address), identity: facts.identity.clone() }
    };
    Boxes { service: run.plan.service.clone(), at: PerNode::new(at) }
}

/// With the program behind the node.
fn with_program(run: &Run, world: &World, step: &Step, node: NodeId, program: &[String]) -> Text {
    let look = format!("`{} observe`", program.join(" "));
    let asked = base(run, step, node);
    if !step.kind.acts() {
        return lines(
            &[&format!("This is {}.", named(run, node)), &format!("Run {look} with this on standard input: {asked}")],
            &[],
            seen(run, step, node),
        );
    }
    let verb = step.kind.name();
    let mut text = lines(
        &[
            &format!("This is {}: run {look} first; its `identity` must say so.", named(run, node)),
            &format!("Run `{} {verb}` with this on standard input: {}", program.join(" "), input(run, world, step, node, asked)),
            &"Exit 0: the order was taken; 10: refused; 11: never reached; 64: there is no such verb, do it at the box; anything else: not known.",
        ],
        &[&"run it a second time before the check below has shown that the first had no effect"],
        format!("{} ({look} of both nodes tells)", seen(run, step, node)),
    );
    if step.kind == Kind::Update {
        text.steps.insert(1, original(run.plan.package_of(step.hop)));
    }
    text
}

fn base(run: &Run, step: &Step, node: NodeId) -> Value {
    json!({
        "site": run.id.site, "node": node, "expect_identity": run.plan.nodes[node].identity, "run": run.id, "step": step.id,
        "attempt": 1, "intent": format!("by-hand/{}/{}", run.id, step.id),
    })
}

/// What the verb is given beside what every verb gets.
fn input(run: &Run, world: &World, step: &Step, node: NodeId, base: Value) -> Value {
    let more = match step.kind {
        Kind::Backup => json!({ "directory": "A NEW FOLDER" }),
        Kind::ForceSync => json!({ "from": node.other(), "to": node }),
        Kind::Update => json!({ "package": package_of(run, world, step) }),
        Kind::EstablishFailover => json!({ "primary": node, "standby": node.other() }),
        Kind::Drain => json!({ "deadline": "THE TIME UNTIL WHICH USERS MAY LEAVE" }),
        Kind::ExtractData => json!({ "since": data_since(run), "until": "NOW", "directory": "A NEW FOLDER" }),
        _ => json!({}),
    };
    let mut whole = base;
    if let (Some(whole), Value::Object(more)) = (whole.as_object_mut(), more) {
        whole.extend(more);
    }
    whole
}

/// As the daemon gives it.
fn package_of(run: &Run, world: &World, step: &Step) -> Value {
    let (package, target) = (run.plan.package_of(step.hop), run.plan.target_of(step.hop));
    let mut told = json!({ "path": copy_of(package, world), "sha256": package.sha256, "version": target.version });
    if let Some(build) = &target.build {
        told["build"] = json!(build);
    }
    told
}

/// Where the driver does not tell how.
fn plainly(run: &Run, step: &Step, node: NodeId) -> Text {
    if step.kind == Kind::Confirm {
        let nodes = NodeId::BOTH.map(|node| named(run, node)).join(" and ");
        return lines(&[&format!("See that automatic failover is switched off on {nodes}.")], &[], seen(run, step, node));
    }
    lines(&[&format!("This is {}; do it there, in the way of that box.", named(run, node))], &[], seen(run, step, node))
}

/// What is seen once the action is done.
fn seen(run: &Run, step: &Step, node: NodeId) -> String {
    let other = node.other();
    match step.kind {
        Kind::Backup => "the file is there and not empty; note its SHA-256.".to_owned(),
        Kind::ForceSync => format!("node `{other}`, the primary, shows a newer sync, and it was good."),
        Kind::BreakFailover => "both nodes report no relationship.".to_owned(),
        Kind::Update => format!("node `{node}` answers again, is healthy and runs {}.", run.plan.target_of(step.hop)),
        Kind::Verify => format!(
            "node `{node}` is healthy, twice, runs {} and takes a client unless it is closed on purpose.",
            run.expected_version(node)
        ),
        Kind::Drain => format!("node `{node}` has no users and no sessions."),
        Kind::Quiesce => format!("node `{node}` takes no client and has no session."),
        Kind::Reopen => format!("node `{node}` takes a client for `{}`.", run.plan.service),
        Kind::ExtractData => "the files are there, and hold the newest session of the box.".to_owned(),
        Kind::EstablishFailover => {
            format!("node `{node}` is primary, node `{other}` standby, and then node `{node}` shows a newer sync that was good.")
        }
        Kind::Confirm => "it is so on both nodes.".to_owned(),
        Kind::Preflight
        | Kind::CheckSync
        | Kind::RecordSettings
        | Kind::SwitchTraffic
        | Kind::LowerTtl
        | Kind::RestoreTtl
        | Kind::Soak
        | Kind::CompareSettings
        | Kind::FinalCheck => "it is so.".to_owned(),
    }
}
