//! `changeover procedures list/show/prove`: the documents that runs follow. Needs no daemon.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::gate::Gate;
use crate::domain::procedure::Template;

use super::prove::Prove;
use super::wiring::ProcedureDocument as Known;
use super::{Exit, Failure, Format, Run, config, output};

/// The procedures that runs follow
#[derive(Subcommand)]
pub enum Procedures {
    List(List),
    Show(Show),
    Prove(Prove),
}

impl Procedures {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::List(command) => command,
            Self::Show(command) => command,
            Self::Prove(command) => command,
        }
    }
}

/// List the procedures
#[derive(Args)]
pub struct List {
    /// The config file, for the folder of your own procedures [default: config/changeover.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// Show a procedure's document
#[derive(Args)]
pub struct Show {
    /// The procedure's name
    name: String,
    /// The config file, for the folder of your own procedures [default: config/changeover.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// Without `--config` and without the usual file there are the built-in ones alone.
fn configured(config: Option<&Path>) -> Result<Vec<Known>, Failure> {
    let usual = Path::new(config::DEFAULT);
    match config.or(usual.exists().then_some(usual)) {
        Some(path) => config::procedures(Some(&config::load(path)?.procedures_dir)),
        None => config::procedures(None),
    }
}

impl Run for List {
    fn run(&self) -> Result<Exit, Failure> {
        let known = configured(self.config.as_deref())?;
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
        let known = configured(self.config.as_deref())?;
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
    json!({ "when": step.when, "action": step.kind, "who": step.who, "gate": step.gate.map(Gate::name), "only": step.only, "impact": step.kind.impact() })
}

fn unknown(name: &str, known: &[Known]) -> Failure {
    let names: Vec<&str> = known.iter().map(|known| known.procedure.name.as_str()).collect();
    Failure::new("unknown_procedure", format!("there is no procedure `{name}`")).hint(format!("there are {}", names.join(", ")))
}
