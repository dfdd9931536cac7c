//! How it ended: the report of the contract, the summary for people, and what differs from the tale's row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::SignedDuration;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::event::{Event, Evidence};
use crate::domain::file::FileEvidence;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::journal::{Record, hex};
use crate::domain::site::Role;
use crate::server::view::Status;
use crate::simulator::world::Truth;

use super::alerts::Alert;
use super::scene::Scene;
use super::story::lasted;
use super::tales::{Ending, Failover};

/// The demo's one JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `succeeded`, `held`, `aborted` or `failed`.
    pub outcome: String,
    pub procedure: String,
    pub run: String,
    pub nodes: PerNode<NodeAtEnd>,
    pub serving: Option<NodeId>,
    pub sessions: Sessions,
    /// Simulated, as the next two.
    pub unprotected_seconds: i64,
    pub service_gap_ms: i64,
    pub resumed: u32,
    pub records: u64,
    /// Each name once, in the order of the first arrival.
    pub alerts: Vec<String>,
    /// The fault's name, `null` without one.
    pub fault: Option<String>,
    /// Why the run is held.
    pub code: Option<String>,
    pub failover: &'static str,
    /// The folder, where it was kept.
    pub folder: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeAtEnd {
    pub version: String,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sessions {
    pub created: u64,
    /// Ended early by an update.
    pub interrupted: u64,
    /// On neither the serving node nor in a verified extraction.
    pub lost: u64,
}

impl Report {
    /// From the world's truth, the run's status and its journal.
    pub fn new(scene: &Scene, status: &Status, truth: &Truth, records: &[Record], alerts: &[Alert]) -> Self {
        let finished = serde_json::to_value(status.outcome).ok().and_then(|outcome| outcome.as_str().map(str::to_owned));
        let node = |node: NodeId| NodeAtEnd { version: truth.nodes[node].version.clone(), role: truth.nodes[node].role };
        let sessions = Sessions {
            created: truth.sessions.created,
            interrupted: truth.sessions.interrupted,
            lost: lost(status, truth, &extracted(records)),
        };
        Self {
            outcome: finished.unwrap_or_else(|| status.phase.clone()),
            procedure: status.procedure.clone(),
            run: status.run.to_string(),
            nodes: PerNode::new(node),
            serving: truth.serving,
            sessions,
            unprotected_seconds: status.unprotected.seconds,
            service_gap_ms: truth.longest_gap_ms,
            resumed: status.resumed,
            records: status.seq,
            alerts: names(alerts),
            fault: Some(scene.tale.name.to_owned()).filter(|name| !name.is_empty()),
            code: status.held.as_ref().map(|held| held.code.clone()),
            failover: failover(truth, status.survivor).name(),
            folder: scene.keep.then(|| scene.folder.path().display().to_string()),
        }
    }

    /// The summary for people.
    pub fn tell(&self, scene: &Scene, status: &Status, truth: &Truth) {
        let story = &scene.story;
        story.say("");
        for (name, text) in self.lines(status, truth) {
            story.say(&format!("  {name:<12} {text}"));
        }
        if let Some(folder) = &self.folder {
            story.say(&format!("\nThe folder is kept: {folder} (journal, backups, extractions, daemon.log)"));
        }
    }

    fn lines(&self, status: &Status, truth: &Truth) -> Vec<(&'static str, String)> {
        let node = |node: NodeId| format!("{}, {}", self.nodes[node].version, self.nodes[node].role.as_str());
        let code = self.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        let serving = self.serving.map_or("no node".to_owned(), |node| format!("node {node}"));
        let took = lasted(truth.now.duration_since(status.started_at));
        let gap = lasted(SignedDuration::from_millis(self.service_gap_ms));
        let Sessions { created, interrupted, lost } = self.sessions;
        let mut lines = vec![
            ("outcome", format!("{}{code}, {took} after the start", self.outcome)),
            ("node a", node(NodeId::A)),
            ("node b", node(NodeId::B)),
            ("failover", self.failover.to_owned()),
            ("serving", serving),
            ("unprotected", lasted(SignedDuration::from_secs(self.unprotected_seconds))),
            ("service gap", format!("{gap} at most")),
            ("sessions", format!("{created} created, {interrupted} interrupted, {lost} lost")),
            ("journal", format!("{} records, {}", self.records, times(self.resumed))),
            ("alerts", self.alerts.join(", ")),
        ];
        if let Some(guide) = &status.guide {
            lines.push(("what helps", guide.unblocks.clone()));
            lines.extend(guide.may.iter().map(|line| ("by hand", line.clone())));
            lines.extend(guide.must_not.iter().map(|line| ("but", line.clone())));
        }
        lines
    }
}

fn times(resumed: u32) -> String {
    match resumed {
        0 => "one daemon from start to end".to_owned(),
        1 => "taken over once by a new daemon".to_owned(),
        more => format!("taken over {more} times by a new daemon"),
    }
}

fn names(alerts: &[Alert]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for alert in alerts {
        if !names.contains(&alert.name) {
            names.push(alert.name.clone());
        }
    }
    names
}

/// The link as it really is.
fn failover(truth: &Truth, survivor: NodeId) -> Failover {
    let alone = NodeId::BOTH.into_iter().filter(|&node| truth.nodes[node].role == Role::Standalone).count();
    match (alone, truth.nodes[survivor].role) {
        (2, _) => Failover::Off,
        (1, _) => Failover::Half,
        (_, Role::Primary) => Failover::On,
        _ => Failover::Reversed,
    }
}

/// Sessions whose record is neither on the serving node nor in a verified extraction.
fn lost(status: &Status, truth: &Truth, extracted: &BTreeSet<String>) -> u64 {
    let Some(serving) = truth.serving.or(status.serving) else { return truth.sessions.created };
    let records = &truth.sessions.records;
    let missing = records.iter().filter(|record| !record.on.contains(&serving) && !extracted.contains(&record.lsid));
    missing.count() as u64
}

/// The sessions in all extractions that the journal records, as far as their files are what was recorded.
fn extracted(records: &[Record]) -> BTreeSet<String> {
    let steps = records.iter().filter(|record| record.step.as_deref().is_some_and(|step| step.contains(".extract_data.")));
    let events = steps.filter_map(|record| Event::from_parts(&record.event, &record.data).ok());
    let mut found = BTreeSet::new();
    for event in events {
        if let Event::StepDone { evidence: Evidence::Files { files, .. }, .. } = event {
            let part = |name: &str| files.iter().find(|file| file.path.ends_with(name)).map(|file| (file, verified(file)));
            if let (Some((manifest, Some(lines))), Some((_, Some(table)))) = (part("manifest.jsonl"), part("sessions.csv"))
                && all_as_noted(&manifest.path, &lines)
            {
                found.extend(session_ids(&table));
            }
        }
    }
    found
}

/// The file's text, if it still has the hash that the journal has.
fn verified(file: &FileEvidence) -> Option<Vec<u8>> {
    let bytes = std::fs::read(Path::new(&file.path)).ok()?;
    (hex(&Sha256::digest(&bytes)) == file.sha256).then_some(bytes)
}

/// True if every file that a manifest lists still has the hash that it was noted with.
fn all_as_noted(manifest: &Path, lines: &[u8]) -> bool {
    let folder = manifest.parent().unwrap_or(Path::new("."));
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).all(|line| {
        let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) else { return false };
        let Some(file) = line.get("file") else { return true };
        let (Some(name), Some(sha256)) = (file["file"].as_str(), file["sha256"].as_str()) else { return false };
        std::fs::read(folder.join(name)).is_ok_and(|bytes| hex(&Sha256::digest(&bytes)) == sha256)
    })
}

