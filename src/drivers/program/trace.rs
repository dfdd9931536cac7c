//! `exec/<slot>.json`: the program of the slot's last act, durable before it runs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::group::Process;
use super::{Call, Intent};

/// More than any trace: key, step and verb are short.
const MOST_BYTES: u64 = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trace {
    /// The intent's key.
    pub intent: String,
    pub step: String,
    pub verb: String,
    #[serde(flatten)]
    pub process: Process,
    /// When the program was started, run time.
    pub since: Timestamp,
    /// From `since`, run time.
    pub limit_ms: i64,
}

impl Trace {
    pub fn of(pid: Option<u32>, call: &Call, intent: &Intent, now: Timestamp) -> Result<Self, String> {
        let pid = pid.ok_or("it ended at once")?;
        Ok(Self {
            intent: intent.key.clone(),
            step: intent.step.clone(),
            verb: call.verb.clone(),
            process: Process::find(pid)?,
            since: now,
            limit_ms: i64::try_from(intent.limit.as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// When the program is ended, run time.
    pub fn deadline(&self) -> Timestamp {
        self.since.checked_add(SignedDuration::from_millis(self.limit_ms)).unwrap_or(Timestamp::MAX)
    }

    /// Returns when the trace is durable, in place of the one before.
    pub async fn write(self, folder: PathBuf, slot: String) -> Result<(), String> {
        let written = tokio::task::spawn_blocking(move || self.replace(&folder, &slot));
        written.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn replace(&self, folder: &Path, slot: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let beside = folder.join(format!("{slot}.json.new"));
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, path(folder, slot))?;
        File::open(folder)?.sync_all()
    }

    /// The slot's last trace, if there is one.
    pub fn read(folder: &Path, slot: &str) -> Result<Option<Self>, String> {
        let file = match File::open(path(folder, slot)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| error.to_string())?;
        serde_json::from_slice(&text).map(Some).map_err(|error| error.to_string())
    }
}

pub(super) fn path(folder: &Path, slot: &str) -> PathBuf {
    folder.join(format!("{slot}.json"))
}
