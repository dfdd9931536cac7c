//! `changeover acknowledge RUN LINE`: a person has seen what the next sync overwrites.

use clap::Args;
use serde_json::json;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold, ledger, output};
use crate::server::view::Ledger;

/// Say that you have seen one line of the ledger: what the next sync overwrites
#[derive(Args)]
pub struct Acknowledge {
    /// The run
    run: String,
    /// The line's id, as `changeover ledger` lists it; there is no word for all lines
    line: String,
    /// The line's digest as you saw it, or its first 12 digits; without it the line is shown as it is now, and that is meant
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
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
        let client = Client::new(&self.daemon)?;
        let digest = match &self.digest {
            Some(digest) => Some(digest.clone()),
            None => self.show(&client)?,
        };
        let (note, digest) = (self.note.as_ref().map(|note| json!(note)), digest.map(|digest| json!(digest)));
        let fields = [("line", Some(json!(self.line))), ("digest", digest), ("note", note)];
        let reply = client.tell(&self.run, "acknowledge", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Acknowledge {
    /// Shows the line as it is now, and gives its digest. Where there is none the daemon says what is wrong with the word.
    fn show(&self, client: &Client) -> Result<Option<String>, Failure> {
        let ledger: Ledger = client.get(&["runs", &self.run, "ledger"])?.read()?;
        let Some(line) = ledger.lines.into_iter().find(|line| line.id == self.line) else { return Ok(None) };
        output::tell(&ledger::told_line(&line));
        Ok(Some(line.digest))
    }
}
