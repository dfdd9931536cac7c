//! `console/<run>/<step>.json`: how far an act at the pages has gone, durable before it goes further.
//!
//! After a crash it says whether the order can have left, which no page tells with certainty.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::stop::Stop;
use crate::ports::Intent;

/// More than any trace.
const MOST_BYTES: u64 = 4096;

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The package is being sent; its last piece is still here, so the box can't have it.
    Uploading,
    /// The last piece may have left.
    Uploaded,
    /// The button that orders it may have been pressed.
    Pressed,
}

/// The last stage of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub attempt: u32,
    pub stage: Stage,
}

/// Where an act's trace lies.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    attempt: u32,
}

impl Place {
    pub fn of(folder: &Path, intent: &Intent) -> Self {
        Self { path: folder.join(intent.run.to_string()).join(format!("{}.json", intent.step)), attempt: intent.attempt }
    }

    /// Returns when the stage is durable. Blocks.
    ///
    /// # Errors
    /// It could not be written: then the act must go no further.
    pub fn write(&self, stage: Stage) -> Result<(), Stop> {
        self.replace(&Trace { attempt: self.attempt, stage })
            .map_err(|error| Stop::Refused(format!("the trace {} can't be written: {error}", self.path.display())))
    }

    /// As [`Place::write`], beside other work.
    pub async fn mark(&self, stage: Stage) -> Result<(), Stop> {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || this.write(stage)).await;
        written.unwrap_or_else(|error| Err(Stop::Refused(error.to_string())))
    }

    fn replace(&self, trace: &Trace) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        let beside = self.path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(trace)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        File::open(folder)?.sync_all()?;
        // The run's folder may be new itself.
        folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
    }

    /// The step's last trace, of whichever attempt.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub fn read(&self) -> io::Result<Option<Trace>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// The stage of this very attempt.
    pub fn own_stage(&self) -> io::Result<Option<Stage>> {
        Ok(self.read()?.filter(|trace| trace.attempt == self.attempt).map(|trace| trace.stage))
    }
}
