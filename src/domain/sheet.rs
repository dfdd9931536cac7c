//! How things stand, and what may and must not be done by hand: for every end at rest, for alerts, and for the sheet that
//! leaves this host with the journal's export.

mod unsure;

use std::fmt::Write as _;
use std::path::Path;

use super::action::Kind;
use super::agreement;
use super::by_hand::{self, Course, link_trouble};
use super::event::Verdict;
use super::ids::NodeId;
use super::reverse;
use super::run::{Phase, Run};
use super::site::Hands;
use super::unsynced;
use super::window::format_duration;
use super::world::World;

/// One sentence on the pair, from the journal alone.
pub fn state(run: &Run) -> String {
    let serving = run.serving();
    let link = match (link_trouble(run), run.unprotected_since(), run.unlinked_at, run.protected_at) {
        (Some(hold), ..) => format!("failover can't be relied on: {}", hold.found),
        (None, Some(since), ..) => format!("failover is broken since {since}"),
        (None, None, Some(at), _) => {
            format!("failover is off, by no act of this run: found so at {at}, and no step has proven it on since")
        }
        (None, None, None, Some(_)) => "failover is on again".to_owned(),
        (None, None, None, None) => "failover is still on".to_owned(),
    };
    let versions = NodeId::BOTH.map(|node| unsure::describe(run, node));
    // Between the closing of one node and the moving of the name nobody serves, and a run that is held there must say so.
    let serves = match run.nodes[serving].closed_at {
        Some(_) => format!("the name leads to node `{serving}`, which is closed to clients"),
        None => format!("node `{serving}` serves"),
    };
    let stray = stray(run).map(|stray| format!("; {stray}")).unwrap_or_default();
    format!("{link}; {serves}; {}; {}{stray}", versions[0], versions[1])
}

/// What may be done by hand now.
pub fn may(run: &Run) -> Vec<String> {
    let kept = run.survivor;
    if link_trouble(run).is_some() {
        return vec![
            format!("break the link on each node that still reports one{}", at_page(run, kept, "/login > Management > Failover")),
            format!("then let the run look again: `changeover resume {}`", run.id),
        ];
    }
    if !is_off(run) {
        let mut lines = vec![format!("use the pair as usual: node `{kept}` is primary")];
        lines.extend(left_to_do(run));
        return lines;
    }
    let look = unsure::look(run);
    let is_certain = look.is_empty();
    let mut lines: Vec<String> = unclosed(run).into_iter().chain(restore(run)).chain(look).collect();
    lines.push(match run.nodes[kept].closed_at {
        Some(_) => {
            let once = if is_certain { "" } else { "once that is seen, " };
            format!("{once}open node `{kept}` to clients again: nobody serves while it is closed and the name leads to it")
        }
        None => format!("leave it as it is: node `{kept}` serves, without failover"),
    });
    if is_certain {
        lines.extend(onward(run));
    }
    lines
}

/// Failover is off, whoever broke it.
fn is_off(run: &Run) -> bool {
    run.unprotected_since().or(run.unlinked_at).is_some()
}

/// From versions that are known to a pair.
fn onward(run: &Run) -> Option<String> {
    let (kept, left) = (run.survivor, run.survivor.other());
    let (kept_version, left_version) = (run.expected_version(kept).version, run.expected_version(left).version);
    if kept_version != left_version {
        return finish(run, left_version < kept_version);
    }
    let page = at_page(run, kept, "/login > Management > Failover > Establish");
    // Whoever broke the link may have linked the pair again.
    let once = if run.unprotected_since().is_none() { "if still no node reports a link, " } else { "" };
    Some(format!(
        "{once}go back to a pair: close node `{left}` to clients, extract its session data, then establish failover from node `{kept}`{page}, with node `{left}` as backup"
    ))
}

/// The rest of the update, where the version may stay: a person has accepted it in production (R10), or nobody has spoken yet.
fn finish(run: &Run, is_kept_new: bool) -> Option<String> {
    let (kept, left, target) = (run.survivor, run.survivor.other(), &run.plan.to);
    let first = match run.verdict {
        Some(Verdict::Reject) => return None,
        Some(Verdict::Accept | Verdict::AcceptEarly) => "finish".to_owned(),
        None => format!("once a person has accepted {target} in production, finish"),
    };
    let rest = if is_kept_new {
        let page = at_page(run, left, "/appliance > Updates");
        format!("save the settings of both nodes, update node `{left}` to {target}{page}, extract its session data")
    } else {
        format!("in a window, update node `{kept}` to {target} while node `{left}` can serve")
    };
    Some(format!("{first}: {rest}, then establish failover from node `{kept}`"))
}

/// The vendor's page for it; behind a program there is none.
fn at_page(run: &Run, node: NodeId, page: &str) -> String {
    if matches!(run.plan.hands[node], Hands::Program { .. }) { String::new() } else { format!(" ({page})") }
}

