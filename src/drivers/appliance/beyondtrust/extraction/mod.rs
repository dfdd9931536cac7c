//! The course of an extraction of session records (R9, BG-50 to BG-52).
//!
//! Sessions without an end (still open, or ended abnormally) are found by the time of their start, closed ones by the time of
//! their end, in slices that overlap; each slice of closed ones is compared with the box's own listing. Then the newest slices
//! are asked for again until nothing new appears, recordings are fetched, and the table is written. Every report is kept
//! as received, also an empty one: it is the evidence. What is whole survives the attempt (`manifest`).

mod recordings;
mod work;

use jiff::Timestamp;

use self::recordings::{Lacking, list};
use self::work::Work;
use super::answer::CallError;
use super::download::local;
use super::manifest::{self, Line, Of};
use super::reporting::{Question, blocking};
use super::slices::Slice;
use super::table;
use crate::ports::ProducedFile;

pub use self::work::Order;

/// Sessions may end between listing and report: a slice is asked for this often before a difference counts.
const COMPARED: u32 = 4;
/// The newest slices are repeated at most so often. What is new then began or ended meanwhile, and the range reaches only some
/// minutes beyond now.
const MAX_PASSES: u32 = 20;

/// What an extraction gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The manifest, which lists every file with its hash, the table of sessions, and the list of what is lacking, if anything is.
    pub files: Vec<ProducedFile>,
    /// Sessions, each counted once.
    pub sessions: u64,
    /// What the whole folder takes, reports and recordings included.
    pub bytes: u64,
    /// Recordings that could not be had.
    pub missing: u64,
}

/// Fetches the records of every session that ended from `since` to `until`, or is open.
///
/// # Effect
/// Load on the box. Nothing changes there.
///
/// # Repeat
/// Safe; goes on where an earlier attempt of the step has stopped.
///
/// # Errors
/// `Unusable` also where report and listing of the same slice don't hold the same sessions, with both counts, and where new
/// sessions don't cease to appear. What is whole stays in the folder then, for the next attempt; the last line of its
/// manifest is lacking, as it is until [`Fetched::complete`].
pub async fn extract<'a>(order: &'a Order<'a>) -> Result<Fetched<'a>, CallError> {
    let mut work = Work::begin(order).await?;
    let (open, closed) = order.slices();
    for slice in &open {
        work.open(*slice).await?;
    }
    for slice in &closed {
        work.closed(*slice).await?;
    }
    let passes = work.settle(&open, &closed).await?;
    let missing = work.recordings().await?;
    Ok(Fetched { work, passes, missing })
}

/// Everything is there, and not called complete yet: the box may be asked once more who it is.
pub struct Fetched<'a> {
    work: Work<'a>,
    passes: u32,
    missing: Vec<Lacking>,
}

impl Fetched<'_> {
    /// Writes the table and the manifest's last line.
    ///
    /// # Errors
    /// What can't be written or read here.
    pub async fn complete(self) -> Result<Extraction, CallError> {
        self.work.finish(self.passes, &self.missing).await
    }

    /// Takes the manifest away, by which a later attempt would go on from what was fetched; the files stay for people to look at.
    pub fn disown(self, why: CallError) -> CallError {
        let path = self.work.order.directory.join(manifest::NAME);
        let aside = path.with_extension("jsonl.void");
        std::fs::rename(&path, &aside).map_or_else(|error| local(&path, &error), |()| why)
    }
}

