//! `changeover node replace SITE NODE --identity I`: a box was replaced.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::ids::NodeId;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, hold};

/// Tell the open run of a site about its boxes
#[derive(Subcommand)]
pub enum Node {
    Replace(Replace),
}

impl Node {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Replace(command) => command,
        }
    }
}

/// Another box stands where a node stood: the site's open run is held and forgets what it knew of the old one
#[derive(Args)]
pub struct Replace {
    /// The site
    site: String,
    /// The node, `a` or `b`
    node: NodeId,
    /// The new box's identity, as the site's file has it by now
    #[arg(long, value_name = "IDENTITY")]
    identity: String,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Replace {
    fn run(&self) -> Result<Exit, Failure> {
        let fields = [("identity", Some(json!(self.identity))), ("note", self.note.as_ref().map(|note| json!(note)))];
        let path = ["sites", &self.site, "nodes", self.node.as_str(), "replace"];
        let reply = Client::new(&self.daemon)?.post(&path, &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}