/// What a run that is over, its pair linked, leaves to a person. Nothing tells whether it was done since.
pub fn left_to_do(run: &Run) -> Vec<String> {
    let left = run.survivor.other();
    let closed = run.nodes[left].closed_at.filter(|_| run.unprotected_since().is_none());
    let open = closed
        .map(|_| format!("open node `{left}` to clients again: it was closed for the update, and must be able to take over"));
    restore(run).into_iter().chain(open).collect()
}

/// Traffic was taken from a node that nobody has closed: what comes first whenever it can be reached.
fn unclosed(run: &Run) -> Option<String> {
    let left = run.survivor.other();
    let record = &run.nodes[left];
    let open = record.served_until.is_some() && record.closed_at.is_none() && !run.is_to_serve(left);
    open.then(|| format!("close node `{left}` to clients before anything else is done with it: traffic was taken from it, and old DNS answers may still lead there; then extract its session data"))
}

/// Once no step of the run restores the TTL any more, a person may.
fn restore(run: &Run) -> Option<String> {
    let lowered = run.ttl.as_ref()?.describe(&run.plan)?;
    let rest = run.position().map(|here| &run.plan.steps[here..]).unwrap_or_default();
    let comes = !run.is_finished() && rest.iter().any(|step| step.kind == Kind::RestoreTtl);
    (!comes).then(|| format!("set the TTL of the service's name back once the name need not move any more: it is {lowered}"))
}

/// What was written on one node alone and is in no file yet, from the journal alone.
fn stray(run: &Run) -> Option<String> {
    let left = run.survivor.other();
    let record = &run.nodes[left];
    let (from, until) = (run.unprotected_since()?, record.served_until?);
    let kept = record.closed_at.is_some() && record.extracted_at >= record.closed_at;
    let since = unsynced::since(run);
    (!kept && until >= from).then(|| format!("what was written on node `{left}` since {since} is there alone"))
}

/// What must not be done by hand now.
pub fn must_not(run: &Run) -> Vec<String> {
    let (kept, left) = (run.survivor, run.survivor.other());
    if link_trouble(run).is_some() {
        return vec![
            format!(
                "do not start a sync and do not establish failover: it could overwrite node `{kept}`, whose data are to be kept"
            ),
            "do not update or restart a node".to_owned(),
        ];
    }
    if !is_off(run) {
        return vec!["do not update a node while the pair is linked".to_owned()];
    }
    let mut lines = vec![
        format!(
            "do not establish failover from node `{left}`: its first sync would overwrite node `{kept}`, whose data are to be kept"
        ),
        "do not establish failover while the versions differ".to_owned(),
        "do not restart a box on trouble during an update; call the vendor".to_owned(),
    ];
    lines.extend(unsure::never(run));
    // A way back may ask for just that.
    let opens = run.step().is_some_and(|step| step.kind == Kind::Reopen && step.node == Some(left));
    if run.nodes[left].closed_at.is_some() && !opens {
        lines.push(format!("do not open node `{left}` to clients: what they write there is lost when failover is established"));
    }
    lines
}

/// The whole sheet from what was read, as text that can be printed and followed without the daemon.
pub fn text(run: &Run, world: &World) -> String {
    whole(run, world, true)
}

/// As [`text`], from what the journal alone says, for places where no daemon is; `state` is the folder of the one that wrote it.
pub fn of_journal(run: &Run, state: &Path) -> String {
    whole(run, &by_hand::believed(run).with_state(state), false)
}

fn whole(run: &Run, world: &World, is_read: bool) -> String {
    let mut sheet = String::new();
    head(&mut sheet, run, world, is_read);
    section(&mut sheet, "By hand you may", &may(run));
    section(&mut sheet, "By hand you must not", &must_not(run));
    traffic(&mut sheet, run, world);
    let courses = by_hand::courses(run, world);
    if !courses.is_empty() {
        section(&mut sheet, "Before anything is done by hand", &before(run));
    }
    for course in &courses {
        put_course(&mut sheet, course);
    }
    sheet
}

/// Which run, how it stands, and where its boxes are.
fn head(sheet: &mut String, run: &Run, world: &World, is_read: bool) {
    // Writing into a string cannot fail.
    let _ = writeln!(sheet, "Run {} of site {} ({} to {})", run.id, run.id.site, run.plan.from, run.plan.to);
    let _ = writeln!(sheet, "As of {}, record {}", run.last_at, run.seq);
    let _ = writeln!(sheet, "State: {}", state(run));
    for node in NodeId::BOTH {
        let facts = &run.plan.nodes[node];
        let keep = if node == run.survivor { "its data are kept (survivor)" } else { "its data are not kept" };
        let (version, but) = (run.expected_version(node), unsure::but(run, node));
        let _ = writeln!(sheet, "Node {node}: {} at {}, version {version}{but}, {keep}", facts.identity, facts.address);
        if is_read {
            let _ = writeln!(sheet, "  {}", read(world, node));
        }
        if let Some((at, file)) = &run.nodes[node].backup {
            let _ = writeln!(sheet, "  backup of {at}: {} (SHA-256 {})", file.path.display(), file.sha256);
        }
    }
    // A pair may be taken over without one.
    for (hop, package) in (0..).zip(run.plan.packages()).filter(|(_, package)| !package.sha256.is_empty()) {
        let leads = if run.plan.hops.is_empty() { String::new() } else { format!(" to {}", run.plan.target_of(hop).version) };
        let _ = writeln!(sheet, "Package{leads}: {} (SHA-256 {})", by_hand::copy_of(package, world).display(), package.sha256);
        let _ = writeln!(sheet, "  {}", by_hand::original(package));
    }
    if let Some(lowered) = run.ttl.as_ref().and_then(|known| known.describe(&run.plan)) {
        let _ = writeln!(sheet, "TTL of `{}`: {lowered}", run.plan.service);
    }
    let next = run.step().map_or_else(|| "none".to_owned(), |step| format!("{}: {}", step.id, run.plan.sentence(step)));
    let _ = writeln!(sheet, "Next step of the plan: {next}");
    for waiver in &run.waivers {
        let (rule, step) = (waiver.rule, &waiver.step);
        let _ = writeln!(sheet, "Waived: {rule} for {step} by {} {}: {}", waiver.by, waiver.at, waiver.reason);
    }
    if let Phase::Held(hold) = &run.phase {
        let _ = writeln!(sheet, "Held: {} ({})", hold.message, hold.code);
    }
}

