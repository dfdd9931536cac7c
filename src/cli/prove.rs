//! `changeover procedures prove`: whether a document may be run, and if not, every reason with its line. Needs no daemon.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::domain::procedure::{Procedure, ProcedureError};
use crate::domain::prove::{self, End, Passed, Proven, Refusal};

use super::{Exit, Failure, Format, Run, output};

/// Prove procedures: every outcome of every step, or each reason why one is refused, with its line
#[derive(Args)]
pub struct Prove {
    /// The documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// A document and what came of it: unreadable as a procedure, or gone through.
struct Proved {
    file: String,
    result: Result<(Procedure, Proven), ProcedureError>,
}

impl Run for Prove {
    fn run(&self) -> Result<Exit, Failure> {
        let all = self.files.iter().map(|path| proved(path)).collect::<Result<Vec<_>, _>>()?;
        let ok = all.iter().all(Proved::ok);
        if self.format.json {
            output::json(&json!({ "ok": ok, "procedures": all.iter().map(Proved::json).collect::<Vec<_>>() }))?;
        } else {
            output::say(&all.iter().map(Proved::text).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(if ok { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn proved(path: &Path) -> Result<Proved, Failure> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new("bad_procedure", format!("`{file}` can't be read")).because(error.to_string()))?;
    let result = Procedure::read(&file, &text).map(|procedure| {
        let proven = prove::prove(&procedure);
        (procedure, proven)
    });
    Ok(Proved { file, result })
}

impl Proved {
    fn ok(&self) -> bool {
        self.result.as_ref().is_ok_and(|(_, proven)| proven.refusals.is_empty())
    }

    fn text(&self) -> String {
        match &self.result {
            Err(error) => format!("{error}\n"),
            Ok((procedure, proven)) if self.ok() => accepted(&self.file, procedure, proven),
            Ok((procedure, proven)) => {
                let each = proven.refusals.iter().map(|refusal| refused(&self.file, refusal));
                let count = proven.refusals.len();
                let reasons = if count == 1 { "reason" } else { "reasons" };
                each.collect::<String>()
                    + &format!("{}: procedure `{}` is refused, {count} {reasons}\n", self.file, procedure.name)
            }
        }
    }

    fn json(&self) -> Value {
        match &self.result {
            Err(error) => {
                let refusal =
                    json!({ "line": error.line, "rule": null, "name": null, "step": null, "message": error.message, "path": [] });
                json!({ "file": self.file, "name": null, "proved": false, "refusals": [refusal] })
            }
            Ok((procedure, proven)) => {
                let outcomes: serde_json::Map<String, Value> =
                    counted(proven).map(|(end, count)| (end.name().to_owned(), json!(count))).collect();
                json!({
                    "file": self.file, "name": procedure.name, "proved": self.ok(), "steps": procedure.steps.len(),
                    "states": proven.states, "outcomes": outcomes,
                    "refusals": proven.refusals.iter().map(refusal).collect::<Vec<_>>(),
                })
            }
        }
    }
}

fn counted(proven: &Proven) -> impl Iterator<Item = (End, usize)> {
    End::ALL.into_iter().zip(proven.outcomes)
}

fn accepted(file: &str, procedure: &Procedure, proven: &Proven) -> String {
    let outcomes: Vec<String> = counted(proven).map(|(end, count)| format!("{count} {}", end.name())).collect();
    format!(
        "{file}: procedure `{}` is proved\n  {} steps, with both orders of nodes, versions below, across and above 10.6\n  \
         outcomes: {}\n  {} states, from each a safe end can be reached\n",
        procedure.name,
        procedure.steps.len(),
        outcomes.join(", "),
        proven.states
    )
}

fn refused(file: &str, refusal: &Refusal) -> String {
    let Refusal { line, rule, message, path, .. } = refusal;
    let rule = rule.map_or_else(String::new, |rule| format!("rule {rule}: "));
    format!("{file}:{line}: {rule}{message}\n  path: {}\n", told(path))
}

/// The steps in their order; those that were not simply done with what came of them.
fn told(path: &[Passed]) -> String {
    let each = path.iter().map(|passed| match passed.end {
        End::Done => format!("{} done", passed.step),
        end => format!("{} {} ({})", passed.step, end.name(), passed.found),
    });
    match path {
        [] => "the start".to_owned(),
        _ => each.collect::<Vec<_>>().join(", "),
    }
}

fn refusal(refusal: &Refusal) -> Value {
    let path = refusal.path.iter().map(|passed| {
        let found = Some(passed.found).filter(|found| !found.is_empty());
        json!({ "step": passed.step, "outcome": passed.end.name(), "found": found })
    });
    json!({
        "line": refusal.line, "rule": refusal.rule, "name": refusal.rule.map(|rule| rule.name()),
        "step": refusal.step, "message": refusal.message, "path": path.collect::<Vec<_>>(),
    })
}
