//! R11: what a run on another site proves for this one, for how long, and what must be alike.
//!
//! A person *releases* a run that has succeeded; a plan of a site that asks for a rehearsal *counts on* one release. Whether it
//! may is judged when the plan is made, against everything that shapes the path ([`Path`]); whether the release still stands is
//! judged again before the break and before each update.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ids::{NodeId, RunId};
use super::journal::hex;
use super::plan::{Plan, Rehearsal};
use super::run::{Release, Run};
use super::site::{Hands, Policy, RehearsalPolicy};
use super::step::Step;
use super::version::Target;
use super::window::format_duration;
use super::world::Released;

/// What shapes the path of a run. A rehearsal says something only about a run that is alike in all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Path {
    procedure: String,
    /// The steps with `primary` and `standby`, as the procedure has them: either node may have been primary.
    steps: Vec<String>,
    /// SHA-256 of the packages, in order.
    packages: Vec<String>,
    from: Target,
    to: Target,
    /// What counts as proof, and who performs.
    settings: BTreeMap<&'static str, String>,
}

impl Path {
    /// The path that a plan asks for.
    pub fn of(plan: &Plan) -> Self {
        Self {
            procedure: plan.procedure.clone(),
            steps: plan.steps.iter().map(|step| described(plan, step)).collect(),
            packages: plan.packages().map(|package| package.sha256.clone()).collect(),
            from: plan.from.clone(),
            to: plan.to.clone(),
            settings: settings(plan),
        }
    }

    /// The path that a run went, with the build that its nodes showed.
    pub fn of_run(run: &Run) -> Self {
        let path = Self::of(&run.plan);
        Self { to: Target { build: run.target_build(), ..path.to }, ..path }
    }

    /// SHA-256 over everything but the builds, which one side may not know: equal in runs that may count on each other.
    pub fn digest(&self) -> String {
        let content = (&self.procedure, &self.steps, &self.packages, &self.from.version, &self.to.version, &self.settings);
        // Plain data: serializing it into memory cannot fail.
        hex(&Sha256::digest(serde_json::to_vec(&content).unwrap_or_default()))
    }

    /// In what this path is not the one that was rehearsed, a line each.
    pub fn differences(&self, rehearsed: &Path) -> Vec<String> {
        let unlike = |what: &str, planned: &str, then: &str| {
            (planned != then).then(|| format!("{what}: rehearsed with {then}, planned is {planned}"))
        };
        let mut lines = Vec::new();
        lines.extend(unlike("procedure", &format!("`{}`", self.procedure), &format!("`{}`", rehearsed.procedure)));
        lines.extend(unlike_steps(&self.steps, &rehearsed.steps));
        lines.extend(unlike("package", &self.packages.join(", "), &rehearsed.packages.join(", ")));
        lines.extend(unlike_target("start version", &self.from, &rehearsed.from));
        lines.extend(unlike_target("target", &self.to, &rehearsed.to));
        lines.extend(self.settings.iter().filter_map(|(key, planned)| {
            let then = rehearsed.settings.get(key).map_or("", String::as_str);
            unlike(&format!("`{key}`"), planned, then)
        }));
        lines
    }
}

/// `window-1.update standby`
fn described(plan: &Plan, step: &Step) -> String {
    let node = |node: NodeId| if node == plan.primary { " primary" } else { " standby" };
    let gate = step.gate.map(|gate| format!(" {gate}")).unwrap_or_default();
    let hop = if step.hop > 0 { format!(" hop {}", step.hop + 1) } else { String::new() };
    format!("{}.{}{}{gate}{hop}", step.when.as_str(), step.kind, step.node.map(node).unwrap_or_default())
}

/// The keys that decide what is done and what proves it. Windows, durations, the soak, gates and people are each site's own: a
/// laboratory is smaller, and its people are others.
fn settings(plan: &Plan) -> BTreeMap<&'static str, String> {
    let Policy { max_sync_age, sync_ok_statuses, max_clock_skew, max_backup_age, .. } = &*plan.policy;
    let hands = |node: NodeId| match &plan.hands[node] {
        Hands::Console { driven: true, .. } => "the daemon at the console",
        Hands::Console { driven: false, .. } => "a person at the console",
        Hands::Program { .. } => "program",
        Hands::Unknown => "not told",
    };
    let (first, second) = (hands(plan.primary), hands(plan.primary.other()));
    BTreeMap::from([
        ("max_sync_age", format_duration(*max_sync_age)),
        ("sync_ok_statuses", sync_ok_statuses.join(", ")),
        ("max_clock_skew", format_duration(*max_clock_skew)),
        ("max_backup_age", format_duration(*max_backup_age)),
        ("hands", format!("{first} (primary), {second} (standby)")),
    ])
}

