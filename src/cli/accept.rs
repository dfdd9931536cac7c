//! `changeover accept RUN NAME`: a person's word on a warning of the preflight.

use clap::Args;
use serde_json::json;

use crate::domain::ids::NodeId;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold};

/// Accept a warning of a run's preflight, as it is found now
#[derive(Args)]
pub struct Accept {
    /// The run
    run: String,
    /// The warning, by the name that `check` and `status` show
    name: String,
    /// Its node, where both nodes have it
    #[arg(long, value_name = "NODE")]
    node: Option<NodeId>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Accept {
    fn run(&self) -> Result<Exit, Failure> {
        let fields = [
            ("check", Some(json!(self.name))),
            ("node", self.node.map(|node| json!(node))),
            ("reason", Some(json!(self.reason))),
        ];
        let reply = Client::new(&self.daemon)?.tell(&self.run, "accept", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
