//! `changeover hold RUN`: stop at the next safe point.

use clap::Args;
use serde_json::json;

use crate::server::view;

use super::client::{Client, Reply};
use super::{Daemon, Exit, Failure, Format, Run, output, page};

/// Stop a run at the next safe point
#[derive(Args)]
pub struct Hold {
    /// The run
    run: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Hold {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.tell(&self.run, "hold", &json!({}))?;
        taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// Prints where the run stands after a person's word.
pub fn taken(reply: &Reply, format: &Format) -> Result<Exit, Failure> {
    if format.json {
        output::raw(reply.text()?)?;
    } else {
        let status: view::Status = reply.read()?;
        let differs = status.guide.iter().flat_map(|guide| &guide.differs);
        let differs: String = differs.map(|differs| format!("\nnot as the plan has it: {differs}")).collect();
        output::say(&format!("run `{}`: {}{differs}", status.run, page::standing(&status)))?;
    }
    Ok(Exit::Done)
}