/// What leads to a node: the records of each entry, or the node's address.
fn value_of(run: &Run, world: &World, node: NodeId) -> String {
    let looks = world.traffic.looks.iter().flatten();
    let records = looks.flat_map(|look| &look.records);
    let each: Vec<String> = records.map(|record| format!("`{}` {} {}", record.name, record.kind, record.values[node])).collect();
    if each.is_empty() { run.plan.nodes[node].address.to_string() } else { each.join(", ") }
}

/// A switch that is half done, with both continuations, and the exact way back from one that is done.
fn traffic(sheet: &mut String, run: &Run, world: &World) {
    if let Some(partly) = agreement::partly(&world.traffic) {
        let to = run.step().filter(|step| step.kind == Kind::SwitchTraffic).and_then(|step| step.node).unwrap_or(run.survivor);
        let lead = |node: NodeId, what: &str| {
            format!("{what}: lead everything that leads elsewhere to node `{node}`, {}", value_of(run, world, node))
        };
        let lines = [partly.describe(to), lead(to, "to finish it"), lead(to.other(), "or to take it back")];
        section(sheet, "Traffic is partly switched", &lines);
    }
    if let Some(reverse) = reverse::of(run, world) {
        let lines: Vec<String> = reverse.lines().into_iter().chain([reverse.permission()]).collect();
        section(sheet, "What leads traffic back, if it must go back", &lines);
    }
}

/// What a node showed when it was last read.
fn read(world: &World, node: NodeId) -> String {
    let reading = &world.readings[node];
    match &reading.current {
        Some(seen) => {
            let well = if seen.healthy { "healthy" } else { "not healthy" };
            let busy = if seen.updating { ", updating" } else { "" };
            format!("read at {}: {}, {}, {well}{busy}", seen.at, seen.role.as_str(), seen.version)
        }
        None => format!("not read: {}", reading.error.as_deref().unwrap_or("no look yet")),
    }
}

/// What comes before the first act: nobody else acts, nothing is under way, and the boxes are those meant.
fn before(run: &Run) -> Vec<String> {
    let mut lines = vec![
        format!("stop the daemon, or hold the run (`changeover hold {}`): two pairs of hands are one too many", run.id),
        "see that things are as stated above; if they are not, go by what the boxes show and by what must not be done".to_owned(),
        "before each act see that the box is the one named, by its identity, at its own address".to_owned(),
        "go to the next act only after the check of the one before; write down time and result of each".to_owned(),
    ];
    if let (Some(step), Some(act)) = (run.step(), &run.act) {
        lines.insert(1, format!("`{}` was ordered at {} and may be under way: see what became of it first", step.id, act.since));
    } else {
        lines.splice(1..1, unsure::look(run));
    }
    lines
}

/// One way on, its acts numbered.
fn put_course(sheet: &mut String, course: &Course) {
    // Writing into a string cannot fail.
    let _ = writeln!(sheet, "{}, {} expected:", course.title, format_duration(course.expected));
    for against in &course.against {
        let _ = writeln!(sheet, "  against {} now: {against}", course.stands_against);
    }
    if course.acts.is_empty() && course.against.is_empty() {
        let _ = writeln!(sheet, "  nothing is to be done");
    }
    for (index, act) in course.acts.iter().enumerate() {
        let _ = writeln!(sheet, "  {}. {}", index + 1, act.sentence);
        let never = act.text.never.iter().map(|line| format!("DO NOT {line}"));
        let check = std::iter::once(format!("CHECK: {}", act.text.seen));
        for line in act.text.steps.iter().cloned().chain(never).chain(check) {
            let _ = writeln!(sheet, "     {line}");
        }
    }
}

fn section(sheet: &mut String, title: &str, lines: &[String]) {
    // Writing into a string cannot fail.
    let _ = writeln!(sheet, "{title}:");
    for line in lines {
        let _ = writeln!(sheet, "  - {line}");
    }
}