/// The ids in a table of sessions; what can't be read holds none.
fn session_ids(table: &[u8]) -> BTreeSet<String> {
    let mut rows = csv::Reader::from_reader(table);
    rows.records().map_while(Result::ok).filter_map(|row| row.get(0).map(str::to_owned)).collect()
}

/// What is not as the tale's row says.
pub fn differences(expected: &Ending, found: &Report, status: &Status, truth: &Truth) -> Vec<String> {
    let mut differs = BTreeMap::new();
    let mut compare = |what: &'static str, expected: String, found: String| {
        if expected != found {
            differs.insert(what, format!("{what}: expected {expected}, found {found}"));
        }
    };
    compare("outcome", expected.outcome.to_owned(), found.outcome.clone());
    compare("code", expected.code.unwrap_or("none").to_owned(), found.code.clone().unwrap_or_else(|| "none".to_owned()));
    compare("failover", expected.failover.name().to_owned(), found.failover.to_owned());
    compare("resumed", expected.resumed.to_string(), found.resumed.to_string());
    compare("lost sessions", "0".to_owned(), found.sessions.lost.to_string());
    let missing: Vec<&str> =
        expected.alerts.iter().filter(|name| !found.alerts.iter().any(|known| known == *name)).copied().collect();
    compare("missing alerts", String::new(), missing.join(", "));
    let broken: Vec<&str> = truth.broken_promises.iter().map(|broken| broken.note.as_str()).collect();
    compare("broken promises", String::new(), broken.join("; "));
    if expected.outcome == "succeeded" {
        let serving = found.serving.map_or("no node", NodeId::as_str);
        compare("serving", status.survivor.to_string(), serving.to_owned());
        for node in NodeId::BOTH {
            compare("version", status.to.clone(), found.nodes[node].version.clone());
        }
    }
    differs.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_50_sessions_are_counted_by_their_lsid() {
        let cases: [(&str, &[&str]); 3] =
            [("lsid,lseq\r\na,1\r\nb,1\r\na,2\r\n", &["a", "b"]), ("lsid,lseq\r\na,1\r\n\"b", &["a"]), ("", &[])];
        for (report, expected) in cases {
            let found: Vec<String> = session_ids(report.as_bytes()).into_iter().collect();
            assert_eq!(found, expected, "{report}");
        }
    }
}
