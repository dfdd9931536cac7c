//! One call of the reporting API: a report of sessions, streamed to disk and read as a stream (R9, BG-50).

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use reqwest::Method;

use super::answer::{CallError, check_streamed, within};
use super::call::Call;
use super::client::Api;
use super::download::{Downloaded, local};
use super::lsids::Lsids;
use super::sessions::each_session;
use super::slices::Slice;
use super::token::Token;

/// Bounds one report on disk; its parsing needs memory only for the ids.
const MAX_REPORT: u64 = 4 << 30;
/// A call whose answer breaks off is made this often before the attempt is given up.
const TRIES: u32 = 3;

/// Which report is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub report: &'static str,
    /// `start_time` gives open sessions too, `end_time` only closed ones.
    pub by: &'static str,
    pub slice: Slice,
}

impl Question {
    /// The file's name without a number and an ending.
    pub fn stem(&self) -> String {
        format!("{}-{}-{}-{}", self.report, self.by, self.slice.start, self.slice.seconds)
    }
}

/// What a report holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub lsids: Lsids,
    /// How many of them have no end.
    pub open: u64,
}

/// A whole answer under its temporary name, and what it holds.
pub struct Answer {
    pub file: Downloaded,
    pub found: Found,
}

/// Asks for a report. Its file stays only if the caller keeps it.
///
/// # Effect
/// Load on the box. Nothing changes there.
///
/// # Repeat
/// Safe; made up to three times here while the answer breaks off.
///
/// # Errors
/// As the call says; `Unusable` for an answer that is no whole report.
///
/// # Source
/// Vendor documentation of the reporting API: `end_time` gives only closed sessions, `start_time` open ones too.
pub async fn ask(api: &Api, question: &Question, directory: &Path, name: &str) -> Result<Answer, CallError> {
    let call = Call {
        method: Method::GET,
        path: "/api/reporting",
        query: vec![
            ("generate_report", question.report.to_owned()),
            (question.by, question.slice.start.to_string()),
            ("duration", question.slice.seconds.to_string()),
        ],
    };
    let mut tries = 1;
    loop {
        match api.authorised(|token| download(api, token, &call, directory, name)).await {
            Err(CallError::Lost(error)) if tries < TRIES => {
                tracing::info!(report = %question.stem(), tries, %error, "a report broke off and is asked for again");
                tries += 1;
            }
            other => return other,
        }
    }
}

async fn download(api: &Api, token: Token, call: &Call<'_>, directory: &Path, name: &str) -> Result<Answer, CallError> {
    let response = within(api.limits.first_byte, "no beginning of the report", api.send(&token, call)).await?;
    let response = check_streamed(response).await?;
    let file = Downloaded::receive(response, directory, name, MAX_REPORT, &api.limits).await?;
    let found = found_in(file.temporary().to_owned()).await?;
    Ok(Answer { file, found })
}

/// Reads a report on a thread for blocking work: it may be long.
pub async fn found_in(path: PathBuf) -> Result<Found, CallError> {
    let read = move || {
        let file = File::open(&path).map_err(|error| local(&path, &error))?;
        let mut found = Found::default();
        each_session(BufReader::new(file), |session| {
            found.open += u64::from(!session.end.is_stated());
            found.lsids.insert(&session.lsid).map(drop)
        })?;
        Ok(found)
    };
    blocking(read).await
}

/// Runs what blocks beside the loop.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, CallError> + Send + 'static) -> Result<T, CallError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CallError::Local(format!("a report was not read: {error}")))?
}
