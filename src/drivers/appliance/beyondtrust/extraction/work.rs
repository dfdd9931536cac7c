//! An extraction under way: what is asked, and what is kept of the answers in the attempt's folder and its manifest.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::super::answer::CallError;
use super::super::client::Api;
use super::super::lsids::Lsids;
use super::super::manifest::{Entry, Manifest, Of, Source};
use super::super::product::Product;
use super::super::reporting::{Answer, Found, Question, ask, blocking, found_in};
use super::super::slices::{Slice, earlier, slices};
use super::super::table::Report;
use crate::ports::Clock;

/// How long before the range a session without an end may have begun; one that began earlier is not found.
const OPEN_SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);

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

impl Order<'_> {
    /// For sessions without an end, and for closed ones.
    pub(super) fn slices(&self) -> (Vec<Slice>, Vec<Slice>) {
        (slices(earlier(self.since, OPEN_SINCE), self.until), slices(self.since, self.until))
    }

    pub(super) fn question(&self, report: &'static str, by: &'static str, slice: Slice) -> Question {
        Question { report, by, slice }
    }
}

/// One extraction under way.
pub(super) struct Work<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) manifest: Manifest,
    /// Every session so far.
    pub(super) lsids: Lsids,
}

impl<'a> Work<'a> {
    pub(super) async fn begin(order: &'a Order<'a>) -> Result<Self, CallError> {
        let (directory, source) = (order.directory.to_owned(), order.source.clone());
        let (since, until, recordings) = (order.since, order.until, order.recordings);
        let manifest = blocking(move || Manifest::begin(&directory, &source, since, until, recordings)).await?;
        Ok(Self { order, manifest, lsids: Lsids::default() })
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, CallError> {
        let directory = self.order.directory;
        ask(self.order.api, question, directory, &free_name(directory, question)).await
    }

    /// Puts an answer in place, unless the last one to the same question was the same to the byte.
    pub(super) fn keep(&mut self, question: &Question, answer: Answer, at: Timestamp) -> Result<Found, CallError> {
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
    pub(super) async fn kept(&self, question: &Question) -> Result<Option<Found>, CallError> {
        let Some(entry) = self.newest(question) else { return Ok(None) };
        let settled = matches!(entry.of, Of::Report { open: 0, .. }) && question.slice.is_over(entry.at);
        if !settled {
            return Ok(None);
        }
        found_in(self.manifest.path_of(entry)).await.map(Some)
    }

    /// The reports in the order of trust: by the time of the end first, of each slice the newest answer first.
    pub(super) fn reports(&self) -> Vec<Report> {
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
}

/// A name that no file of the folder has: what the manifest lists is never replaced.
fn free_name(directory: &Path, question: &Question) -> String {
    let stem = question.stem();
    let numbered = (2..=u32::MAX).map(|number| format!("{stem}-{number}.xml"));
    let names = std::iter::once(format!("{stem}.xml")).chain(numbered);
    names.into_iter().find(|name| !directory.join(name).exists()).unwrap_or_else(|| format!("{stem}.xml"))
}
