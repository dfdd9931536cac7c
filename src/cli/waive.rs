//! `changeover waive RUN RULE`: a promise is set aside for the step where the run stands.

use clap::Args;
use serde_json::json;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold};

/// Set a promise aside for the one step that it stops, with a reason: `in_window` or `rehearsed`
#[derive(Args)]
pub struct Waive {
    /// The run
    run: String,
    /// The promise, by its word
    rule: String,
    /// Why, for the journal and the report
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Waive {
    fn run(&self) -> Result<Exit, Failure> {
        let fields = [("rule", Some(json!(self.rule))), ("reason", Some(json!(self.reason)))];
        let reply = Client::new(&self.daemon)?.tell(&self.run, "waive", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
