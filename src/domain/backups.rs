//! Backups and extractions as files: what a new one is compared with, how much room it needs, and which old ones may go.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::event::Event;
use super::gate::BACKUP_FAR_SMALLER;
use super::ids::{NodeId, PerNode, RunId};
use super::plan::Sizes;
use super::run::Run;
use super::site::Node;
use super::step::Step;

/// The hold's code of an extraction without all recordings.
pub const MISSING: &str = "recordings_missing";

/// What must stay free on the disk of the state folder beside the file to come: the journal's own reserve and a day of log lines
/// lie there too.
pub const RESERVE_BYTES: u64 = 256 << 20;

/// What is known of these boxes from the site's runs, newest first. A box is known by its identity: a replaced one has none yet.
pub fn known(nodes: &PerNode<Node>, earlier: &[&Run]) -> PerNode<Sizes> {
    PerNode::new(|node| {
        let same = |run: &&&Run| run.plan.nodes[node].identity == nodes[node].identity;
        let of = |size: fn(&Run, NodeId) -> Option<u64>| earlier.iter().filter(same).find_map(|run| size(run, node));
        Sizes { backup: of(last_backup), extract: of(last_extract) }
    })
}

/// The size that the node's next backup is compared with: what a person took for whole, else its last backup, of whatever run.
fn last_backup(run: &Run, node: NodeId) -> Option<u64> {
    let record = &run.nodes[node];
    let own = || record.backup.as_ref().map(|(_, file)| file.bytes);
    record.accepted_bytes.or_else(own).or(run.plan.sizes[node].backup)
}

fn last_extract(run: &Run, node: NodeId) -> Option<u64> {
    run.nodes[node].extracted_bytes.or(run.plan.sizes[node].extract)
}

/// BG-01: holds the run for a backup that is far smaller than the last one (`policy.least_backup_percent`).
pub fn far_smaller(run: &Run, step: &Step, bytes: u64) -> Option<Event> {
    let node = step.node?;
    let (last, percent) = (last_backup(run, node)?, run.plan.policy.least_backup_percent);
    let least = u128::from(last) * u128::from(percent) / 100;
    if u128::from(bytes) >= least {
        return None;
    }
    let expected = format!("at least {least} bytes, {percent} % of the {last} bytes of the last backup of node `{node}`");
    let found = format!("{bytes} bytes");
    let message = format!("the backup of node `{node}` is far smaller than the last: expected {expected}, found {found}");
    Some(Event::Held { code: BACKUP_FAR_SMALLER.to_owned(), message, expected, found, node: Some(node), given_up: true })
}

/// A person takes a backup of the size that was refused for whole.
pub fn accept(run: &mut Run) {
    let bytes = run.hold().and_then(|hold| hold.found.strip_suffix(" bytes")?.parse().ok());
    if let Some(node) = run.step().and_then(|step| step.node) {
        run.nodes[node].accepted_bytes = bytes;
    }
}

/// R9: holds the run for recordings that could not be had from a node that the link will overwrite. The records are there; the next
/// attempt asks for these recordings again, and then so many are taken as lost ([`accept_missing`]).
pub fn recordings_missing(run: &Run, step: &Step, missing: u64) -> Option<Event> {
    let node = step.node?;
    if missing <= run.nodes[node].accepted_missing {
        return None;
    }
    let expected = format!("every recording of the sessions on node `{node}`");
    let found = format!("{missing} recordings missing");
    let message = format!(
        "of node `{node}` every session's record was extracted, and {missing} recordings could not be fetched; re-establishing failover \
         overwrites them there (R9). `missing-recordings.csv` of the attempt's folder names each with the reason"
    );
    Some(Event::Held { code: MISSING.to_owned(), message, expected, found, node: Some(node), given_up: true })
}

/// A person lets the run go on without the recordings that it was held for.
pub fn accept_missing(run: &mut Run) {
    let missing = run.hold().filter(|hold| hold.code == MISSING);
    let missing = missing.and_then(|hold| hold.found.strip_suffix(" recordings missing")?.parse().ok());
    if let (Some(node), Some(missing)) = (run.step().and_then(|step| step.node), missing) {
        run.nodes[node].accepted_missing = missing;
    }
}

