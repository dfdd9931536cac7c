//! `changeover machine list/draw`: the phases of a run and the events that lead from one to another, from the code itself.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::domain::machine::drawing::{self, Arrow};

use super::{Exit, Failure, Format, Run, output};

/// The phases of a run and what leads from one to another
#[derive(Subcommand)]
pub enum Machine {
    List(List),
    Draw(Draw),
}

impl Machine {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::List(command) => command,
            Self::Draw(command) => command,
        }
    }
}

/// List each phase's events: where they lead, who causes them, what they mean
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    format: Format,
}

impl Run for List {
    fn run(&self) -> Result<Exit, Failure> {
        let arrows = drawing::arrows();
        if self.format.json {
            output::json(&json!({ "edges": arrows.iter().map(object).collect::<Vec<_>>() }))?;
        } else {
            let head = ["PHASE", "EVENT", "NEXT", "BY", "MEANS"].map(str::to_owned).to_vec();
            let rows: Vec<Vec<String>> = std::iter::once(head).chain(arrows.iter().map(row)).collect();
            output::say(&output::table(&rows))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn object(arrow: &Arrow) -> Value {
    let from = arrow.from.map(|from| from.name());
    json!({ "from": from, "event": arrow.event, "to": arrow.to_names(), "by": arrow.by.name(), "sentence": arrow.sentence })
}

fn row(arrow: &Arrow) -> Vec<String> {
    [arrow.from_name(), arrow.event, &arrow.to_names().join(", "), arrow.by.name(), arrow.sentence].map(str::to_owned).to_vec()
}

/// Draw the phases of a run
#[derive(Args)]
pub struct Draw {
    /// As a Mermaid state diagram, or as text
    #[arg(long, value_enum, default_value_t = Drawing::Mermaid)]
    format: Drawing,
}

#[derive(Clone, Copy, ValueEnum)]
enum Drawing {
    Mermaid,
    Text,
}

impl Run for Draw {
    fn run(&self) -> Result<Exit, Failure> {
        let drawing = match self.format {
            Drawing::Mermaid => drawing::mermaid(),
            Drawing::Text => drawing::text(),
        };
        output::say(drawing.trim_end())?;
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        false
    }
}
