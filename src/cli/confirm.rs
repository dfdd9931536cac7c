//! `changeover confirm RUN [GATE]`: a person's word at a gate.

use clap::Args;
use serde_json::json;

use crate::domain::gate::Gate;
use crate::server::view::Status;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold, output, page};

/// Answer the gate that a run waits at
#[derive(Args)]
pub struct Confirm {
    /// The run
    run: String,
    /// The gate; without it the only open one
    gate: Option<String>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The hash of the handover note that you read: refused if the note has changed since
    #[arg(long, value_name = "HASH", conflicts_with_all = ["accept_early", "reject"])]
    read: Option<String>,
    /// Accept before the shortest soak is over
    #[arg(long, conflicts_with = "reject")]
    accept_early: bool,
    /// What you saw, by its hash in `changeover status`; refused if it has changed since
    #[arg(long, value_name = "HASH")]
    evidence: Option<String>,
    /// Say no: the run is held
    #[arg(long)]
    reject: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Confirm {
    fn run(&self) -> Result<Exit, Failure> {
        let verdict = match (self.accept_early, self.reject) {
            (true, _) => "accept_early",
            (_, true) => "reject",
            _ => "accept",
        };
        let client = Client::new(&self.daemon)?;
        let evidence = match &self.evidence {
            Some(hash) => Some(hash.clone()),
            None => self.shown(&client),
        };
        let fields = [
            ("gate", self.gate.as_ref().map(|gate| json!(gate))),
            ("note", self.note.as_ref().map(|note| json!(note))),
            ("verdict", Some(json!(verdict))),
            ("read", self.read.as_ref().map(|read| json!(read))),
            ("evidence", evidence.map(|hash| json!(hash))),
        ];
        let reply = client.tell(&self.run, "confirm", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Confirm {
    /// Shows what the gate shows, and gives its hash. Where there is nothing to show the daemon says what is wrong with the word.
    fn shown(&self, client: &Client) -> Option<String> {
        let status: Status = client.get(&["runs", &self.run]).and_then(|reply| reply.read()).ok()?;
        let meant = |gate: Gate| self.gate.as_ref().map_or(gate.is_asked(), |named| named == gate.name());
        let state = status.gate_state.filter(|state| meant(state.gate))?;
        output::tell(&page::evidence(&state));
        Some(state.hash)
    }
}
