//! `changeover close RUN --as STATE --note T`: the end of a run without an act.

use clap::Args;
use serde_json::json;

use crate::server::view::Status;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, ask, hold, output};

/// End a run without touching anything; shows what is left undone and asks
#[derive(Args)]
pub struct Close {
    /// The run
    run: String,
    /// How things are left, in your words (at most 100 characters): "vendor support has node b", "finished by hand"
    #[arg(long = "as", value_name = "STATE")]
    state: String,
    /// Why, and who goes on, for the journal
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Close {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let status = client.status(&self.run)?;
        // The daemon says why a run that is over can't be closed.
        let is_over = status.outcome.is_some();
        if !is_over {
            output::tell(&shown(&status));
        }
        if !self.yes && !is_over {
            ask::sure(&format!("this ends run `{}` as it stands", status.run), "end the run?")?;
        }
        let seq = (!self.yes).then(|| json!(status.seq));
        let fields = [("state", Some(json!(self.state))), ("note", Some(json!(self.note))), ("seq", seq)];
        let reply = client.tell(&self.run, "close", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// How the run would be left.
fn shown(status: &Status) -> String {
    let mut text = format!("run `{}` ends as it stands; nothing is touched\n", status.run);
    if let Some(step) = &status.step {
        text.push_str(&format!("undone: {} of {} steps, from `{}` on\n", step.of + 1 - step.number, step.of, step.id));
    }
    if let Some(guide) = &status.guide {
        text.push_str(&format!("state: {}\n", guide.state));
        let lines = guide.must_not.iter().map(|line| format!("  - {line}\n"));
        text.push_str(&format!("by hand:\n{}", lines.collect::<String>()));
    }
    if status.unprotected.since.is_some() {
        text.push_str("the pair is without failover: an alert goes out now, and its end is told once the pair is seen linked\n");
    }
    text.trim_end().to_owned()
}