impl Work<'_> {
    /// Sessions that began in a slice, also those without an end. New ones among them.
    async fn open(&mut self, slice: Slice) -> Result<usize, CallError> {
        let question = self.order.question(self.order.product.sessions(), "start_time", slice);
        let found = match self.kept(&question).await? {
            Some(found) => found,
            None => {
                let asked = self.order.clock.now();
                let answer = self.ask(&question).await?;
                self.keep(&question, answer, asked)?
            }
        };
        self.lsids.join(&found.lsids)
    }

    /// Sessions that ended in a slice, the same ones as the box lists. New ones among them.
    async fn closed(&mut self, slice: Slice) -> Result<usize, CallError> {
        let question = self.order.question(self.order.product.sessions(), "end_time", slice);
        let listing = self.order.question(self.order.product.listing(), "end_time", slice);
        let mut known = self.kept(&question).await?;
        let mut counts = (0, 0);
        for _ in 0..COMPARED {
            let asked = self.order.clock.now();
            let listed = self.ask(&listing).await?;
            let (answer, found) = match known.take() {
                Some(found) => (None, found),
                None => {
                    let answer = self.ask(&question).await?;
                    let found = answer.found.clone();
                    (Some(answer), found)
                }
            };
            counts = (listed.found.lsids.len(), found.lsids.len());
            if listed.found.lsids == found.lsids {
                self.keep(&listing, listed, asked)?;
                answer.map(|answer| self.keep(&question, answer, asked)).transpose()?;
                return self.lsids.join(&found.lsids);
            }
        }
        Err(differs(&question, counts))
    }

    /// Asks for the newest slices again until a pass brings nothing new; how many passes it took.
    async fn settle(&mut self, open: &[Slice], closed: &[Slice]) -> Result<u32, CallError> {
        let mut new = 0;
        for pass in 2..=MAX_PASSES {
            let now = self.order.clock.now();
            let newest = |slices: &[Slice]| slices.iter().filter(|slice| !slice.is_over(now)).copied().collect::<Vec<_>>();
            new = 0;
            for slice in newest(open) {
                new += self.open(slice).await?;
            }
            for slice in newest(closed) {
                new += self.closed(slice).await?;
            }
            if new == 0 {
                return Ok(pass);
            }
        }
        Err(CallError::Unusable(format!(
            "in {MAX_PASSES} passes new sessions never ceased to appear ({new} in the last one); close the box to clients, or \
             let it drain, before its data are extracted"
        )))
    }

    async fn finish(mut self, passes: u32, missing: &[Lacking]) -> Result<Extraction, CallError> {
        let (directory, reports, recordings) = (self.order.directory.to_owned(), self.reports(), self.order.recordings);
        let (table, sessions) = blocking(move || table::write(&directory, &reports, recordings)).await?;
        let at = self.order.clock.now();
        self.manifest.add(&table, Of::Table { sessions }, at)?;
        let mut files = vec![table];
        if !missing.is_empty() {
            let list = list(self.order.directory, missing)?;
            self.manifest.add(&list, Of::Missing { recordings: missing.len() as u64 }, at)?;
            tracing::warn!(site = %self.order.source.site, node = %self.order.source.node, missing = missing.len(),
                list = %list.path.display(), "recordings could not be fetched; the records of their sessions are there");
            files.push(list);
        }
        let kept = self.manifest.entries.iter().filter(|entry| matches!(entry.of, Of::Recording { .. })).count() as u64;
        let complete = Line::Complete { sessions, recordings: kept, missing: missing.len() as u64, passes, at };
        let listed = self.manifest.entries.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.bytes));
        let manifest = self.manifest.finish(&complete)?;
        let bytes = listed.saturating_add(manifest.bytes);
        files.insert(0, manifest);
        Ok(Extraction { files, sessions, bytes, missing: missing.len() as u64 })
    }
}

fn differs(question: &Question, (listed, reported): (usize, usize)) -> CallError {
    let Slice { start, seconds } = question.slice;
    let from = Timestamp::from_second(start).map_or_else(|_| start.to_string(), |at| at.to_string());
    CallError::Unusable(format!(
        "of the {seconds} s from {from} the box lists {listed} closed sessions and its report has {reported}, also when asked \
         {COMPARED} times; the same sessions were expected in both. What was fetched is kept for the next attempt; if it stays so, \
         look whether the API account may see every session, and ask the vendor"
    ))
}
