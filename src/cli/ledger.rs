//! `changeover ledger RUN`: what was changed since the break, and what the next sync makes of it.

use std::fmt::Write as _;

use clap::Args;

use crate::server::view;

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// List which settings were changed since failover was broken, and what the next sync makes of each change
#[derive(Args)]
pub struct Ledger {
    /// The run
    run: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Ledger {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.get(&["runs", &self.run, "ledger"])?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&page(&reply.read::<view::Ledger>()?))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn page(ledger: &view::Ledger) -> String {
    let mut page = format!("run `{}`: the next sync runs from node {}\n", ledger.run, ledger.keeper);
    let at = ledger.compared_at.map_or_else(|| "not since the daemon came up".to_owned(), |at| at.to_string());
    let told = if ledger.recorded[ledger.keeper.other()] { at } else { "never: nothing was listed at the break".to_owned() };
    // Writing into a string cannot fail.
    let _ = writeln!(page, "  compared   {told}");
    for why in &ledger.not_listed {
        let _ = writeln!(page, "  not listed {why}; compare by hand");
    }
    if let Some(why) = &ledger.unread {
        let _ = writeln!(page, "  not read   {why}");
    }
    let _ = writeln!(page, "  lines      {}, open: {}", ledger.lines.len(), ledger.open);
    for line in &ledger.lines {
        page.push_str(&told_line(line));
    }
    page
}

pub fn told_line(line: &view::LedgerLine) -> String {
    let word = match (&line.acknowledged, line.lost) {
        (Some(word), _) => format!("\n  acknowledged by {} at {}{}", word.by, word.at, note(word.note.as_ref())),
        (None, true) => "\n  open".to_owned(),
        (None, false) => String::new(),
    };
    format!("\n{}: {} `{}` {} on node {}\n  {}{word}\n", line.id, line.kind, line.name, line.change.name(), line.node, line.fate)
}

fn note(note: Option<&String>) -> String {
    note.map(|note| format!(": {note}")).unwrap_or_default()
}
