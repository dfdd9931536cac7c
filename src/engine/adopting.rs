//! A run for a pair as it is found: half-way through an update that no journal tells of.
//!
//! What the journal would prove a person vouches for: whose data are kept, which backups there are, whether the version is
//! accepted. The steps are a way home, found by the same search as `abort`.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::action::Kind::Update;
use crate::domain::action::When;
use crate::domain::facts::Link;
use crate::domain::file::FileEvidence;
use crate::domain::homeward;
use crate::domain::ids::{NodeId, PerNode, RunId};
use crate::domain::machine;
use crate::domain::people::Who;
use crate::domain::plan::{Adoption, Goal, Package, PackageNote, Plan, Windows};
use crate::domain::run::Run;
use crate::domain::site::{Observation, Site};
use crate::domain::version::{NotAVersion, Target, Version};
use crate::domain::way_home::Found;
use crate::domain::window::choose::Wanted;
use crate::domain::window::{Window, civil};
use crate::domain::world::World;

use super::api::{AdoptRequest, Kind, Problem};
use super::booking;
use super::package;
use super::site::SiteEntry;
use super::words::home::promise;

/// The name that an adopted run's plan has in place of a procedure's.
pub const PROCEDURE: &str = "adopt";

/// A run before it is one.
#[derive(Clone, Debug)]
pub struct Drafted {
    /// Without steps: what the ways were found for.
    pub run: Run,
    pub found: Found,
    /// With the best way's steps.
    pub plan: Plan,
}

/// The texts and files of a request, read.
pub struct Parsed {
    survivor: Option<NodeId>,
    to: Option<Target>,
    package: Option<(Package, Option<PackageNote>)>,
    backups: PerNode<Option<FileEvidence>>,
    since: Option<Timestamp>,
    broken_on: Option<Version>,
    second: Option<Wanted>,
    accepted: bool,
    note: String,
}

/// Reads and hashes what a request names.
///
/// # Errors
/// `BadInput`, with the flag or file that can't be read.
pub async fn parse(entry: &SiteEntry, request: &AdoptRequest, now: Timestamp) -> Result<Parsed, Problem> {
    let to = request.to.as_ref().map(|to| to.parse()).transpose();
    let to = to.map_err(|error: NotAVersion| bad("bad_version", error.to_string()))?;
    let broken_on = request.broken_on.as_ref().map(|broken_on| broken_on.parse::<Target>()).transpose();
    let package = match &request.package {
        Some(path) => {
            Some(package::read(absolute(path.clone(), "bad_package")?).await.map_err(|error| bad("bad_package", error))?)
        }
        None => None,
    };
    let second = request.second.as_ref().or(entry.second.as_ref()).map(|text| Wanted::parse(text, now)).transpose();
    Ok(Parsed {
        survivor: request.survivor.as_ref().map(|name| named(&entry.site, name)).transpose()?,
        to,
        package,
        backups: PerNode { a: backup(request.backup_a.as_ref()).await?, b: backup(request.backup_b.as_ref()).await? },
        since: request.since.map(|since| past(since, now)).transpose()?,
        broken_on: broken_on.map_err(|error| bad("bad_version", error.to_string()))?.map(|target| target.version),
        second: second.map_err(|error| bad("bad_window", error.to_string()))?,
        accepted: request.accepted,
        note: request.note.clone().unwrap_or_default(),
    })
}

fn bad(code: &str, message: String) -> Problem {
    Problem::new(Kind::BadInput, code, message)
}

/// R9: of a range that is still to begin nothing would be extracted before the other node is overwritten.
fn past(since: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if since <= now {
        return Ok(since);
    }
    let message = format!("`--since`: expected a moment that is past, found {since}; now it is {now}");
    let hint = "look at the year, or leave it out: then the last sync counts that a node tells";
    Err(bad("bad_since", message).state("nothing was changed").hint(hint))
}

/// The daemon's own working folder means nothing to whoever asks.
fn absolute(path: PathBuf, code: &str) -> Result<PathBuf, Problem> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(bad(code, format!("{}: expected an absolute path on the daemon's machine", path.display())))
}

/// A backup of before, hashed here; an empty one proves nothing.
async fn backup(path: Option<&PathBuf>) -> Result<Option<FileEvidence>, Problem> {
    let Some(path) = path else { return Ok(None) };
    let (file, _) = package::read(absolute(path.clone(), "bad_backup")?).await.map_err(|error| bad("bad_backup", error))?;
    if file.bytes == 0 {
        return Err(bad("bad_backup", format!("the backup {} is empty", file.path.display())));
    }
    Ok(Some(FileEvidence { path: file.path, sha256: file.sha256, bytes: file.bytes }))
}

