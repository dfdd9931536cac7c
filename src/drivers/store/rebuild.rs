//! `journal rebuild`: a new sled folder from the plain copy, with everything old moved aside and nothing deleted.
//!
//! Order, so that an end at any point leaves a store that opens or can be rebuilt again: the new log is whole and synced
//! before it takes the old one's name (which the old one keeps under a second name); only then the folders change names. In the
//! moment without a `db` folder the log alone holds everything, and opening fills sled from it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use super::folder::Folder;
use super::keys::Changes;
use super::log::{self, BadLine, Log, Salvage, Survey};
use super::open::{self, Known};
use super::tree::Tree;
use super::{Options, keys};
use crate::domain::ids::RunId;

/// What a rebuilding found and did.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// The runs as they are now, and how many records each has.
    pub runs: Vec<(RunId, u64)>,
    /// Lines of the old log that could not be read.
    pub damaged: Vec<BadLine>,
    /// Runs that the old `db` completed, and the first record that came from there.
    pub restored: Vec<(RunId, u64)>,
    /// Records that were read but follow from nothing that is left.
    pub lost: Vec<(RunId, u64)>,
    /// Why the old `db` could not help.
    pub old_db: Option<String>,
    /// Under which names the old files now stand.
    pub moved: Vec<PathBuf>,
}

/// Builds `db` again from `journal.log`, while no daemon runs.
///
/// Where the log is damaged in the middle, the valid beginning of each run is kept, and completed from the old `db` if that
/// can still be read and agrees.
///
/// # Effect
/// The old `db`, and the old log if it was damaged, stand aside under a name with a number. The next opening reports as
/// recovered what was not in a readable old `db`.
///
/// # Repeat
/// Safe, also after an end in the middle.
///
/// # Errors
/// As [`super::Store::open`], except that damage is repaired. After an error the store is as it was.
pub fn rebuild(state: &Path) -> Result<Rebuilt, OpenError> {
    if !state.is_dir() {
        return Err(OpenError::io(state, state, io::ErrorKind::NotADirectory.into()));
    }
    // Before anything is made: a mistyped path is no state folder to be.
    if !["journal.log", "db"].iter().any(|part| state.join(part).exists()) {
        let nothing = io::Error::new(io::ErrorKind::NotFound, "neither `journal.log` nor `db` is there");
        return Err(OpenError::io(state, state, nothing));
    }
    let folder = Folder::take(state)?;
    for leftover in ["db.new", "db.copy", "journal.log.new"] {
        remove(&state.join(leftover)).map_err(|error| folder.io(state, error))?;
    }
    let mut rebuilt = Rebuilt::default();
    let old = salvage(&folder, &mut rebuilt)?;
    build(&folder, &old, &mut rebuilt)?;
    swap_db(&folder, &mut rebuilt)?;
    Ok(rebuilt)
}

/// Makes the log whole, and says what the old `db` knew, if it could be read.
fn salvage(folder: &Folder, rebuilt: &mut Rebuilt) -> Result<Option<Known>, OpenError> {
    let Salvage { survey, damaged, loose } = log::salvage(folder.path(), &folder.log())?;
    let old = read_old_db(folder, &survey, rebuilt)?;
    let changed = survey.torn || !damaged.is_empty() || !loose.is_empty();
    if let Some((known, lines)) = &old {
        rebuilt.restored = ahead(known, &survey);
        if changed || !rebuilt.restored.is_empty() {
            swap_log(folder, &survey, lines, rebuilt)?;
        }
    } else if changed {
        swap_log(folder, &survey, &[], rebuilt)?;
    }
    rebuilt.damaged = damaged;
    rebuilt.lost = loose;
    Ok(old.map(|(known, _)| known))
}

/// Opens a copy of the old `db`, since sled writes while it opens. Gives what it knew, and the lines that the log lacks.
fn read_old_db(folder: &Folder, survey: &Survey, rebuilt: &mut Rebuilt) -> Result<Option<(Known, Vec<u8>)>, OpenError> {
    if !folder.db().exists() {
        rebuilt.old_db = Some("there is none".to_owned());
        return Ok(None);
    }
    let copy = folder.path().join("db.copy");
    copy_folder(&folder.db(), &copy).map_err(|error| folder.io(&copy, error))?;
    let read = read_copy(folder, &copy, survey);
    remove(&copy).map_err(|error| folder.io(&copy, error))?;
    match read {
        Err(OpenError::Damaged { what, .. }) => rebuilt.old_db = Some(what),
        read => return read.map(Some),
    }
    Ok(None)
}

fn read_copy(folder: &Folder, copy: &Path, survey: &Survey) -> Result<(Known, Vec<u8>), OpenError> {
    let tree = Tree::open(copy, Options::default().cache_bytes).map_err(|error| folder.tree(error))?;
    let known = open::know(folder, &tree, survey)?;
    let mut lines = Vec::new();
    for (run, first) in ahead(&known, survey) {
        let records = tree.records(&run, first).map_err(|error| folder.tree(error))?;
        lines.extend(open::lines_of(&records).map_err(|error| folder.damaged(error.to_string()))?);
    }
    Ok((known, lines))
}

