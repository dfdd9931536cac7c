//! Looks at settings: the snapshot at the break, kept as files, and what is there now beside it.
//!
//! Only reading as far as the appliances go. The files are ours: `settings/<run>/<step>/<node>.json` in the state folder, with
//! their SHA-256 in the journal. They hold names and digests, no settings.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::file::FileEvidence;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::journal::hex;
use crate::domain::ledger::{self, Side};
use crate::domain::listing::{Listing, Told};
use crate::domain::run::Run;
use crate::domain::settings::Want;
use crate::domain::world::World;
use crate::domain::world::settings::{Compared, Recorded, Untold};
use crate::ports::ReadError;

use super::Around;
use super::site::SiteReaders;

/// What a look at settings gave, before the world takes it in.
#[derive(Debug)]
pub enum Looked {
    Recorded(Recorded),
    Compared(Compared),
    Unread { at: Timestamp, why: String },
}

impl Looked {
    pub fn into_world(self, world: &mut World) {
        let seen = &mut world.settings;
        match self {
            Self::Recorded(recorded) => seen.recorded = Some(Box::new(recorded)),
            Self::Compared(compared) => (seen.compared, seen.unread) = (Some(compared), None),
            Self::Unread { at, why } => seen.unread = Some((at, why)),
        }
    }
}

/// A snapshot as it lies in its file.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    run: String,
    node: NodeId,
    at: Timestamp,
    #[serde(flatten)]
    listing: Listing,
}

/// The form of the file; a reader of another one would have to be written.
const FORMAT: u32 = 1;

/// Reads both nodes once, at the same time.
pub async fn look(around: &Around, readers: &SiteReaders, run: &Run, want: Want) -> Looked {
    let at = around.clock.now();
    let (a, b) = tokio::join!(readers.nodes.a.settings(), readers.nodes.b.settings());
    let told = PerNode { a, b };
    match want {
        Want::Record => Looked::Recorded(record(around, run, at, told)),
        Want::Compare => compare(run, at, &told),
    }
}

/// The jobs that run by themselves on a node, where its driver tells.
///
/// # Errors
/// They could not be read just now; that says nothing of them.
pub async fn enabled_jobs(readers: &SiteReaders, node: NodeId) -> Result<Vec<String>, ReadError> {
    match readers.nodes[node].settings().await? {
        Told::Listing(listing) => Ok(listing.enabled_jobs().into_iter().map(str::to_owned).collect()),
        // Asked again it would answer the same: a person's word counts, who was told at the break (`settings_unread`).
        Told::Nothing { .. } | Told::Unread { .. } => Ok(Vec::new()),
    }
}

/// Puts each listing that was told into its file.
fn record(around: &Around, run: &Run, at: Timestamp, told: PerNode<Result<Told, ReadError>>) -> Recorded {
    let step = run.step().map(|step| step.id.clone()).unwrap_or_default();
    let folder = around.state.join("settings").join(run.id.to_string()).join(&step);
    let mut recorded = Recorded { step, at, files: PerNode::default(), items: 0, untold: Vec::new() };
    let PerNode { a, b } = told;
    for (node, told) in [(NodeId::A, a), (NodeId::B, b)] {
        match told {
            Ok(Told::Listing(listing)) => {
                recorded.items += u64::try_from(listing.items.len()).unwrap_or(u64::MAX);
                let kept = Kept { format: FORMAT, run: run.id.to_string(), node, at, listing };
                match write(&folder, &kept) {
                    Ok(file) => recorded.files[node] = Some(file),
                    Err(error) => {
                        let why = format!("node `{node}`: `{}` can't be written: {error}", folder.display());
                        recorded.untold.push((why, Untold::Later));
                    }
                }
            }
            Ok(Told::Nothing { why }) => recorded.untold.push((format!("node `{node}`: {why}"), Untold::Never)),
            Ok(Told::Unread { why }) => recorded.untold.push((format!("node `{node}`: {why}"), Untold::Unread)),
            Err(error) => {
                let untold = if is_passing(&error) { Untold::Later } else { Untold::Unread };
                recorded.untold.push((format!("node `{node}`: {error}"), untold));
            }
        }
    }
    recorded
}

fn is_passing(error: &ReadError) -> bool {
    matches!(error, ReadError::Transient(_))
}

/// Durable before it is recorded: the journal names it for as long as the run goes on. A small file, written at once.
fn write(folder: &Path, kept: &Kept) -> io::Result<FileEvidence> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let body = serde_json::to_vec(kept)?;
    let path = folder.join(format!("{}.json", kept.node));
    let new = folder.join(format!(".{}.new", kept.node));
    std::fs::write(&new, &body)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, &path)?;
    std::fs::File::open(folder)?.sync_all()?;
    let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
    Ok(FileEvidence { path, sha256: hex(&Sha256::digest(&body)), bytes })
}

/// The snapshot from its file, if it is still what the journal says.
fn kept(file: &FileEvidence) -> Result<Listing, String> {
    let path: &PathBuf = &file.path;
    let bad = |why: String| format!("the list made at the break (`{}`) can't be used: {why}", path.display());
    let body = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    if hex(&Sha256::digest(&body)) != file.sha256 {
        return Err(bad("it is not what the journal says it was".to_owned()));
    }
    let kept: Kept = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    if kept.format == FORMAT { Ok(kept.listing) } else { Err(bad(format!("its format is {}", kept.format))) }
}

/// Both nodes against the snapshot, for the node that the next sync runs from.
fn compare(run: &Run, at: Timestamp, told: &PerNode<Result<Told, ReadError>>) -> Looked {
    let keeper = run.keeper();
    let left = keeper.other();
    // What may be told in a moment is waited for: half a picture would be another one each time.
    for node in NodeId::BOTH.into_iter().filter(|&node| run.settings.snapshot[node].is_some()) {
        if let Err(error) = &told[node]
            && is_passing(error)
        {
            return Looked::Unread { at, why: format!("node `{node}`: {error}") };
        }
    }
    let before = PerNode::new(|node| run.settings.snapshot[node].as_ref().map(kept));
    let (old, now) = (&before[left], now(&told[left]));
    let empty = Listing::default();
    let (old, now) = match (old, &now) {
        (Some(Ok(old)), Ok(now)) => (old, Ok(*now)),
        (Some(Err(why)), _) => (&empty, Err(why.as_str())),
        (_, Err(why)) => (&empty, Err(why.as_str())),
        (None, _) => (&empty, Err("there is no list of it from the break")),
    };
    let other = match (&before[keeper], &told[keeper]) {
        (Some(Ok(before)), Ok(Told::Listing(now))) => Some(Side { node: keeper, before, now: Ok(now) }),
        _ => None,
    };
    let lines = ledger::compare(&Side { node: left, before: old, now }, other.as_ref());
    Looked::Compared(Compared { at, keeper, lines })
}

fn now(told: &Result<Told, ReadError>) -> Result<&Listing, String> {
    match told {
        Ok(Told::Listing(listing)) => Ok(listing),
        Ok(Told::Nothing { why } | Told::Unread { why }) => Err(why.clone()),
        Err(error) => Err(error.to_string()),
    }
}
