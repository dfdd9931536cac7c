//! The course of an extraction of session records (R9, BG-50 to BG-52).
//!
//! Sessions without an end (still open, or ended abnormally) are found by the time of their start, closed ones by the time of
//! their end, in slices that overlap; each slice of closed ones is compared with the box's own listing. Then the newest slices
//! are asked for again until nothing new appears, recordings are fetched, and the table is written. Every report is kept
//! as received, also an empty one: it is the evidence. What is whole survives the attempt (`manifest`).

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::answer::CallError;
use super::client::Api;
use super::download::local;
use super::lsids::Lsids;
use super::manifest::{self, Entry, Line, Manifest, Of, Source, hash};
use super::private;
use super::product::Product;
use super::recordings::{self, Wanted, what};
use super::reporting::{Answer, Found, Question, ask, blocking, found_in};
use super::slices::{Slice, earlier, slices};
use super::table::{self, Report};
use crate::ports::{Clock, ProducedFile};

/// How long before the range a session without an end may have begun; one that began earlier is not found.
const OPEN_SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Sessions may end between listing and report: a slice is asked for this often before a difference counts.
const COMPARED: u32 = 4;
/// The newest slices are repeated at most so often. What is new then began or ended meanwhile, and the range reaches only some
/// minutes beyond now.
const MAX_PASSES: u32 = 20;
/// Recordings are asked for in so many rounds: a recording may still be made ready.
const ROUNDS: u32 = 3;
/// After so many refusals, and not one recording had, the account lacks the right to them: the others are not asked for.
const MOST_REFUSED: usize = 20;
/// Before the reason of those.
const NOT_ASKED: &str = "not asked for, as all before were refused: ";
/// The list of recordings that are lacking, if any is.
const MISSING: &str = "missing-recordings.csv";

/// What is to be extracted.
pub struct Order<'a> {
    pub api: &'a Api,
    pub clock: &'a dyn Clock,
    pub product: Product,
    /// Recordings too, not only records.
    pub recordings: bool,
    pub since: Timestamp,
    pub until: Timestamp,
    /// This attempt's own folder.
    pub directory: &'a Path,
    pub source: Source,
}

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

impl Order<'_> {
    /// For sessions without an end, and for closed ones.
    fn slices(&self) -> (Vec<Slice>, Vec<Slice>) {
        (slices(earlier(self.since, OPEN_SINCE), self.until), slices(self.since, self.until))
    }

    fn question(&self, report: &'static str, by: &'static str, slice: Slice) -> Question {
        Question { report, by, slice }
    }
}

/// A recording that could not be had, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lacking {
    wanted: Wanted,
    why: String,
}

/// One extraction under way.
struct Work<'a> {
    order: &'a Order<'a>,
    manifest: Manifest,
    /// Every session so far.
    lsids: Lsids,
}

impl<'a> Work<'a> {
    async fn begin(order: &'a Order<'a>) -> Result<Self, CallError> {
        let (directory, source) = (order.directory.to_owned(), order.source.clone());
        let (since, until, recordings) = (order.since, order.until, order.recordings);
        let manifest = blocking(move || Manifest::begin(&directory, &source, since, until, recordings)).await?;
        Ok(Self { order, manifest, lsids: Lsids::default() })
    }

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

    async fn ask(&self, question: &Question) -> Result<Answer, CallError> {
        let directory = self.order.directory;
        ask(self.order.api, question, directory, &free_name(directory, question)).await
    }

    /// Puts an answer in place, unless the last one to the same question was the same to the byte.
    fn keep(&mut self, question: &Question, answer: Answer, at: Timestamp) -> Result<Found, CallError> {
        let Answer { file, found } = answer;
        if self.newest(question).is_some_and(|entry| entry.sha256 == file.sha256()) {
            return Ok(found);
        }
        let of = Of::Report {
            report: question.report.to_owned(),
            by: question.by.to_owned(),
            slice: question.slice,
            sessions: found.lsids.len() as u64,
            open: found.open,
        };
        self.manifest.add(&file.keep()?, of, at)?;
        Ok(found)
    }

    /// The newest answer to a question.
    fn newest(&self, question: &Question) -> Option<&Entry> {
        self.manifest.entries.iter().rev().find(|entry| match &entry.of {
            Of::Report { report, by, slice, .. } => report == question.report && by == question.by && *slice == question.slice,
            _ => false,
        })
    }

    /// What an earlier attempt has of a question, if it can't be otherwise now: the slice was over then, and no session in it
    /// was without an end.
    async fn kept(&self, question: &Question) -> Result<Option<Found>, CallError> {
        let Some(entry) = self.newest(question) else { return Ok(None) };
        let settled = matches!(entry.of, Of::Report { open: 0, .. }) && question.slice.is_over(entry.at);
        if !settled {
            return Ok(None);
        }
        found_in(self.manifest.path_of(entry)).await.map(Some)
    }