/// A node by its name or its identity.
fn named(site: &Site, name: &str) -> Result<NodeId, Problem> {
    let plain = |text: &str| text.trim_matches(['{', '}']).to_lowercase();
    let is_it = |node: &NodeId| node.as_str() == name || plain(&site.nodes[*node].identity) == plain(name);
    NodeId::BOTH.into_iter().find(is_it).ok_or_else(|| {
        Problem::new(Kind::NotFound, "unknown_node", format!("`{name}` names no node of site `{}`", site.name))
            .because(format!("there are `a` ({}) and `b` ({})", site.nodes.a.identity, site.nodes.b.identity))
    })
}

/// The run for the pair as it is read now.
///
/// # Errors
/// Nothing is half-done; a choice or a file is missing; no way leads home without breaking a promise.
pub fn draft(entry: &SiteEntry, id: RunId, parsed: &Parsed, world: &World, actor: &str) -> Result<Drafted, Problem> {
    let site = &entry.site;
    known_boxes(site, world)?;
    half_done(site, world)?;
    let survivor = survivor(site, parsed, world)?;
    let (from, to) = versions(site, parsed, world)?;
    let package = parsed.package.as_ref().map(|(package, _)| package.clone());
    let plan = Plan {
        procedure: PROCEDURE.to_owned(),
        service: site.service.clone(),
        nodes: site.nodes.clone(),
        hands: PerNode::new(|node| entry.ports.nodes[node].hands()),
        policy: Arc::new(site.policy.clone()),
        adopted: Some(Box::new(adoption(site, parsed, survivor, (&from, &to), world))),
        from,
        to,
        package: Arc::new(package.unwrap_or_else(|| Package { path: PathBuf::new(), sha256: String::new(), bytes: 0 })),
        primary: survivor,
        windows: Windows { first: None, second: fixed(parsed) },
        steps: Arc::default(),
        rehearsal: None,
        hops: Vec::new(),
        urgent: None,
        fit: Arc::default(),
        sizes: PerNode::default(),
        zone: civil::name(&site.calendar.zone),
        responsible: Some(actor.to_owned()),
        accepted: Vec::new(),
    };
    let run = machine::begin(id, Box::new(plan), actor, world.now);
    let found = homeward::of_run(&run, world);
    let Some(way) = found.ways.first() else { return Err(no_way(site, &found)) };
    let mut plan = (*run.plan).clone();
    plan.steps = Arc::new(way.steps.clone());
    plan.windows.second = booking::book(site, &plan, When::Window2, parsed.second.clone(), world.now)?;
    if let Some(adoption) = &mut plan.adopted {
        adoption.goal = way.goal;
    }
    has_what_it_needs(site, parsed, &plan, world)?;
    Ok(Drafted { run, found, plan })
}

/// Which one is the next is known once the steps are.
fn fixed(parsed: &Parsed) -> Option<Window> {
    match &parsed.second {
        Some(Wanted::Fixed(window)) => Some(window.clone()),
        _ => None,
    }
}

fn refused(code: &str, message: String) -> Problem {
    Problem::new(Kind::Refused, code, message).state("nothing was changed")
}

fn no_way(site: &Site, found: &Found) -> Problem {
    let problem = refused("no_way_home", format!("no way leads site `{}` home from here", site.name));
    let problem = found.not_home.iter().fold(problem, |problem, violation| problem.because(promise(violation)));
    problem.hint("put right what is named, then look again")
}

/// R13: at both addresses the boxes of the site's file answer, if any does.
fn known_boxes(site: &Site, world: &World) -> Result<(), Problem> {
    for node in NodeId::BOTH {
        let Some(read) = &world.readings[node].current else { continue };
        let expected = &site.nodes[node].identity;
        if read.identity != *expected {
            return Err(refused("wrong_box", format!("site `{}` can't be adopted", site.name))
                .because(format!("R13 known_box: expected box {expected} at node `{node}`, found box {}", read.identity))
                .hint(format!(
                    "if the box was replaced: put its identity into `[nodes.{node}]` of the site's file and restart the daemon"
                )));
        }
    }
    Ok(())
}

fn half_done(site: &Site, world: &World) -> Result<(), Problem> {
    let facts = |node: NodeId| world.readings[node].current.as_ref().map(|read| (&read.version, &read.build));
    let equal = facts(NodeId::A).is_some() && facts(NodeId::A) == facts(NodeId::B);
    if equal && matches!(world.link(), Link::Linked { .. }) {
        return Err(Problem::new(
            Kind::Conflict,
            "nothing_to_adopt",
            format!("site `{}` is well: nothing is half-done", site.name),
        )
        .because(format!("{}, both nodes on one version and build", world.link().describe()))
        .hint("an update begins with `changeover start`"));
    }
    Ok(())
}

