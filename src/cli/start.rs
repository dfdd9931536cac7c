//! `changeover start SITE …`: starts a run and prints its id. It never asks; gates do.

use clap::Args;

use crate::server::view::Started;

use super::client::Client;
use super::order::Order;
use super::{Daemon, Exit, Failure, Format, Run, output};

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
        let reply = Client::new(&self.daemon)?.post(&["runs"], &self.order.request()?)?;
        let Started { run } = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&run.to_string())?;
            eprintln!("follow it with `changeover watch {run}`");
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