    /// The reports in the order of trust: by the time of the end first, of each slice the newest answer first.
    fn reports(&self) -> Vec<Report> {
        let mut found = Vec::new();
        for (age, entry) in self.manifest.entries.iter().rev().enumerate() {
            if let Of::Report { report, by, slice, .. } = &entry.of
                && report == self.order.product.sessions()
            {
                let report = Report { path: self.manifest.path_of(entry), name: entry.file.clone() };
                found.push(((by != "end_time", *slice, age), report));
            }
        }
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, report)| report).collect()
    }

    /// Fetches every recording that the reports name; those that could not be had.
    async fn recordings(&mut self) -> Result<Vec<Lacking>, CallError> {
        if !self.order.recordings {
            return Ok(Vec::new());
        }
        let reports = self.reports();
        let mut left = blocking(move || wanted(&reports)).await?;
        let done: HashSet<&str> = self.manifest.entries.iter().map(|entry| entry.file.as_str()).collect();
        left.retain(|wanted| !done.contains(wanted.file_name().as_str()));
        let mut refused = Vec::new();
        for round in 1..=ROUNDS {
            let late;
            (late, refused) = self.round(left, refused).await?;
            if late.is_empty() || round == ROUNDS {
                return Ok(refused.into_iter().chain(late).collect());
            }
            tokio::time::sleep(self.order.api.limits.recording_wait).await;
            left = late.into_iter().map(|lacking| lacking.wanted).collect();
        }
        Ok(refused)
    }

    /// Asks once for each; those that may come later, and those that are refused, now and before.
    async fn round(&mut self, wanted: Vec<Wanted>, mut refused: Vec<Lacking>) -> Result<(Vec<Lacking>, Vec<Lacking>), CallError> {
        let mut late = Vec::new();
        for wanted in wanted {
            if let Some(why) = self.is_futile(&refused) {
                refused.push(Lacking { wanted, why });
                continue;
            }
            match self.recording(&wanted).await {
                Ok(()) => {}
                Err(error @ (CallError::Local(_) | CallError::NotReached(_))) => return Err(error),
                Err(CallError::Denied(why)) if self.account_is_good().await? => refused.push(Lacking { wanted, why }),
                Err(error) => late.push(Lacking { wanted, why: error.to_string() }),
            }
        }
        Ok((late, refused))
    }

    async fn recording(&mut self, wanted: &Wanted) -> Result<(), CallError> {
        let Order { api, product, directory, .. } = *self.order;
        let asked = self.order.clock.now();
        let file = recordings::fetch(api, product, wanted, directory).await?;
        self.manifest.add(&file, Of::Recording { lsid: wanted.lsid.clone() }, asked)
    }

    /// A refusal is of one recording, or of the account or its token: a short listing, which was had before, tells which. False if it
    /// took a new token, with which the recording may be had in the next round. With an account that is refused nothing more is asked.
    async fn account_is_good(&self) -> Result<bool, CallError> {
        let slice = Slice { start: self.order.until.as_second(), seconds: 1 };
        let token = self.order.api.access.serial().await;
        match self.ask(&self.order.question(self.order.product.listing(), "end_time", slice)).await {
            Err(error @ CallError::Denied(_)) => Err(error),
            _ => Ok(self.order.api.access.serial().await == token),
        }
    }

    /// Why no further recording is asked for: many were refused, and none was had.
    fn is_futile(&self, refused: &[Lacking]) -> Option<String> {
        let none = || !self.manifest.entries.iter().any(|entry| matches!(entry.of, Of::Recording { .. }));
        let last = refused.last().filter(|_| refused.len() >= MOST_REFUSED && none())?;
        Some(match last.why.strip_prefix(NOT_ASKED) {
            Some(_) => last.why.clone(),
            None => format!("{NOT_ASKED}{}", last.why),
        })
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

/// A name that no file of the folder has: what the manifest lists is never replaced.
fn free_name(directory: &Path, question: &Question) -> String {
    let stem = question.stem();
    let numbered = (2..=u32::MAX).map(|number| format!("{stem}-{number}.xml"));
    let names = std::iter::once(format!("{stem}.xml")).chain(numbered);
    names.into_iter().find(|name| !directory.join(name).exists()).unwrap_or_else(|| format!("{stem}.xml"))
}

/// Every recording that the reports name, once.
fn wanted(reports: &[Report]) -> Result<Vec<Wanted>, CallError> {
    let mut wanted = Vec::new();
    table::each_once(reports, |_, session| {
        wanted.extend(Wanted::of(&session));
        Ok(())
    })?;
    Ok(wanted)
}

fn list(directory: &Path, missing: &[Lacking]) -> Result<ProducedFile, CallError> {
    let path: PathBuf = directory.join(MISSING);
    let failed = |error: std::io::Error| local(&path, &error);
    let file = private::file(&path).map_err(failed)?;
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file);
    let rows = missing.iter().map(|Lacking { wanted, why }| [wanted.lsid.clone(), what(wanted), why.clone()]);
    let head = ["lsid", "recording", "why"].map(str::to_owned);
    std::iter::once(head)
        .chain(rows)
        .try_for_each(|row| table.write_record(row.iter().map(|cell| table::defused(cell))))
        .map_err(std::io::Error::other)
        .map_err(failed)?;
    let whole = table.into_inner().map_err(csv::IntoInnerError::into_error);
    whole.and_then(|mut file| file.flush().and_then(|()| file.sync_all())).map_err(failed)?;
    let (sha256, bytes) = hash(&path).map_err(failed)?;
    Ok(ProducedFile { path, sha256, bytes })
}