/// The node whose data are kept: while the pair is linked its primary, else only a person can say.
fn survivor(site: &Site, parsed: &Parsed, world: &World) -> Result<NodeId, Problem> {
    let linked = match world.link() {
        Link::Linked { primary } => Some(primary),
        _ => None,
    };
    parsed.survivor.or(linked).ok_or_else(|| {
        refused("no_survivor", format!("site `{}` is not linked, and nobody said whose data are kept", site.name))
            .because(world.link().describe())
            .hint("compare both listings (sessions, users, last sync), then name the node: `--survivor a`")
    })
}

/// The older version and the newer one, as they are observed, or the one that is asked for.
fn versions(site: &Site, parsed: &Parsed, world: &World) -> Result<(Target, Target), Problem> {
    let of = |read: &Observation| Target { version: read.version.clone(), build: read.build.clone() };
    let mut seen: Vec<Target> =
        NodeId::BOTH.into_iter().filter_map(|node| world.readings[node].current.as_ref()).map(of).collect();
    seen.sort_by(|a, b| a.version.cmp(&b.version));
    let (Some(oldest), Some(newest)) = (seen.first().cloned(), seen.last().cloned()) else {
        return Err(
            refused("node_unreachable", format!("site `{}` can't be adopted", site.name)).because("neither node gave a reading")
        );
    };
    match &parsed.to {
        None => Ok((oldest, newest)),
        Some(to) if to.version == newest.version => Ok((oldest, Target { build: to.build.clone().or(newest.build), ..newest })),
        // The node that can't be read may run it.
        Some(to) if seen.len() == 1 && to.version > newest.version => Ok((oldest, to.clone())),
        Some(to) => Err(refused("known_path", format!("nothing on site `{}` is half-way to {}", site.name, to.version))
            .because(format!("R5 known_path: the newer of both nodes runs {}", newest.version))
            .hint("end what was begun first, without `--to`; then start a run to the other version")),
    }
}

/// The last one that a node tells. What a wrong clock has dated says nothing of when the data began to differ.
fn last_sync(site: &Site, world: &World) -> Option<Timestamp> {
    let synced = NodeId::BOTH.into_iter().filter_map(|node| world.readings[node].sync());
    synced.filter(|sync| !sync.is_ahead(world.now, &site.policy)).map(|sync| sync.at).min()
}

fn adoption(site: &Site, parsed: &Parsed, survivor: NodeId, (from, to): (&Target, &Target), world: &World) -> Adoption {
    let runs_target = |node: NodeId| world.readings[node].current.as_ref().is_some_and(|read| read.version == to.version);
    Adoption {
        survivor,
        broken: !matches!(world.link(), Link::Linked { .. }),
        since: parsed.since.or_else(|| last_sync(site, world)),
        broken_on: parsed.broken_on.clone(),
        updated: PerNode::new(|node| from.version != to.version && runs_target(node)),
        backups: parsed.backups.clone(),
        accepted: parsed.accepted,
        goal: Goal::Home,
        note: parsed.note.clone(),
    }
}

/// R10: what the start's record says of a word that stands in the place of the gate's answers.
pub fn vouched(plan: &Plan, by: &Who) -> String {
    let accepted = plan.adopted.as_ref().is_some_and(|adoption| adoption.accepted);
    if accepted { format!("; {by} vouches that {} is accepted in production", plan.to) } else { String::new() }
}

/// An update on the way has its package, its window and a known path.
fn has_what_it_needs(site: &Site, parsed: &Parsed, plan: &Plan, world: &World) -> Result<(), Problem> {
    let Some(update) = plan.steps.iter().find(|step| step.kind == Update) else { return Ok(()) };
    let Some((_, note)) = &parsed.package else {
        return Err(refused("no_package", format!("`{}` needs the package of {}", update.id, plan.to.version))
            .hint("name it with `--package FILE`"));
    };
    if plan.windows.second.is_none() {
        return Err(refused("no_window", format!("`{}` is done in a window, and none is given", update.id))
            .hint("give `--second \"2026-11-26T02:00[Europe/Berlin] +4h\"`, or `[windows]` in the site's file"));
    }
    let refusals = plan.refusals(site, std::slice::from_ref(note), world.now, world.has_traffic);
    let Some(first) = refusals.first() else { return Ok(()) };
    let problem = refused(&first.rule, format!("the plan for site `{}` is refused", site.name));
    Err(refusals.iter().fold(problem, |problem, refusal| problem.because(format!("{}: {}", refusal.rule, refusal.message))))
}
