//! `changeover abort RUN`: the way home, shown before it is taken.

use clap::Args;
use serde_json::json;

use crate::server::view::{Way, Ways};

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, ask, hold, output, way};

/// Give the run up and take the way home; shows it and asks
#[derive(Args)]
pub struct Abort {
    /// The run
    run: String,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Abort {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let ways: Ways = client.get(&["runs", &self.run, "way"])?.read()?;
        output::tell(&way::page(&ways));
        // Without a way, or while none may be ordered, the daemon says what to do.
        if let (Some(best), None, false) = (&ways.way, &ways.not_now, self.yes) {
            ask::sure(&what(&ways, best), "take this way?")?;
        }
        let reply = client.tell(&self.run, "abort", &self.word(&ways))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Abort {
    /// What was shown is what is agreed to: the way in any case, and the record too where a person was asked.
    fn word(&self, ways: &Ways) -> serde_json::Value {
        let ids = |way: &Way| json!(way.steps.iter().map(|step| &step.id).collect::<Vec<_>>());
        body(&[
            ("way", ways.way.as_ref().map(ids)),
            ("note", self.note.as_ref().map(|note| json!(note))),
            ("seq", (!self.yes).then(|| json!(ways.seq))),
        ])
    }
}

fn what(ways: &Ways, way: &Way) -> String {
    match way.node {
        None => format!("this gives run `{}` up and leads site `{}` home", ways.run, ways.site),
        Some(node) => format!("this gives run `{}` up and leaves node {node} serving without failover", ways.run),
    }
}
