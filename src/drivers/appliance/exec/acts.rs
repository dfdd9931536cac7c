//! What a program is told of an act, what it answers, and what a person is told where it knows no such verb.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::ids::{NodeId, RunId};
use crate::ports::{Intent, NodeAct, ProducedFile};

use super::Settings;

/// What is recorded of an extraction's files has at most so many bytes: half of what the journal takes as one record.
const MOST_RECORDED: usize = 512 * 1024;

/// What is recorded of a file beside its path, at most: SHA-256, size, and the names of the three.
const BESIDE_PATH: usize = 120;

#[derive(Debug, Deserialize)]
pub(super) struct BackupReply {
    pub path: PathBuf,
    sha256: String,
    bytes: u64,
}

impl BackupReply {
    /// The program's word against our own reading.
    pub fn check(self, file: ProducedFile) -> Result<ProducedFile, String> {
        if self.bytes == file.bytes && self.sha256 == file.sha256 {
            return Ok(file);
        }
        let (path, claimed) = (file.path.display(), self.sha256.chars().take(64).collect::<String>());
        Err(format!(
            "the backup `{path}` was expected to have {} bytes with SHA-256 `{claimed}`, found {} bytes with `{}`",
            self.bytes, file.bytes, file.sha256
        ))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ExtractReply {
    pub files: Vec<PathBuf>,
    pub records: u64,
}

impl ExtractReply {
    /// Whether one record can hold all its files.
    pub fn fits(&self, directory: &Path) -> Result<(), String> {
        let recorded = |path: &PathBuf| json!(directory.join(path).to_string_lossy()).to_string().len() + BESIDE_PATH;
        let bytes: usize = self.files.iter().map(recorded).sum();
        if bytes <= MOST_RECORDED {
            return Ok(());
        }
        let files = self.files.len();
        Err(format!(
            "it told of {files} files, of which {bytes} bytes would be recorded, expected at most {MOST_RECORDED}; pack them into fewer files"
        ))
    }
}

/// The JSON object on the program's standard input.
pub(super) fn input(intent: &Intent, node: NodeId, identity: &str, act: &NodeAct) -> Value {
    let mut input = json!({
        "site": intent.site,
        "node": node,
        "expect_identity": identity,
        "run": intent.run,
        "step": intent.step,
        "attempt": intent.attempt,
        "intent": intent.key,
    });
    if let (Some(input), Value::Object(own)) = (input.as_object_mut(), own_fields(act)) {
        input.extend(own);
    }
    input
}

fn own_fields(act: &NodeAct) -> Value {
    match act {
        NodeAct::Backup { directory } => json!({ "directory": directory.to_string_lossy() }),
        NodeAct::ForceSync { from, to } => json!({ "from": from, "to": to }),
        NodeAct::Update { package, sha256, target } => {
            let mut package = json!({ "path": package.to_string_lossy(), "sha256": sha256, "version": target.version });
            if let Some(build) = &target.build {
                package["build"] = json!(build);
            }
            json!({ "package": package })
        }
        NodeAct::EstablishFailover { primary, standby } => json!({ "primary": primary, "standby": standby }),
        NodeAct::Drain { deadline } => json!({ "deadline": deadline }),
        NodeAct::ExtractData { since, until, directory } => {
            json!({ "since": since, "until": until, "directory": directory.to_string_lossy() })
        }
        NodeAct::BreakFailover | NodeAct::EndSessions | NodeAct::Quiesce | NodeAct::Reopen => json!({}),
    }
}

/// What a person does instead, and by what the run sees that it is done.
pub(super) fn instructions(settings: &Settings, run: &RunId, act: &NodeAct) -> Vec<String> {
    let Settings { site, node, identity, address, .. } = settings;
    let (what, seen) = by_hand(*node, act);
    let goes_on = match act {
        // No field of `observe` tells who is let in.
        NodeAct::Reopen => format!("Then say so, nobody can see it from here: `changeover confirm {run} node_open`."),
        NodeAct::Quiesce => {
            format!("Then, and only then, say so, nobody can see it from here: `changeover confirm {run} node_closed`.")
        }
        _ => format!("Nothing need be reported: the run goes on by itself once {seen}."),
    };
    vec![
        format!("At node `{node}` of site `{site}`, {address}: check first that it is the box with identity `{identity}`."),
        what,
        goes_on,
    ]
}

fn by_hand(node: NodeId, act: &NodeAct) -> (String, String) {
    let other = node.other();
    match act {
        NodeAct::Backup { directory } => (
            format!("Save a backup of its settings as a file in `{}` on the daemon's machine.", directory.display()),
            "the file is there and was read".to_owned(),
        ),
        NodeAct::ForceSync { from, to } => (
            format!("Start a data sync from node `{from}` to node `{to}`, in this direction only."),
            format!("node `{from}` reports a newer good sync"),
        ),
        NodeAct::BreakFailover => (
            format!("Break its failover relationship with node `{other}`, and change nothing else."),
            "both nodes report the role `standalone`".to_owned(),
        ),
        NodeAct::Update { package, sha256, target } => (
            format!("Install `{}` (SHA-256 `{sha256}`) on this node only, once; it leads to {target}.", package.display()),
            format!("node `{node}` is healthy on {target}"),
        ),
        NodeAct::EstablishFailover { primary, standby } => (
            format!(
                "Establish failover with node `{primary}` as primary and node `{standby}` as standby; \
                 the data of `{primary}` are kept, those of `{standby}` are overwritten."
            ),
            "both nodes report these roles and a first good sync".to_owned(),
        ),
        NodeAct::Drain { deadline } => (
            format!("Ask its users to end their sessions by {deadline}; end none by force."),
            "it reports no users and no sessions".to_owned(),
        ),
        NodeAct::EndSessions => {
            ("End the sessions that are under way on it; who has one loses it.".to_owned(), "it reports no sessions".to_owned())
        }
        NodeAct::Quiesce => {
            ("Close it to clients, so that no new session can begin on it.".to_owned(), "it takes no more clients".to_owned())
        }
        NodeAct::Reopen => ("Open it to clients again.".to_owned(), "it takes clients".to_owned()),
        NodeAct::ExtractData { since, until, directory } => (
            format!(
                "Save its session data from {since} to {until} as files in `{}` on the daemon's machine.",
                directory.display()
            ),
            "the files are there and were read".to_owned(),
        ),
    }
}