/// The runs of which sled has more than the log, and the first record the log lacks.
fn ahead(known: &Known, survey: &Survey) -> Vec<(RunId, u64)> {
    let have = |run| survey.head(run).map_or(0, |(seq, _)| seq);
    let ahead = known.heads.iter().filter(|(run, head)| head.seq > have(run));
    ahead.map(|(run, _)| (run.clone(), have(run) + 1)).collect()
}

/// Writes the log again from its good lines and `more`, and gives it the old one's name.
fn swap_log(folder: &Folder, survey: &Survey, more: &[u8], rebuilt: &mut Rebuilt) -> Result<(), OpenError> {
    let new = folder.path().join("journal.log.new");
    write_log(&folder.log(), &new, survey, more).map_err(|error| folder.io(&new, error))?;
    if folder.log().exists() {
        let aside = free_name(folder.path(), "journal.log.old");
        fs::hard_link(folder.log(), &aside).map_err(|error| folder.io(&aside, error))?;
        rebuilt.moved.push(aside);
    }
    fs::rename(&new, folder.log()).map_err(|error| folder.io(&new, error))?;
    folder.sync()
}

fn write_log(old: &Path, new: &Path, survey: &Survey, more: &[u8]) -> io::Result<()> {
    remove(new)?;
    let log = Log::open(new)?;
    let mut places: Vec<_> = survey.runs.values().flat_map(|chain| &chain.places).collect();
    places.sort_by_key(|place| place.offset);
    if !places.is_empty() {
        let old = Log::open(old)?;
        for places in places.chunks(COPY_LINES) {
            let mut lines = Vec::new();
            for place in places {
                super::line::write(&mut lines, &old.read(place)?);
            }
            log.append(&lines)?;
        }
    }
    log.append(more)
}

/// Builds `db.new` from the log, which is whole now, and reads it back.
fn build(folder: &Folder, old: &Option<Known>, rebuilt: &mut Rebuilt) -> Result<(), OpenError> {
    let survey = log::survey(folder.path(), &folder.log())?;
    let log = Log::open(&folder.log()).map_err(|error| folder.io(&folder.log(), error))?;
    let new = folder.path().join("db.new");
    let tree = Tree::open(&new, Options::default().cache_bytes).map_err(|error| folder.tree(error))?;
    let outbox = keep_outbox(&tree, old);
    let filled = outbox.and_then(|()| open::fill_tree(&tree, &log, &survey, &mut Known::default(), marks(old, &survey)));
    filled.and_then(|()| open::write_format(&tree)).map_err(|error| folder.tree(error))?;
    let known = open::know(folder, &tree, &survey)?;
    rebuilt.runs = known.heads.iter().map(|(run, head)| (run.clone(), head.seq)).collect();
    rebuilt.runs.sort();
    let kept: HashMap<_, _> = rebuilt.runs.iter().cloned().collect();
    rebuilt.lost.retain(|(run, seq)| kept.get(run).is_none_or(|last| last < seq));
    Ok(())
}

/// Which records the next opening reports as recovered: all, or what a readable old `db` lacked.
fn marks(old: &Option<Known>, survey: &Survey) -> HashMap<RunId, u64> {
    let Some(known) = old else { return survey.runs.keys().map(|run| (run.clone(), 0)).collect() };
    let mut marks = known.marks.clone();
    for run in survey.runs.keys().filter(|run| open::is_behind(known, survey, run)) {
        marks.entry(run.clone()).or_insert(known.heads.get(run).map_or(0, |head| head.seq));
    }
    marks
}

fn keep_outbox(tree: &Tree, old: &Option<Known>) -> Result<(), super::tree::TreeError> {
    let mut changes = Changes::default();
    for item in old.iter().flat_map(|known| &known.outbox) {
        let value = serde_json::to_vec(item).map_err(io::Error::from)?;
        changes.put(&keys::outbox(&item.id, &item.hook), &value);
    }
    tree.commit(changes)
}

/// Moves the old `db` aside and the new one in.
fn swap_db(folder: &Folder, rebuilt: &mut Rebuilt) -> Result<(), OpenError> {
    let (state, new) = (folder.path(), folder.path().join("db.new"));
    if folder.db().exists() {
        let aside = free_name(state, "db.old");
        fs::rename(folder.db(), &aside).map_err(|error| folder.io(&aside, error))?;
        rebuilt.moved.push(aside);
    }
    fs::rename(&new, folder.db()).map_err(|error| folder.io(&new, error))?;
    folder.sync()
}

/// The first name `<stem>-<n>` that is free.
fn free_name(folder: &Path, stem: &str) -> PathBuf {
    let names = (1_u32..).map(|number| folder.join(format!("{stem}-{number}")));
    // The endless row of names has a free one, as a folder holds finitely many.
    names.into_iter().find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| folder.join(stem))
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    File::open(to)?.sync_all()
}

/// Removes a file or folder of ours, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let result = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// How many lines are copied, and synced, at once.
const COPY_LINES: usize = 256;
