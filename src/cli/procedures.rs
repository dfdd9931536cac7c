//! `changeover procedures list/show`: the documents that runs follow. Needs no daemon.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::action::Gate;
use crate::domain::procedure::{BUILT_IN, Procedure, Template};

use super::{Exit, Failure, Format, Run, output};

/// The procedures that runs follow
#[derive(Subcommand)]
pub enum Procedures {
    List(List),
    Show(Show),
}

impl Procedures {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::List(command) => command,
            Self::Show(command) => command,
        }
    }
}

/// List the procedures
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    format: Format,
}

/// Show a procedure's document
#[derive(Args)]
pub struct Show {
    /// The procedure's name
    name: String,
    #[command(flatten)]
    format: Format,
}

/// A procedure with its document.
struct Known {
    procedure: Procedure,
    origin: String,
    text: String,
}

/// All procedures there are.
fn known() -> Result<Vec<Known>, Failure> {
    BUILT_IN.iter().map(|(name, text)| load(&format!("built-in {name}"), text)).collect()
}

fn load(origin: &str, text: &str) -> Result<Known, Failure> {
    let procedure = Procedure::load(origin, text).map_err(|error| Failure::of("bad_procedure", &error))?;
    Ok(Known { procedure, origin: origin.to_owned(), text: text.to_owned() })
}

impl Run for List {
    fn run(&self) -> Result<Exit, Failure> {
        let known = known()?;
        if self.format.json {
            let each = known.iter().map(|known| json!({ "name": known.procedure.name, "title": known.procedure.title, "origin": known.origin, "steps": known.procedure.steps.len() }));
            output::json(&json!({ "procedures": each.collect::<Vec<_>>() }))?;
        } else {
            let row = |known: &Known| vec![known.procedure.name.clone(), known.procedure.title.clone()];
            output::say(&output::table(&known.iter().map(row).collect::<Vec<_>>()))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Run for Show {
    fn run(&self) -> Result<Exit, Failure> {
        let known = known()?;
        let found = known.iter().find(|known| known.procedure.name == self.name).ok_or_else(|| unknown(&self.name, &known))?;
        if self.format.json {
            let steps: Vec<_> = found.procedure.steps.iter().map(step).collect();
            let (name, title) = (&found.procedure.name, &found.procedure.title);
            output::json(&json!({ "name": name, "title": title, "origin": found.origin, "steps": steps }))?;
        } else {
            output::say(&found.text)?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn step(step: &Template) -> serde_json::Value {
    json!({ "when": step.when, "action": step.kind, "who": step.who, "gate": step.gate.map(Gate::name), "impact": step.kind.impact() })
}

fn unknown(name: &str, known: &[Known]) -> Failure {
    let names: Vec<&str> = known.iter().map(|known| known.procedure.name.as_str()).collect();
    Failure::new("no_such_procedure", format!("there is no procedure `{name}`")).hint(format!("there are {}", names.join(", ")))
}
