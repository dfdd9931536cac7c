//! From a request to a plan: texts read, the site's readings taken in, refusals collected.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::action::When;
use crate::domain::backups;
use crate::domain::check::{self, Check};
use crate::domain::checks;
use crate::domain::crossing;
use crate::domain::facts::Link;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::plan::{Fit, Hop, Order, Package, PackageNote, Plan, Refusal, Windows};
use crate::domain::procedure::Procedure;
use crate::domain::prove;
use crate::domain::run::Run;
use crate::domain::site::{Observation, Site};
use crate::domain::ttl;
use crate::domain::version::Target;
use crate::domain::window::choose::Wanted;
use crate::domain::world::World;

use super::api::{Kind, PlanRequest, Problem};
use super::booking;
use super::package;
use super::site::SiteEntry;

/// A plan and what speaks against starting it.
pub struct Draft {
    pub plan: Plan,
    pub refusals: Vec<Refusal>,
}

/// The texts of a request, read.
pub struct Parsed {
    to: Target,
    first: Option<Wanted>,
    second: Option<Wanted>,
    responsible: Option<String>,
    now: Timestamp,
    urgent: Option<String>,
}

/// The procedure that a request names, or the site's own.
pub fn procedure<'a>(
    known: &'a BTreeMap<String, Procedure>,
    entry: &SiteEntry,
    request: &PlanRequest,
) -> Result<&'a Procedure, Problem> {
    let names = || known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(name) = request.procedure.as_ref().or(entry.site.procedure.as_ref()) else {
        return Err(Problem::new(Kind::BadInput, "no_procedure", format!("site `{}` names no procedure", entry.site.name))
            .hint(format!("give one with `--procedure`; there are {}", names())));
    };
    known.get(name).ok_or_else(|| {
        Problem::new(Kind::NotFound, "unknown_procedure", format!("no procedure is named `{name}`"))
            .because(format!("there are {}", names()))
    })
}

/// Reads package path, version and windows; a procedure's windows must be given by the request or the site.
pub fn parse(entry: &SiteEntry, procedure: &Procedure, request: &PlanRequest, now: Timestamp) -> Result<Parsed, Problem> {
    for package in request.before.iter().chain([&request.package]) {
        absolute(package)?;
    }
    if request.urgent.as_ref().is_some_and(|why| why.trim().is_empty()) {
        return Err(bad_input("note_missing", "an urgent plan needs a note that says why no soak can be awaited".to_owned()));
    }
    let to =
        request.to.parse().map_err(|error: crate::domain::version::NotAVersion| bad_input("bad_version", error.to_string()))?;
    let window = |when, flag: &str, given: Option<&String>, own: Option<&String>| {
        if !procedure.has(when) {
            return Ok(None);
        }
        let Some(text) = given.or(own) else {
            let message = format!("procedure `{}` has steps in {}, and no window is given for it", procedure.name, when.as_str());
            return Err(bad_input("no_window", message)
                .hint(format!("give `{flag} \"2026-11-22T02:00[Europe/Berlin] +4h\"`, or `[windows]` in the site's file")));
        };
        Wanted::parse(text, now).map(Some).map_err(|error| bad_input("bad_window", format!("`{flag}`: {error}")))
    };
    let first = window(When::Window1, "--first", request.first.as_ref(), entry.first.as_ref())?;
    let second = window(When::Window2, "--second", request.second.as_ref(), entry.second.as_ref())?;
    let responsible = request.responsible.clone().or(entry.responsible.clone());
    Ok(Parsed { to, first, second, responsible, now, urgent: request.urgent.clone() })
}

/// The daemon's own working folder means nothing to whoever asks.
fn absolute(package: &Path) -> Result<(), Problem> {
    if package.is_absolute() {
        return Ok(());
    }
    let message = format!("package {}: expected an absolute path on the daemon's machine", package.display());
    Err(bad_input("bad_package", message))
}

fn bad_input(code: &str, message: String) -> Problem {
    Problem::new(Kind::BadInput, code, message)
}

/// The packages of a request, read.
pub struct Packages {
    before: Vec<Hop>,
    last: (Package, Option<PackageNote>),
    /// Of all of them, in order.
    notes: Vec<Option<PackageNote>>,
}

/// Hashes the packages and reads their notes. Where another one follows, the note must say which version its package leads to.
pub async fn read_packages(request: &PlanRequest) -> Result<Packages, Problem> {
    let read = async |path: &Path| package::read(path.to_owned()).await.map_err(|error| bad_input("bad_package", error));
    let (mut before, mut notes) = (Vec::new(), Vec::new());
    for path in &request.before {
        let (package, note) = read(path).await?;
        let told = note.clone().and_then(|note| Some(Target { version: note.version?, build: note.build }));
        let to = told.ok_or_else(|| untold(path, before.len() + 1, request.before.len() + 1))?;
        before.push(Hop { to, package });
        notes.push(note);
    }
    let last = read(&request.package).await?;
    notes.push(last.1.clone());
    Ok(Packages { before, last, notes })
}

fn untold(path: &Path, hop: usize, of: usize) -> Problem {
    let message = format!("hop {hop} of {of}: nothing tells to which version package {} leads", path.display());
    bad_input("bad_package", message)
        .because("another package follows it, so that the next one's path can't be judged")
        .hint(format!("write `version = \"…\"` into `{}.toml`", path.display()))
}

