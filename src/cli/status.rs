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
    /// Print the exact procedure to go back or to finish without the daemon
    #[arg(long, requires = "what")]
    by_hand: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Status {
    fn run(&self) -> Result<Exit, Failure> {
        let Some(what) = &self.what else { return runs::list(&self.daemon, &self.format) };
        let reply = find(&Client::new(&self.daemon)?, what, self.by_hand)?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else if reply.read::<Value>()?["run"].is_null() {
            output::tell(&format!("site `{what}` had no run yet"));
        } else if !reply.read::<Value>()?["untouched"].is_null() {
            output::say(&page::of_untouched(&reply.read::<view::LeftUntouched>()?))?;
        } else if self.by_hand {
            output::say(&reply.read::<view::ByHand>()?.text)?;
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
fn find(client: &Client, what: &str, by_hand: bool) -> Result<Reply, Failure> {
    let of_site = || client.get(&["sites", what, if by_hand { "by-hand" } else { "status" }]);
    if what.parse::<RunId>().is_err() {
        return of_site();
    }
    let of_run = if by_hand { client.get(&["runs", what, "by-hand"]) } else { client.get(&["runs", what]) };
    of_run.or_else(|failure| of_site().map_err(|_| failure))
}
