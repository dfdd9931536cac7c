//! `changeover acknowledge RUN LINE`: a person has seen what the next sync overwrites.

use clap::Args;
use serde_json::json;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold};

/// Say that you have seen one line of the ledger: what the next sync overwrites
#[derive(Args)]
pub struct Acknowledge {
    /// The run
    run: String,
    /// The line's id, as `changeover ledger` lists it; there is no word for all lines
    line: String,
    /// What becomes of it, for the journal: entered on the other node, or given up
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Acknowledge {
    fn run(&self) -> Result<Exit, Failure> {
        let fields = [("line", Some(json!(self.line))), ("note", self.note.as_ref().map(|note| json!(note)))];
        let reply = Client::new(&self.daemon)?.tell(&self.run, "acknowledge", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
