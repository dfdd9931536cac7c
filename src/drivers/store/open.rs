//! Opening: both copies are read whole and compared before either is touched; then the shorter one is completed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::folder::Folder;
use super::keys::{self, Changes};
use super::line;
use super::log::{self, Log, Survey};
use super::space::Reserve;
use super::tree::{self, Tree, TreeError};
use super::worker::Head;
use super::{FORMAT, Options};
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::ports::OutboxItem;

/// How many records one batch holds while a copy is completed.
const FILL_BATCH: usize = 256;

/// A store that agrees with its copy.
pub(super) struct Ready {
    pub folder: Folder,
    pub tree: Tree,
    pub log: Log,
    pub known: Known,
    pub recovered: Vec<Record>,
    pub reserve: Arc<Reserve>,
}

/// What sled holds, besides the records themselves.
#[derive(Default)]
pub(super) struct Known {
    pub heads: HashMap<RunId, Head>,
    pub outbox: Vec<OutboxItem>,
    /// Into how many chunks each outbox item is cut.
    pub outbox_chunks: HashMap<Vec<u8>, u16>,
    /// Runs whose records behind a number came from the log, and nobody has settled that yet.
    pub marks: HashMap<RunId, u64>,
    /// The format was written.
    pub has_format: bool,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    v: u64,
}

/// Opens the store, see the parent's page.
pub(super) fn open(state: &Path, options: &Options) -> Result<Ready, OpenError> {
    let folder = Folder::take(state)?;
    let survey = log::survey(state, &folder.log())?;
    let reserve = Reserve::new(state, options.reserve_bytes, options.low_water_bytes);
    reserve.give_back_if_needed().map_err(|error| folder.io(state, error))?;
    let tree = Tree::open(&folder.db(), options.cache_bytes).map_err(|error| folder.tree(error))?;
    let mut known = know(&folder, &tree, &survey)?;
    let log = complete(&folder, &tree, &survey, &mut known)?;
    let recovered = recovered(&folder, &tree, &known)?;
    reserve.make_if_possible();
    Ok(Ready { folder, tree, log, known, recovered, reserve: Arc::new(reserve) })
}

/// Reads all that sled holds, checks every chain, and compares it with the log. Writes nothing.
pub(super) fn know(folder: &Folder, tree: &Tree, survey: &Survey) -> Result<Known, OpenError> {
    let has_format = check_format(folder, tree)?;
    let mut known = Known { has_format, ..Known::default() };
    let read = tree.each(keys::JOURNAL, |whole| {
        let record = tree::record(&whole)?;
        let follows = record.follows(known.heads.get(&record.run).map(|head| (head.seq, head.hash.as_str())));
        follows.map_err(|error| TreeError::Damaged(format!("in sled, {error}")))?;
        known.heads.insert(record.run, Head { seq: record.seq, hash: record.hash });
        Ok(())
    });
    read.map_err(|error| folder.tree(error))?;
    known.heads.iter().try_for_each(|(run, head)| compare(folder, tree, (run, head), survey))?;
    know_outbox(tree, &mut known).map_err(|error| folder.tree(error))?;
    if known.has_format || known.heads.is_empty() {
        Ok(known)
    } else {
        Err(folder.damaged("sled holds records but has lost the format they are in"))
    }
}

/// Whether the format was written; a newer one is refused.
fn check_format(folder: &Folder, tree: &Tree) -> Result<bool, OpenError> {
    let Some(value) = tree.value(keys::META).map_err(|error| folder.tree(error))? else { return Ok(false) };
    match serde_json::from_slice(&value) {
        Ok(Meta { v: FORMAT }) => Ok(true),
        Ok(Meta { v: found }) if found > FORMAT => {
            Err(OpenError::Newer { state: folder.path().to_owned(), found, supported: FORMAT })
        }
        _ => Err(folder.damaged(format!("sled's format is `{}`, expected {FORMAT}", String::from_utf8_lossy(&value)))),
    }
}

/// A run's chain in sled against that in the log. Each holds in itself, so both are the same up to the last record that both
/// have if that one is the same.
fn compare(folder: &Folder, tree: &Tree, (run, head): (&RunId, &Head), survey: &Survey) -> Result<(), OpenError> {
    let in_log = |seq| survey.hash(run, seq).map_err(|error| folder.io(&folder.log(), error));
    let last = survey.head(run).map_or(0, |(seq, _)| seq);
    let common = head.seq.min(last);
    if common == 0 || hash_in_sled(tree, run, head, common).map_err(|error| folder.tree(error))? == in_log(common)? {
        return Ok(());
    }
    for record in tree.records(run, 1).map_err(|error| folder.tree(error))? {
        let (seq, in_sled, in_log) = (record.seq, &record.hash, in_log(record.seq)?.unwrap_or_default());
        if *in_sled != in_log {
            return Err(folder.damaged(format!(
                "the copies of run `{run}` part at record {seq}: sled has {in_sled}, `journal.log` has {in_log}"
            )));
        }
    }
    // A record at `common` differs, so only a store that changes while it is read gets here.
    Err(folder.damaged(format!("the copies of run `{run}` differ at record {common}")))
}