fn unlike_steps(planned: &[String], then: &[String]) -> Option<String> {
    let first = (0..planned.len().max(then.len())).find(|&at| planned.get(at) != then.get(at))?;
    let step = |steps: &[String]| steps.get(first).map_or_else(|| "no step".to_owned(), |step| format!("`{step}`"));
    Some(format!("step {}: rehearsed was {}, planned is {}", first + 1, step(then), step(planned)))
}

/// Versions must be equal; builds where both are told.
fn unlike_target(what: &str, planned: &Target, then: &Target) -> Option<String> {
    let builds = planned.build.is_some() && then.build.is_some() && planned.build != then.build;
    (planned.version != then.version || builds).then(|| format!("{what}: rehearsed with {then}, planned is {planned}"))
}

/// The release that a plan may count on: of those that nothing speaks against the newest; else what speaks against the newest of
/// all, a line each. `may`: whether this user may release for the plan's site.
///
/// # Errors
/// No release counts; a line for each reason.
pub fn find<'a>(
    plan: &Plan,
    policy: &RehearsalPolicy,
    runs: impl Iterator<Item = &'a Run>,
    may: impl Fn(&str) -> Result<(), String>,
    now: Timestamp,
) -> Result<Rehearsal, Vec<String>> {
    let mut released: Vec<(&Run, &Release)> = runs.filter_map(|run| Some((run, run.released.as_ref()?))).collect();
    released.sort_by_key(|(run, release)| std::cmp::Reverse((release.at, run.id.number)));
    let path = Path::of(plan);
    let judged = released.iter().map(|(run, release)| {
        let against = against(&path, policy, run, release, &may, now);
        if against.is_empty() { Ok(counted(&path, policy, run, release)) } else { Err(against) }
    });
    let mut newest = None;
    for verdict in judged {
        match verdict {
            Ok(rehearsal) => return Ok(rehearsal),
            Err(against) => newest = newest.or(Some(against)),
        }
    }
    Err(newest.unwrap_or_else(|| vec![format!("no run of site `{}` is released", policy.site)]))
}

fn counted(path: &Path, policy: &RehearsalPolicy, run: &Run, release: &Release) -> Rehearsal {
    let (by, at) = (release.by.clone(), release.at);
    Rehearsal { run: run.id.clone(), by, at, until: at + policy.valid_for, digest: path.digest() }
}

fn against(
    path: &Path,
    policy: &RehearsalPolicy,
    run: &Run,
    release: &Release,
    may: impl Fn(&str) -> Result<(), String>,
    now: Timestamp,
) -> Vec<String> {
    let id = &run.id;
    let mut lines: Vec<String> = expired(policy, id, release, now).into_iter().collect();
    lines.extend(may(&release.by.user).err().map(|why| format!("run `{id}`: released by {}, but {why}", release.by)));
    lines.extend(path.differences(&Path::of_run(run)).into_iter().map(|line| format!("run `{id}`: {line}")));
    lines
}

fn expired(policy: &RehearsalPolicy, run: &RunId, release: &Release, now: Timestamp) -> Option<String> {
    let until = release.at + policy.valid_for;
    let lasts = format_duration(policy.valid_for);
    let text = || format!("run `{run}`: its release of {} by {} counted for {lasts}, until {until}", release.at, release.by);
    (now > until).then(text)
}

/// What stands against a run that asked for a rehearsal, judged now; `None` if nothing does.
pub fn stands_against(plan: &Plan, released: &Released, now: Timestamp) -> Option<String> {
    let policy = plan.policy.rehearsal.as_ref()?;
    let Some(rehearsal) = &plan.rehearsal else { return Some("the plan counts on none".to_owned()) };
    match released {
        Released::Unread => {
            let Rehearsal { by, at, .. } = (**rehearsal).clone();
            expired(policy, &rehearsal.run, &Release { by, at, note: String::new() }, now)
        }
        Released::Given(release) => expired(policy, &rehearsal.run, release, now),
        Released::Void(why) => Some(why.clone()),
    }
}
