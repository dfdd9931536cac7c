//! `changeover status [RUN|SITE]`: where things stand.

use clap::Args;
use serde_json::Value;

use crate::domain::ids::RunId;
use crate::server::view;

use super::client::{Client, Reply};
use super::{Daemon, Exit, Failure, Format, Run, output, page, runs};

/// Show where a run stands, why, whose move it is, and what may be done by hand
#[derive(Args)]
pub struct Status {
    /// A run, or a site for its newest run; without it all runs are listed
    #[arg(value_name = "RUN|SITE")]
    what: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Status {
    fn run(&self) -> Result<Exit, Failure> {
        let Some(what) = &self.what else { return runs::list(&self.daemon, &self.format) };
        let reply = find(&Client::new(&self.daemon)?, what)?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else if reply.read::<Value>()?["run"].is_null() {
            eprintln!("site `{what}` had no run yet");
        } else if !reply.read::<Value>()?["untouched"].is_null() {
            output::say(&page::of_untouched(&reply.read::<view::LeftUntouched>()?))?;
        } else {
            output::say(&page::of(&reply.read::<view::Status>()?))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// A run by its id, else the newest run of a site: a site may be called like a run.
fn find(client: &Client, what: &str) -> Result<Reply, Failure> {
    if what.parse::<RunId>().is_err() {
        return client.get(&["sites", what, "status"]);
    }
    client.get(&["runs", what]).or_else(|failure| client.get(&["sites", what, "status"]).map_err(|_| failure))
}
