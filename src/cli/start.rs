//! `changeover start SITE …`: starts a run and prints its id. It never asks; gates do.

use clap::Args;

use crate::server::view::{Started, Status};

use super::client::Client;
use super::order::Order;
use super::{Daemon, Exit, Failure, Format, Run, output, page};

/// Start a run; prints its id
#[derive(Args)]
pub struct Start {
    #[command(flatten)]
    order: Order,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Start {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let reply = client.order(&self.order.site, &["runs"], &self.order.request()?)?;
        let Started { run } = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&run.to_string())?;
            // The run is started: what can't be told of it now, `status` tells.
            if let Ok(status) = client.get(&["runs", &run.to_string()]).and_then(|reply| reply.read::<Status>()) {
                page::windows(&status).iter().for_each(|(name, text)| output::tell(&format!("{name}: {text}")));
                status.windows_overlap().iter().for_each(|text| output::tell(&format!("note: {text}")));
            }
            output::tell(&format!("follow it with `changeover watch {run}`"));
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
