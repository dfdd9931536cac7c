//! `changeover handover RUN`: what whoever opens window two must know.

use clap::Args;

use crate::domain::handover::{Note, Section};

use super::client::Client;
use super::zones::Zones;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Print what happened in window one and since, for whoever opens window two
#[derive(Args)]
pub struct Handover {
    /// The run
    run: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Handover {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.get(&["runs", &self.run, "handover"])?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            let note: Note = reply.read()?;
            output::say(&Zones::of(&note.zone).text(&page(&note)))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// The sections, then how things are, then how it is acknowledged.
pub fn page(note: &Note) -> String {
    let now = Section { title: "As last read".to_owned(), lines: note.now.clone() };
    let sections: String = note.sections.iter().chain([&now]).map(section).collect();
    let end = match &note.acknowledged {
        Some(who) => format!("taken over by {who}"),
        None => format!("to take over, once the gate is open: `changeover confirm {} handover --read {}`", note.run, note.hash),
    };
    format!("handover note of run `{}`, {}\n{sections}\n{end}\n", note.run, note.hash)
}

fn section(section: &Section) -> String {
    let lines: String = section.lines.iter().map(|line| format!("  - {line}\n")).collect();
    format!("\n{}:\n{lines}", section.title)
}
