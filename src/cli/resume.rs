//! `changeover resume RUN`: go on, perhaps in another window.

use clap::Args;
use serde_json::json;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold, order};

/// Let a run go on, also with a new window when one closed or was missed
#[derive(Args)]
pub struct Resume {
    /// The run
    run: String,
    /// Another window for the step where the run stands
    #[arg(long, value_name = "WINDOW", value_parser = order::window)]
    window: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Resume {
    fn run(&self) -> Result<Exit, Failure> {
        let fields = [("window", self.window.as_ref().map(|window| json!(window)))];
        let reply = Client::new(&self.daemon)?.tell(&self.run, "resume", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