/// How much must be free before the step begins: twice what its last files took, and the reserve.
pub fn needed_for(run: &Run, step: &Step) -> u64 {
    let node = step.node.unwrap_or(run.plan.primary);
    let last = match step.kind {
        Kind::Backup => last_backup(run, node),
        Kind::ExtractData => last_extract(run, node),
        _ => None,
    };
    RESERVE_BYTES.saturating_add(last.unwrap_or(0).saturating_mul(2))
}

/// As [`needed_for`], for all files that the run is still to make.
pub fn needed(run: &Run) -> u64 {
    let undone = |step: &&Step| run.progress_of(step).is_some_and(|progress| progress.done_at.is_none());
    let steps = run.plan.steps.iter().filter(undone).filter(|step| is_file(step.kind));
    steps.fold(RESERVE_BYTES, |sum, step| sum.saturating_add(needed_for(run, step) - RESERVE_BYTES))
}

/// How much must be free for a next run, before anybody knows which steps it has: twice what each box's last files took, and the
/// reserve. A run reckons by its own steps ([`needed`]).
pub fn needed_by_site(sizes: &PerNode<Sizes>) -> u64 {
    let files = NodeId::BOTH.into_iter().flat_map(|node| [sizes[node].backup, sizes[node].extract]).flatten();
    files.fold(RESERVE_BYTES, |sum, bytes| sum.saturating_add(bytes.saturating_mul(2)))
}

/// The action's result is a file.
pub fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::Backup | Kind::ExtractData)
}

/// How long backups are kept: `[backups]` of the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those of a site's so many newest finished runs.
    pub keep: u32,
    /// Those of a run that finished less than this ago.
    pub keep_for: SignedDuration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: 5, keep_for: SignedDuration::from_hours(90 * 24) }
    }
}

/// The runs whose backups may be deleted: finished, neither among the newest nor young, needed by no run that is not finished, and
/// without the newest backup of a node.
///
/// `runs`: all of one site.
pub fn removable(runs: &[&Run], retention: Retention, now: Timestamp) -> Vec<RunId> {
    let mut over: Vec<(Timestamp, &Run)> = runs.iter().filter_map(|run| Some((ended(run)?, *run))).collect();
    over.sort_by_key(|(ended, run)| std::cmp::Reverse((*ended, run.id.number)));
    let held = held(runs);
    let keep = usize::try_from(retention.keep.max(1)).unwrap_or(usize::MAX);
    let old = over.into_iter().skip(keep).filter(|(ended, _)| now.duration_since(*ended) >= retention.keep_for);
    old.map(|(_, run)| run.id.clone()).filter(|id| !held.contains(id)).collect()
}

/// When the run was over; `None` while it is driven or watched.
fn ended(run: &Run) -> Option<Timestamp> {
    (run.is_finished() && !run.is_watched()).then(|| run.finished_at.unwrap_or(run.last_at))
}

/// The runs whose backups are needed, however old: those with the newest of a box, and those that an open run has taken over.
fn held(runs: &[&Run]) -> BTreeSet<RunId> {
    let boxes = runs.iter().flat_map(|run| NodeId::BOTH.map(|node| &run.plan.nodes[node].identity));
    let newest = boxes.collect::<BTreeSet<_>>().into_iter().filter_map(|identity| newest_of(runs, identity));
    let adopted = runs.iter().filter(|run| ended(run).is_none()).flat_map(|run| adopted(run, runs));
    newest.chain(adopted).collect()
}

fn newest_of(runs: &[&Run], identity: &str) -> Option<RunId> {
    let of = |run: &Run| {
        let nodes = NodeId::BOTH.into_iter().filter(|&node| run.plan.nodes[node].identity == identity);
        nodes.filter_map(|node| run.nodes[node].backup.as_ref().map(|(at, _)| *at)).max()
    };
    let taken = runs.iter().filter_map(|run| Some((of(run)?, &run.id)));
    taken.max_by_key(|(at, id)| (*at, id.number)).map(|(_, id)| id.clone())
}

/// The runs in whose folders an adopted run's backups lie.
fn adopted(run: &Run, runs: &[&Run]) -> Vec<RunId> {
    let Some(adoption) = &run.plan.adopted else { return Vec::new() };
    let paths: Vec<_> = NodeId::BOTH.iter().filter_map(|&node| adoption.backups[node].as_ref()).map(|file| &file.path).collect();
    let names = |id: &RunId| paths.iter().any(|path| path.iter().any(|part| part.to_str() == Some(&id.to_string())));
    runs.iter().map(|run| run.id.clone()).filter(names).collect()
}