/// The plan for the pair as it is read now. `earlier`: the site's runs, newest first; what they took is what this one takes.
pub fn draft(
    entry: &SiteEntry,
    procedure: &Procedure,
    parsed: Parsed,
    packages: Packages,
    world: &World,
    earlier: &[Arc<Run>],
) -> Result<Draft, Problem> {
    let (site, readers) = (&entry.site, entry.ports.readers());
    let Link::Linked { primary } = world.link() else {
        let earlier: Vec<&Run> = earlier.iter().map(|run| &**run).collect();
        let open = earlier.iter().find(|run| !run.is_finished()).map(|run| &run.id);
        must_pass(site, &checks::of_site(site, world, &backups::known(&site.nodes, &earlier), open))?;
        return Err(Problem::new(Kind::Refused, "roles", format!("site `{}` is not a linked pair", site.name))
            .because(world.link().describe()));
    };
    let now = parsed.now;
    let from = start_version(site, primary, world)?;
    let Packages { before, last: (package, note), notes } = packages;
    let order = Order { from, to: parsed.to, package, note, before, primary, windows: Windows::default() };
    let hands = PerNode::new(|node| readers.nodes[node].hands());
    let (responsible, urgent) = (parsed.responsible, parsed.urgent);
    let plan = Plan { hands, responsible, urgent, ..Plan::new(procedure, site, order) };
    let earlier: Vec<&Run> = earlier.iter().map(|run| &**run).collect();
    // What a window must hold is known only with the estimates.
    let sizes = backups::known(&site.nodes, &earlier);
    let mut plan = Plan { fit: Arc::new(Fit::of(&plan, world.has_traffic, &earlier)), sizes, ..plan };
    plan.windows.first = booking::book(site, &plan, When::Window1, parsed.first, now)?;
    plan.windows.second = booking::book(site, &plan, When::Window2, parsed.second, now)?;
    let mut refusals = plan.refusals(site, &notes, now, world.has_traffic);
    refusals.extend(unequal(world));
    refusals.extend(ttl::refusal(&plan, &world.traffic, now));
    refusals.extend(unfit_below_10_6(procedure, &plan));
    Ok(Draft { plan, refusals })
}

/// The primary's version and build; R5 refuses a pair in which they differ.
fn start_version(site: &Site, primary: NodeId, world: &World) -> Result<Target, Problem> {
    let Some(read) = &world.readings[primary].current else {
        return Err(Problem::new(Kind::Refused, "node_unreachable", format!("site `{}` can't be planned for", site.name))
            .because(format!("node `{primary}` was not read")));
    };
    Ok(Target { version: read.version.clone(), build: read.build.clone() })
}

fn unequal(world: &World) -> Option<Refusal> {
    let (a, b) = (world.readings.a.current.as_ref()?, world.readings.b.current.as_ref()?);
    let text =
        |o: &Observation| format!("{}{}", o.version, o.build.as_ref().map(|build| format!(" build {build}")).unwrap_or_default());
    let same_build = a.build.is_none() || b.build.is_none() || a.build == b.build;
    let message = || format!("both nodes must be on one version and build; node `a` runs {}, node `b` {}", text(a), text(b));
    (a.version != b.version || !same_build).then(|| Refusal { rule: "R5".to_owned(), step: None, message: message() })
}

/// BG-50: a document that was proved for newer releases only may leave out what an update from below 10.6 needs.
fn unfit_below_10_6(procedure: &Procedure, plan: &Plan) -> Vec<Refusal> {
    if !crossing::is_before(&plan.from.version) {
        return Vec::new();
    }
    let against = prove::of_update(procedure, plan.primary, &plan.from.version, &plan.to.version);
    let rule = |refusal: &prove::Refusal| refusal.rule.map_or_else(|| "BG-50".to_owned(), |rule| format!("{rule:?}"));
    against
        .into_iter()
        .map(|refusal| Refusal { rule: rule(&refusal), step: Some(refusal.step), message: refusal.message })
        .collect()
}

/// A check that fails or can't be told stands against a start.
pub fn must_pass(site: &Site, checks: &[Check]) -> Result<(), Problem> {
    if checks::verdict(checks) == check::Outcome::Pass {
        return Ok(());
    }
    let first = checks::first_failure(checks);
    let mut problem = Problem::new(Kind::Refused, first.code, format!("preflight refused for site `{}`", site.name));
    let against = |check: &&Check| matches!(check.result, check::Outcome::Fail | check::Outcome::Unknown);
    for check in checks.iter().filter(against) {
        let node = check.node.map(|node| format!("node `{node}`: ")).unwrap_or_default();
        problem = problem.because(format!("{node}{}: expected {}, found {}", check.name, check.expected, check.found));
    }
    let remedy = checks.iter().find(against).map(|check| check.remedy.clone()).unwrap_or_default();
    Err(problem.state("nothing was changed").hint(remedy))
}

pub fn must_not_be_refused(site: &Site, refusals: &[Refusal]) -> Result<(), Problem> {
    let Some(first) = refusals.first() else { return Ok(()) };
    let mut problem = Problem::new(Kind::Refused, &first.rule, format!("the plan for site `{}` is refused", site.name));
    for refusal in refusals {
        let at = refusal.step.as_ref().map(|step| format!(" at `{step}`")).unwrap_or_default();
        problem = problem.because(format!("{}{at}: {}", refusal.rule, refusal.message));
    }
    Err(problem.state("nothing was changed").hint("see `changeover plan` with the same arguments"))
}
