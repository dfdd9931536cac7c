//! `changeover switch-back RUN`: a person orders traffic back, after seeing what was written on the node being left (R7).

use clap::Args;
use serde_json::json;

use crate::domain::ids::NodeId;
use crate::server::view::Status;

use super::client::{Client, body};
use super::{Daemon, Exit, Failure, Format, Run, ask, hold, output};

/// Order traffic back to the node that it was taken from
#[derive(Args)]
pub struct SwitchBack {
    /// The run
    run: String,
    /// Why, for the journal
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

impl Run for SwitchBack {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let status = client.status(&self.run)?;
        // Where nothing leads back nothing is shown or asked: the daemon says why not.
        if let Some(back) = status.leads_back_to {
            output::tell(&shown(&status, back));
            if !self.yes {
                asked(&status, back)?;
            }
        }
        // What was shown is what is agreed to: if the run has moved on since, the daemon refuses.
        let seq = (!self.yes).then_some(status.seq);
        let fields = [("note", Some(json!(self.note))), ("seq", seq.map(|seq| json!(seq)))];
        let reply = client.tell(&self.run, "switch-back", &body(&fields))?;
        hold::taken(&reply, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// What was written on the node being left, as far as it is known.
fn shown(status: &Status, back: NodeId) -> String {
    let left = back.other();
    let node = &status.nodes[left];
    let count = |count: Option<u32>| count.map_or_else(|| "not told".to_owned(), |count| count.to_string());
    let read = node.observed_at.map_or_else(|| "not read".to_owned(), |at| format!("read {at}"));
    let since = status.nodes[back].served_until.map(|at| format!(" since {at}")).unwrap_or_default();
    let served = if status.survivor == left { "has served" } else { "may have served in part" };
    format!(
        "run `{}`: traffic goes from node {left} back to node {back}\n\
         node {left} {served}{since}: sessions now {}, users now {} ({read})\n\
         what was written on node {left}{since} is not on node {back}; its session data are extracted after it is closed, \
         its settings are not carried over",
        status.run,
        count(node.sessions),
        count(node.users),
    )
}

/// Asks on the terminal; the answer counts for the record that was shown.
fn asked(status: &Status, back: NodeId) -> Result<(), Failure> {
    let what = format!("this moves the service of site `{}` to node {back}", status.site);
    ask::sure(&what, &format!("move the service to node {back}?"))
}
