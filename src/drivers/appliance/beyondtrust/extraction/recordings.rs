//! The recordings of the sessions that were found: asked for in rounds, and a list of those that can't be had.
//!
//! A recording may still be made ready, or be refused by itself; an account that lacks the right to all of them is found out
//! before each one was asked for.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::super::answer::CallError;
use super::super::download::local;
use super::super::manifest::{Of, hash};
use super::super::private;
use super::super::recordings::{Wanted, fetch, what};
use super::super::reporting::blocking;
use super::super::slices::Slice;
use super::super::table::{self, Report};
use super::work::{Order, Work};
use crate::ports::ProducedFile;

/// Recordings are asked for in so many rounds: a recording may still be made ready.
const ROUNDS: u32 = 3;
/// After so many refusals, and not one recording had, the account lacks the right to them: the others are not asked for.
const MOST_REFUSED: usize = 20;
/// Before the reason of those.
const NOT_ASKED: &str = "not asked for, as all before were refused: ";
/// The list of recordings that are lacking, if any is.
const MISSING: &str = "missing-recordings.csv";

/// A recording that could not be had, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lacking {
    wanted: Wanted,
    why: String,
}

impl Work<'_> {
    /// Fetches every recording that the reports name; those that could not be had.
    pub(super) async fn recordings(&mut self) -> Result<Vec<Lacking>, CallError> {
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
        let file = fetch(api, product, wanted, directory).await?;
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

pub(super) fn list(directory: &Path, missing: &[Lacking]) -> Result<ProducedFile, CallError> {
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