fn hash_in_sled(tree: &Tree, run: &RunId, head: &Head, seq: u64) -> Result<Option<String>, TreeError> {
    match seq == head.seq {
        true => Ok(Some(head.hash.clone())),
        false => Ok(tree.records(run, seq)?.into_iter().next().map(|record| record.hash)),
    }
}

fn know_outbox(tree: &Tree, known: &mut Known) -> Result<(), TreeError> {
    tree.each(keys::OUTBOX, |whole| {
        let item = serde_json::from_slice(&whole.value);
        known.outbox.push(item.map_err(|error| TreeError::Damaged(format!("an outbox item in sled can't be read: {error}")))?);
        known.outbox_chunks.insert(whole.base, whole.chunks);
        Ok(())
    })?;
    for (run, after) in tree.values(keys::RECOVERED)? {
        let parsed = std::str::from_utf8(&run).ok().and_then(|run| run.parse().ok());
        let after = serde_json::from_slice(&after).ok();
        let (run, after) = parsed.zip(after).ok_or_else(|| TreeError::Damaged("a mark of sled can't be read".to_owned()))?;
        known.marks.insert(run, after);
    }
    Ok(())
}

/// Completes each copy from the other, the torn end of the log cut first. Safe to be ended anywhere and repeated.
fn complete(folder: &Folder, tree: &Tree, survey: &Survey, known: &mut Known) -> Result<Log, OpenError> {
    let log_failed = |error| folder.io(&folder.log(), error);
    let log = Log::open(&folder.log()).map_err(log_failed)?;
    folder.sync()?;
    if survey.torn {
        log.cut(survey.good_bytes).map_err(log_failed)?;
    }
    if !known.has_format {
        write_format(tree).map_err(|error| folder.tree(error))?;
    }
    fill_log(folder, tree, &log, survey, known)?;
    let mut marks = HashMap::new();
    for run in survey.runs.keys().filter(|run| is_behind(known, survey, run)) {
        let after = known.heads.get(run).map_or(0, |head| head.seq);
        marks.insert(run.clone(), known.marks.get(run).copied().unwrap_or(after));
    }
    fill_tree(tree, &log, survey, known, marks).map_err(|error| folder.tree(error))?;
    Ok(log)
}

/// Whether sled has less of a run than the log.
pub(super) fn is_behind(known: &Known, survey: &Survey, run: &RunId) -> bool {
    known.heads.get(run).map_or(0, |head| head.seq) < survey.head(run).map_or(0, |(seq, _)| seq)
}

pub(super) fn write_format(tree: &Tree) -> Result<(), TreeError> {
    let mut changes = Changes::default();
    changes.set(keys::META.to_vec(), format!(r#"{{"v":{FORMAT}}}"#));
    tree.commit(changes)
}

/// Appends to the log what only sled has.
fn fill_log(folder: &Folder, tree: &Tree, log: &Log, survey: &Survey, known: &Known) -> Result<(), OpenError> {
    for (run, head) in &known.heads {
        let have = survey.head(run).map_or(0, |(seq, _)| seq);
        if head.seq <= have {
            continue;
        }
        tracing::info!(%run, from = have + 1, to = head.seq, "completing journal.log from sled");
        let records = tree.records(run, have + 1).map_err(|error| folder.tree(error))?;
        let lines = lines_of(&records).map_err(|error| folder.damaged(error.to_string()))?;
        log.append(&lines).map_err(|error| folder.io(&folder.log(), error))?;
    }
    Ok(())
}

/// Records as lines of the log.
pub(super) fn lines_of(records: &[Record]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        line::write(&mut lines, &serde_json::to_vec(record)?);
    }
    Ok(lines)
}

/// Puts into sled what only the log has. `marks` go into the first batch, so that an end in the middle does not hide them.
pub(super) fn fill_tree(
    tree: &Tree,
    log: &Log,
    survey: &Survey,
    known: &mut Known,
    marks: HashMap<RunId, u64>,
) -> Result<(), TreeError> {
    let mut changes = Changes::default();
    for (run, after) in &marks {
        changes.set(keys::recovered(run), after.to_string());
    }
    let mut filled = marks.len();
    known.marks.extend(marks);
    for (run, chain) in &survey.runs {
        let have = known.heads.get(run).map_or(0, |head| head.seq);
        for (place, seq) in chain.places.iter().zip(1..).filter(|(_, seq)| *seq > have) {
            changes.put(&keys::record(run, seq), &log.read(place)?);
            filled += 1;
            if filled.is_multiple_of(FILL_BATCH) {
                tree.commit(std::mem::take(&mut changes))?;
            }
        }
        if let Some((seq, hash)) = survey.head(run).filter(|(seq, _)| *seq > have) {
            known.heads.insert(run.clone(), Head { seq, hash: hash.to_owned() });
        }
    }
    if filled > 0 {
        tracing::info!(filled, "completed sled from journal.log");
        tree.commit(changes)?;
    }
    Ok(())
}

/// The records that came from the log and whose alerts may be missing in the outbox.
fn recovered(folder: &Folder, tree: &Tree, known: &Known) -> Result<Vec<Record>, OpenError> {
    let mut recovered = Vec::new();
    for (run, after) in &known.marks {
        recovered.extend(tree.records(run, after + 1).map_err(|error| folder.tree(error))?);
    }
    Ok(recovered)
}
