//! `changeover release RUN --note T`: other sites may go the path that this run has gone (R11).

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};
use crate::server::view::Status;

/// Let the sites that ask for a rehearsal count on a run that has succeeded
#[derive(Args)]
pub struct Release {
    /// The run, on the rehearsal site
    run: String,
    /// What was tried and found good, for the journal; or why the release ends
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// Take the release back: runs that count on it go no further
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Release {
    fn run(&self) -> Result<Exit, Failure> {
        let body = json!({ "note": self.note, "withdraw": self.withdraw });
        let reply = Client::new(&self.daemon)?.tell(&self.run, "release", &body)?;
        if self.format.json {
            output::raw(reply.text()?)?;
            return Ok(Exit::Done);
        }
        let status: Status = reply.read()?;
        output::say(&match &status.released {
            Some(released) => format!("run `{}`: released by {} at {}", status.run, released.by, released.at),
            None => format!("run `{}`: the release is withdrawn", status.run),
        })?;
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
