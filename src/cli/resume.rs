//! `changeover resume RUN`: go on, perhaps in another window.

use clap::Args;
use serde_json::json;

use crate::server::view::Status;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold, order, output};

/// Let a run go on, also with a new window when one closed or was missed
#[derive(Args)]
pub struct Resume {
    /// The run
    run: String,
    /// Another window for the step where the run stands; also `next`, `next NAME`
    #[arg(long, value_name = "WINDOW", value_parser = order::window)]
    window: Option<String>,
    /// Another window one
    #[arg(long, value_name = "WINDOW", value_parser = order::window, conflicts_with = "window")]
    first: Option<String>,
    /// Another window two
    #[arg(long, value_name = "WINDOW", value_parser = order::window, conflicts_with = "window")]
    second: Option<String>,
    /// The user who is responsible for window two from now on
    #[arg(long, value_name = "USER", conflicts_with = "window")]
    responsible: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Resume {
    fn run(&self) -> Result<Exit, Failure> {
        let given = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let fields = [
            ("window", given(&self.window)),
            ("first", given(&self.first)),
            ("second", given(&self.second)),
            ("responsible", given(&self.responsible)),
        ];
        let reply = Client::new(&self.daemon)?.tell(&self.run, "resume", &body(&fields))?;
        let exit = hold::taken(&reply, &self.format)?;
        if !self.format.json && [&self.window, &self.first, &self.second].into_iter().any(Option::is_some) {
            let status: Status = reply.read()?;
            status.windows_overlap().iter().for_each(|text| output::tell(&format!("note: {text}")));
        }
        Ok(exit)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
